//! Sealed records: what lies between a session in the hand and bytes in the store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use service::Clock;
use tokio::time::Instant;

use super::record::{Record, Unreadable};
use super::{Session, VaultError, VaultPolicy};
use crate::keys::{KeyRing, Purpose, SealError};
use crate::store::{Store, names};
use crate::terms::SessionId;

/// The pauses between attempts to write begin with this share of the longest and double.
const FIRST_PAUSE: u32 = 16;

/// The sessions of the store, under their seals.
pub(super) struct Records {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    write_for: Duration,
    write_pause: Duration,
}

/// A record with the blob it was read from, which is what [`Records::replace`] compares.
pub(super) struct Found {
    pub(super) record: Box<Record>,
    blob: Bytes,
    /// Whether the current key sealed it.
    pub(super) current: bool,
}

/// What became of a record that was to be replaced.
pub(super) enum Replaced {
    /// It was, by the record given.
    Ours(Found),
    /// Somebody else refreshed it meanwhile: theirs stands.
    Theirs(Found),
    /// It was ended meanwhile, and stays so.
    Gone,
}

impl Records {
    pub(super) fn new(
        store: Arc<dyn Store>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        policy: &VaultPolicy,
    ) -> Self {
        Self { store, keys, clock, write_for: policy.write_for, write_pause: policy.write_pause }
    }

    pub(super) fn seal(&self, record: &Record) -> Bytes {
        let name = names::session(record.session.sid.as_str());
        self.keys.seal(Purpose::Session, name.as_bytes(), &record.to_bytes()).into()
    }

    /// Opens the blob stored for `sid`. One that does not open is left as it is: the key may come back.
    pub(super) fn open(&self, sid: &SessionId, blob: Bytes) -> Result<Found, VaultError> {
        let name = names::session(sid.as_str());
        let opened = self.keys.open(Purpose::Session, name.as_bytes(), &blob).map_err(|error: SealError| {
            tracing::error!(%sid, %error, "a stored session cannot be opened: was a key removed too early?");
            VaultError::unavailable("seal", error)
        })?;
        let record = Record::from_bytes(&opened.plain).map_err(|error: Unreadable| {
            tracing::error!(%sid, %error, "a stored session cannot be read: was it written by a newer version?");
            VaultError::unavailable("seal", error)
        })?;
        Ok(Found { record: Box::new(record), blob, current: opened.current })
    }

    /// The record of `sid`; none when there is none or its absolute end has come.
    pub(super) async fn read(&self, sid: &SessionId) -> Result<Option<Found>, VaultError> {
        let Some(blob) = self.store.get(&names::session(sid.as_str())).await? else { return Ok(None) };
        let found = self.open(sid, blob)?;
        let over = found.record.session.ends <= self.clock.unix();
        Ok((!over).then_some(found))
    }

    /// Puts `record` where `found` was read, and does not give up at once when the store does not answer: after a
    /// refresh the record holds the only refresh token that is still good.
    pub(super) async fn replace(&self, mut found: Found, record: Record) -> Result<Replaced, VaultError> {
        let sid = record.session.sid.clone();
        let blob = self.seal(&record);
        let deadline = Instant::now() + self.write_for;
        let mut pause = self.write_pause / FIRST_PAUSE;
        loop {
            match self.try_replace(&mut found, &record.session, &blob).await {
                Ok(Step::Done) => {
                    return Ok(Replaced::Ours(Found { record: Box::new(record), blob, current: true }));
                }
                Ok(Step::Other(theirs)) => return Ok(Replaced::Theirs(theirs)),
                Ok(Step::Gone) => return Ok(Replaced::Gone),
                Ok(Step::Again) if Instant::now() < deadline => {}
                Ok(Step::Again) => {
                    let error = "a session changes faster than it can be written";
                    return Err(VaultError::unavailable("store", error));
                }
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.write_pause);
                }
                Err(error) => {
                    tracing::error!(%sid, "a refreshed session could not be stored");
                    return Err(error);
                }
            }
        }
    }

    async fn try_replace(
        &self,
        found: &mut Found,
        session: &Session,
        blob: &Bytes,
    ) -> Result<Step, VaultError> {
        let name = names::session(session.sid.as_str());
        let ttl = session.time_left(self.clock.unix());
        if self.store.swap(&name, &found.blob, blob.clone(), ttl).await? {
            return Ok(Step::Done);
        }
        let Some(now) = self.read(&session.sid).await? else { return Ok(Step::Gone) };
        if now.blob == *blob {
            // An earlier attempt got through and only its answer was lost.
            return Ok(Step::Done);
        }
        if now.record.generation != found.record.generation {
            return Ok(Step::Other(now));
        }
        // Only sealed anew.
        *found = now;
        Ok(Step::Again)
    }

    /// Deletes the record if it is still the one that was read.
    pub(super) async fn delete(&self, found: &Found) -> Result<bool, VaultError> {
        let name = names::session(found.record.session.sid.as_str());
        Ok(self.store.delete_if(&name, &found.blob).await?)
    }

    /// Seals a record with the current key. Best effort: the old key still opens it.
    pub(super) async fn seal_anew(&self, found: &Found) {
        let session = &found.record.session;
        let ttl = session.time_left(self.clock.unix());
        let blob = self.seal(&found.record);
        if let Err(down) =
            self.store.swap(&names::session(session.sid.as_str()), &found.blob, blob, ttl).await
        {
            tracing::warn!(sid = %session.sid, error = %down.source, "a session was not sealed with the current key");
        }
    }
}

enum Step {
    Done,
    Again,
    Other(Found),
    Gone,
}
