//! The HTTP side of the MCP endpoint: everything that is decided about a request before a tool can see it.
//!
//! One wrap owns the request id, the log line and the metrics; inside, the steps run in the order they are written
//! and end in rmcp, which is given only what passed: a POST, from a proven caller, with one well-formed message.

pub mod authenticate;
mod envelope;
pub mod origin;
mod respond;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use cognito::Verifier;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use service::Shutdown;
use service::serve::{Body, Handler, Peer};
use service::traces::Tracing;

use crate::error::Refusal;
use crate::metrics::{InFlight, Metrics, unfinished};
use crate::reload::Live;
use crate::server::{Session, Toolbox};
use crate::trace::Opening;
use envelope::Envelope;

/// Where the listener says that it answers.
pub(crate) const HEALTH: &str = "/healthz";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const BOTH_TYPES: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Longest request id taken from outside; another one is replaced.
const REQUEST_ID_BYTES: usize = 128;

/// What all threads share.
#[derive(Debug)]
pub struct Settings {
    /// The endpoint's path.
    pub path: String,
    /// Verifies ID tokens.
    pub verifier: Verifier,
    /// Counters.
    pub metrics: Metrics,
    /// What is recorded.
    pub tracing: Tracing,
    /// Triggered when we are told to stop, before the drain begins.
    pub stopping: Shutdown,
}

/// The handler of one serving thread.
pub struct Front {
    settings: Arc<Settings>,
    live: Arc<Live>,
    toolbox: Arc<Toolbox>,
    sessions: Arc<NeverSessionManager>,
    protocol: StreamableHttpServerConfig,
}

/// One request, from its head to its end; filled in as the steps get there. However it ends, it is counted and logged when
/// this is dropped: with its answer, or without one, because the client went away before there was any.
struct Story<'a> {
    metrics: &'a Metrics,
    _in_flight: InFlight<'a>,
    started: Instant,
    method: Method,
    opening: Opening,
    mode: Option<&'static str>,
    envelope: Envelope,
    end: Option<(StatusCode, &'static str)>,
}

impl Handler for Front {
    async fn handle(&self, request: Request<Incoming>, _: Peer) -> Response<Body> {
        let started = Instant::now();
        let id = request_id(request.headers());
        let opening = Opening::new(self.settings.tracing, &request, &id);
        let spans = opening.spans();
        spans
            .enclose(async {
                let metrics = &self.settings.metrics;
                let mut story = Story::begin(metrics, request.method().clone(), opening, started);
                let (response, outcome) = match self.answer(request, &id, &mut story).await {
                    Ok(response) => (response, "ok"),
                    Err(refusal) => {
                        if let Refusal::Internal(_) | Refusal::Panicked = refusal {
                            tracing::error!(error = &refusal as &dyn std::error::Error);
                        }
                        (respond::refusal(&refusal, story.envelope.id.as_ref()), refusal.reason())
                    }
                };
                story.end = Some((response.status(), outcome));
                response
            })
            .await
    }
}

impl<'a> Story<'a> {
    fn begin(metrics: &'a Metrics, method: Method, opening: Opening, started: Instant) -> Self {
        let (_in_flight, envelope) = (metrics.request_began(), Envelope::default());
        Self { metrics, _in_flight, started, method, opening, mode: None, envelope, end: None }
    }
}

