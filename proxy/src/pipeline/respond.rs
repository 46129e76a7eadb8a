//! Step 8. What goes back to the client. The only place where an error becomes HTTP.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::json;
use service::{Shutdown, serve::Body};

use super::{rewrite, route::Target};
use crate::{
    config::{Route, RouteKind},
    error::Error,
};

/// What an upstream may not say to a client through us: hop-by-hop headers, its cookies, its name, and what would speak for
/// our whole origin.
const WITHHELD: [&str; 15] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "alt-svc",
    "clear-site-data",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A body that is there already.
#[must_use]
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The upstream's answer, streamed.
#[must_use]
pub fn relay(response: Response<Incoming>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    withhold(&mut parts.headers);
    Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
}

fn withhold(headers: &mut HeaderMap) {
    // The length of a body that is chunked is wrong, whatever it says (RFC 9112 section 6.3).
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in rewrite::named_by_connection(headers) {
        headers.remove(name);
    }
    for name in WITHHELD {
        headers.remove(name);
    }
}

/// `/healthz`: the process runs, its public listener answers, and whoever spreads requests may send some here. Nothing about
/// what is behind it.
///
/// # Errors
/// [`Error::MethodNotAllowed`] for anything but reading; [`Error::Stopping`].
pub fn healthy(method: &Method, stopping: &Shutdown) -> Result<Response<Body>, Error> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Error::MethodNotAllowed);
    }
    if stopping.is_triggered() {
        return Err(Error::Stopping);
    }
    Ok(json_response(StatusCode::OK, &json!({"status": "ok"})))
}

/// What Traefik asked for: the identity's headers, and nothing else of use to anybody.
#[must_use]
pub fn granted(identity: HeaderMap) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.headers_mut() = identity;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A preflight of an allowed origin (Fetch standard, CORS).
#[must_use]
pub fn preflight() -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = "authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name";
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allow));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets the page of an allowed origin read the answer, the challenge included.
pub fn share_with(response: &mut Response<Body>, origin: &HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let exposed = "www-authenticate, mcp-session-id, mcp-protocol-version, x-request-id, retry-after";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}

/// Turns an error into an answer: status, reason, what to do, and on MCP routes a JSON-RPC body where clients would
/// otherwise take the server for one of an older protocol (MCP 2026-07-28, versioning).
#[must_use]
pub fn failure(error: &Error, target: Option<&Target>, public_url: &str) -> Response<Body> {
    let route = match target {
        Some(Target::Upstream(route)) => Some(route.as_ref()),
        _ => None,
    };
    let status = error.status();
    let speaks_mcp = route.is_some_and(|route| matches!(route.kind, RouteKind::Mcp | RouteKind::ApiKey));
    let body = if speaks_mcp && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        // Without an id: the message was not read, and MCP's JSON schema knows no null.
        json!({"jsonrpc": "2.0", "error": {
            "code": if status.is_server_error() { -32603 } else { -32600 },
            "message": error.public_message(),
            "data": {"reason": error.reason()},
        }})
    } else {
        json!({"error": code(error), "error_description": error.public_message(), "reason": error.reason()})
    };
    let mut response = json_response(status, &body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = if matches!(target, Some(Target::Health)) { "GET, HEAD" } else { "GET, POST, DELETE" };
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(route) = route {
        challenge(headers, error, route, public_url);
    }
    response
}

/// The error code of RFC 6750 section 3.1 where it has one, else the reason.
const fn code(error: &Error) -> &'static str {
    match error {
        Error::NoToken | Error::InvalidToken(_) | Error::SessionOver(_) => "invalid_token",
        Error::SeveralCredentials | Error::TokenInQuery | Error::Ambiguous(_) => "invalid_request",
        Error::Unavailable { .. } | Error::Stopping => "temporarily_unavailable",
        _ => error.reason(),
    }
}

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1): where to sign in, and for what.
fn challenge(headers: &mut HeaderMap, error: &Error, route: &Route, public_url: &str) {
    let status = error.status();
    let api_key = route.kind == RouteKind::ApiKey;
    let value = match error {
        _ if api_key && status == StatusCode::UNAUTHORIZED => "Bearer error=\"invalid_token\"".to_owned(),
        Error::NoToken => format!("Bearer {}", metadata(route, public_url)),
        Error::InvalidToken(_) | Error::SessionOver(_) => format!(
            "Bearer error=\"invalid_token\", error_description=\"{}\", {}",
            error.public_message(),
            metadata(route, public_url)
        ),
        Error::InsufficientScope(_) => {
            format!("Bearer error=\"insufficient_scope\", {}", metadata(route, public_url))
        }
        _ => return,
    };
    // The parts are our own URL and scopes, which hold visible ASCII without quotes.
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
}

fn metadata(route: &Route, public_url: &str) -> String {
    let path = if route.path == "/" { "" } else { &route.path };
    format!(
        "resource_metadata=\"{public_url}/.well-known/oauth-protected-resource{path}\", scope=\"{}\"",
        route.scopes
    )
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(whole(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Says that the connection ends with this answer (RFC 9112 section 9.6).
pub fn close(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// What every answer carries.
pub fn seal(response: &mut Response<Body>, request_id: &str, tls: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_speaks_for_its_answer_and_for_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "X-Hop, close"),
            ("x-hop", "1"),
            ("content-length", "50"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("alt-svc", "h3=\":1\""),
            ("access-control-allow-credentials", "true"),
            ("vary", "accept"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        withhold(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["vary"]);

        let mut response = Response::new(whole(Bytes::new()));
        *response.headers_mut() = headers;
        share_with(&mut response, &HeaderValue::from_static("https://edge.example"));
        let vary: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
        assert_eq!(vary, ["accept", "origin"]);
    }
}
