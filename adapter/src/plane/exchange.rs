//! One request to Plane and its answer: which address and headers a credential means, how much is read, and what the
//! statuses mean.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{HeaderName, Method, StatusCode};
use serde::de::DeserializeOwned;
use service::Secret;
use service::traces::{self, TraceContext};
use tracing::Instrument;
use url::Url;

use super::budget::Budget;
use super::{Plane, PlaneError};
use crate::caller::Origin;
use crate::trace;

/// Longest answer read from Plane, unpacked; a longer one is an error, not a truncated list.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Plane's 401 to whom it does not know.
const NOT_SIGNED_IN: &str = "Authentication credentials were not provided.";
/// Plane's 404 for paths it does not know, which other editions and versions may know.
const NO_ENDPOINT: &str = "Page not found.";
/// Plane's 403 to a key that is unknown, expired, deleted or its user's who is switched off. No other 403 says this.
const BAD_KEY: &str = "Given API token is not valid";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request shows Plane. One of the two and never both.
pub(super) enum Proof<'a> {
    /// To the public address, where the reverse proxy turns the token into an identity.
    SignedIn { id_token: &'a Secret, cookies: Option<&'a str> },
    /// To Plane itself.
    Key(&'a Secret),
}

/// A request without its credential.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Passed on, so that Plane's log and traces can be joined with ours.
    pub(super) origin: &'a Origin,
    /// JSON.
    pub(super) body: Option<String>,
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
    /// Whether it was asked for with a key.
    keyed: bool,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: &'a str, origin: &'a Origin) -> Self {
        Self { method: Method::GET, path, origin, body: None }
    }
}

impl Plane {
    /// Sends a request and reads its answer.
    pub(super) async fn exchange(
        &self,
        request: &Request<'_>,
        proof: &Proof<'_>,
    ) -> Result<Answer, PlaneError> {
        let Some(trace) = &request.origin.trace else { return self.send(request, proof, None).await };
        let span = trace::request_to_plane(&request.method, request.path, self.base(proof), proof.is_key());
        let hop = traces::hop(&span, trace);
        let answer = self.send(request, proof, Some(&hop)).instrument(span.clone()).await;
        let status = answer.as_ref().map(|answer| answer.status);
        trace::answered_by_plane(&span, status.map_err(PlaneError::reason));
        answer
    }

    async fn send(
        &self,
        request: &Request<'_>,
        proof: &Proof<'_>,
        trace: Option<&TraceContext>,
    ) -> Result<Answer, PlaneError> {
        let mut headers = proof.headers()?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(&request.origin.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(trace) = trace {
            trace.set(&mut headers);
        }
        let address = format!("{}{}", self.base(proof).as_str().trim_end_matches('/'), request.path);
        let mut sending = self.http.request(request.method.clone(), address).headers(headers);
        if let Some(body) = &request.body {
            sending = sending.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut answer = sending.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(PlaneError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let keyed = proof.is_key();
        Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body, keyed })
    }

    fn base(&self, proof: &Proof<'_>) -> &Url {
        match proof {
            Proof::SignedIn { .. } => &self.settings.base_url,
            Proof::Key(_) => self.settings.api_url.as_ref().unwrap_or(&self.settings.base_url),
        }
    }

    /// Tells the budget what Plane said about its limit.
    pub(super) fn note_limits(&self, answer: &Answer, budget: &Budget) {
        let now = self.clock.now();
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            budget.closed(retry_after(&answer.headers), now);
        } else if let Some(left) = number(&answer.headers, &REMAINING) {
            budget.told(u32::try_from(left).unwrap_or(u32::MAX), now);
        }
    }
}

impl Proof<'_> {
    fn is_key(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    fn headers(&self) -> Result<HeaderMap, PlaneError> {
        match self {
            Self::Key(key) => Ok(HeaderMap::from_iter([(API_KEY, secret_value("", key)?)])),
            Self::SignedIn { id_token, cookies } => {
                let mut headers = HeaderMap::from_iter([(AUTHORIZATION, secret_value("Bearer ", id_token)?)]);
                if let Some(cookies) = cookies.and_then(|text| HeaderValue::from_str(text).ok()) {
                    headers.insert(COOKIE, sensitive(cookies));
                }
                Ok(headers)
            }
        }
    }
}

impl Answer {
    /// The body of a success; else what the status means (facts of Plane's API: a bad key is a 403, too).
    pub(super) fn into_body(self) -> Result<Vec<u8>, PlaneError> {
        let status = self.status;
        match status {
            status if status.is_success() => Ok(self.body),
            StatusCode::TOO_MANY_REQUESTS => {
                Err(PlaneError::RateLimited { retry_after: retry_after(&self.headers) })
            }
            StatusCode::UNAUTHORIZED if self.keyed => Err(PlaneError::KeyRefused),
            StatusCode::UNAUTHORIZED if self.said().as_deref() == Some(NOT_SIGNED_IN) => {
                Err(PlaneError::NotSignedIn)
            }
            StatusCode::UNAUTHORIZED => Err(PlaneError::IdentityRefused(status)),
            StatusCode::FORBIDDEN => Err(match self.said().as_deref() {
                Some(BAD_KEY) => PlaneError::KeyRefused,
                Some(_) => PlaneError::Forbidden,
                // Not Plane's JSON, so the reverse proxy refused.
                None => PlaneError::IdentityRefused(status),
            }),
            StatusCode::NOT_FOUND if self.said().as_deref() == Some(NO_ENDPOINT) => {
                Err(PlaneError::NoEndpoint)
            }
            StatusCode::NOT_FOUND => Err(PlaneError::NotFound),
            StatusCode::BAD_REQUEST => Err(PlaneError::BadRequest(self.said().unwrap_or_default())),
            // A sign-in page, when a reverse proxy did not take the token.
            status if status.is_redirection() && !self.keyed => Err(PlaneError::IdentityRefused(status)),
            status if status.is_server_error() => Err(PlaneError::Unavailable(status)),
            status => Err(PlaneError::Unexpected(format!("status {}", status.as_u16()))),
        }
    }

    /// Plane's own words: `detail` of the framework's errors, `error` of hand-written ones.
    fn said(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let text = body.get("detail").or_else(|| body.get("error"))?.as_str()?;
        Some(text.chars().take(200).collect())
    }
}

/// Reads a body as `T`; the error says where it had another shape, without its content.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, PlaneError> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        PlaneError::Unexpected(format!("{:?} error at {place}", error.classify()))
    })
}

/// `Retry-After` in seconds, between one second and an hour; ten seconds when Plane does not say.
fn retry_after(headers: &HeaderMap) -> Duration {
    Duration::from_secs(number(headers, &RETRY_AFTER).unwrap_or(10).clamp(1, 3600))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn secret_value(prefix: &str, secret: &Secret) -> Result<HeaderValue, PlaneError> {
    // The front admits only visible ASCII, which every header value may hold.
    HeaderValue::from_str(&format!("{prefix}{}", secret.expose()))
        .map(sensitive)
        .map_err(|_| PlaneError::Unexpected("credential is no header value".to_owned()))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