/// The count, the log line, and the end of the request's span.
impl Drop for Story<'_> {
    fn drop(&mut self) {
        let status = self.end.map(|(status, _)| status);
        let outcome = self.end.map_or_else(unfinished, |(_, outcome)| outcome);
        let (called, tool) = (self.envelope.method.as_deref(), self.envelope.tool.as_deref());
        self.metrics.request(outcome);
        self.opening.place();
        self.opening.ended((called, tool), status, outcome);
        tracing::info!(
            http.method = %self.method,
            http.status = status.map(|status| status.as_u16()),
            mcp.method = called.unwrap_or("-"),
            mcp.tool = tool.unwrap_or("-"),
            mode = self.mode.unwrap_or("-"),
            outcome,
            latency_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

impl Front {
    /// A front over `toolbox`, by the rules in force when each request comes.
    pub fn new(settings: Arc<Settings>, live: Arc<Live>, toolbox: Arc<Toolbox>) -> Self {
        let protocol = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            // Checked here, with an answer that names the reason.
            .disable_allowed_hosts();
        Self { settings, live, toolbox, sessions: Arc::new(NeverSessionManager::default()), protocol }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        id: &str,
        story: &mut Story<'_>,
    ) -> Result<Response<Body>, Refusal> {
        if request.uri().path() == HEALTH {
            return respond::healthy(&self.settings.stopping);
        }
        // Once: a reload in the middle of a request changes nothing for it.
        let rules = self.live.now();
        rules.hosts.check(request.uri(), request.headers())?;
        rules.origins.check(request.headers())?;
        if request.uri().path() != self.settings.path {
            return Err(Refusal::NotFound);
        }
        if !rules.enabled {
            return Err(Refusal::Disabled);
        }
        // Before the method: clients open with a GET and need the challenge, not a 405.
        let mut caller = authenticate::authenticate(
            request.headers(),
            &self.settings.verifier,
            &self.settings.metrics,
            id,
        )
        .await?;
        story.mode = Some(caller.credential.mode());
        if request.method() != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        check_headers(request.headers())?;
        let (parts, body) = request.into_parts();
        let body = receive(body, rules.body_bytes).await?;
        story.envelope = Envelope::read(&body)?;
        story.opening.read(story.envelope.trace.as_ref());
        if let Some(wrong) = story.envelope.fault {
            return Err(Refusal::InvalidRequest(wrong));
        }
        check_version(&parts.headers, &story.envelope)?;
        caller.origin.trace = story.opening.place().map(|place| place.context().clone());
        let session =
            Session::new(self.toolbox.clone(), rules.policy.clone(), Arc::new(caller), story.opening.spans());
        self.call(parts.headers, body, session, rules.body_bytes).await
    }

    /// Gives the message to rmcp. The handler is made for one caller, so no tool can run without one.
    async fn call(
        &self,
        headers: HeaderMap,
        body: Bytes,
        session: Session,
        most: usize,
    ) -> Result<Response<Body>, Refusal> {
        let panicked = session.panicked();
        let service = StreamableHttpService::new(
            move || Ok(session.clone()),
            self.sessions.clone(),
            self.protocol.clone().with_max_request_body_bytes(most),
        );
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        // rmcp needs a host to look at; the real one was checked above.
        *request.uri_mut() = http::Uri::from_static("http://localhost/");
        for (name, value) in &headers {
            if name.as_str().starts_with("mcp-") {
                request.headers_mut().append(name, value.clone());
            }
        }
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        // rmcp insists on both types; the answer is JSON in any case.
        request.headers_mut().insert(ACCEPT, BOTH_TYPES);
        let response = service.handle(request).await;
        if panicked.load(Ordering::Acquire) {
            return Err(Refusal::Panicked);
        }
        respond::scrubbed(response)
    }
}

/// Headers that decide how the body is read.
fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::UnsupportedMediaType);
    }
    if !accepts_json(headers) {
        return Err(Refusal::NotAcceptable);
    }
    let twice =
        |name: &HeaderName| name.as_str().starts_with("mcp-") && headers.get_all(name).iter().count() > 1;
    if headers.keys().any(twice) { Err(Refusal::DuplicateHeader) } else { Ok(()) }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    if !headers.contains_key(ACCEPT) {
        return true;
    }
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(essence.as_str(), "*/*" | "application/*" | "application/json")
    })
}

/// A message that carries its own version is rmcp's to judge, and so is the handshake; for the others the header
/// decides (MCP 2025-11-25, transports: invalid or unsupported is a 400).
fn check_version(headers: &HeaderMap, envelope: &Envelope) -> Result<(), Refusal> {
    let Some(version) = headers.get(PROTOCOL_VERSION) else { return Ok(()) };
    if envelope.has_version || envelope.method.as_deref() == Some("initialize") {
        return Ok(());
    }
    let served =
        crate::server::VERSIONS.iter().any(|served| served.as_str().as_bytes() == version.as_bytes());
    if served { Ok(()) } else { Err(Refusal::UnsupportedVersion) }
}

async fn receive(body: Incoming, most: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge),
        Err(_) => Err(Refusal::BodyIncomplete),
    }
}

/// The id the proxy gave the request, or one of our own.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=REQUEST_ID_BYTES).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    given.filter(plain).map_or_else(random_id, str::to_owned)
}

fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the id is all zeros: a worse log line, and nothing else depends on it.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
