//! Step 6. The one writer of identity: strips whatever a client could pass for somebody with, then sets ours.
//!
//! Only this file can make an [`Outgoing`], and `forward` sends nothing else: an unstripped request does not compile.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, request::Parts};
use service::{
    Secret,
    traces::{Place, TraceContext},
};

use super::{body::RequestBody, identify::Identity};
use crate::{
    config::{Route, RouteKind},
    error::Error,
    limits::ClientAddress,
};

/// What the client's token may do, for an adapter behind an MCP route, which sees the ID token only. Nothing but
/// taking away may ever hang on it: where it is absent, the ID token alone decides.
const SCOPE: &str = "x-mcp-scope";

/// A request that carries no identity but the one we proved.
#[derive(Debug)]
pub struct Outgoing {
    request: Request<RequestBody>,
}

impl Outgoing {
    /// The request, to be sent.
    #[must_use]
    pub fn into_request(self) -> Request<RequestBody> {
        self.request
    }
}

/// What the outer wrap knows about the request as it came.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Whose request it is.
    pub client: ClientAddress,
    /// `https` or `http`: how the client reached us, by our public URL.
    pub scheme: &'static str,
    /// The host of our public URL, with port where it is not the scheme's own.
    pub host: String,
    /// The port of our public URL.
    pub port: u16,
    /// Our id of the request.
    pub request_id: String,
    /// Where in a trace it is: the client's or a new one.
    pub place: Place,
}

/// Strips and sets. `hop` is the place in the trace that the upstream is told.
///
/// # Errors
/// [`Error::Internal`] when a value of ours is no header value, which their types rule out.
pub fn rewrite(
    parts: Parts,
    body: RequestBody,
    route: &Route,
    identity: &Identity,
    (arrival, hop): (&Arrival, &TraceContext),
) -> Result<Outgoing, Error> {
    let mut headers = parts.headers;
    strip(&mut headers);
    // After the stripping, and never subject to `Connection` again: CVE-2024-45410.
    set_identity(&mut headers, identity)?;
    if route.kind == RouteKind::Mcp {
        set_scope(&mut headers, identity)?;
    }
    set_origin(&mut headers, arrival)?;
    hop.set(&mut headers);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = upstream_uri(route, &parts.uri)?;
    *request.headers_mut() = headers;
    Ok(Outgoing { request })
}

/// The identity alone, as an answer that Traefik takes headers from.
///
/// # Errors
/// As [`rewrite`].
pub fn answer(route: &Route, identity: &Identity) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    set_identity(&mut headers, identity)?;
    if route.kind == RouteKind::Mcp {
        set_scope(&mut headers, identity)?;
    }
    Ok(headers)
}

/// Removes hop-by-hop headers, those `Connection` names, and every spelling of an identity header.
fn strip(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| is_stripped(name.as_str())).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// The headers that `Connection` says are for the next hop only (RFC 9110 section 7.6.1), in either direction.
pub(super) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Whether a header never passes. Every sign is one: WSGI servers fold `_`, others all of them (CVE-2025-64484).
fn is_stripped(name: &str) -> bool {
    let normal: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let normal = normal.as_str();
    // `cookie`: a browser's is somebody's session at Plane or oauth2-proxy. `origin`: judged here, by our own list.
    // `baggage`: a stranger's words, which everything behind us that traces would pass on and index. The other two of a
    // trace are read by our own rules, and set anew.
    const EXACT: [&str; 30] = [
        "authorization",
        "baggage",
        "connection",
        "cookie",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "origin",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
        "x-client-ip",
        "x-forwarded",
        "x-http-method",
        "x-http-method-override",
        SCOPE,
        "x-method-override",
        "x-real-ip",
        "x-remote-user",
        "x-request-id",
        "x-rewrite-url",
        "traceparent",
        "tracestate",
        "true-client-ip",
        "remote-user",
        "x-user",
    ];
    const PREFIXES: [&str; 7] =
        ["x-auth-", "x-forwarded-", "x-original-", "x-amzn-oidc-", "proxy-", "x-client-cert", "gap-"];
    // The length under its own name frames the body; under another it would frame it a second time.
    let second_length = normal == "content-length" && name != normal;
    second_length || EXACT.contains(&normal) || PREFIXES.iter().any(|prefix| normal.starts_with(prefix))
}

