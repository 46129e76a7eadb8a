//! Records in the memory of this process.
//!
//! **For one process only, and not for long**: a restart signs everybody out, a second replica knows nothing of the
//! first one's sessions, and nothing is shared with it. It serves trials and tests; everything else needs Valkey.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use service::Clock;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Store, StoreDown, Walk};

/// How many messages a slow subscriber may be behind; it misses what is older.
const BACKLOG: usize = 1024;

/// A store that forgets everything when the process ends. Expired records are swept with every call.
///
/// It is bounded: when full it refuses new records as a Valkey with `maxmemory-policy noeviction` does, rather than
/// drop a session somebody is using.
#[derive(Debug)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    max_records: usize,
    shelf: Mutex<Shelf>,
    /// Until when each key owes something for its uses. Beside the records, so that however many callers are counted, no
    /// session wants for room.
    owed: Mutex<Owed>,
    channels: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
}

#[derive(Debug, Default)]
struct Shelf {
    records: HashMap<String, Record>,
    /// The same records by their end, for the sweep.
    ends: BTreeSet<(SystemTime, String)>,
}

#[derive(Debug, Default)]
struct Owed {
    until: HashMap<String, SystemTime>,
    /// The same by time, for the sweep.
    ends: BTreeSet<(SystemTime, String)>,
}

#[derive(Debug)]
struct Record {
    value: Bytes,
    ends: SystemTime,
}

/// No room for another record.
#[derive(Debug, thiserror::Error)]
#[error("the store in memory is full")]
struct Full;

impl Memory {
    /// How many records a [`Memory`] holds unless told otherwise; at about 10 kB a session some hundreds of MB.
    pub const MAX_RECORDS: usize = 50_000;

    /// An empty store for at most `max_records` records.
    pub fn new(clock: Arc<dyn Clock>, max_records: usize) -> Self {
        Self {
            clock,
            max_records,
            shelf: Mutex::default(),
            owed: Mutex::default(),
            channels: Mutex::default(),
        }
    }

    /// The records, without those that have expired.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.sweep(self.clock.now());
        shelf
    }

    fn write(
        &self,
        shelf: &mut Shelf,
        operation: &'static str,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreDown> {
        if shelf.records.len() >= self.max_records && !shelf.records.contains_key(key) {
            return Err(StoreDown { operation, source: Full.into() });
        }
        shelf.insert(key, value, self.clock.now() + ttl);
        Ok(())
    }

    fn channel(&self, name: &str) -> broadcast::Sender<Bytes> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(name.to_owned()).or_insert_with(|| broadcast::channel(BACKLOG).0).clone()
    }
}

impl Shelf {
    fn sweep(&mut self, now: SystemTime) {
        while let Some((ends, _)) = self.ends.first()
            && *ends <= now
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.records.remove(&key);
        }
    }

    fn insert(&mut self, key: &str, value: Bytes, ends: SystemTime) {
        self.remove(key);
        self.ends.insert((ends, key.to_owned()));
        self.records.insert(key.to_owned(), Record { value, ends });
    }

    fn remove(&mut self, key: &str) -> Option<Bytes> {
        let (key, record) = self.records.remove_entry(key)?;
        self.ends.remove(&(record.ends, key));
        Some(record.value)
    }

    fn holds(&self, key: &str, expected: &[u8]) -> bool {
        self.records.get(key).is_some_and(|record| record.value == expected)
    }
}

impl Owed {
    fn sweep(&mut self, now: SystemTime) {
        while let Some((until, _)) = self.ends.first()
            && *until <= now
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.until.remove(&key);
        }
    }

    fn insert(&mut self, key: &str, old: Option<SystemTime>, until: SystemTime) {
        if let Some(old) = old {
            self.ends.remove(&(old, key.to_owned()));
        }
        self.ends.insert((until, key.to_owned()));
        self.until.insert(key.to_owned(), until);
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        Ok(self.shelf().records.get(key).map(|record| record.value.clone()))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        self.write(&mut self.shelf(), "put", key, value, ttl)
    }

    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        let mut shelf = self.shelf();
        if shelf.records.contains_key(key) {
            return Ok(false);
        }
        self.write(&mut shelf, "put_new", key, value, ttl)?;
        Ok(true)
    }

    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        let mut shelf = self.shelf();
        if !shelf.holds(key, expected) {
            return Ok(false);
        }
        self.write(&mut shelf, "swap", key, value, ttl)?;
        Ok(true)
    }

    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        Ok(self.shelf().remove(key))
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        Ok(self.shelf().remove(key).is_some())
    }

    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        let mut shelf = self.shelf();
        Ok(shelf.holds(key, expected) && shelf.remove(key).is_some())
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        let mut shelf = self.shelf();
        let Some(value) = shelf.remove(key) else { return Ok(false) };
        shelf.insert(key, value, self.clock.now() + ttl);
        Ok(true)
    }

    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown> {
        let now = self.clock.now();
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.sweep(now);
        let until = owed.until.get(key).copied();
        let owes = until.and_then(|until| until.duration_since(now).ok()).unwrap_or_default();
        let due = owes.min(interval + tolerance);
        if due > tolerance {
            owed.insert(key, until, now + due);
            return Ok(Some(due - tolerance));
        }
        if until.is_none() && owed.until.len() >= self.max_records {
            return Err(StoreDown { operation: "allow", source: Full.into() });
        }
        owed.insert(key, until, now + due + interval);
        Ok(None)
    }

    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        // Fails when nobody listens, which is nothing to report.
        let _ = self.channel(channel).send(message);
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        let messages = stream::unfold(self.channel(channel).subscribe(), |mut receiver| async {
            loop {
                match receiver.recv().await {
                    Ok(message) => return Some((message, receiver)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        Ok(messages.boxed())
    }

    async fn ping(&self) -> Result<(), StoreDown> {
        Ok(())
    }
}

impl Walk for Memory {
    fn names(&self, prefix: &str) -> BoxStream<'_, Result<String, StoreDown>> {
        let shelf = self.shelf();
        let names = shelf.records.keys().filter(|name| name.starts_with(prefix));
        stream::iter(names.cloned().map(Ok).collect::<Vec<_>>()).boxed()
    }
}
