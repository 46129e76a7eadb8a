//! THE request: the steps in order, and around them one wrap that owns the id, the log line, the metrics and the turning
//! of errors into answers. Inside there is only `?`.

use std::{net::IpAddr, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use service::{
    Shutdown,
    serve::{Body, Handler, Peer},
    traces::{self, Place, Tracing},
};
use tracing::Instrument;

use crate::{
    config::RouteKind,
    error::Error,
    limits::ClientAddress,
    metrics::Metrics,
    oauth::{self, Endpoint, OAuthRequest},
    rules::Rules,
    tokens::AccessTokens,
    vault::Vault,
};

pub mod admit;
pub mod authenticate;
pub mod body;
pub mod forward;
pub mod identify;
pub mod parse;
pub mod respond;
pub mod rewrite;
pub mod route;
mod story;
pub(crate) mod trace;

use body::{RequestBody, Verdict};
use forward::Upstreams;
use parse::Parsed;
use rewrite::Arrival;
use route::Target;
pub(crate) use story::Story;

/// The largest body of an OAuth request: forms and registrations are small.
const OAUTH_BODY: usize = 64 * 1024;

/// What all threads share, built once.
pub struct Shared {
    /// The rules of the moment.
    pub rules: ArcSwap<Rules>,
    /// The scheme, host and port of our public URL.
    pub origin: Origin,
    /// Our access tokens.
    pub tokens: Arc<AccessTokens>,
    /// Verifies Cognito's own access tokens as bearers; none: they are not taken.
    pub bearers: Option<authenticate::Bearers>,
    /// The sessions.
    pub vault: Arc<Vault>,
    /// What we count.
    pub metrics: Metrics,
    /// What we record.
    pub tracing: Tracing,
}

/// The parts of our public URL that upstreams are told.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host, with port where it is not the scheme's own.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// One thread's pipeline: what is shared, and the thread's own upstream connections.
pub struct Pipeline {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// This thread's pool.
    pub upstreams: Upstreams,
    /// Triggered when we are told to stop, before the drain begins.
    pub stopping: Shutdown,
}

impl Handler for Pipeline {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let started = Instant::now();
        // Once: a reload in the middle of a request changes nothing for it.
        let rules = self.shared.rules.load_full();
        let place = trace::begin(&self.shared.tracing, &request, "inline");
        let arrival = self.arrival(request.headers(), peer.addr.ip(), &rules, place);
        let place = &arrival.place;
        let log = tracing::info_span!(
            "request",
            request.id = %arrival.request_id,
            client.ip = %arrival.client,
            trace_id = place.trace_id(),
            span_id = place.span_id(),
        );
        let span = place.span().clone();
        self.wrap(request, (&arrival, &rules), peer, started).instrument(log).instrument(span).await
    }
}

