//! Whether Plane's `/api/v1` takes the session of a signed-in user, or only API keys: found out once, not per call.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long "only keys" is believed. "Sessions" needs no end: a refusal says when it is wrong, while keys would go on
/// working on a Plane that has learnt to take sessions.
const KEYS_BELIEVED: Duration = Duration::from_secs(3600);

/// What lets a signed-in user in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The session of the proxied identity.
    Sessions,
    /// Only `X-Api-Key`.
    Keys,
}

/// What is known of this Plane. The same for all users, so nothing about a single one may be written here.
#[derive(Debug, Default)]
pub(super) struct Access {
    known: Mutex<Option<(Door, SystemTime)>>,
    /// Held by the request that finds out.
    pub(super) finding_out: tokio::sync::Mutex<()>,
}

impl Access {
    pub(super) fn known(&self, now: SystemTime) -> Option<Door> {
        let (door, since) = (*self.known.lock().unwrap_or_else(PoisonError::into_inner))?;
        // A clock that went backwards makes it young, never believed for ever.
        let age = now.duration_since(since).unwrap_or(Duration::ZERO);
        (door == Door::Sessions || age < KEYS_BELIEVED).then_some(door)
    }

    pub(super) fn learn(&self, door: Door, now: SystemTime) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none_or(|(before, _)| before != door) {
            tracing::info!(door = ?door, "what plane's /api/v1 takes from signed-in users");
        }
        *known = Some((door, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_is_asked_again_after_an_hour_and_sessions_never() {
        let access = Access::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(access.known(at(0)), None);
        access.learn(Door::Keys, at(1000));
        assert_eq!(access.known(at(4599)), Some(Door::Keys));
        assert_eq!(access.known(at(4600)), None);
        access.learn(Door::Sessions, at(4600));
        assert_eq!(access.known(at(1_000_000)), Some(Door::Sessions));
    }
}
