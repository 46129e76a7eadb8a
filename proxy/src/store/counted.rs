//! Any store, with every call counted and timed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{Store, StoreDown};
use crate::metrics::Calls;

/// Every operation of a store, as it is called in the metrics.
const OPERATIONS: [&str; 12] = [
    "get",
    "put",
    "put_new",
    "swap",
    "take",
    "delete",
    "delete_if",
    "expire",
    "allow",
    "publish",
    "subscribe",
    "ping",
];
/// No answer in time.
const TIMEOUT: &str = "timeout";
/// Whoever asked left before the answer, as clients may as often as they like: that says nothing of the store.
const GIVEN_UP: &str = "given_up";

/// A store whose calls are counted.
pub struct Counted<S> {
    store: S,
    calls: Calls,
}

impl<S: Store> Counted<S> {
    /// Counts every call of `store`.
    pub fn new(store: S, calls: Calls) -> Self {
        calls.begin(&OPERATIONS, &["ok", "error", TIMEOUT, GIVEN_UP]);
        Self { store, calls }
    }

    async fn count<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreDown>>,
    ) -> Result<T, StoreDown> {
        let result = |down: &StoreDown| if down.is_timeout() { TIMEOUT } else { "error" };
        self.calls.counted((operation, GIVEN_UP), call, result).await
    }
}

#[async_trait]
impl<S: Store> Store for Counted<S> {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.count("get", self.store.get(key)).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        self.count("put", self.store.put(key, value, ttl)).await
    }

    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.count("put_new", self.store.put_new(key, value, ttl)).await
    }

    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.count("swap", self.store.swap(key, expected, value, ttl)).await
    }

    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.count("take", self.store.take(key)).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        self.count("delete", self.store.delete(key)).await
    }

    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        self.count("delete_if", self.store.delete_if(key, expected)).await
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        self.count("expire", self.store.expire(key, ttl)).await
    }

    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown> {
        self.count("allow", self.store.allow(key, interval, tolerance)).await
    }

    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        self.count("publish", self.store.publish(channel, message)).await
    }

    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        self.count("subscribe", self.store.subscribe(channel)).await
    }

    async fn ping(&self) -> Result<(), StoreDown> {
        self.count("ping", self.store.ping()).await
    }
}
