//! `keys status`: which keys the stored records need, so that nobody drops one too early.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use futures_util::{TryStreamExt, future};
use serde::Serialize;

use crate::keys::KeyRing;
use crate::store::{StoreDown, Walk};

/// Kinds of records that only `doctor --why` reads: no session needs them, nor the keys that sealed them.
const REMEMBERED: [&str; 3] = ["history", "ending", "sessions-of"];
/// How many records are read at once.
const AT_ONCE: usize = 64;

/// What the sealed records of a store need.
#[derive(Debug, Serialize)]
pub(super) struct KeysStatus {
    /// Every configured key, the one that seals first, then those that records need and nobody configured.
    keys: Vec<KeyUse>,
}

/// One key.
#[derive(Debug, Serialize)]
struct KeyUse {
    id: String,
    /// Whether new records are sealed with it.
    seals: bool,
    /// Whether it is in the configuration; if not, its records cannot be opened.
    configured: bool,
    /// How many records it sealed.
    records: usize,
    /// How many of them some session, grant or sign-in needs.
    needed: usize,
    /// The same by kind: `session`, `grant`, `approvals`, ….
    by_kind: BTreeMap<String, usize>,
}

impl KeysStatus {
    /// Counts the sealed records of `store` by key.
    pub(super) async fn of(store: &dyn Walk, ring: &KeyRing) -> Result<Self, StoreDown> {
        let mut used: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        // A walk may tell a name twice.
        let mut seen = HashSet::new();
        let names = store.names("").try_filter(|name| {
            // A lock is random bytes, which could look like anything.
            future::ready(!name.starts_with("lock:") && seen.insert(name.clone()))
        });
        let records = names.map_ok(async |name| {
            let blob = store.get(&name).await?;
            Ok::<_, StoreDown>((name, blob))
        });
        let mut records = records.try_buffer_unordered(AT_ONCE);
        while let Some((name, blob)) = records.try_next().await? {
            // Not all records are sealed, and one may have ended since the walk came by.
            if let Some(id) = blob.as_deref().and_then(KeyRing::sealed_with) {
                let kind = name.split(':').next().unwrap_or_default().to_owned();
                *used.entry(id.to_owned()).or_default().entry(kind).or_default() += 1;
            }
        }
        drop(records);
        let mut keys: Vec<KeyUse> = Vec::new();
        for id in ring.ids() {
            let by_kind = used.remove(&id).unwrap_or_default();
            keys.push(KeyUse::new(id, keys.is_empty(), true, by_kind));
        }
        keys.extend(used.into_iter().map(|(id, by_kind)| KeyUse::new(id, false, false, by_kind)));
        Ok(Self { keys })
    }

    /// Whether some record cannot be opened for want of its key.
    pub(super) fn lacks_a_key(&self) -> bool {
        self.keys.iter().any(|key| !key.configured && key.needed > 0)
    }

    /// The keys that seal nothing new, but that records still need: those that are configured, or those that are not.
    pub(super) fn still_needed(&self, configured: bool) -> Vec<(&str, usize)> {
        let needed =
            self.keys.iter().filter(|key| key.configured == configured && !key.seals && key.needed > 0);
        needed.map(|key| (key.id.as_str(), key.needed)).collect()
    }
}

impl KeyUse {
    fn new(id: String, seals: bool, configured: bool, by_kind: BTreeMap<String, usize>) -> Self {
        let needed = by_kind.iter().filter(|(kind, _)| !REMEMBERED.contains(&kind.as_str()));
        let needed = needed.map(|(_, count)| count).sum();
        Self { id, seals, configured, records: by_kind.values().sum(), needed, by_kind }
    }
}

impl fmt::Display for KeysStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}  {:<14}  {:>9}  of these", "key", "", "records")?;
        for key in &self.keys {
            let role = match (key.configured, key.seals) {
                (true, true) => "seals",
                (true, false) => "opens",
                (false, _) if key.needed == 0 => "dropped",
                (false, _) => "NOT CONFIGURED",
            };
            let kinds: Vec<String> =
                key.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            write!(f, "\n{:<16}  {role:<14}  {:>9}  {}", key.id, key.records, kinds.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use service::{ManualClock, Secret};

    use super::*;
    use crate::keys::Purpose;
    use crate::store::Store;
    use crate::store::memory::Memory;

    fn ring(ids: &[&str]) -> KeyRing {
        let lines: Vec<String> = ids.iter().map(|id| format!("{id}:{}=", "A".repeat(43))).collect();
        KeyRing::parse(&Secret::new(lines.join("\n"))).unwrap()
    }

    async fn sealed(store: &Memory, by: &str, name: &str) {
        let blob = ring(&[by]).seal(Purpose::Session, name.as_bytes(), b"x");
        store.put(name, blob.into(), Duration::from_secs(60)).await.unwrap();
    }

    #[tokio::test]
    async fn records_are_counted_by_the_key_that_sealed_them() {
        let store = Memory::new(Arc::new(ManualClock::at(1_800_000_000)), 100);
        for name in ["session:1", "session:2", "grant:1"] {
            sealed(&store, "new", name).await;
        }
        sealed(&store, "old", "session:3").await;
        sealed(&store, "old", "approvals:1").await;
        store.put("client:1", "{\"plain\":1}".into(), Duration::from_secs(60)).await.unwrap();
        let status = KeysStatus::of(&store, &ring(&["new", "old", "older"])).await.unwrap();
        let text = status.to_string();
        assert!(!status.lacks_a_key());
        assert!(
            text.contains("3  1 grant, 2 session") && text.contains("2  1 approvals, 1 session"),
            "{text}"
        );
        assert!(text.lines().any(|line| line.starts_with("older") && line.contains("0")), "{text}");
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!((&json["keys"][0]["id"], &json["keys"][0]["records"]), (&"new".into(), &3.into()));
    }

    #[tokio::test]
    async fn a_record_whose_key_is_not_configured_is_told() {
        let store = Memory::new(Arc::new(ManualClock::at(1_800_000_000)), 100);
        sealed(&store, "gone", "session:1").await;
        let status = KeysStatus::of(&store, &ring(&["new"])).await.unwrap();
        assert!(status.lacks_a_key());
        assert!(status.to_string().contains("NOT CONFIGURED"), "{status}");
    }

    #[tokio::test]
    async fn what_is_remembered_of_sessions_is_counted_and_needs_no_key() {
        let store = Memory::new(Arc::new(ManualClock::at(1_800_000_000)), 100);
        for name in ["history:1", "ending:1", "sessions-of:alice"] {
            sealed(&store, "gone", name).await;
        }
        let status = KeysStatus::of(&store, &ring(&["new"])).await.unwrap();
        assert!(!status.lacks_a_key() && status.still_needed(false).is_empty());
        let text = status.to_string();
        assert!(text.lines().any(|line| line.starts_with("gone") && line.contains("dropped")), "{text}");
        assert!(text.contains("1 ending, 1 history, 1 sessions-of"), "{text}");
        sealed(&store, "gone", "grant:1").await;
        let status = KeysStatus::of(&store, &ring(&["new"])).await.unwrap();
        assert!(status.lacks_a_key());
        assert_eq!(status.still_needed(false), [("gone", 1)]);
    }
}
