//! Step 5. Whether this caller may do this here and now: origin, scope, rate, and the rules of MCP over HTTP that need no
//! body.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, header};
use service::Secret;

use super::identify::Identity;
use crate::{
    config::{Route, RouteKind},
    error::Error,
    limits::Limiter,
};

/// The `Mcp-*` headers mirror the body (MCP 2026-07-28, Streamable HTTP): a second one would be read by somebody else.
const SINGLE: [&str; 4] = ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"];

/// Refuses pages of foreign origins. Comes before authentication: a rebound page must not even learn that it lacks a token.
///
/// # Errors
/// [`Error::ForeignOrigin`].
pub fn check_origin(headers: &HeaderMap, origins: &[String]) -> Result<(), Error> {
    let allowed = headers.get_all(header::ORIGIN).iter().all(|value| {
        value.to_str().is_ok_and(|origin| origins.iter().any(|known| known.eq_ignore_ascii_case(origin)))
    });
    if allowed { Ok(()) } else { Err(Error::ForeignOrigin) }
}

/// Decides whether the request goes on.
///
/// # Errors
/// [`Error::InsufficientScope`], [`Error::RateLimited`], [`Error::MethodNotAllowed`], [`Error::UnsupportedMediaType`],
/// [`Error::BodyTooLarge`], [`Error::Ambiguous`].
pub fn admit(
    method: &Method,
    headers: &HeaderMap,
    route: &Route,
    identity: &Identity,
    limiter: &Limiter,
    body_bytes: u64,
) -> Result<(), Error> {
    check_person(route, identity, limiter)?;
    if matches!(route.kind, RouteKind::Mcp | RouteKind::ApiKey) {
        check_mcp(method, headers)?;
    }
    check_length(headers, body_bytes)
}

/// The part of [`admit`] that is about the caller: rate and scope.
///
/// # Errors
/// [`Error::RateLimited`], [`Error::InsufficientScope`].
pub fn check_person(route: &Route, identity: &Identity, limiter: &Limiter) -> Result<(), Error> {
    check_rate(identity, limiter)?;
    check_scopes(route, identity)
}

fn check_rate(identity: &Identity, limiter: &Limiter) -> Result<(), Error> {
    let checked = match identity {
        Identity::Person { session, .. } => limiter.check(session.sid.as_str()),
        Identity::ApiKey(key) => limiter.check(&fingerprint(key)),
    };
    checked.map_err(|wait| Error::RateLimited(wait.0))
}

/// What stands for an API key in the limiter's table, so that the key itself is kept nowhere.
fn fingerprint(key: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key.expose().as_bytes()))
}

fn check_scopes(route: &Route, identity: &Identity) -> Result<(), Error> {
    match identity {
        Identity::Person { scopes, .. } if !scopes.covers(&route.scopes) => {
            Err(Error::InsufficientScope(route.scopes.clone()))
        }
        // A key has no scopes of ours; Plane decides what it may do.
        Identity::Person { .. } | Identity::ApiKey(_) => Ok(()),
    }
}

fn check_mcp(method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    if !matches!(*method, Method::POST | Method::GET | Method::DELETE) {
        return Err(Error::MethodNotAllowed);
    }
    if SINGLE.iter().any(|name| headers.get_all(*name).iter().count() > 1) {
        return Err(Error::Ambiguous("repeated_mcp_header"));
    }
    if *method == Method::POST {
        let json =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
                value
                    .split(';')
                    .next()
                    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
            });
        if !json {
            return Err(Error::UnsupportedMediaType);
        }
    }
    Ok(())
}

/// Refuses a body that says it is too large; one that does not say is counted while it streams.
fn check_length(headers: &HeaderMap, body_bytes: u64) -> Result<(), Error> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > body_bytes) { Err(Error::BodyTooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_origin_passes_and_a_foreign_origin_does_not() {
        let ours = ["https://edge.example".to_owned()];
        let mut headers = HeaderMap::new();
        assert!(check_origin(&headers, &ours).is_ok());
        headers.append(header::ORIGIN, "https://EDGE.example".parse().unwrap());
        assert!(check_origin(&headers, &ours).is_ok());
        headers.append(header::ORIGIN, "null".parse().unwrap());
        assert!(check_origin(&headers, &ours).is_err());
    }

    #[test]
    fn an_mcp_message_is_json_and_names_its_method_once() {
        let mut headers = HeaderMap::new();
        assert!(matches!(check_mcp(&Method::POST, &headers), Err(Error::UnsupportedMediaType)));
        headers.append(header::CONTENT_TYPE, "Application/JSON; charset=utf-8".parse().unwrap());
        assert!(check_mcp(&Method::POST, &headers).is_ok());
        assert!(matches!(check_mcp(&Method::PUT, &headers), Err(Error::MethodNotAllowed)));
        headers.append("mcp-method", "tools/call".parse().unwrap());
        headers.append("Mcp-Method", "tools/list".parse().unwrap());
        assert!(matches!(check_mcp(&Method::POST, &headers), Err(Error::Ambiguous(_))));
    }
}
