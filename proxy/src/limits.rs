//! Rate limits: how often a key (an address, a network, a session) may do something.
//!
//! The generic cell rate algorithm: one number a key, no timers. A [`Limiter`] counts in this process: it costs nothing
//! and is for requests on routes, which are many. A [`SharedLimiter`] counts for all replicas together, by a question to
//! the store: for the OAuth endpoints, which need the store anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use moka::sync::Cache;
use service::Clock;

mod client_address;
mod shared;

pub use client_address::{ClientAddress, InvalidProxy, TrustedProxies};
pub use shared::SharedLimiter;

/// How many keys are remembered. Beyond it the least used are forgotten, and may start anew.
const MAX_KEYS: u64 = 100_000;
/// The least time that an idle key is remembered: what a limit a minute needs at any rate.
const LEAST_IDLE: Duration = Duration::from_secs(60);

/// Too many: come back after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rate limit exceeded")]
pub struct RetryAfter(pub Duration);

/// A limit on the rate of something, per key, in this process.
#[derive(Debug)]
pub struct Limiter {
    /// None when there is no limit.
    rate: Option<Rate>,
    clock: Arc<dyn Clock>,
    /// By key: when, in nanoseconds since 1970, the key will have used up nothing again. Shared with the limiters of
    /// [`Limiter::at`].
    keys: Cache<String, Arc<AtomicU64>>,
}

/// So many uses in a time, of which some may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds that one use costs.
    interval: u64,
    /// Nanoseconds that may be owed before a use is refused.
    tolerance: u64,
}

impl Rate {
    /// So many `uses` a minute, of which `burst` (at least 1) may come at once; none, for no limit, when `uses` is 0.
    #[must_use]
    pub fn per_minute(uses: u32, burst: u32) -> Option<Self> {
        Self::of(uses, 60, burst)
    }

    /// So many `uses` an hour.
    #[must_use]
    pub fn per_hour(uses: u32, burst: u32) -> Option<Self> {
        Self::of(uses, 3600, burst)
    }

    fn of(uses: u32, seconds: u64, burst: u32) -> Option<Self> {
        (uses > 0).then(|| {
            let interval = seconds * 1_000_000_000 / u64::from(uses);
            Self { interval, tolerance: interval.saturating_mul(u64::from(burst.saturating_sub(1))) }
        })
    }

    /// After how many nanoseconds a use would pass that does not now; 0 when it does.
    fn refused(self, free_at: u64, now: u64) -> u64 {
        free_at.saturating_sub(now).saturating_sub(self.tolerance)
    }

    fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    fn tolerance(self) -> Duration {
        Duration::from_nanos(self.tolerance)
    }

    /// How long after its last use a key owes nothing, whatever it did before.
    fn forgiven_after(self) -> Duration {
        self.interval().saturating_add(self.tolerance())
    }
}

impl Limiter {
    /// A limit of `rate`; none is no limit.
    pub fn new(rate: Option<Rate>, clock: Arc<dyn Clock>) -> Self {
        // A key that was idle for this long owes nothing, so that forgetting it changes nothing.
        let idle = rate.map_or(Duration::ZERO, Rate::forgiven_after).max(LEAST_IDLE);
        Self { rate, clock, keys: Cache::builder().max_capacity(MAX_KEYS).time_to_idle(idle).build() }
    }

    /// The limit with another rate, which goes on with the counts of this one: a new setting is no new burst for anybody.
    /// Nobody owes more than the new rate lets anybody owe, so that a looser one helps at once.
    #[must_use]
    pub fn at(&self, rate: Option<Rate>) -> Self {
        let kept = self.keys.policy().time_to_idle().unwrap_or_default();
        let mut new = Self { rate, clock: Arc::clone(&self.clock), keys: self.keys.clone() };
        let Some(rate) = rate else { return new };
        if rate.forgiven_after() > kept {
            new = Self::new(Some(rate), new.clock);
        }
        let most = u64::try_from(rate.forgiven_after().as_nanos()).unwrap_or(u64::MAX);
        let latest = self.now().saturating_add(most);
        for (key, free_at) in &self.keys {
            free_at.fetch_min(latest, Ordering::AcqRel);
            if rate.forgiven_after() > kept {
                new.keys.insert(String::clone(&key), free_at);
            }
        }
        new
    }

