//! How long things in the vault may take and last.

use std::time::Duration;

use super::index::Index;

/// How long things may take and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultPolicy {
    /// With less than this left on the earlier token, both are refreshed.
    pub refresh_before: Duration,
    /// How long an opened session is used without a look at the store: how late a revocation can be seen when its
    /// message was lost.
    pub cache_for: Duration,
    /// How many opened sessions are kept; beyond it the least used are opened again when next asked for.
    pub cache_entries: u64,
    /// How long a replica that died in the middle of a refresh keeps the others from trying. One that lives renews its
    /// lock for as long as the refresh takes.
    pub lock_for: Duration,
    /// How long to wait for another replica's refresh before giving up.
    pub wait_for: Duration,
    /// How long Cognito may take to answer a refresh.
    pub ask_for: Duration,
    /// How long a request waits for a refresh while what it holds is still valid.
    pub patience: Duration,
    /// How long a session is left alone after a refresh that brought nothing.
    pub rest_for: Duration,
    /// How long a session lives whose code nobody redeems.
    pub pending_for: Duration,
    /// By what sessions can be found beside their ids.
    pub index: Index,
}

impl Default for VaultPolicy {
    fn default() -> Self {
        Self {
            refresh_before: Duration::from_secs(120),
            cache_for: Duration::from_secs(10),
            cache_entries: 10_000,
            lock_for: Duration::from_secs(10),
            wait_for: Duration::from_secs(15),
            ask_for: Duration::from_secs(12),
            patience: Duration::from_secs(3),
            rest_for: Duration::from_secs(2),
            pending_for: Duration::from_secs(15 * 60),
            index: Index::Nothing,
        }
    }
}
