//! Opened and verified sessions in the memory of this process, by session: never by user or client.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use service::Clock;

use super::{Session, VaultPolicy};
use crate::terms::SessionId;

/// How long an ended session is remembered, so that a refresh that was under way cannot put it back. Far longer than
/// any refresh takes.
const REMEMBER_ENDED: Duration = Duration::from_secs(300);

pub(super) struct Cache {
    sessions: moka::sync::Cache<SessionId, Held>,
    ended: moka::sync::Cache<SessionId, ()>,
    /// Until when a session is left alone, after a refresh that brought nothing.
    rests: moka::sync::Cache<SessionId, SystemTime>,
    keep_for: Duration,
    rest_for: Duration,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Held {
    session: Arc<Session>,
    since: SystemTime,
}

impl Cache {
    pub(super) fn new(policy: &VaultPolicy, clock: Arc<dyn Clock>) -> Self {
        // The cache's own time to live frees memory; what counts as stale is decided by our clock.
        let bounded = || moka::sync::Cache::builder().max_capacity(policy.cache_entries);
        Self {
            sessions: bounded().time_to_live(policy.cache_for).build(),
            ended: moka::sync::Cache::builder()
                .max_capacity(policy.cache_entries)
                .time_to_live(REMEMBER_ENDED)
                // The default policy may refuse a new entry in favour of an old one; a mark must always be made.
                .eviction_policy(moka::policy::EvictionPolicy::lru())
                .build(),
            rests: moka::sync::Cache::builder()
                .max_capacity(policy.cache_entries)
                .time_to_live(policy.rest_for.max(Duration::from_secs(1)))
                .build(),
            keep_for: policy.cache_for,
            rest_for: policy.rest_for,
            clock,
        }
    }

    /// The session, if it was opened and verified less than `cache_for` ago and has not ended.
    pub(super) fn session(&self, sid: &SessionId) -> Option<Arc<Session>> {
        let held = self.sessions.get(sid)?;
        let now = self.clock.now();
        // A clock set back counts as stale.
        let age = now.duration_since(held.since).ok()?;
        let unix = self.clock.unix();
        let valid = held.session.seconds_left(unix) > 0 && held.session.ends > unix;
        (age < self.keep_for && valid).then_some(held.session)
    }

    pub(super) fn insert(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let sid = session.sid.clone();
        let held = Held { session: Arc::clone(&session), since: self.clock.now() };
        self.sessions.insert(sid.clone(), held);
        // Looked at after the insertion, as `forget` removes after its mark: one of the two sees the other.
        if self.ended.contains_key(&sid) {
            self.sessions.invalidate(&sid);
        }
        session
    }

    pub(super) fn forget(&self, sid: &SessionId) {
        self.ended.insert(sid.clone(), ());
        self.sessions.invalidate(sid);
    }

    pub(super) fn rest(&self, sid: &SessionId) {
        self.rests.insert(sid.clone(), self.clock.now() + self.rest_for);
    }

    pub(super) fn rests(&self, sid: &SessionId) -> bool {
        self.rests.get(sid).is_some_and(|until| self.clock.now() < until)
    }
}