    /// Counts one use by `key`.
    ///
    /// # Errors
    /// [`RetryAfter`] when the key is over its limit; a refused use does not count.
    pub fn check(&self, key: &str) -> Result<(), RetryAfter> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = self.now();
        let free_at = self.keys.get_with_by_ref(key, || Arc::new(AtomicU64::new(0)));
        let mut refused = 0;
        let spend = |free_at: u64| {
            refused = rate.refused(free_at, now);
            (refused == 0).then(|| free_at.max(now).saturating_add(rate.interval))
        };
        match free_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, spend) {
            Ok(_) => Ok(()),
            Err(_) => Err(RetryAfter(Duration::from_nanos(refused))),
        }
    }

    /// Takes back one use by `key` that [`Limiter::check`] has counted.
    fn give_back(&self, key: &str) {
        if let (Some(rate), Some(free_at)) = (self.rate, self.keys.get(key)) {
            let less = |free_at: u64| Some(free_at.saturating_sub(rate.interval));
            let _ = free_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        }
    }

    /// Nanoseconds since 1970.
    fn now(&self) -> u64 {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::ManualClock;

    fn limiter(rate: u32, burst: u32) -> (Limiter, ManualClock) {
        let clock = ManualClock::at(1_800_000_000);
        (Limiter::new(Rate::per_minute(rate, burst), Arc::new(clock.clone())), clock)
    }

    #[test]
    fn a_burst_passes_and_the_next_is_told_when_to_come_back() {
        let (limiter, clock) = limiter(60, 3);
        for _ in 0..3 {
            assert_eq!(limiter.check("a"), Ok(()));
        }
        assert_eq!(limiter.check("a"), Err(RetryAfter(Duration::from_secs(1))));
        assert_eq!(limiter.check("b"), Ok(()), "another key has its own count");
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.check("a"), Ok(()));
        assert!(limiter.check("a").is_err(), "waiting for one use does not allow two");
        clock.advance(Duration::from_secs(3600));
        for _ in 0..3 {
            assert_eq!(limiter.check("a"), Ok(()), "an idle key never saves up more than its burst");
        }
        assert!(limiter.check("a").is_err());
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let (limiter, _) = limiter(0, 0);
        assert!((0..10_000).all(|_| limiter.check("a").is_ok()));
    }

    #[test]
    fn a_clock_set_back_does_not_free_a_key() {
        let (limiter, clock) = limiter(1, 1);
        assert_eq!(limiter.check("a"), Ok(()));
        clock.set(1_799_999_990);
        assert_eq!(limiter.check("a"), Err(RetryAfter(Duration::from_secs(70))));
    }

    #[test]
    fn another_rate_goes_on_with_the_counts() {
        let (limiter, clock) = limiter(60, 3);
        assert!((0..3).all(|_| limiter.check("a").is_ok()));
        let same = limiter.at(Rate::per_minute(60, 3));
        assert!(same.check("a").is_err(), "no new burst");
        // Tighter: what was used counts; looser: it is soon forgiven.
        assert_eq!(same.at(Rate::per_minute(1, 1)).check("a"), Err(RetryAfter(Duration::from_secs(3))));
        let looser = same.at(Rate::per_minute(600, 150));
        assert_eq!((0..200).filter(|_| looser.check("a").is_ok()).count(), 120, "three seconds are owed");
        // Who was kept out by a tight limit is in at once.
        let tight = Limiter::new(Rate::per_minute(1, 1), Arc::new(clock.clone()));
        assert!(tight.check("b").is_ok() && tight.check("b").is_err());
        let looser_again = tight.at(Rate::per_minute(600, 150));
        assert_eq!(looser_again.check("b"), Err(RetryAfter(Duration::from_millis(100))));
        let unlimited = looser.at(None);
        assert!((0..1000).all(|_| unlimited.check("a").is_ok()));
        assert!(unlimited.at(Rate::per_minute(600, 150)).check("a").is_err(), "the counts wait");
        clock.advance(Duration::from_secs(15));
        assert!(unlimited.at(Rate::per_minute(600, 150)).check("a").is_ok());
    }

    #[test]
    fn a_rate_that_forgives_later_takes_the_counts_along() {
        let (limiter, clock) = limiter(60, 1);
        assert_eq!(limiter.check("a"), Ok(()));
        let hourly = limiter.at(Rate::per_hour(1, 1));
        assert_eq!(hourly.check("a"), Err(RetryAfter(Duration::from_secs(1))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(hourly.check("a"), Ok(()));
        let kept = hourly.keys.policy().time_to_idle().unwrap();
        assert_eq!(kept, Duration::from_secs(3600), "longer than before");
        assert_eq!(hourly.check("a"), Err(RetryAfter(Duration::from_secs(3600))));
    }

    #[test]
    fn parallel_uses_are_counted_one_by_one() {
        let (limiter, _) = limiter(60, 50);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..100).filter(|_| limiter.check("a").is_ok()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 50);
    }
}
