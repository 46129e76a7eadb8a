//! Where Cognito's endpoints are: its discovery document, read when first needed and kept for an hour.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use openidconnect::IssuerUrl;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::{Host, Url};

use super::calls::Counter;
use super::http_client::{NoAnswer, fetch};
use crate::provider::ProviderError;

/// How long a document is used before it is asked for again; older ones are used while that fails.
const FRESH_FOR: Duration = Duration::from_secs(60 * 60);
/// How long a failure is remembered, so that a dead Cognito is not asked by every request.
const FAILED_FOR: Duration = Duration::from_secs(5);

/// Endpoints that were configured, and so are not discovered.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) authorization: Option<Url>,
    pub(super) token: Option<Url>,
    pub(super) revocation: Option<Url>,
}

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) revocation: Option<Url>,
}

/// The discovery document, by what is used of it (OpenID Connect Discovery section 3).
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Option<Url>,
}

#[derive(Debug)]
struct Found {
    endpoints: Arc<Endpoints>,
    at: Instant,
}

/// The endpoints, as far as known.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: IssuerUrl,
    given: Given,
    http: reqwest::Client,
    counter: Counter,
    found: ArcSwapOption<Found>,
    /// Held by the one who asks; holds when asking last failed.
    failed: Mutex<Option<Instant>>,
}

impl Discovery {
    /// Endpoints of `issuer`, except for those that are `given`.
    pub(super) fn new(issuer: IssuerUrl, given: Given, http: reqwest::Client) -> Self {
        let (counter, found, failed) = (Counter::default(), ArcSwapOption::empty(), Mutex::new(None));
        Self { issuer, given, http, counter, found, failed }
    }

    pub(super) fn counted_by(self, counter: Counter) -> Self {
        Self { counter, ..self }
    }

    /// The endpoints. One caller asks Cognito; others wait for it, or use what was known before.
    pub(super) async fn endpoints(&self) -> Result<Arc<Endpoints>, ProviderError> {
        if let Given {
            authorization: Some(authorization),
            token: Some(token),
            revocation: Some(revocation),
        } = &self.given
        {
            let (authorization, token) = (authorization.clone(), token.clone());
            return Ok(Arc::new(Endpoints { authorization, token, revocation: Some(revocation.clone()) }));
        }
        let known = self.found.load_full();
        if let Some(known) = known.as_ref().filter(|known| known.at.elapsed() < FRESH_FOR) {
            return Ok(Arc::clone(&known.endpoints));
        }
        let mut failed = match &known {
            None => self.failed.lock().await,
            Some(stale) => match self.failed.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(Arc::clone(&stale.endpoints)),
            },
        };
        // Whoever had the turn before may have found it, or have failed just now.
        if let Some(now_known) = self.found.load_full().filter(|known| known.at.elapsed() < FRESH_FOR) {
            return Ok(Arc::clone(&now_known.endpoints));
        }
        let asked = match *failed {
            Some(at) if at.elapsed() < FAILED_FOR => Err(unavailable(NoAnswer::FailedBefore)),
            _ => self
                .counter
                .count("discovery", self.ask())
                .await
                .inspect_err(|_| *failed = Some(Instant::now())),
        };
        match asked {
            Ok(endpoints) => {
                *failed = None;
                let endpoints = Arc::new(endpoints);
                self.found
                    .store(Some(Arc::new(Found { endpoints: Arc::clone(&endpoints), at: Instant::now() })));
                Ok(endpoints)
            }
            Err(error) => self.without_document(known).ok_or(error),
        }
    }

    /// Makes what is known as old as it can get.
    #[cfg(test)]
    pub(super) fn grow_old(&self) {
        if let Some(found) = self.found.load_full() {
            let at = Instant::now().checked_sub(FRESH_FOR).unwrap_or(found.at);
            self.found.store(Some(Arc::new(Found { endpoints: Arc::clone(&found.endpoints), at })));
        }
    }

    /// What can be used although Cognito does not say.
    fn without_document(&self, known: Option<Arc<Found>>) -> Option<Arc<Endpoints>> {
        if let Some(stale) = known {
            return Some(Arc::clone(&stale.endpoints));
        }
        let (authorization, token) = (self.given.authorization.clone()?, self.given.token.clone()?);
        Some(Arc::new(Endpoints { authorization, token, revocation: self.given.revocation.clone() }))
    }

    async fn ask(&self) -> Result<Endpoints, ProviderError> {
        let request =
            http::Request::get(format!("{}/.well-known/openid-configuration", self.issuer.as_str()))
                .header(http::header::ACCEPT, "application/json")
                .body(Vec::new())
                .map_err(|_| misconfigured("issuer_unusable"))?;
        let answer = fetch(self.http.clone(), request).await.map_err(unavailable)?;
        if !answer.status().is_success() {
            return Err(unavailable(NoAnswer::Status(answer.status().as_u16())));
        }
        let document: Document =
            serde_json::from_slice(answer.body()).map_err(|_| unavailable(NoAnswer::Unreadable))?;
        // Section 4.3: exactly the issuer that was asked, or the document is somebody else's.
        if document.issuer != self.issuer.as_str() {
            return Err(misconfigured("issuer_mismatch"));
        }
        let endpoints = Endpoints {
            authorization: self.given.authorization.clone().unwrap_or(document.authorization_endpoint),
            token: self.given.token.clone().unwrap_or(document.token_endpoint),
            revocation: self.given.revocation.clone().or(document.revocation_endpoint),
        };
        let all = [Some(&endpoints.authorization), Some(&endpoints.token), endpoints.revocation.as_ref()];
        if all.into_iter().flatten().all(is_safe) {
            Ok(endpoints)
        } else {
            Err(misconfigured("endpoint_insecure"))
        }
    }
}

/// Codes and secrets go there: https, or this very machine.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

fn unavailable(cause: NoAnswer) -> ProviderError {
    ProviderError::Unavailable(Box::new(cause))
}

fn misconfigured(code: &str) -> ProviderError {
    ProviderError::Misconfigured { code: code.to_owned() }
}
