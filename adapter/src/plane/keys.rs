//! API keys made for signed-in users, on a Plane whose `/api/v1` takes nothing else.
//!
//! A key is made in the user's own session, checked to be this user's before it is used, held in memory only, sent to
//! Plane itself and nowhere else, and deleted when the user's sign-in ends, when nobody used it for a while, and when
//! the process stops. What is left behind by a crash ends by itself within hours.

mod ring;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::iter;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use service::{Secret, Shutdown, traces};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::budget::Lane;
use super::exchange::{Answer, Proof, Request, parsed};
use super::path::Uuid;
use super::signed_in::Visit;
use super::{Plane, PlaneError, shapes};
use crate::caller::Account;
use crate::metrics::KeyEvent;

use ring::Taken;
pub(super) use ring::{Minted, Ring, Slot};

const TOKENS: &str = "/api/users/api-tokens/";
const KEYED_ME: &str = "/api/v1/users/me/";
const DESCRIPTION: &str =
    "Made for this user's agents by the Plane MCP adapter, which deletes it. Safe to delete.";
/// How often ended sign-ins are looked for.
const ROUND: Duration = Duration::from_secs(1);
/// Longest time given to deleting keys at once; what is not deleted by then ends by itself.
const FAREWELL: Duration = Duration::from_secs(3);
/// Between two attempts to delete a key; there is no third.
const SECOND_TRY: Duration = Duration::from_secs(1);
/// Keys deleted at the same time.
const AT_ONCE: usize = 16;
/// When stopping, a key unused for this long belongs to nobody whose call still runs.
const CALL_OVER: Duration = Duration::from_secs(5);

/// What Plane answers to a new key; the only answer that holds it.
#[derive(Deserialize)]
struct Created {
    id: String,
    token: Secret,
}

impl Plane {
    /// Asks Plane itself with the user's key, made now when there is none. A key that Plane no longer knows is replaced
    /// once; no other refusal ever leads to a new key.
    pub(super) async fn ask_with_key(&self, visit: &Visit, path: &str) -> Result<Vec<u8>, PlaneError> {
        let mut last = false;
        loop {
            let key = self.key(visit).await?;
            let budget = self.take(visit.account, Lane::Key).await?;
            let request = Request::get(path, &visit.origin);
            let answer = self.exchange(&request, &Proof::Key(&key.secret)).await?;
            self.note_limits(&answer, &budget);
            match answer.into_body() {
                Err(PlaneError::KeyRefused) => self.memory.keys.discard(visit.account, &key),
                answer => return answer,
            }
            if last {
                return Err(PlaneError::KeyRefused);
            }
            last = true;
        }
    }

    async fn key(&self, visit: &Visit) -> Result<Arc<Minted>, PlaneError> {
        if !self.settings.keys.mint || self.settings.api_url.is_none() {
            tracing::error!(
                "plane's /api/v1 takes only API keys; to make them for signed-in users, set plane.api_url to plane's \
                 own address and leave plane.key_minting at auto"
            );
            return Err(PlaneError::KeysNeeded);
        }
        let slot = self.memory.keys.slot(visit, self.clock.now());
        let known = slot.key(self.clock.now());
        self.metrics.keys.looked(known.is_some());
        if let Some(key) = known {
            return key;
        }
        // Where it ends even when this caller goes away: a key must not be made and then lost.
        let (plane, visit) = (self.at_home(), visit.clone());
        let minting = async move { plane.mint(&visit, &slot).await }.instrument(traces::step("mint a key"));
        let minting = self.home.runtime.spawn(minting);
        minting.await.map_err(|_| PlaneError::Unexpected("making a key broke off".to_owned()))?
    }

    /// Makes a key, one at a time for each user.
    async fn mint(&self, visit: &Visit, slot: &Slot) -> Result<Arc<Minted>, PlaneError> {
        let _turn = slot.minting.lock().await;
        if let Some(key) = slot.key(self.clock.now()) {
            return key;
        }
        if let Some(old) = slot.take() {
            self.revoke(&old).await;
        }
        let result = self.minted(visit).await;
        if let Err(error) = &result {
            let reason = error.reason();
            tracing::warn!(request.id = visit.origin.request_id, reason, "no key could be made for a user");
            self.metrics.plane_key(KeyEvent::Refused);
        }
        slot.store(result, self.clock.now())
    }

    async fn minted(&self, visit: &Visit) -> Result<Minted, PlaneError> {
        if self.memory.keys.is_closed() {
            return Err(PlaneError::Unavailable(StatusCode::SERVICE_UNAVAILABLE));
        }
        let me = self.me(visit).await?;
        let user = me.id.filter(|id| !id.is_empty());
        let user = user.ok_or_else(|| PlaneError::Unexpected("a user without an id".to_owned()))?;
        if !visit.identity.is_known_as(me.email.as_deref().unwrap_or_default()) {
            self.forget(visit.account).await;
            return Err(PlaneError::WrongUser);
        }
        let key = self.create(visit).await?;
        self.metrics.plane_key(KeyEvent::Minted);
        match self.owner_of(&key, visit).await {
            Ok(owner) if owner == user => Ok(key),
            other => {
                self.revoke(&Taken { key: key.into(), visit: visit.clone() }).await;
                other.and(Err(PlaneError::WrongUser))
            }
        }
    }