fn set_identity(headers: &mut HeaderMap, identity: &Identity) -> Result<(), Error> {
    let (name, value) = match identity {
        Identity::Person { session, .. } => {
            (header::AUTHORIZATION, format!("Bearer {}", session.tokens.id.expose()))
        }
        Identity::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.expose().to_owned()),
    };
    headers.insert(name, sensitive(&Secret::new(value))?);
    Ok(())
}

/// The scopes of the token at hand, which may be fewer than the session's.
fn set_scope(headers: &mut HeaderMap, identity: &Identity) -> Result<(), Error> {
    if let Identity::Person { scopes, .. } = identity {
        let value = HeaderValue::from_str(&scopes.to_string())
            .map_err(|_| Error::Internal("scopes are no header value"))?;
        headers.insert(HeaderName::from_static(SCOPE), value);
    }
    Ok(())
}

fn sensitive(secret: &Secret) -> Result<HeaderValue, Error> {
    let mut value =
        HeaderValue::from_str(secret.expose()).map_err(|_| Error::Internal("identity is no header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn set_origin(headers: &mut HeaderMap, arrival: &Arrival) -> Result<(), Error> {
    let set = [
        // One address, which is right by whatever rule the upstream reads it: first, last, or last untrusted.
        ("x-forwarded-for", arrival.client.to_string()),
        ("x-forwarded-proto", arrival.scheme.to_owned()),
        ("x-forwarded-host", arrival.host.clone()),
        ("x-forwarded-port", arrival.port.to_string()),
        ("x-request-id", arrival.request_id.clone()),
    ];
    for (name, value) in set {
        let value =
            HeaderValue::from_str(&value).map_err(|_| Error::Internal("origin is no header value"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}

/// The MCP endpoint as configured; below an `http` route, the same path at the upstream's origin.
fn upstream_uri(route: &Route, came: &Uri) -> Result<Uri, Error> {
    let base = route.upstream.as_ref().ok_or(Error::NoRoute)?.as_str().trim_end_matches('/');
    let query = came.query().map_or_else(String::new, |query| format!("?{query}"));
    let target = match route.kind {
        RouteKind::Mcp | RouteKind::ApiKey => format!("{base}{query}"),
        RouteKind::Http => format!("{base}{}{query}", came.path()),
    };
    target.parse().map_err(|_| Error::Internal("upstream url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_identity_header_is_stripped() {
        for name in [
            "Authorization",
            "X-Auth-Request-Email",
            "x_auth_request_email",
            "x.auth.request.email",
            "x+auth~request!email",
            "x-original-url",
            "content_length",
            "X-Forwarded-For",
            "x_forwarded_user",
            "forwarded",
            "x-real_ip",
            "proxy-authorization",
            "x-api-key",
            "X_Api_Key",
            "cookie",
            "te",
            "x-request-id",
            "X-Mcp-Scope",
            "x_mcp_scope",
            "X.Mcp-Scope",
            "baggage",
            "traceparent",
            "tracestate",
        ] {
            assert!(is_stripped(name), "{name}");
        }
        for name in
            ["mcp-method", "mcp-param-x_auth", "accept", "content-length", "content-type", "last-event-id"]
        {
            assert!(!is_stripped(name), "{name}");
        }
    }

    #[test]
    fn what_connection_names_goes_and_what_it_does_not_name_stays() {
        let mut headers = HeaderMap::new();
        headers.append("connection", "X-Custom, close".parse().unwrap());
        headers.append("x-custom", "1".parse().unwrap());
        headers.append("accept", "*/*".parse().unwrap());
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
