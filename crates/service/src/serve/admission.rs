//! Which connections are served: so many at once, and so many of one address, by limits that can change while serving.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::{Limits, Refused};

/// How often a refusal for an address is worth a line in the log.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Says who is not counted by address: proxies, which carry everybody's connections.
pub type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Lets connections in by limits that can change. Clones are the same.
#[derive(Clone)]
pub struct Admission(Arc<Inner>);

struct Inner {
    terms: ArcSwap<Terms>,
    places: Mutex<Places>,
    /// Tells who waits for a place that there may be one.
    freed: Notify,
}

/// What a connection is let in by, and served by until its end.
struct Terms {
    limits: Limits,
    exempt: Exempt,
}

#[derive(Default)]
struct Places {
    taken: usize,
    /// Of each address, and of each network around one, that has any and is not exempt.
    by_block: HashMap<Block, usize>,
    told: Option<Instant>,
}

/// The place of one connection, free again when dropped.
pub(super) struct Place {
    inner: Arc<Inner>,
    /// By which it is counted: its address and the network around; none for those that are exempt.
    blocks: Option<[Block; 2]>,
}

/// Addresses that share the first so many bits.
type Block = (IpAddr, u8);

impl Admission {
    /// By `limits`, of which those for one address do not hold for who is `exempt`.
    pub fn new(limits: Limits, exempt: Exempt) -> Self {
        let terms = ArcSwap::from_pointee(Terms { limits, exempt });
        Self(Arc::new(Inner { terms, places: Mutex::default(), freed: Notify::new() }))
    }

    /// Lets connections in by other limits from now on. Those that are there stay, and count.
    pub fn set(&self, limits: Limits, exempt: Exempt) {
        self.0.terms.store(Arc::new(Terms { limits, exempt }));
        self.0.freed.notify_waiters();
    }

    /// The limits of this moment.
    pub(super) fn limits(&self) -> Limits {
        self.0.terms.load().limits.clone()
    }

    /// A place for a connection of `peer`.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Place, Refused> {
        let terms = self.0.terms.load();
        let Limits { connections, connections_per_address, .. } = terms.limits;
        let blocks = (!(terms.exempt)(peer.to_canonical())).then(|| blocks(peer));
        // Nobody has one address only: half is left to others.
        let allowed = [connections_per_address, connections_per_address.max(connections / 2)];
        let mut places = self.0.places();
        for (block, allowed) in blocks.iter().flatten().zip(allowed) {
            if places.of(block) >= allowed {
                places.tell(peer, block.1, allowed);
                return Err(Refused::Address);
            }
        }
        if places.taken >= connections {
            return Err(Refused::Limit);
        }
        places.taken += 1;
        for block in blocks.iter().flatten() {
            *places.by_block.entry(*block).or_default() += 1;
        }
        Ok(Place { inner: Arc::clone(&self.0), blocks })
    }

    /// [`Admission::take`], once there is a place; `is_full` hears when that is not now.
    ///
    /// # Errors
    /// [`Refused::Address`].
    pub(super) async fn wait(&self, peer: IpAddr, is_full: impl FnOnce()) -> Result<Place, Refused> {
        let mut is_full = Some(is_full);
        loop {
            // Before the question, so that no place that becomes free after it is missed.
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            match self.take(peer) {
                Err(Refused::Limit) => {}
                Err(why) => {
                    // The place it may have been woken for is still there, and nobody else was told.
                    self.0.freed.notify_one();
                    return Err(why);
                }
                Ok(place) => return Ok(place),
            }
            if let Some(is_full) = is_full.take() {
                is_full();
            }
            freed.await;
        }
    }

    /// How many connections have a place, and of how many addresses and networks.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let places = self.0.places();
        (places.taken, places.by_block.len())
    }
}

impl From<Limits> for Admission {
    /// By limits that do not change and hold for everybody.
    fn from(limits: Limits) -> Self {
        Self::new(limits, Arc::new(|_| false))
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(&self.0.terms.load().limits).finish()
    }
}

impl Inner {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn of(&self, block: &Block) -> usize {
        self.by_block.get(block).copied().unwrap_or_default()
    }

    fn tell(&mut self, peer: IpAddr, bits: u8, limit: usize) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(client.addr = %peer, bits, limit, "too many connections of one address or network: more are closed");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.inner.places();
        places.taken = places.taken.saturating_sub(1);
        for block in self.blocks.iter().flatten() {
            if let Entry::Occupied(mut own) = places.by_block.entry(*block) {
                match own.get().saturating_sub(1) {
                    0 => drop(own.remove()),
                    left => *own.get_mut() = left,
                }
            }
        }
        drop(places);
        self.inner.freed.notify_one();
    }
}

