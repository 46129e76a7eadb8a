//! Where records live: a small trait over keys and bytes, and one conformance suite that both stores pass.
//!
//! A store knows nothing of HTTP, OAuth or sessions. Every operation touches one key, so that a Valkey cluster needs no
//! hash tags; records that must change together are one record.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub mod counted;
pub mod memory;
pub mod names;
pub mod valkey;

#[cfg(test)]
mod conformance;

/// How long is waited for the answer of [`Store::allow`]. What is limited needs the store anyway, and should not wait for
/// it twice as long.
pub const RATE_PATIENCE: Duration = Duration::from_millis(500);

/// The store did not answer, or answered that it cannot (read-only, loading, out of memory). Always our fault, never the
/// client's: whoever meets it says 503 and changes nothing.
#[derive(Debug, thiserror::Error)]
#[error("store unavailable during {operation}")]
pub struct StoreDown {
    /// The operation that failed, for the log: `get`, `put`, …
    pub operation: &'static str,
    /// What the client library said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A key-value store with a time to live on every record.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The record at `key`, or none when it was never there or has expired.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown>;
    /// Writes the record, replacing what was there.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown>;
    /// Writes the record only if none is there; says whether it did. The building block of locks and one-time marks.
    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown>;
    /// Replaces `expected` by `value` in one step; says whether it did. No record counts as not equal.
    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown>;
    /// Reads and deletes in one step: of many callers exactly one gets the record.
    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown>;
    /// Deletes the record; says whether there was one.
    async fn delete(&self, key: &str) -> Result<bool, StoreDown>;
    /// Deletes the record only if it is `expected`; says whether it did. How a lock is given back.
    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown>;
    /// Gives the record a new time to live; says whether there was one.
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown>;
    /// Counts one use at `key` of something that has a rate, for all processes together (generic cell rate algorithm):
    /// a use costs `interval`, and one that finds more than `tolerance` owed is refused, counts for nothing, and is told
    /// after how long it would pass. Nobody owes more than `interval` and `tolerance`, also when they were others before.
    /// What is kept for it is no record: [`Store::get`] need not find it. Fails when there is no answer within
    /// [`RATE_PATIENCE`].
    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown>;
    /// Tells every subscriber of every process.
    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown>;
    /// What is published on the channel from now on; survives reconnects, may miss what was said during one, and in a
    /// cluster may hear what was said a moment before.
    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreDown>;
}

/// A store whose records can be walked over: for what an operator asks once, never for a request.
pub trait Walk: Store {
    /// The names of the records that begin with `prefix`. What is there during the whole walk is told at least once;
    /// what comes or goes meanwhile may be missed. A failure ends the walk, which is then incomplete.
    fn names(&self, prefix: &str) -> BoxStream<'_, Result<String, StoreDown>>;
}