impl Pipeline {
    /// Runs the steps and turns what comes of them into an answer, a log line and figures.
    async fn wrap(
        &self,
        request: Request<Incoming>,
        (arrival, rules): (&Arrival, &Rules),
        peer: Peer,
        started: Instant,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let version = parts.version;
        let metrics = &self.shared.metrics;
        let place = &arrival.place;
        let mut story = Story::begin(metrics, &metrics.public, place, parts.method.clone(), started);
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let waits = parts.headers.contains_key(header::EXPECT);
        let mut body = Some(body);
        let outcome = self.steps(parts, &mut body, (arrival, rules), &mut story).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => story.failed(&error, &rules.server.public_url),
        };
        story.answered(response.status());
        if version < Version::HTTP_2 && !has_arrived(body, story.body.as_ref(), waits).await {
            respond::close(&mut response);
        }
        if let (Some(origin), Some(Target::Upstream(_))) = (&origin, &story.target)
            && story.reason != Some(Error::ForeignOrigin.reason())
        {
            respond::share_with(&mut response, origin);
        }
        respond::seal(&mut response, &arrival.request_id, peer.tls);
        response
    }

    /// The request, from the first step to the last. The order matters: nothing is asked of the store before the route is
    /// known, and nothing leaves for an upstream before `rewrite`.
    async fn steps(
        &self,
        parts: Parts,
        body: &mut Option<Incoming>,
        (arrival, rules): (&Arrival, &Rules),
        story: &mut Story<'_>,
    ) -> Result<Response<Body>, Error> {
        let shared = &self.shared;
        let parsed = parse::parse(parts, &rules.server.hosts)?;
        let target = story.target.insert(route::route(parsed.path(), &rules.oauth, &rules.routes)?);
        let route = match target {
            Target::Health => return respond::healthy(&parsed.parts.method, &self.stopping),
            Target::OAuth(endpoint) => {
                let endpoint = *endpoint;
                return oauth(endpoint, parsed, body, (arrival, rules), story).await;
            }
            Target::Upstream(route) if route.upstream.is_some() => Arc::clone(route),
            // Traefik routes it, and only asks us.
            Target::Upstream(_) => return Err(Error::NoRoute),
        };
        let Parsed { parts } = parsed;
        admit::check_origin(&parts.headers, &rules.server.origins)?;
        if is_preflight(&parts) {
            return Ok(respond::preflight());
        }
        if route.kind != RouteKind::Http && !rules.mcp_enabled {
            return Err(Error::Disabled);
        }
        // Before any question of method or media type: a client without a token must be told where to get one.
        let credential = authenticate::authenticate(
            &parts.headers,
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
        let (method, headers, limits) = (&parts.method, &parts.headers, &rules.limits);
        admit::admit(method, headers, &route, &identity, &rules.by_session, limits.body_bytes)?;
        let body = body.take().ok_or(Error::Internal("the body was read already"))?;
        let body = RequestBody::new(body, limits.body_bytes, limits.body_timeout);
        story.body = Some(body.verdict());
        let span = trace::forward_span(&route, method);
        let hop = traces::hop(&span, arrival.place.context());
        let outgoing = rewrite::rewrite(parts, body, &route, &identity, (arrival, &hop))?;
        let asked = shared.metrics.upstream_asked(&route.path);
        let answer = self.upstreams.forward(outgoing, route.timeout).instrument(span.clone()).await;
        drop(asked);
        trace::forwarded(&span, &answer);
        let response = answer?;
        // We proved who this is: an upstream that does not believe it is set up for another pool or client, and signing
        // in again would not help.
        if response.status() == StatusCode::UNAUTHORIZED && route.kind != RouteKind::ApiKey {
            return Err(Error::IdentityRefused);
        }
        if response.status().is_server_error() {
            story.reason = Some("upstream_error");
        }
        Ok(respond::relay(response))
    }

    fn arrival(&self, headers: &HeaderMap, peer: IpAddr, rules: &Rules, place: Place) -> Arrival {
        let origin = &self.shared.origin;
        Arrival {
            client: ClientAddress::of(peer, headers, &rules.server.trusted_proxies),
            scheme: origin.scheme,
            host: origin.host.clone(),
            port: origin.port,
            request_id: trace::new_request_id(),
            place,
        }
    }
}

/// An OAuth endpoint: a small body, read whole.
async fn oauth(
    endpoint: Endpoint,
    parsed: Parsed,
    body: &mut Option<Incoming>,
    (arrival, rules): (&Arrival, &Rules),
    story: &mut Story<'_>,
) -> Result<Response<Body>, Error> {
    let client = arrival.client;
    let trusted = endpoint == Endpoint::Introspect && rules.oauth.is_resource_server(&parsed.parts.headers);
    if is_limited(endpoint) && !trusted {
        let checked = rules.by_address.check(&client.host()).await;
        checked.map_err(|wait| Error::RateLimited(wait.0))?;
    }
    let Parsed { parts } = parsed;
    let incoming = body.as_mut().ok_or(Error::Internal("the body was read already"))?;
    story.wait_for_client();
    let reading = Limited::new(incoming, OAUTH_BODY).collect();
    let read = tokio::time::timeout(rules.limits.body_timeout, reading).await;
    story.our_turn();
    let read = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Error::BodyTooLarge);
        }
        Ok(Err(_)) => return Err(Error::ClientGone),
        Err(_) => return Err(Error::BodyTooSlow),
    };
    *body = None;
    let query = parts.uri.query().map(str::to_owned);
    let request = OAuthRequest { method: parts.method, query, headers: parts.headers, body: read, client };
    let response = rules.oauth.answer(endpoint, request).await;
    if let Some(outcome) = response.extensions().get::<oauth::Outcome>() {
        story.note(outcome);
    }
    Ok(response.map(respond::whole))
}

/// Whether the whole body is here once the answer is. HTTP/1.1 keeps the connection only then, so what nobody wanted is
/// read now; a client that waits for `100 Continue` sends nothing to read.
async fn has_arrived(unread: Option<Incoming>, sent: Option<&Verdict>, waits: bool) -> bool {
    match unread {
        Some(body) => body.is_end_stream() || (!waits && body::read_out(body).await),
        None => sent.is_none_or(Verdict::has_ended),
    }
}

/// Metadata costs nothing and is asked for by every client at every start.
fn is_limited(endpoint: Endpoint) -> bool {
    !matches!(endpoint, Endpoint::ServerMetadata | Endpoint::ResourceMetadata(_))
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
