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
    /// How long a refreshed session is tried to be stored: longer than the store fails over, since the record may hold the
    /// only refresh token that is still good.
    pub write_for: Duration,
    /// The longest pause between two attempts to store it.
    pub write_pause: Duration,
    /// How long a session whose refresh token Cognito refuses is held back from its end, in case another replica has the
    /// token that came for it and could not store it yet: longer than such a replica needs to find out that the store is
    /// there again. Nothing where one process has the store for itself.
    pub hold_back: Duration,
    /// How long a request waits for a refresh while what it holds is still valid.
    pub patience: Duration,
    /// How long a session is left alone after a refresh that brought nothing.
    pub rest_for: Duration,
    /// How long a session lives whose code nobody redeems.
    pub pending_for: Duration,
    /// How long it is remembered when and why a session ended; nothing: it is not.
    pub remember_for: Duration,
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
            write_for: Duration::from_secs(60),
            write_pause: Duration::from_millis(800),
            // The pause before a write, the longest one before the store's client connects (2.2 s), and a second to do it.
            hold_back: Duration::from_secs(4),
            patience: Duration::from_secs(3),
            rest_for: Duration::from_secs(2),
            pending_for: Duration::from_secs(15 * 60),
            remember_for: Duration::ZERO,
            index: Index::Nothing,
        }
    }
}

impl VaultPolicy {
    /// How long a refresh may have to be waited for until what Cognito answered is stored: its turn, the answer, and the
    /// attempts to write it down.
    pub(super) fn landing_for(&self) -> Duration {
        self.wait_for + self.ask_for + self.write_for
    }
}
