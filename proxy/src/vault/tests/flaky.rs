//! A store that fails on demand.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::store::memory::Memory;
use crate::store::{Store, StoreDown, names};

/// What of the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// Nothing.
    None,
    /// Only what replaces a session.
    Sessions,
    /// Only what replaces a record, locks among them.
    Swaps,
    /// Whatever writes.
    Writes,
    /// Everything.
    All,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Read,
    Write,
    Swap,
    SwapSession,
}

/// A store in memory that fails as it is told to.
#[derive(Debug)]
pub(super) struct Flaky {
    pub(super) memory: Memory,
    outage: Mutex<(Outage, usize)>,
    /// How many operations have failed.
    pub(super) failed: AtomicUsize,
    /// So many swaps are done, but their answers are lost.
    pub(super) lost_answers: AtomicUsize,
    /// So many swaps are not done.
    pub(super) lost_swaps: AtomicUsize,
}

impl Flaky {
    pub(super) fn over(memory: Memory) -> Self {
        let (failed, lost_answers, lost_swaps) = Default::default();
        Self { memory, outage: Mutex::new((Outage::None, 0)), failed, lost_answers, lost_swaps }
    }

    /// From now on this fails.
    pub(super) fn fails(&self, outage: Outage) {
        self.fails_after(0, outage);
    }

    /// This fails after so many operations more.
    pub(super) fn fails_after(&self, operations: usize, outage: Outage) {
        *self.outage.lock().unwrap() = (outage, operations);
    }

    async fn to(&self, does: Does) -> Result<&Memory, StoreDown> {
        // Others go first, as they would while this one waits for an answer.
        tokio::task::yield_now().await;
        let mut outage = self.outage.lock().unwrap();
        if outage.1 > 0 {
            outage.1 -= 1;
            return Ok(&self.memory);
        }
        let fails = match outage.0 {
            Outage::None => false,
            Outage::Sessions => does == Does::SwapSession,
            Outage::Swaps => matches!(does, Does::Swap | Does::SwapSession),
            Outage::Writes => does != Does::Read,
            Outage::All => true,
        };
        if fails { Err(self.failure()) } else { Ok(&self.memory) }
    }

    fn failure(&self) -> StoreDown {
        self.failed.fetch_add(1, SeqCst);
        StoreDown { operation: "test", source: "the store is down".into() }
    }
}

fn one_of(count: &AtomicUsize) -> bool {
    count.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Flaky {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.to(Does::Read).await?.get(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        self.to(Does::Write).await?.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.to(Does::Write).await?.put_new(key, value, ttl).await
    }
    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        let session = key.starts_with(&names::session(""));
        let store = self.to(if session { Does::SwapSession } else { Does::Swap }).await?;
        if one_of(&self.lost_swaps) {
            return Err(self.failure());
        }
        let swapped = store.swap(key, expected, value, ttl).await;
        if one_of(&self.lost_answers) { Err(self.failure()) } else { swapped }
    }
    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.to(Does::Write).await?.take(key).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        self.to(Does::Write).await?.delete(key).await
    }
    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        self.to(Does::Write).await?.delete_if(key, expected).await
    }
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        self.to(Does::Write).await?.expire(key, ttl).await
    }
    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown> {
        self.to(Does::Write).await?.allow(key, interval, tolerance).await
    }
    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        self.to(Does::Write).await?.publish(channel, message).await
    }
    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        self.to(Does::Read).await?.subscribe(channel).await
    }
    async fn ping(&self) -> Result<(), StoreDown> {
        self.to(Does::Read).await?.ping().await
    }
}