/// What an address is counted by. Of IPv6 a host takes any address in its own 64 bits, and a home or a company is given all
/// of 48; of IPv4 that much is 24.
fn blocks(peer: IpAddr) -> [Block; 2] {
    match peer.to_canonical() {
        IpAddr::V4(ip) => [(ip.into(), 32), (Ipv4Addr::from_bits(ip.to_bits() & !0xff).into(), 24)],
        IpAddr::V6(ip) => [64, 48].map(|bits| {
            let rest = 128 - bits;
            (Ipv6Addr::from_bits(ip.to_bits() >> rest << rest).into(), bits)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limits(connections: usize, connections_per_address: usize) -> Limits {
        Limits { connections, connections_per_address, ..Limits::default() }
    }

    #[test]
    fn an_address_has_so_many_places_and_leaves_the_others_to_others() {
        let admission = Admission::from(limits(4, 2));
        let held = [admission.take(ip("192.0.2.1")), admission.take(ip("::ffff:192.0.2.1"))];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(admission.take(ip("192.0.2.1")).err(), Some(Refused::Address));
        let others = [admission.take(ip("198.51.100.1")), admission.take(ip("2001:db8::1"))];
        assert!(others.iter().all(Result::is_ok));
        assert_eq!(admission.take(ip("203.0.113.1")).err(), Some(Refused::Limit));
        assert_eq!(admission.count(), (4, 6));
        drop((held, others));
        assert_eq!(admission.count(), (0, 0));
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let admission = Admission::from(limits(10, 1));
        let _held = admission.take(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(admission.take(ip("2001:db8:0:1:ffff::2")).err(), Some(Refused::Address));
        assert!(admission.take(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn a_network_has_half_of_the_places_and_leaves_the_others_to_others() {
        let admission = Admission::from(limits(10, 1));
        for (prefix, other) in [("192.0.2.", "198.51.100.1"), ("2001:db8:1:", "2001:db8:2::1")] {
            let address = |number: u8| match prefix.contains(':') {
                true => ip(&format!("{prefix}{number:x}::1")),
                false => ip(&format!("{prefix}{number}")),
            };
            let held: Vec<_> = (0..5).map(|number| admission.take(address(number)).unwrap()).collect();
            assert_eq!(admission.take(address(5)).err(), Some(Refused::Address), "{prefix}");
            assert!(admission.take(ip(other)).is_ok());
            drop(held);
            assert!(admission.take(address(5)).is_ok());
        }
        assert_eq!(admission.count(), (0, 0));
        let one_may_have_more = Admission::from(limits(4, 3));
        let held: Vec<_> = (0..3).map(|_| one_may_have_more.take(ip("192.0.2.1")).unwrap()).collect();
        assert_eq!(one_may_have_more.take(ip("192.0.2.2")).err(), Some(Refused::Address));
        drop(held);
    }

    #[test]
    fn who_is_exempt_has_all_there_are_and_other_limits_count_what_is_there() {
        let proxy: Exempt = Arc::new(|address| address == ip("10.0.0.7"));
        let admission = Admission::new(limits(3, 1), proxy);
        let held: Vec<_> = (0..3).map(|_| admission.take(ip("10.0.0.7")).unwrap()).collect();
        assert_eq!(admission.take(ip("10.0.0.7")).err(), Some(Refused::Limit));
        admission.set(limits(4, 1), Arc::new(|_| false));
        let last = admission.take(ip("10.0.0.7")).unwrap();
        assert_eq!(admission.take(ip("10.0.0.7")).err(), Some(Refused::Address));
        drop((held, last));
        assert_eq!(admission.count(), (0, 0));
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_place_also_when_there_are_more_of_them() {
        let admission = Admission::from(limits(1, 1));
        let held = admission.take(ip("192.0.2.1")).unwrap();
        let wait = |text: &'static str| {
            let (admission, (full, is_full)) = (admission.clone(), tokio::sync::oneshot::channel());
            let waiting =
                tokio::spawn(async move { admission.wait(ip(text), || full.send(()).unwrap()).await.ok() });
            (waiting, is_full)
        };
        let (one, one_waits) = wait("198.51.100.1");
        let (two, two_waits) = wait("203.0.113.1");
        one_waits.await.unwrap();
        two_waits.await.unwrap();
        drop(held);
        admission.set(limits(2, 1), Arc::new(|_| false));
        assert!(one.await.unwrap().is_some() && two.await.unwrap().is_some());
        assert_eq!(admission.count(), (0, 0));
    }

    #[tokio::test]
    async fn who_is_woken_for_a_place_that_is_not_for_its_address_wakes_the_next() {
        let admission = Admission::from(limits(2, 1));
        let held = [admission.take(ip("192.0.2.1")), admission.take(ip("198.51.100.1"))];
        let wait = |text: &'static str| {
            let admission = admission.clone();
            async move { admission.wait(ip(text), || ()).await }
        };
        let mut waiting = [wait("192.0.3.1"), wait("192.0.3.1"), wait("203.0.113.1")].map(Box::pin);
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        drop(held);
        let [first, second, third] = waiting;
        let first = first.await;
        assert!(first.is_ok());
        assert_eq!(second.await.err(), Some(Refused::Address), "its address has one now");
        let third = tokio::time::timeout(Duration::from_secs(10), third).await;
        assert!(third.expect("there is a place").is_ok());
    }
}
