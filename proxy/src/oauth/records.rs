//! What the authorization server keeps in the store (the names are in [`crate::store::names`]), and sealing it.
//!
//! | key | holds | ends |
//! |---|---|---|
//! | `client:{id}` | a registered client; plain, as it holds no secret and must outlive every key | unused for 90 days; never used, for 81 minutes |
//! | `signin:{hash of state}` | a sign-in that is at Cognito; sealed | 10 minutes, taken once |
//! | `code:{hash of code}` | an authorization code, then the mark that it was spent; sealed | 60 seconds, then 10 minutes |
//! | `grant:{sid}` | a refresh-token family; sealed | unused for 30 days |
//! | `approvals:{hash of browser and client}` | what was approved there, and by whom; sealed | 30 days |
//! | `withdrawn:{hash of user and client}` | until when approvals do not count any more; sealed | 30 days |

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::OAuthError;
use crate::keys::{KeyRing, Purpose};
use crate::store::Store;

/// A record as it was read: its meaning, and the very bytes, which a swap compares.
pub(super) struct Held<T> {
    /// What the record says.
    pub(super) value: T,
    /// The record as stored.
    pub(super) stored: Bytes,
    /// Whether the current key sealed it.
    pub(super) current: bool,
}

/// Sealed records, of which clones are the same. Each is sealed with its key as associated data, so that none can be moved to another's place.
#[derive(Clone)]
pub(super) struct Records {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
}

impl Records {
    /// Records in `store`, sealed with `keys`.
    pub(super) fn new(store: Arc<dyn Store>, keys: Arc<KeyRing>) -> Self {
        Self { store, keys }
    }

    /// The store itself, for what needs no seal.
    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Reads a sealed record.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        key: &str,
    ) -> Result<Option<Held<T>>, OAuthError> {
        let Some(stored) = self.store.get(key).await? else { return Ok(None) };
        let (value, current) = self.open(purpose, key, &stored)?;
        Ok(Some(Held { value, stored, current }))
    }

    /// Reads and deletes a sealed record: exactly one caller gets it.
    pub(super) async fn take<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        key: &str,
    ) -> Result<Option<T>, OAuthError> {
        match self.store.take(key).await? {
            Some(stored) => self.open(purpose, key, &stored).map(|(value, _)| Some(value)),
            None => Ok(None),
        }
    }

    /// Writes a sealed record.
    pub(super) async fn write<T: Serialize>(
        &self,
        purpose: Purpose,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<(), OAuthError> {
        Ok(self.store.put(key, self.seal(purpose, key, value)?, ttl).await?)
    }

    /// Replaces a sealed record if it is still what was read; says whether it did.
    pub(super) async fn swap<T: Serialize>(
        &self,
        purpose: Purpose,
        key: &str,
        (held, value): (&Bytes, &T),
        ttl: Duration,
    ) -> Result<bool, OAuthError> {
        Ok(self.store.swap(key, held, self.seal(purpose, key, value)?, ttl).await?)
    }

    fn seal<T: Serialize>(&self, purpose: Purpose, key: &str, value: &T) -> Result<Bytes, OAuthError> {
        let plain = serde_json::to_vec(value)
            .map_err(|error| OAuthError::server_error("record_unwritable", error))?;
        Ok(Bytes::from(self.keys.seal(purpose, key.as_bytes(), &plain)))
    }

    /// What a record says, and whether the current key sealed it. One that cannot be read is our fault, not the client's,
    /// and stays where it is: the key may come back.
    fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        key: &str,
        blob: &[u8],
    ) -> Result<(T, bool), OAuthError> {
        let opened = self
            .keys
            .open(purpose, key.as_bytes(), blob)
            .map_err(|error| OAuthError::unavailable("seal_unavailable", error))?;
        // The parser's message could quote a token: it is dropped.
        let value = serde_json::from_slice(&opened.plain).map_err(|_| {
            OAuthError::unavailable("record_unreadable", "not a record this version can read")
        })?;
        Ok((value, opened.current))
    }
}
