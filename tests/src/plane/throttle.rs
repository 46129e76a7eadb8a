//! Plane's rate limit: a sliding minute an API key, over all endpoints.

use std::collections::{HashMap, VecDeque};

/// Length of the window in seconds.
const WINDOW: u64 = 60;

/// When each key's requests of the last minute came.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    windows: HashMap<String, VecDeque<u64>>,
}

impl Throttle {
    /// Counts one request of `key` at `now` (Unix seconds) and returns how many are left; when none is, returns the seconds to
    /// wait. A refused request is not counted.
    pub(super) fn admit(&mut self, key: &str, limit: usize, now: u64) -> Result<usize, u64> {
        let window = self.windows.entry(key.to_owned()).or_default();
        while window.front().is_some_and(|&oldest| oldest + WINDOW <= now) {
            window.pop_front();
        }
        if window.len() >= limit {
            let oldest = window.front().copied().unwrap_or(now);
            return Err((oldest + WINDOW).saturating_sub(now).max(1));
        }
        window.push_back(now);
        Ok(limit - window.len())
    }
}
