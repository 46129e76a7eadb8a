//! How a signed-in user's requests go: in the user's one session at the public address; on a Plane whose `/api/v1`
//! takes no sessions, there with a key of the user's own ([`keys`](super::keys)).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::access::Door;
use super::budget::Lane;
use super::exchange::{Answer, Proof, Request, parsed};
use super::session::Session;
use super::{Plane, PlaneError, V1, shapes};
use crate::caller::{Account, Identity, Origin};

/// The signed-in user's own record in the web application's API.
pub(super) const ME: &str = "/api/users/me/";
/// Longest wait for another request to find out what `/api/v1` takes; a slow one does not hold up everybody.
const FINDING_OUT: Duration = Duration::from_secs(2);

/// A signed-in user at Plane, for one request or for the life of a key.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) account: Account,
    pub(super) identity: Identity,
    pub(super) session: Arc<Session>,
    pub(super) origin: Origin,
}

impl Plane {
    /// Asks what any signed-in user may ask.
    pub(super) async fn ask_signed_in(&self, visit: &Visit, path: &str) -> Result<Vec<u8>, PlaneError> {
        if path.starts_with(V1) { self.ask_v1(visit, path).await } else { self.ask_app(visit, path).await }
    }

    /// The user Plane takes the visitor for.
    pub(super) async fn me(&self, visit: &Visit) -> Result<shapes::User, PlaneError> {
        let answer = self.in_live_session(visit, &Request::get(ME, &visit.origin)).await?;
        parsed(&answer.into_body()?)
    }

    /// In the session. A 401 to a request that carried cookies may be the session's end and not the user's: once more
    /// without them.
    pub(super) async fn in_live_session(
        &self,
        visit: &Visit,
        request: &Request<'_>,
    ) -> Result<Answer, PlaneError> {
        let mut last = false;
        loop {
            let (answer, sent) = self.in_session(visit, request).await?;
            let (StatusCode::UNAUTHORIZED, Some(sent)) = (answer.status, sent) else { return Ok(answer) };
            visit.session.forget(&sent);
            if last {
                return Ok(answer);
            }
            last = true;
        }
    }

    /// In the session as it is; also gives the cookies sent.
    async fn in_session(
        &self,
        visit: &Visit,
        request: &Request<'_>,
    ) -> Result<(Answer, Option<String>), PlaneError> {
        // Until the first answer came, the other requests of this user wait for its cookies.
        let _opening = visit.session.open().await;
        let sent = visit.session.header();
        let proof = Proof::SignedIn { id_token: &visit.identity.id_token, cookies: sent.as_deref() };
        let answer = self.exchange(request, &proof).await?;
        let status = answer.status;
        let refused = status == StatusCode::UNAUTHORIZED && sent.is_some();
        if (status.is_success() || status.is_client_error()) && !refused {
            visit.session.store(&answer.headers);
        }
        Ok((answer, sent))
    }

    async fn ask_app(&self, visit: &Visit, path: &str) -> Result<Vec<u8>, PlaneError> {
        let budget = self.take(visit.account, Lane::Session).await?;
        let answer = self.in_live_session(visit, &Request::get(path, &visit.origin)).await?;
        self.note_limits(&answer, &budget);
        answer.into_body()
    }

    /// The first request to `/api/v1` is also the one that finds out what it takes.
    async fn ask_v1(&self, visit: &Visit, path: &str) -> Result<Vec<u8>, PlaneError> {
        let access = &self.memory.access;
        let finding_out = match access.known(self.clock.now()) {
            Some(_) => None,
            None => tokio::time::timeout(FINDING_OUT, access.finding_out.lock()).await.ok(),
        };
        if access.known(self.clock.now()) == Some(Door::Keys) {
            drop(finding_out);
            return self.ask_with_key(visit, path).await;
        }
        match self.ask_v1_in_session(visit, path).await {
            Err(PlaneError::NotSignedIn) => {}
            answer => {
                if answer.is_ok() {
                    access.learn(Door::Sessions, self.clock.now());
                }
                return answer;
            }
        }
        // The session's end, or the user's, or no sessions here at all. The application's API tells which: it opens a
        // new session when this one ended, and refuses a user whom Plane does not know.
        let before = visit.session.header();
        self.me(visit).await?;
        if before.is_some() && visit.session.header() != before {
            match self.ask_v1_in_session(visit, path).await {
                Err(PlaneError::NotSignedIn) => {}
                answer => return answer,
            }
        }
        access.learn(Door::Keys, self.clock.now());
        drop(finding_out);
        self.ask_with_key(visit, path).await
    }

    async fn ask_v1_in_session(&self, visit: &Visit, path: &str) -> Result<Vec<u8>, PlaneError> {
        let budget = self.take(visit.account, Lane::Session).await?;
        let (answer, _) = self.in_session(visit, &Request::get(path, &visit.origin)).await?;
        self.note_limits(&answer, &budget);
        answer.into_body()
    }
}
