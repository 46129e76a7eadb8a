//! The one place where the authorization server's answers become HTTP.

use std::error::Error;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, LOCATION, PRAGMA, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use url::Url;

use super::Endpoint;
use super::error::{ErrorCode, OAuthError};
use super::pages::{self, Page};
use super::redirect::ClientRedirect;

/// Seconds after which a client may try again when a part of ours does not answer.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What an answer was, for the pipeline's log line and metrics: an extension of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, or the bounded reason why not.
    pub reason: &'static str,
    /// Whether the fault is ours; a redirect's status does not tell.
    pub ours: bool,
}

/// A good answer.
pub(super) enum Reply {
    /// A document that may be cached for some minutes.
    Document(Bytes),
    /// JSON that must not be cached.
    Json(StatusCode, Bytes),
    /// A page, with the cookie that binds it to the browser.
    Page(Page, HeaderValue),
    /// Back to the client, with a code.
    Code(ClientRedirect, String),
    /// On to Cognito.
    Onward(Url),
    /// Done, nothing to say.
    Done,
}

/// A refusal, by how it must be told.
#[derive(Debug)]
pub(super) enum Refusal {
    /// To a machine: an RFC 6749 section 5.2 body.
    Json(OAuthError),
    /// To a person, while it is not proven where the client is.
    Page(OAuthError),
    /// To the client, by way of the browser (RFC 6749 section 4.1.2.1).
    Redirect(Box<ClientRedirect>, OAuthError),
    /// Another method is needed.
    Method(&'static str),
}

/// What a step answers with.
pub(super) type Answer = Result<Reply, Refusal>;

/// Makes the response of a step's answer.
pub(super) fn finish(endpoint: Endpoint, issuer: &str, answer: Answer) -> Response<Bytes> {
    let mut response = match answer {
        Ok(reply) => accept(issuer, reply),
        Err(refusal) => {
            report(endpoint, &refusal);
            refuse(issuer, refusal)
        }
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if endpoint.is_cross_origin() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
    }
    response
}

/// The answer to a CORS preflight at an endpoint that machines call.
pub(super) fn preflight() -> Response<Bytes> {
    let mut response = build(StatusCode::NO_CONTENT, "ok", Bytes::new());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, Accept, MCP-Protocol-Version"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn accept(issuer: &str, reply: Reply) -> Response<Bytes> {
    match reply {
        Reply::Document(body) => {
            let mut response = json_body(StatusCode::OK, "ok", body);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            response
        }
        Reply::Json(status, body) => json_body(status, "ok", body),
        Reply::Page(shown, cookie) => {
            let mut response = page(StatusCode::OK, "ok", shown);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Reply::Code(to, code) => redirect(&to.with(issuer, &[("code", &code)]), "ok"),
        Reply::Onward(url) => redirect(&url, "ok"),
        Reply::Done => build(StatusCode::OK, "ok", Bytes::new()),
    }
}

fn refuse(issuer: &str, refusal: Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::Json(error) => {
            let body = json!({ "error": error.code().as_str(), "error_description": error.description() });
            let mut response =
                json_body(error.code().status(), error.reason(), Bytes::from(body.to_string()));
            if error.wants_challenge() {
                let challenge = HeaderValue::from_static("Basic realm=\"mcp-edge\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            retry_later(&error, response)
        }
        Refusal::Page(error) => {
            // Not 401: a browser can do nothing about it, and clients that probe take 400 as "register again".
            let status = match error.code() {
                ErrorCode::InvalidClient => StatusCode::BAD_REQUEST,
                code => code.status(),
            };
            let shown = pages::error(&error);
            retry_later(&error, page(status, error.reason(), shown))
        }
        Refusal::Redirect(to, error) => {
            let parameters = [("error", error.code().as_str()), ("error_description", error.description())];
            let mut response = redirect(&to.with(issuer, &parameters), error.reason());
            let outcome = Outcome { reason: error.reason(), ours: error.code().is_ours() };
            response.extensions_mut().insert(outcome);
            response
        }
        Refusal::Method(allow) => {
            let mut response = build(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", Bytes::new());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            response
        }
    }
}

fn retry_later(error: &OAuthError, mut response: Response<Bytes>) -> Response<Bytes> {
    if matches!(error.code(), ErrorCode::TemporarilyUnavailable | ErrorCode::TooManyRequests) {
        // In whole seconds, so that who comes back then is not early.
        let seconds = error.retry_after().map_or(RETRY_AFTER_SECONDS, |wait| wait.as_secs() + 1);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Logs the cause once; what the client did wrong is in the pipeline's log line by its reason.
fn report(endpoint: Endpoint, refusal: &Refusal) {
    let (Refusal::Json(error) | Refusal::Page(error) | Refusal::Redirect(_, error)) = refusal else { return };
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        if !causes.is_empty() {
            causes.push_str(": ");
        }
        causes.push_str(&next.to_string());
        cause = next.source();
    }
    if !causes.is_empty() {
        tracing::warn!(endpoint = endpoint.label(), reason = error.reason(), error = %causes, "sign-in trouble");
    }
}

/// A see-other redirect: never 307, which would send the consent form on to the next server (RFC 9700 section 4.12).
fn redirect(to: &Url, reason: &'static str) -> Response<Bytes> {
    match HeaderValue::from_str(to.as_str()) {
        Ok(location) => {
            let mut response = build(StatusCode::SEE_OTHER, reason, Bytes::new());
            response.headers_mut().insert(LOCATION, location);
            response
        }
        // A serialised URL is ASCII without controls, so this is not known to happen.
        Err(_) => build(StatusCode::INTERNAL_SERVER_ERROR, "location_invalid", Bytes::new()),
    }
}

/// A page that runs nothing, loads nothing and cannot be framed. There is no `form-action`: Chrome applies it to the
/// redirects after the form too, and so would stop clients with a scheme of their own (`cursor://`).
fn page(status: StatusCode, reason: &'static str, page: Page) -> Response<Bytes> {
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; frame-ancestors 'none'",
        page.nonce
    );
    let mut response = build(status, reason, Bytes::from(page.html));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn json_body(status: StatusCode, reason: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = build(status, reason, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn build(status: StatusCode, reason: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.extensions_mut().insert(Outcome { reason, ours: status.is_server_error() });
    response
}
