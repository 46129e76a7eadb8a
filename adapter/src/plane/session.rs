//! A user's session at Plane: two cookies kept between calls, so that Plane gets one session a user, not one a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::header::{HeaderMap, SET_COOKIE};

/// The only cookies kept; anything else a hop in between sets is dropped.
const KEPT: [&str; 2] = ["session-id", "csrftoken"];
/// Longest cookie value kept; longer ones are ignored, and Plane opens a new session each time.
const VALUE_BYTES: usize = 1024;

/// The cookies of one user.
#[derive(Debug)]
pub(super) struct Session {
    id: u64,
    cookies: Mutex<Cookies>,
    /// Held while the first request of a user is under way, so that a burst opens one session.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Cookies {
    values: [Option<String>; KEPT.len()],
    /// Plane answered without setting a cookie: nothing to wait for.
    none_offered: bool,
}

/// Cookie values are credentials: never printed.
impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Session {
    /// A session not yet opened.
    pub(super) fn new() -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Self { id, cookies: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// Unlike any other session's of this process; never 0.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The `Cookie` header to send, if there is a session.
    pub(super) fn header(&self) -> Option<String> {
        let cookies = self.lock();
        let pairs: Vec<String> = KEPT
            .iter()
            .zip(&cookies.values)
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Waits for a request that is opening the session, and becomes that request if there is none.
    /// `None` when there is a session already, or none to be had.
    pub(super) async fn open(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.settled() {
            return None;
        }
        let guard = self.opening.lock().await;
        (!self.settled()).then_some(guard)
    }

    /// Takes over the cookies of an answer that let the user in.
    pub(super) fn store(&self, headers: &HeaderMap) {
        let mut cookies = self.lock();
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            let clean = value.len() <= VALUE_BYTES && value.bytes().all(|b| b.is_ascii_graphic());
            for (kept, slot) in KEPT.iter().zip(&mut cookies.values) {
                if *kept == name.trim() && clean {
                    *slot = (!value.is_empty() && value != "\"\"").then(|| value.to_owned());
                }
            }
        }
        cookies.none_offered = cookies.values.iter().all(Option::is_none);
    }

    /// Forgets the session, if it is still the one `sent` was read from.
    pub(super) fn forget(&self, sent: &str) {
        if self.header().as_deref() == Some(sent) {
            *self.lock() = Cookies::default();
        }
    }

    fn settled(&self) -> bool {
        let cookies = self.lock();
        cookies.none_offered || cookies.values.iter().any(Option::is_some)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cookies> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|line| (SET_COOKIE, http::HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn only_planes_own_cookies_are_kept() {
        let session = Session::new();
        session.store(&answer(&["session-id=abc; Path=/; HttpOnly", "_oauth2_proxy=x", "csrftoken=def"]));
        assert_eq!(session.header().unwrap(), "session-id=abc; csrftoken=def");
    }

    #[test]
    fn a_newer_session_survives_the_end_of_an_older_one() {
        let session = Session::new();
        session.store(&answer(&["session-id=old"]));
        let sent = session.header().unwrap();
        session.store(&answer(&["session-id=new"]));
        session.forget(&sent);
        assert_eq!(session.header().unwrap(), "session-id=new");
        session.forget("session-id=new");
        assert_eq!(session.header(), None);
    }

    #[test]
    fn no_cookie_value_is_ever_printed() {
        let session = Session::new();
        session.store(&answer(&["session-id=verysecret"]));
        assert!(!format!("{session:?}").contains("verysecret"));
    }

    #[tokio::test]
    async fn only_the_first_request_opens_the_session() {
        let session = Session::new();
        let guard = session.open().await;
        assert!(guard.is_some());
        session.store(&answer(&["session-id=abc"]));
        drop(guard);
        assert!(session.open().await.is_none());
    }
}
