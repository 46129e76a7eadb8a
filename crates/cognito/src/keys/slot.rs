//! The keys of one issuer and the rules for fetching them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use service::Clock;
use tokio::sync::OwnedMutexGuard;
use tracing::{debug, warn};

use super::fetch::{FetchError, FetchKeys};
use super::{KeyPolicy, KeySource, KeysUnavailable, jwks};
use crate::issuer::Issuer;

/// What asking for a `kid` gave.
pub(super) enum Lookup {
    Found(Arc<DecodingKey>),
    Unknown,
}

/// One issuer's keys.
#[derive(Debug)]
pub(super) struct Slot {
    source: KeySource,
    fetch: Arc<dyn FetchKeys>,
    clock: Arc<dyn Clock>,
    policy: KeyPolicy,
    current: ArcSwapOption<Fetched>,
    schedule: Mutex<Schedule>,
    /// Held while a fetch is under way, so that there is never a second one.
    flight: Arc<tokio::sync::Mutex<()>>,
}

/// A key set as it was fetched.
#[derive(Debug)]
struct Fetched {
    keys: jwks::Keys,
    /// Seconds since the epoch.
    at: u64,
}

/// When the next fetch is allowed, and what the last one ran into.
#[derive(Debug, Default)]
struct Schedule {
    /// Seconds since the epoch.
    not_before: u64,
    failure: Option<KeysUnavailable>,
}

impl Slot {
    pub(super) fn new(
        source: KeySource,
        fetch: Arc<dyn FetchKeys>,
        clock: Arc<dyn Clock>,
        policy: KeyPolicy,
    ) -> Self {
        Self {
            source,
            fetch,
            clock,
            policy,
            current: ArcSwapOption::empty(),
            schedule: Mutex::default(),
            flight: Arc::default(),
        }
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.source.issuer
    }

    pub(super) fn age(&self) -> Option<Duration> {
        self.current.load().as_deref().map(|fetched| self.age_of(fetched))
    }

    pub(super) fn fetched_at(&self) -> Option<u64> {
        self.current.load().as_deref().map(|fetched| fetched.at)
    }

    /// Keys that serve, fetching them if there are none. Those that are due are refreshed without waiting for it.
    pub(super) async fn warm(self: &Arc<Self>) -> Result<(), KeysUnavailable> {
        if let Some(fetched) = self.usable() {
            if self.age_of(&fetched) >= self.policy.refresh_after {
                self.refresh_in_background();
            }
            return Ok(());
        }
        let fetched = self.refetch(self.current.load_full(), Duration::ZERO).await;
        match self.usable() {
            Some(_) => Ok(()),
            None => fetched,
        }
    }

    /// The key `kid`, from the cache or from a fetch if one is due.
    pub(super) async fn find(self: &Arc<Self>, kid: &str) -> Result<Lookup, KeysUnavailable> {
        let held = self.current.load_full();
        let usable = self.usable();
        if let Some(fetched) = &usable
            && let Some(key) = fetched.keys.get(kid)
        {
            if self.age_of(fetched) >= self.policy.refresh_after {
                self.refresh_in_background();
            }
            return Ok(Lookup::Found(Arc::clone(key)));
        }
        // Only fetches that a stranger's `kid` can cause are spaced: the first look after a planned fetch is free, so
        // that a rotation is seen at once however young the set is.
        let pause = if usable.is_some() { self.policy.min_refetch } else { Duration::ZERO };
        // A failed fetch leaves open whether the issuer has this key, so it is not reported as unknown.
        self.refetch(held, pause).await?;
        let known = self.usable().and_then(|fetched| fetched.keys.get(kid).cloned());
        Ok(known.map_or(Lookup::Unknown, Lookup::Found))
    }

    /// Starts a fetch nobody waits for: this request has its key, the next ones shall have a fresh set.
    fn refresh_in_background(self: &Arc<Self>) {
        if self.may_fetch().is_ok_and(|may| may)
            && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
        {
            tokio::spawn(Arc::clone(self).fetch_once(flight, Duration::ZERO));
        }
    }

    /// Fetches, unless it is too early, and makes the next one wait for `pause`. Whoever waited for another's fetch,
    /// and so finds something newer than `held`, adopts its outcome.
    async fn refetch(
        self: &Arc<Self>,
        held: Option<Arc<Fetched>>,
        pause: Duration,
    ) -> Result<(), KeysUnavailable> {
        if !self.may_fetch()? {
            return Ok(());
        }
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let same = match (&*self.current.load(), &held) {
            (Some(now), Some(held)) => Arc::ptr_eq(now, held),
            (None, None) => true,
            _ => false,
        };
        if !self.may_fetch()? || !same {
            return Ok(());
        }
        // A task of its own runs to its end even if this caller goes away, so that a stranger who hangs up cannot
        // waste the one fetch that others wait for.
        match tokio::spawn(Arc::clone(self).fetch_once(flight, pause)).await {
            Ok(outcome) => outcome,
            Err(stopped) => Err(self.unavailable(FetchError::Transport(Box::new(stopped)))),
        }
    }

    /// The one flight.
    async fn fetch_once(
        self: Arc<Self>,
        flight: OwnedMutexGuard<()>,
        pause: Duration,
    ) -> Result<(), KeysUnavailable> {
        let outcome =
            self.fetch.fetch(&self.source.jwks_uri).await.and_then(|document| jwks::read(&document));
        let now = self.clock.unix();
        let result = match outcome {
            Ok(keys) => {
                debug!(issuer = %self.source.issuer, keys = keys.len(), "signing keys fetched");
                self.current.store(Some(Arc::new(Fetched { keys, at: now })));
                self.plan(now, pause, None);
                Ok(())
            }
            Err(error) => {
                warn!(issuer = %self.source.issuer, %error, "signing keys could not be fetched");
                let failure = self.unavailable(error);
                self.plan(now, self.policy.retry_after_failure, Some(failure.clone()));
                Err(failure)
            }
        };
        drop(flight);
        result
    }

    /// Whether a fetch is due; the last failure, when one happened and it is too early to try again.
    fn may_fetch(&self) -> Result<bool, KeysUnavailable> {
        let schedule = self.schedule();
        let pause = schedule.not_before.saturating_sub(self.clock.unix());
        // A pause longer than any we set means that the clock was put back: it must not stop all fetches.
        let longest = self.policy.min_refetch.max(self.policy.retry_after_failure).as_secs();
        if pause == 0 || pause > longest {
            return Ok(true);
        }
        match &schedule.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(false),
        }
    }

    fn plan(&self, now: u64, pause: Duration, failure: Option<KeysUnavailable>) {
        let mut schedule = self.schedule();
        schedule.not_before = now.saturating_add(pause.as_secs());
        schedule.failure = failure;
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // Nothing panics while it is held, and what it guards is whole after every statement.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cached keys, unless they are past the hard limit.
    fn usable(&self) -> Option<Arc<Fetched>> {
        self.current.load_full().filter(|fetched| self.age_of(fetched) < self.policy.hard_limit)
    }

    fn age_of(&self, fetched: &Fetched) -> Duration {
        Duration::from_secs(self.clock.unix().saturating_sub(fetched.at))
    }

    fn unavailable(&self, source: FetchError) -> KeysUnavailable {
        KeysUnavailable { issuer: self.source.issuer.clone(), source: Arc::new(source) }
    }
}
