//! The keys in hand: one a user, in memory only, each with the newest sign-in that can delete it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use service::Secret;

use super::super::PlaneError;
use super::super::path::Uuid;
use super::super::signed_in::Visit;
use crate::caller::{Account, Identity};

/// A key is replaced this long before it ends, so that no call runs into its end.
const BEFORE_END: Duration = Duration::from_secs(300);
/// A key nobody used for this long is deleted; coming back costs a new one.
const UNUSED: Duration = Duration::from_secs(30 * 60);
/// With so little left of the newest ID token, and nobody calling, the sign-in counts as over: the token can just still
/// delete the key. Whoever renews tokens does so earlier.
const SIGN_IN_OVER: Duration = Duration::from_secs(60);
/// With so little left of it, the key goes even while its user calls: later nothing could delete it.
const LAST_MOMENT: Duration = Duration::from_secs(10);
/// A pause in a user's calls.
const PAUSE: Duration = Duration::from_secs(5);
/// For so long all calls of a user get the failure to make a key, instead of each trying again.
const FAILURE_TOLD: Duration = Duration::from_secs(5);

/// A key Plane gave.
#[derive(Debug)]
pub(in crate::plane) struct Minted {
    /// What it is deleted by.
    pub(super) id: Uuid,
    pub(super) secret: Secret,
    pub(super) ends: SystemTime,
}

/// A key nobody uses any more, and who can delete it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) key: Arc<Minted>,
    pub(super) visit: Visit,
}

/// All keys of this process. Other processes' keys are theirs: nothing is ever deleted by its label.
#[derive(Debug, Default)]
pub(in crate::plane) struct Ring {
    slots: Mutex<HashMap<Account, Arc<Slot>>>,
    closed: AtomicBool,
}

/// One user's place in the ring.
#[derive(Debug)]
pub(in crate::plane) struct Slot {
    state: Mutex<State>,
    /// Held while a key is made: one at a time.
    pub(super) minting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// With the newest ID token seen.
    visit: Visit,
    /// When the user last asked for anything.
    used: SystemTime,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Key(Arc<Minted>),
    Failed(SystemTime, PlaneError),
}

impl Ring {
    /// The user's slot, made when there is none.
    pub(super) fn slot(&self, visit: &Visit, now: SystemTime) -> Arc<Slot> {
        let mut slots = self.lock();
        let slot = slots.entry(visit.account).or_insert_with(|| Arc::new(Slot::of(visit, now)));
        let slot = Arc::clone(slot);
        drop(slots);
        // A session forgotten meanwhile cannot delete anything.
        slot.lock().visit.session = Arc::clone(&visit.session);
        slot.note(&visit.identity, now);
        slot
    }

    /// Remembers that the user of this account is there, and the ID token when it is the newest.
    pub(in crate::plane) fn note(&self, account: Account, identity: &Identity, now: SystemTime) {
        let slot = self.lock().get(&account).cloned();
        if let Some(slot) = slot {
            slot.note(identity, now);
        }
    }

    /// Drops a key that Plane no longer knows, unless there is a newer one already.
    pub(super) fn discard(&self, account: Account, key: &Arc<Minted>) {
        let slot = self.lock().get(&account).cloned();
        if let Some(slot) = slot {
            let mut state = slot.lock();
            if matches!(&state.held, Held::Key(held) if Arc::ptr_eq(held, key)) {
                state.held = Held::Nothing;
            }
        }
    }

    /// Takes the user's key away.
    pub(super) fn take(&self, account: Account) -> Option<Taken> {
        let slot = self.lock().get(&account).cloned();
        slot.and_then(|slot| slot.take())
    }

    /// Takes the keys whose users' sign-ins ended or who did nothing for long.
    pub(super) fn ended(&self, now: SystemTime) -> Vec<Taken> {
        let mut slots = self.lock();
        let ended = slots.values().filter_map(|slot| slot.take_if(|state| state.is_over(now))).collect();
        // Slots are cloned only under this lock, so one that nobody else has cannot get a key behind our back.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.lock().is_empty(now));
        ended
    }

    /// Takes the keys of users who asked for nothing since.
    pub(super) fn unused_since(&self, moment: SystemTime) -> Vec<Taken> {
        self.lock().values().filter_map(|slot| slot.take_if(|state| state.used <= moment)).collect()
    }

    /// Takes every key.
    pub(super) fn all(&self) -> Vec<Taken> {
        self.lock().values().filter_map(|slot| slot.take()).collect()
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.lock().values().cloned().collect()
    }

    /// From now on no key is made.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Account, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn of(visit: &Visit, now: SystemTime) -> Self {
        let mut visit = visit.clone();
        // Whatever is done with the key later is no part of the request that led to it.
        visit.origin.trace = None;
        let state = State { visit, used: now, held: Held::Nothing };
        Self { state: Mutex::new(state), minting: tokio::sync::Mutex::default() }
    }

    /// The key, or why none could be made a moment ago; nothing when one has to be made.
    pub(super) fn key(&self, now: SystemTime) -> Option<Result<Arc<Minted>, PlaneError>> {
        match &self.lock().held {
            Held::Key(key) if key.ends.duration_since(now).is_ok_and(|left| left > BEFORE_END) => {
                Some(Ok(Arc::clone(key)))
            }
            Held::Failed(when, error) if age(*when, now) < FAILURE_TOLD => Some(Err(error.clone())),
            _ => None,
        }
    }

    /// Keeps what came of making a key.
    pub(super) fn store(
        &self,
        result: Result<Minted, PlaneError>,
        now: SystemTime,
    ) -> Result<Arc<Minted>, PlaneError> {
        let result = result.map(Arc::new);
        self.lock().held = match &result {
            Ok(key) => Held::Key(Arc::clone(key)),
            Err(error) => Held::Failed(now, error.clone()),
        };
        result
    }

    /// Takes the key away.
    pub(super) fn take(&self) -> Option<Taken> {
        self.take_if(|_| true)
    }

    fn take_if(&self, condition: impl FnOnce(&State) -> bool) -> Option<Taken> {
        let mut state = self.lock();
        let Held::Key(key) = &state.held else { return None };
        let key = Arc::clone(key);
        if !condition(&state) {
            return None;
        }
        state.held = Held::Nothing;
        Some(Taken { key, visit: state.visit.clone() })
    }

    fn note(&self, identity: &Identity, now: SystemTime) {
        let mut state = self.lock();
        state.used = now;
        if identity.expires > state.visit.identity.expires {
            state.visit.identity = identity.clone();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_over(&self, now: SystemTime) -> bool {
        let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(self.visit.identity.expires);
        let left = ends.duration_since(now).unwrap_or(Duration::ZERO);
        let unused = age(self.used, now);
        unused >= UNUSED || left <= LAST_MOMENT || (left <= SIGN_IN_OVER && unused >= PAUSE)
    }

    fn is_empty(&self, now: SystemTime) -> bool {
        match &self.held {
            Held::Nothing => true,
            Held::Key(_) => false,
            Held::Failed(when, _) => age(*when, now) >= FAILURE_TOLD,
        }
    }
}

/// Zero when the clock went backwards.
fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
