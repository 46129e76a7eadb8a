//! The names a request goes by: our own id, and its place in a trace. What a trace tells of a request is decided here: how
//! it was answered and how long each part took, and never who asked, with what, or for which path below a route.

use http::{Method, Request, Response, StatusCode, Version};
use service::traces::{self, Place, Source, TARGET, TraceContext, Tracing, failed};
use tracing::{Span, field, info_span};

use super::route::HEALTH;
use crate::{config::Route, error::Error, keys};

/// A new request id: 128 random bits in hex. The client's own `X-Request-Id` is not trusted to be one.
#[must_use]
pub(crate) fn new_request_id() -> String {
    hex(&keys::random::<16>())
}

/// Begins the request in the trace it came with, or in a new one. Its first span says `way` it came.
pub(crate) fn begin<B>(tracing: &Tracing, request: &Request<B>, way: &'static str) -> Place {
    // Load balancers ask for it every few seconds.
    let span = if request.uri().path() == HEALTH { Span::none() } else { first(request, way) };
    tracing.begin(span, TraceContext::of(request.headers()).map(|context| (context, Source::Caller)))
}

fn first<B>(request: &Request<B>, way: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        otel.name = known(request.method()),
        otel.status_code = field::Empty,
        http.request.method = known(request.method()),
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        network.protocol.version = version(request.version()),
        error.type = field::Empty,
        edge.way = way,
        edge.outcome = field::Empty,
    )
}

/// How the request was answered, if it was, at the end of its span.
pub(crate) fn ended(span: &Span, method: &Method, route: &str, status: Option<StatusCode>, outcome: &str) {
    traces::name(span, format!("{} {route}", known(method)));
    span.record("http.route", route);
    span.record("edge.outcome", outcome);
    let Some(status) = status else { return };
    span.record("http.response.status_code", i64::from(status.as_u16()));
    // What the client did wrong is no error of a server's span (semantic conventions for HTTP).
    if status.is_server_error() {
        failed(span, outcome);
    }
}

/// The request to the upstream; ends when the head of its answer is there.
pub(super) fn forward_span(route: &Route, method: &Method) -> Span {
    let upstream = route.upstream.as_ref();
    info_span!(
        target: TARGET,
        "forward",
        otel.kind = "client",
        otel.name = known(method),
        otel.status_code = field::Empty,
        http.request.method = known(method),
        http.response.status_code = field::Empty,
        server.address = upstream.and_then(url::Url::host_str),
        server.port = upstream.and_then(url::Url::port_or_known_default).map(i64::from),
        error.type = field::Empty,
    )
}

/// What came of it.
pub(super) fn forwarded<B>(span: &Span, answer: &Result<Response<B>, Error>) {
    match answer {
        Ok(response) => {
            let status = response.status();
            span.record("http.response.status_code", i64::from(status.as_u16()));
            // Of a client's span every 4xx and 5xx is an error.
            if status.is_client_error() || status.is_server_error() {
                failed(span, status.as_str());
            }
        }
        Err(error) => failed(span, error.reason()),
    }
}

/// The method, if it is one of HTTP's own: clients may invent others without end.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::DELETE
        | Method::OPTIONS
        | Method::HEAD
        | Method::PUT
        | Method::PATCH => method.as_str(),
        _ => "_OTHER",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
