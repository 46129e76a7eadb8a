//! How many documents are fetched at a time, and by whom: whoever asks chooses the host, and a host can be slow.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::ClientAddress;

/// How many fetches run at a time, to whatever hosts; more are told to come back.
pub(super) const MAX_RUNNING: usize = 64;
/// How many of them to hosts that nobody has named to us: strangers can fill these, and the others stay free for the
/// hosts that clients are known to come from.
pub(super) const TO_UNNAMED: usize = 48;
/// How many for one network, to named and to other hosts each.
pub(super) const FOR_ONE_NETWORK: usize = 8;

/// The places there are.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    to_unnamed: usize,
    /// By network, and whether the host is a named one. Only those that have any.
    by_network: HashMap<(String, bool), usize>,
}

/// One place. It is free again when the last copy is dropped: whatever goes on for a fetch, also when nobody waits for it
/// any more, keeps a copy.
#[derive(Clone)]
pub struct Place(#[expect(dead_code, reason = "held to be dropped")] Arc<Held>);

struct Held {
    places: Arc<Places>,
    of: (String, bool),
}

impl Places {
    /// A place for a fetch that `asker` causes, from a host that is `named` or not; none when there is none for it.
    pub(super) fn take(self: &Arc<Self>, asker: ClientAddress, named: bool) -> Option<Place> {
        let of = (asker.network(), named);
        let mut taken = self.taken();
        let own = taken.by_network.get(&of).copied().unwrap_or_default();
        let full =
            taken.all >= MAX_RUNNING || own >= FOR_ONE_NETWORK || (!named && taken.to_unnamed >= TO_UNNAMED);
        if full {
            return None;
        }
        taken.all += 1;
        taken.to_unnamed += usize::from(!named);
        taken.by_network.insert(of.clone(), own + 1);
        Some(Place(Arc::new(Held { places: Arc::clone(self), of })))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        let taken = self.taken();
        assert_eq!(taken.by_network.values().sum::<usize>(), taken.all);
        taken.all
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        taken.to_unnamed = taken.to_unnamed.saturating_sub(usize::from(!self.of.1));
        if let Entry::Occupied(mut own) = taken.by_network.entry(self.of.clone()) {
            match own.get().saturating_sub(1) {
                0 => drop(own.remove()),
                left => *own.get_mut() = left,
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}
