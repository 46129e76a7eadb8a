//! Limits that all replicas count together, in the store; in this process alone while the store does not answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use service::Clock;

use super::{Limiter, Rate, RetryAfter};
use crate::store::{Store, names};

/// A limit on the rate of something, per key, of all replicas together.
pub struct SharedLimiter {
    /// What is limited: part of the names in the store.
    what: &'static str,
    rate: Option<Rate>,
    store: Arc<dyn Store>,
    /// What passed here. Refuses without a question what the store would refuse, and stands in for it.
    own: Limiter,
    /// Whether the store did not answer the last time.
    alone: Arc<AtomicBool>,
}

impl SharedLimiter {
    /// A limit on `what`; none when there is no rate.
    pub fn new(what: &'static str, rate: Option<Rate>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { what, rate, store, own: Limiter::new(rate, clock), alone: Arc::default() }
    }

    /// The limit with another rate, which goes on with the counts of this one, here and in the store.
    #[must_use]
    pub fn at(&self, rate: Option<Rate>) -> Self {
        let (store, alone) = (Arc::clone(&self.store), Arc::clone(&self.alone));
        Self { what: self.what, rate, store, own: self.own.at(rate), alone }
    }

    /// Counts one use by `key`. A store that is down is no reason to refuse anything.
    ///
    /// # Errors
    /// [`RetryAfter`] when the key is over its limit; a refused use does not count.
    pub async fn check(&self, key: &str) -> Result<(), RetryAfter> {
        let Some(rate) = self.rate else { return Ok(()) };
        // What is over the limit here is over it everywhere: a flood does not reach the store. Counted before the store is
        // asked, so that whoever does not wait for its answer has used something up as well.
        self.own.check(key)?;
        let name = names::rate(self.what, key);
        let answer = self.store.allow(&name, rate.interval(), rate.tolerance()).await;
        self.is_alone(answer.is_err());
        match answer {
            Ok(Some(wait)) => {
                self.own.give_back(key);
                Err(RetryAfter(wait))
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Says when that changes.
    fn is_alone(&self, alone: bool) {
        if self.alone.swap(alone, Ordering::Relaxed) == alone {
            return;
        }
        if alone {
            tracing::warn!(limit = self.what, "the store does not answer: this process counts for itself");
        } else {
            tracing::info!(limit = self.what, "counted for all replicas together again");
        }
    }
}

impl fmt::Debug for SharedLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimiter")
            .field("what", &self.what)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
