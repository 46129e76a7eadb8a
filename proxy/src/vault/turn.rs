//! Whose turn it is to refresh a session: one replica's at a time, by a lock in the store.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::seal::Found;
use super::{EndReason, Session, Vault, VaultError, names};
use crate::keys::random;
use crate::metrics::Refreshed;
use crate::store::StoreDown;
use crate::terms::SessionId;

/// How long to wait between two looks at what the replica whose turn it is has done: the first and the longest wait.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(100));

/// How often a session is looked at while it is held back from its end.
const LOOKS: u32 = 5;

/// The right to refresh a session, to be given back by `Vault::give_back`.
pub(super) struct Turn {
    name: String,
    owner: Bytes,
}

/// What came of waiting for a turn.
enum Waited {
    /// It is ours.
    Ours(Turn),
    /// Another replica has refreshed the session meanwhile.
    Theirs(Found),
}

/// The replica whose turn it is did not finish.
#[derive(Debug, thiserror::Error)]
#[error("another replica holds the refresh lock")]
struct Held;

/// The turn ran out while it was needed.
#[derive(Debug, thiserror::Error)]
#[error("the refresh lock was lost")]
struct Lost;

impl Vault {
    /// Refreshes a session that is at `generation`: one replica asks Cognito, the others wait for it.
    pub(super) async fn refresh(&self, sid: &SessionId, generation: u64) -> Result<Arc<Session>, VaultError> {
        let started = Instant::now();
        let waited = self.wait_for_turn(sid, generation).await;
        self.metrics.lock_wait.observe(started.elapsed().as_secs_f64());
        let refreshed = match waited {
            Ok(Waited::Theirs(found)) => self.adopt(found).await.map(|session| (session, Refreshed::Adopted)),
            Ok(Waited::Ours(turn)) => {
                let refreshed = tokio::select! {
                    refreshed = self.refresh_in_turn(sid, &turn) => refreshed,
                    never = self.hold(&turn) => match never {},
                };
                self.give_back(turn).await;
                refreshed
            }
            Err(error) => Err(error),
        };
        let outcome = match &refreshed {
            Ok((_, how)) => Some(*how),
            Err(VaultError::Ended) => Some(Refreshed::Refused),
            Err(VaultError::Unavailable { .. }) => Some(Refreshed::Unavailable),
            // Ended by somebody meanwhile: there was nothing to refresh.
            Err(VaultError::Gone) => None,
        };
        if let Some(outcome) = outcome {
            self.metrics.refreshed(outcome, started.elapsed());
        }
        refreshed.map(|(session, _)| session)
    }

    /// Waits for the turn to refresh `sid`, or until somebody has refreshed it beyond `generation`.
    async fn wait_for_turn(&self, sid: &SessionId, generation: u64) -> Result<Waited, VaultError> {
        let name = names::refresh_lock(sid.as_str());
        // Random, so that nobody gives back a lock that ran out and is another's by now.
        let owner = Bytes::copy_from_slice(&random::<16>());
        let deadline = Instant::now() + self.policy.wait_for;
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            if self.store.put_new(&name, owner.clone(), self.policy.lock_for).await? {
                return Ok(Waited::Ours(Turn { name, owner }));
            }
            if Instant::now() >= deadline {
                return Err(VaultError::unavailable("lock", Held));
            }
            tokio::time::sleep(pause + jitter(pause)).await;
            pause = (pause * 2).min(longest);
            let found = self.records.read(sid).await?.ok_or(VaultError::Gone)?;
            if found.record.generation != generation && found.record.unverified.is_none() {
                return Ok(Waited::Theirs(found));
            }
        }
    }

    /// Keeps a turn from running out for as long as this is polled. The lock itself is short, so that a replica that dies
    /// in its turn holds up the others for a moment only: Cognito's own grace for a rotated token may be short too.
    async fn hold(&self, turn: &Turn) -> Infallible {
        loop {
            tokio::time::sleep(self.policy.lock_for / 3).await;
            let held = match self.prolong(turn).await {
                // It ran out; if nobody has taken it since, it is ours again.
                Ok(false) => self.store.put_new(&turn.name, turn.owner.clone(), self.policy.lock_for).await,
                held => held,
            };
            if !held.is_ok_and(|held| held) {
                tracing::warn!("a refresh lock could not be kept");
            }
        }
    }

    /// Cognito refused the refresh token of `found`: ends the session, unless another replica has the token that came for it.
    ///
    /// With rotation that replica spent the one we hold, lost its turn while the store took no writes (or was cut off, or
    /// stood still), and writes what it has as soon as it can. So the session ends only after the turn was ours, the store
    /// took writes and the record stayed as it is for all of `hold_back`. Nothing tells such a replica from none: what it
    /// wrote before could be lost in the same failover. Hence everybody waits; it costs a session that has ended at Cognito
    /// these seconds, once.
    ///
    /// That replica replaces the record although its turn is over, for nobody else has refreshed it; if the session has
    /// ended nevertheless, it revokes what it has.
    pub(super) async fn refused(
        &self,
        mut found: Found,
        turn: &Turn,
        said: Option<String>,
    ) -> Result<Found, VaultError> {
        let sid = found.record.session.sid.clone();
        tracing::info!(%sid, "cognito refused a refresh token: another replica may have the next one, waiting for it");
        for _ in 0..LOOKS {
            tokio::time::sleep(self.policy.hold_back / LOOKS).await;
            if !self.prolong(turn).await? {
                return Err(VaultError::unavailable("lock", Lost));
            }
            let now = self.records.read(&sid).await?.ok_or(VaultError::Gone)?;
            if now.record.generation != found.record.generation {
                tracing::info!(%sid, "another replica had it");
                return Ok(now);
            }
            // At most sealed anew.
            found = now;
        }
        Err(self.over(&found, EndReason::GrantRefused, said).await)
    }

    /// Lets a turn last longer; says whether it was still ours.
    async fn prolong(&self, turn: &Turn) -> Result<bool, StoreDown> {
        self.store.swap(&turn.name, &turn.owner, turn.owner.clone(), self.policy.lock_for).await
    }

    async fn give_back(&self, turn: Turn) {
        if let Err(down) = self.store.delete_if(&turn.name, &turn.owner).await {
            tracing::warn!(error = %down.source, "a refresh lock was not given back and has to run out");
        }
    }
}

/// Up to a quarter of `pause`, so that waiting replicas do not ask in step.
fn jitter(pause: Duration) -> Duration {
    let [byte] = random::<1>();
    pause * u32::from(byte) / 1024
}
