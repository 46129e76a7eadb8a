//! The time of day, as something that is passed in.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the time of day comes from. Deadlines and time-outs use tokio's own clock instead.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;

    /// Whole seconds since 1970-01-01 UTC; 0 when the clock stands before it.
    fn unix(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock for tests, which moves only when told to. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Duration>>);

impl ManualClock {
    /// A clock that stands at `unix` seconds since 1970-01-01 UTC.
    pub fn at(unix: u64) -> Self {
        Self(Arc::new(Mutex::new(Duration::from_secs(unix))))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Sets the clock to `unix` seconds since 1970-01-01 UTC, also backwards.
    pub fn set(&self, unix: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Duration::from_secs(unix);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_share_the_time() {
        let clock = ManualClock::at(1_000);
        let seen: Arc<dyn Clock> = Arc::new(clock.clone());
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(seen.unix(), 1_001);
        clock.advance(Duration::from_millis(500));
        assert_eq!(seen.unix(), 1_002);
        clock.set(7);
        assert_eq!(seen.unix(), 7);
    }

    #[test]
    fn system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.unix() > 1_780_000_000);
    }
}
