//! A caller's share of Plane's rate limit: kept below it by counting, corrected by what Plane's headers say.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Plane counts over a sliding minute.
const WINDOW: Duration = Duration::from_secs(60);

/// What a budget is for. Plane counts the requests of each key and lets sessions do as they like; those are held to the
/// same bound, because an agent is no browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// Requests with an API key.
    Key,
    /// Requests in a session.
    Session,
}

impl Lane {
    /// The word in the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
        }
    }
}

/// Requests one caller may still send. Shared by all requests of that caller.
#[derive(Debug, Default)]
pub struct Budget(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When each request of the last window was sent, oldest first.
    sent: VecDeque<SystemTime>,
    /// What Plane last said is left, and when; counts down with every request sent since.
    told: Option<(u32, SystemTime)>,
    /// Set by a 429: nothing is sent before this moment.
    closed_until: Option<SystemTime>,
}

impl Budget {
    /// Takes one request from the budget, which is `per_window` requests a minute: the operator's setting of now, and not
    /// of when the caller was first seen. Tells how many were taken in the last minute, this one included.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn take(&self, per_window: u32, now: SystemTime) -> Result<usize, Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while state.sent.front().is_some_and(|at| age(*at, now) >= WINDOW) {
            state.sent.pop_front();
        }
        if let Some(wait) = state.closed_until.and_then(|until| until.duration_since(now).ok())
            && !wait.is_zero()
        {
            return Err(wait);
        }
        // Ours holds whatever Plane would allow; Plane's, while it is fresh, where somebody else uses the key too.
        let ours = usize::try_from(per_window).unwrap_or(usize::MAX).saturating_sub(state.sent.len());
        let told = state.told.filter(|(_, at)| age(*at, now) < WINDOW);
        let left = told.map_or(ours, |(told, _)| ours.min(usize::try_from(told).unwrap_or(usize::MAX)));
        if left == 0 {
            let oldest = state.sent.front().map_or(Duration::ZERO, |at| age(*at, now));
            return Err(WINDOW.saturating_sub(oldest).max(Duration::from_secs(1)));
        }
        if let Some((told, _)) = &mut state.told {
            *told = told.saturating_sub(1);
        }
        state.sent.push_back(now);
        Ok(state.sent.len())
    }

    /// Plane said how many requests are left (`X-RateLimit-Remaining`).
    pub fn told(&self, left: u32, now: SystemTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told = Some((left, now));
    }

    /// Plane refused with 429 and said when to come back.
    pub fn closed(&self, retry_after: Duration, now: SystemTime) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed_until = Some(now + retry_after);
        state.told = None;
    }
}

/// Zero when the clock went backwards.
fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_minute_holds_no_more_than_the_limit_and_slides() {
        let budget = Budget::default();
        for second in 0..3 {
            budget.take(3, at(100 + second)).unwrap();
        }
        assert_eq!(budget.take(3, at(110)), Err(Duration::from_secs(50)));
        budget.take(3, at(160)).unwrap();
        assert!(budget.take(3, at(160)).is_err());
    }

    #[test]
    fn a_new_limit_counts_what_was_sent_under_the_old_one() {
        let budget = Budget::default();
        budget.take(1, at(100)).unwrap();
        assert!(budget.take(1, at(101)).is_err());
        budget.take(2, at(101)).unwrap();
        assert!(budget.take(2, at(102)).is_err());
    }

    #[test]
    fn the_lower_of_planes_count_and_ours_holds() {
        let budget = Budget::default();
        budget.told(2, at(100));
        budget.take(9, at(100)).unwrap();
        budget.take(9, at(101)).unwrap();
        assert!(budget.take(9, at(102)).is_err(), "plane has no more");
        budget.told(200, at(103));
        assert!(budget.take(2, at(103)).is_err(), "plane would allow more than the operator does");
        budget.take(9, at(163)).unwrap();
    }

    #[test]
    fn a_refusal_closes_until_the_moment_plane_named() {
        let budget = Budget::default();
        budget.closed(Duration::from_secs(34), at(100));
        assert_eq!(budget.take(10, at(130)), Err(Duration::from_secs(4)));
        budget.take(10, at(134)).unwrap();
    }
}
