//! The signing keys of the configured issuers: fetched, cached by (issuer, `kid`), refreshed.
//!
//! A key found costs one atomic load. An old set is refreshed in the background while it still serves; a set past
//! the hard limit serves nothing. A `kid` nobody knows makes at most one fetch per issuer and
//! [`KeyPolicy::min_refetch`], however many tokens bring it, because a `kid` is whatever a stranger writes.

mod fetch;
mod jwks;
mod slot;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::DecodingKey;
use service::Clock;
use thiserror::Error;
use url::Url;

pub use self::fetch::{FetchError, FetchKeys, HttpKeys, MAX_DOCUMENT_BYTES};
use self::slot::{Lookup, Slot};
use crate::error::TokenError;
use crate::issuer::{InvalidIssuer, Issuer};

/// Where the keys of one issuer are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource {
    /// The issuer whose tokens these keys verify, and only its.
    pub issuer: Issuer,
    /// The JWKS document (RFC 7517). It may be on another host than the issuer: pools are seen that issue in the
    /// updated format while their keys are read at the original host.
    pub jwks_uri: Url,
}

impl KeySource {
    /// The keys of `issuer` at their usual place, `<issuer>/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`InvalidIssuer::NotAUrl`], which no parsed issuer gives.
    pub fn of(issuer: Issuer) -> Result<Self, InvalidIssuer> {
        let jwks_uri = issuer.document(".well-known/jwks.json")?;
        Ok(Self { issuer, jwks_uri })
    }
}

/// How long keys are believed and how often they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Older keys are fetched anew in the background, at the next use.
    pub refresh_after: Duration,
    /// Older keys verify nothing: a revoked key must stop working even while the issuer cannot be reached.
    pub hard_limit: Duration,
    /// Shortest time between two fetches for one issuer that unknown `kid`s cause, however many come in.
    pub min_refetch: Duration,
    /// The same after a failed fetch.
    pub retry_after_failure: Duration,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(60 * 60),
            hard_limit: Duration::from_secs(24 * 60 * 60),
            min_refetch: Duration::from_secs(30),
            retry_after_failure: Duration::from_secs(5),
        }
    }
}

/// The keys of an issuer cannot be had, and none that is cached may still be used.
#[derive(Debug, Clone, Error)]
#[error("signing keys of {issuer} are unavailable")]
pub struct KeysUnavailable {
    /// Whose keys.
    pub issuer: Issuer,
    /// What the last attempt ran into.
    #[source]
    pub source: Arc<FetchError>,
}

/// The cached signing keys of all configured issuers.
#[derive(Debug)]
pub struct KeySet {
    slots: Vec<Arc<Slot>>,
}

impl KeySet {
    /// An empty cache over `sources`. Nothing is fetched before [`KeySet::warm`] or the first token.
    pub fn new(
        sources: Vec<KeySource>,
        fetch: Arc<dyn FetchKeys>,
        clock: Arc<dyn Clock>,
        policy: KeyPolicy,
    ) -> Self {
        let slot = |source| Arc::new(Slot::new(source, Arc::clone(&fetch), Arc::clone(&clock), policy));
        Self { slots: sources.into_iter().map(slot).collect() }
    }

    /// Makes sure the keys of every issuer are at hand; for start-up and readiness. Waits for no issuer whose keys still
    /// serve, and begins to refresh those that are due.
    ///
    /// # Errors
    /// [`KeysUnavailable`] of the first issuer that has no usable keys; the others are tried all the same.
    pub async fn warm(&self) -> Result<(), KeysUnavailable> {
        let outcomes = join_all(self.slots.iter().map(Slot::warm)).await;
        outcomes.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    /// How old the keys of `issuer` are; `None` when there are none or it is not a configured issuer.
    pub fn age(&self, issuer: &Issuer) -> Option<Duration> {
        self.slots.iter().find(|slot| slot.issuer() == issuer)?.age()
    }

    /// When the keys of `issuer` were fetched, in seconds since the epoch; `None` as for [`KeySet::age`].
    pub fn fetched_at(&self, issuer: &Issuer) -> Option<u64> {
        self.slots.iter().find(|slot| slot.issuer() == issuer)?.fetched_at()
    }

    /// The configured issuers, in configured order.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.slots.iter().map(|slot| slot.issuer())
    }

    /// The key `kid` of the issuer that is byte for byte `iss`.
    pub(crate) async fn find(&self, iss: &str, kid: &str) -> Result<(Issuer, Arc<DecodingKey>), TokenError> {
        let slot =
            self.slots.iter().find(|slot| slot.issuer().as_str() == iss).ok_or(TokenError::WrongIssuer)?;
        let found = |key| Ok((slot.issuer().clone(), key));
        match slot.find(kid).await? {
            Lookup::Found(key) => found(key),
            Lookup::Unknown => Err(TokenError::UnknownKey),
        }
    }
}
