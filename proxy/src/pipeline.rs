//! THE request: the steps in order, and around them one wrap that owns the id, the log line, the metrics and the turning
//! of errors into answers. Inside there is only `?`.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use service::{
    serve::{Body, Handler, Peer},
    traces::{self, Place, Tracing},
};
use tracing::{Instrument, Span};

use crate::{
    config::RouteKind,
    error::Error,
    limits::ClientAddress,
    metrics::{Metrics, Outcome},
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
pub(crate) mod trace;

use body::{RequestBody, Verdict};
use forward::Upstreams;
use parse::Parsed;
use rewrite::Arrival;
use route::Target;

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
}

/// What is learnt about a request on its way, for the log line; filled in as the steps get there.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) target: Option<Target>,
    user: Option<String>,
    client: Option<String>,
    reason: Option<&'static str>,
    /// Whether the fault is ours although the status does not say so.
    ours: bool,
    /// How the body fared that an upstream was sent.
    body: Option<Verdict>,
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
        let _counted = self.shared.metrics.public.request();
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
        let (method, version) = (parts.method.clone(), parts.version);
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let waits = parts.headers.contains_key(header::EXPECT);
        let mut body = Some(body);
        let mut story = Story::default();
        let outcome = self.steps(parts, &mut body, (arrival, rules), &mut story).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => story.failed(&error, &rules.server.public_url),
        };
        if version < Version::HTTP_2 && !has_arrived(body, story.body.as_ref(), waits).await {
            respond::close(&mut response);
        }
        if let (Some(origin), Some(Target::Upstream(_))) = (&origin, &story.target)
            && story.reason != Some(Error::ForeignOrigin.reason())
        {
            respond::share_with(&mut response, origin);
        }
        respond::seal(&mut response, &arrival.request_id, peer.tls);
        story.tell(&self.shared.metrics, arrival.place.span(), &method, response.status(), started);
        response
    }

    /// The request, from the first step to the last. The order matters: nothing is asked of the store before the route is
    /// known, and nothing leaves for an upstream before `rewrite`.
    async fn steps(
        &self,
        parts: Parts,
        body: &mut Option<Incoming>,
        (arrival, rules): (&Arrival, &Rules),
        story: &mut Story,
    ) -> Result<Response<Body>, Error> {
        let shared = &self.shared;
        let parsed = parse::parse(parts, &rules.server.hosts)?;
        let target = story.target.insert(route::route(parsed.path(), &rules.oauth, &rules.routes)?);
        let route = match target {
            Target::Health => return respond::healthy(&parsed.parts.method),
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
        let sent = Instant::now();
        let answer = self.upstreams.forward(outgoing, route.timeout).instrument(span.clone()).await;
        trace::forwarded(&span, &answer);
        let response = answer?;
        shared.metrics.upstream_answered(&route.path, sent.elapsed());
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
    story: &mut Story,
) -> Result<Response<Body>, Error> {
    let client = arrival.client;
    let trusted = endpoint == Endpoint::Introspect && rules.oauth.is_resource_server(&parsed.parts.headers);
    if is_limited(endpoint) && !trusted {
        let checked = rules.by_address.check(&client.host()).await;
        checked.map_err(|wait| Error::RateLimited(wait.0))?;
    }
    let Parsed { parts } = parsed;
    let incoming = body.as_mut().ok_or(Error::Internal("the body was read already"))?;
    let reading = Limited::new(incoming, OAUTH_BODY).collect();
    let read = match tokio::time::timeout(rules.limits.body_timeout, reading).await {
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
        (story.reason, story.ours) = (Some(outcome.reason), outcome.ours);
    }
    Ok(response.map(respond::whole))
}

impl Story {
    /// The answer to a request that failed, which from now on is what the story says.
    pub(crate) fn failed(&mut self, error: &Error, public_url: &str) -> Response<Body> {
        self.reason = Some(error.reason());
        log_causes(error);
        respond::failure(error, self.target.as_ref(), public_url)
    }

    /// The log line, the figures, and the end of the request's span.
    pub(crate) fn tell(
        &self,
        metrics: &Metrics,
        span: &Span,
        method: &Method,
        status: StatusCode,
        started: Instant,
    ) {
        let route = self.target.as_ref().map_or("none", Target::label);
        let reason = self.reason.unwrap_or("ok");
        trace::answered(span, method, route, status, reason);
        let took = started.elapsed();
        self.count(metrics, reason, status, took);
        tracing::info!(
            %method,
            route,
            status = status.as_u16(),
            outcome = reason,
            user = self.user.as_deref(),
            client = self.client.as_deref(),
            latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }

    fn count(&self, metrics: &Metrics, reason: &'static str, status: StatusCode, took: Duration) {
        let outcome = match reason {
            _ if self.ours || status.is_server_error() => Outcome::Failed,
            "ok" => Outcome::Ok,
            _ => Outcome::Refused,
        };
        let route = self.target.as_ref().map_or("none", Target::label);
        metrics.answered(route, (outcome, reason), status, took);
        let over_limit = status == StatusCode::TOO_MANY_REQUESTS && reason == "rate_limited";
        match self.target {
            Some(Target::OAuth(_)) if over_limit => metrics.rate_limited("address"),
            Some(Target::Upstream(_)) if over_limit => metrics.rate_limited("session"),
            Some(Target::OAuth(endpoint)) => metrics.oauth_answered(endpoint, (outcome, reason), status),
            _ => {}
        }
    }

    pub(crate) fn know(&mut self, identity: &identify::Identity) {
        if let identify::Identity::Person { session, .. } = identity {
            self.user = Some(session.user.username.clone());
            self.client = Some(session.client.to_string());
        }
    }
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

/// The causes of what is our fault, once, with the request's id. What is the client's fault is in the log line's reason.
fn log_causes(error: &Error) {
    if !error.status().is_server_error() {
        return;
    }
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    tracing::warn!(error = %error, causes = causes.join(": "), "request failed");
}