    async fn create(&self, visit: &Visit) -> Result<Minted, PlaneError> {
        let ends = self.clock.now() + self.settings.keys.lifetime;
        let seconds = ends.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs());
        let until = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds.try_into().ok()?).ok());
        let until = until.ok_or_else(|| PlaneError::Unexpected("no such time".to_owned()))?;
        let body = json!({"label": self.settings.keys.label, "description": DESCRIPTION, "expired_at": until.to_string()});
        let request = Request {
            method: Method::POST,
            path: TOKENS,
            origin: &visit.origin,
            body: Some(body.to_string()),
        };
        let answer = self.in_live_session(visit, &request).await?;
        let status = answer.status;
        let created: Created = match answer.into_body() {
            Ok(body) if status == StatusCode::CREATED => parsed(&body)?,
            Err(
                failure @ (PlaneError::NotSignedIn
                | PlaneError::IdentityRefused(_)
                | PlaneError::RateLimited { .. }
                | PlaneError::Unavailable(_)),
            ) => return Err(failure),
            Ok(_) | Err(_) => return Err(PlaneError::MintingRefused(status)),
        };
        // It goes into a path when it is deleted.
        let id = Uuid::parse(&created.id);
        let id = id.ok_or_else(|| PlaneError::Unexpected("a key without an id".to_owned()))?;
        Ok(Minted { id, secret: created.token, ends })
    }

    /// The id of the user a key acts for.
    async fn owner_of(&self, key: &Minted, visit: &Visit) -> Result<String, PlaneError> {
        let request = Request::get(KEYED_ME, &visit.origin);
        let answer = self.exchange(&request, &Proof::Key(&key.secret)).await?;
        self.note_limits(&answer, &*self.budget(visit.account, Lane::Key).await);
        match answer.into_body() {
            Ok(body) => Ok(parsed::<shapes::User>(&body)?.id.unwrap_or_default()),
            // A Plane that does not take the key it just gave.
            Err(PlaneError::KeyRefused) => Err(PlaneError::MintingRefused(StatusCode::FORBIDDEN)),
            Err(other) => Err(other),
        }
    }

    /// Deletes a key, with the newest ID token of its user. One that is gone already is deleted, too.
    async fn revoke(&self, taken: &Taken) {
        let path = format!("{TOKENS}{}/", taken.key.id.as_str());
        let request =
            Request { method: Method::DELETE, path: &path, origin: &taken.visit.origin, body: None };
        let mut answer = self.in_live_session(&taken.visit, &request).await.and_then(Answer::into_body);
        if let Err(PlaneError::Unreachable(_) | PlaneError::Unavailable(_)) = answer {
            tokio::time::sleep(SECOND_TRY).await;
            answer = self.in_live_session(&taken.visit, &request).await.and_then(Answer::into_body);
        }
        match answer {
            Ok(_) | Err(PlaneError::NotFound) => self.metrics.plane_key(KeyEvent::Revoked),
            Err(error) => {
                self.metrics.plane_key(KeyEvent::NotRevoked);
                let reason = error.reason();
                tracing::warn!(reason, "a key could not be deleted; it ends by itself within hours");
            }
        }
    }

    /// Forgets the key of an account whose session turned out to be somebody else's.
    pub(super) fn drop_key(&self, account: Account) {
        if let Some(taken) = self.memory.keys.take(account) {
            let plane = self.at_home();
            self.home.runtime.spawn(async move { plane.revoke(&taken).await });
        }
    }

    /// Deletes keys whose users' sign-ins ended or who do nothing, until the shutdown; then those of users without a
    /// running call. For the runtime [`Plane::new`] was called on.
    pub async fn tend_keys(&self, shutdown: Shutdown) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.wait() => break,
                _ = rounds.tick() => self.revoke_all(self.memory.keys.ended(self.clock.now())).await,
            }
        }
        let now = self.clock.now();
        self.revoke_all(self.memory.keys.unused_since(now.checked_sub(CALL_OVER).unwrap_or(now))).await;
    }

    /// Deletes every key, waiting for one being made; none is made any more. For the end, when no call runs.
    pub async fn close_keys(&self) {
        self.memory.keys.close();
        let until = Instant::now() + FAREWELL;
        let mut being_made = 0;
        for slot in self.memory.keys.slots() {
            if timeout_at(until, slot.minting.lock()).await.is_err() {
                // Plane may have made it already, and only this process would have learnt its name.
                self.metrics.plane_key(KeyEvent::NotRevoked);
                being_made += 1;
            }
        }
        if being_made > 0 {
            tracing::warn!(
                count = being_made,
                "keys were still being made; they end by themselves within hours"
            );
        }
        self.revoke_all(self.memory.keys.all()).await;
    }

    /// Deletes keys that are in the ring no more, so that this is their only chance.
    async fn revoke_all(&self, keys: Vec<Taken>) {
        let until = Instant::now() + FAREWELL;
        let late = AtomicUsize::new(0);
        let revoking = iter(&keys).for_each_concurrent(AT_ONCE, |taken| async {
            if timeout_at(until, self.revoke(taken)).await.is_err() {
                self.metrics.plane_key(KeyEvent::NotRevoked);
                late.fetch_add(1, Ordering::Relaxed);
            }
        });
        revoking.await;
        let count = late.into_inner();
        if count > 0 {
            tracing::warn!(
                count,
                "not all keys could be deleted in time; they end by themselves within hours"
            );
        }
    }
}
