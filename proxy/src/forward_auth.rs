//! Traefik's ForwardAuth: the proxy beside the path instead of in it. Traefik asks about each request, we take the same steps
//! as for one of our own (parse, route, authenticate, identify, admit) and answer with headers instead of forwarding:
//!
//! | answer | meaning |
//! |---|---|
//! | 200 with exactly one `Authorization: Bearer <ID token>` | Traefik replaces the client's with it and goes on |
//! | 401 with the challenge, 403, 400 … | goes to the client as it is |
//! | 503 with `Retry-After` | something of ours does not answer; the client keeps its token |
//!
//! Never 200 without the header: Traefik would drop the client's `Authorization`, and oauth2-proxy would go by the cookie.
//! The answer hands out ID tokens, so that only the configured proxies get one.

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header, request::Parts};
use hyper::body::Incoming;
use service::{
    serve::{Body, Handler, Peer},
    traces,
};
use tracing::Instrument;

use crate::{
    config::RouteKind,
    error::Error,
    limits::ClientAddress,
    pipeline::{Shared, Story, admit, authenticate, identify, parse, respond, rewrite, route, trace},
    rules::Rules,
};

/// The one path there is.
pub const PATH: &str = "/forward-auth";

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// The handler of the ForwardAuth listener.
#[derive(Clone)]
pub struct ForwardAuth {
    shared: Arc<Shared>,
}

impl ForwardAuth {
    /// Answers whom the rules say and nobody else.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    async fn steps(
        &self,
        request: Parts,
        peer: Peer,
        rules: &Rules,
        story: &mut Story<'_>,
    ) -> Result<HeaderMap, Error> {
        if !rules.may_ask.holds(ClientAddress::of_peer(peer.addr.ip()).ip()) {
            return Err(Error::ForeignPeer);
        }
        if request.uri.path() != PATH {
            return Err(Error::NoRoute);
        }
        let shared = &self.shared;
        let parsed = parse::parse(original(&request.headers)?, &rules.server.hosts)?;
        let target = story.target.insert(route::route(parsed.path(), &rules.oauth, &rules.routes)?);
        let route = match target {
            // A key is for Plane itself and has no ID token to be swapped for.
            route::Target::Upstream(route) if route.kind != RouteKind::ApiKey => Arc::clone(route),
            _ => return Err(Error::NoRoute),
        };
        let headers = &parsed.parts.headers;
        admit::check_origin(headers, &rules.server.origins)?;
        if route.kind != RouteKind::Http && !rules.mcp_enabled {
            return Err(Error::Disabled);
        }
        let credential = authenticate::authenticate(
            headers,
            &route,
            (&shared.tokens, &shared.vault),
            shared.bearers.as_ref(),
            &shared.metrics,
        )
        .instrument(traces::step("authenticate"))
        .await?;
        let identity =
            identify::identify(credential, &shared.vault).instrument(traces::step("session")).await?;
        story.know(&identity);
        admit::check_person(&route, &identity, &rules.by_session)?;
        rewrite::answer(&route, &identity)
    }
}

impl Handler for ForwardAuth {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let started = Instant::now();
        let place = trace::begin(&self.shared.tracing, &request, "forward_auth");
        let (parts, _) = request.into_parts();
        // Once: a reload in the middle of a request changes nothing for it.
        let rules = self.shared.rules.load_full();
        let client = ClientAddress::of(peer.addr.ip(), &parts.headers, &rules.may_ask);
        let request_id = trace::new_request_id();
        let log = tracing::info_span!(
            "request",
            request.id = %request_id,
            client.ip = %client,
            way = "forward_auth",
            trace_id = place.trace_id(),
            span_id = place.span_id(),
        );
        async {
            let method = single(&parts.headers, &FORWARDED_METHOD).ok().and_then(|text| text.parse().ok());
            let method: Method = method.unwrap_or_default();
            let metrics = &self.shared.metrics;
            let mut story = Story::begin(metrics, &metrics.forward_auth, &place, method, started);
            let mut response = match self.steps(parts, peer, &rules, &mut story).await {
                Ok(identity) => respond::granted(identity),
                Err(error) => story.failed(&error, &rules.server.public_url),
            };
            respond::seal(&mut response, &request_id, false);
            story.answered(response.status());
            response
        }
        .instrument(log)
        .instrument(place.span().clone())
        .await
    }
}

/// The head of the request Traefik asks about, as it came to Traefik: its own request to us is always a GET of [`PATH`].
///
/// # Errors
/// [`Error::Ambiguous`] when Traefik does not say, or says twice, what was asked.
fn original(headers: &HeaderMap) -> Result<Parts, Error> {
    let method = single(headers, &FORWARDED_METHOD)?;
    let method = method.parse::<Method>().map_err(|_| Error::Ambiguous("malformed_forwarded_request"))?;
    let uri = single(headers, &FORWARDED_URI)?;
    let uri = uri.parse::<Uri>().map_err(|_| Error::Ambiguous("malformed_forwarded_request"))?;
    let host = headers.get(FORWARDED_HOST).ok_or(Error::Ambiguous("no_forwarded_request"))?;
    single(headers, &FORWARDED_HOST)?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method;
    parts.uri = uri;
    parts.headers = headers.clone();
    // The framing is that of Traefik's own request, which has no body.
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.insert(header::HOST, host.clone());
    Ok(parts)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Error> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Error::Ambiguous("no_forwarded_request"))?;
    if values.next().is_some() {
        return Err(Error::Ambiguous("several_forwarded_requests"));
    }
    value.to_str().map_err(|_| Error::Ambiguous("malformed_forwarded_request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    const GOOD: [(&str, &str); 3] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-host", "mcp.example.com"),
        ("x-forwarded-uri", "/mcp?x=1"),
    ];

    #[test]
    fn the_request_is_the_one_traefik_was_sent() {
        let parts = original(&said(&GOOD)).unwrap();
        assert_eq!((parts.method.as_str(), parts.uri.path()), ("POST", "/mcp"));
        assert_eq!(parts.headers.get("host").unwrap(), "mcp.example.com");
    }

    #[test]
    fn a_request_said_twice_or_not_at_all_is_refused() {
        for (name, value) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(other, _)| *other != name).collect();
            assert!(
                matches!(original(&said(&without)), Err(Error::Ambiguous("no_forwarded_request"))),
                "{name}"
            );
            let mut twice = GOOD.to_vec();
            twice.push((name, value));
            let refused = original(&said(&twice));
            assert!(matches!(refused, Err(Error::Ambiguous("several_forwarded_requests"))), "{name}");
        }
        let absolute = said(&[GOOD[0], GOOD[1], ("x-forwarded-uri", "not a path")]);
        assert!(original(&absolute).is_err());
    }
}
