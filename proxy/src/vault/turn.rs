//! Whose turn it is to refresh a session: one replica's at a time, by a lock in the store.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::VaultError;
use super::seal::Found;
use super::{Vault, names};
use crate::keys::random;
use crate::terms::SessionId;

/// How long to wait between two looks at what the replica whose turn it is has done: the first and the longest wait.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(100));

/// The right to refresh a session, to be given back by [`Vault::give_back`].
pub(super) struct Turn {
    name: String,
    owner: Bytes,
}

/// What came of waiting for a turn.
pub(super) enum Waited {
    /// It is ours.
    Ours(Turn),
    /// Another replica has refreshed the session meanwhile.
    Theirs(Found),
}

/// The replica whose turn it is did not finish.
#[derive(Debug, thiserror::Error)]
#[error("another replica holds the refresh lock")]
struct Held;

impl Vault {
    /// Waits for the turn to refresh `sid`, or until somebody has refreshed it beyond `generation`.
    pub(super) async fn wait_for_turn(&self, sid: &SessionId, generation: u64) -> Result<Waited, VaultError> {
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
    pub(super) async fn hold(&self, turn: &Turn) -> Infallible {
        let (name, owner) = (turn.name.as_str(), &turn.owner);
        loop {
            tokio::time::sleep(self.policy.lock_for / 3).await;
            let held = match self.store.swap(name, owner, owner.clone(), self.policy.lock_for).await {
                // It ran out; if nobody has taken it since, it is ours again.
                Ok(false) => self.store.put_new(name, owner.clone(), self.policy.lock_for).await,
                held => held,
            };
            if !held.is_ok_and(|held| held) {
                tracing::warn!("a refresh lock could not be kept");
            }
        }
    }

    pub(super) async fn give_back(&self, turn: Turn) {
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
