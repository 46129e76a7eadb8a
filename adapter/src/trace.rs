//! The spans of a request: the message, the tool, each request to Plane. They say what kind of thing was asked, how it was
//! answered and how long it took; never who asked, with what, or for which workspace, project or text.

use http::{Method, Request, StatusCode};
use service::traces::{self, Place, Source, TARGET, TraceContext, Tracing, failed};
use tracing::{Instrument, Span, field, info_span};
use url::Url;

use crate::front::HEALTH;
use crate::tools::TOOLS;

/// The methods of MCP that are told from each other; others come from whoever invents them.
const METHODS: [&str; 7] = [
    "initialize",
    "notifications/initialized",
    "notifications/cancelled",
    "ping",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// A request that has come: first its spans, then, when it is known which trace it is part of, its place there.
#[derive(Debug)]
pub(crate) struct Opening {
    tracing: Tracing,
    spans: Spans,
    place: Option<Place>,
}

/// What is entered to be inside a request: for log lines, and for the trace.
#[derive(Clone, Debug)]
pub struct Spans {
    log: Span,
    trace: Span,
}

impl Spans {
    /// Runs `work` inside the request, also where it is a task of its own.
    pub(crate) fn enclose<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.log.clone()).instrument(self.trace.clone())
    }
}

impl Opening {
    /// Of a request as it came. The trace its headers name is the request's; if they name none, it is told by the
    /// message ([`Opening::read`]).
    pub(crate) fn new<B>(tracing: Tracing, request: &Request<B>, request_id: &str) -> Self {
        // Load balancers ask for the health every few seconds.
        let is_probe = request.uri().path() == HEALTH;
        let trace = if is_probe { Span::none() } else { first(request.method()) };
        let log =
            info_span!("request", request.id = request_id, trace_id = field::Empty, span_id = field::Empty);
        let mut opening = Self { tracing, spans: Spans { log, trace }, place: None };
        if let Some(context) = TraceContext::of(request.headers()) {
            opening.begin(Some((context, Source::Caller)));
        }
        opening
    }

    /// What is to be entered.
    pub(crate) fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// The trace that the message itself names (MCP's `_meta`, SEP-414). It is the request's if the headers named none. If
    /// they did, the request belongs to theirs, which every hop on its way shares, and only notes the message's. What a
    /// message says is a client's word.
    pub(crate) fn read(&mut self, message: Option<&TraceContext>) {
        match (&self.place, message) {
            (Some(place), Some(message)) => place.link(message),
            (Some(_), None) => {}
            (None, message) => self.begin(message.map(|context| (context.clone(), Source::Client))),
        }
    }

    /// Where the request is; in a new trace, if nothing named one until now.
    pub(crate) fn place(&mut self) -> Option<&Place> {
        self.read(None);
        self.place.as_ref()
    }

    fn begin(&mut self, came_with: Option<(TraceContext, Source)>) {
        let place = self.tracing.begin(self.spans.trace.clone(), came_with);
        self.spans.log.record("trace_id", place.trace_id());
        self.spans.log.record("span_id", place.span_id());
        self.place = Some(place);
    }

    /// How the request was answered, if it was, at its end.
    pub(crate) fn ended(
        &self,
        called: (Option<&str>, Option<&str>),
        status: Option<StatusCode>,
        outcome: &str,
    ) {
        let span = &self.spans.trace;
        let method =
            called.0.map(|called| METHODS.into_iter().find(|name| *name == called).unwrap_or("_OTHER"));
        let tool = called.1.and_then(|called| TOOLS.iter().find(|entry| entry.name == called));
        if let Some(method) = method {
            span.record("mcp.method.name", method);
            traces::name(
                span,
                tool.map_or_else(|| method.to_owned(), |tool| format!("{method} {}", tool.name)),
            );
        }
        if let Some(tool) = tool {
            span.record("gen_ai.operation.name", "execute_tool");
            span.record("gen_ai.tool.name", tool.name);
        }
        span.record("adapter.outcome", outcome);
        let Some(status) = status else { return };
        span.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            failed(span, outcome);
        }
    }
}

fn first(method: &Method) -> Span {
    info_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        otel.name = known(method),
        otel.status_code = field::Empty,
        http.request.method = known(method),
        http.response.status_code = field::Empty,
        mcp.method.name = field::Empty,
        gen_ai.operation.name = field::Empty,
        gen_ai.tool.name = field::Empty,
        error.type = field::Empty,
        adapter.outcome = field::Empty,
    )
}

/// A tool at work.
pub(crate) fn tool(name: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "tool",
        otel.name = format!("execute_tool {name}"),
        otel.status_code = field::Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = name,
        error.type = field::Empty,
    )
}

/// One request to Plane.
pub(crate) fn request_to_plane(method: &Method, path: &str, base: &Url, with_key: bool) -> Span {
    let template = template(path);
    info_span!(
        target: TARGET,
        "plane",
        otel.kind = "client",
        otel.name = format!("{} {template}", known(method)),
        otel.status_code = field::Empty,
        http.request.method = known(method),
        url.template = template,
        http.response.status_code = field::Empty,
        server.address = base.host_str(),
        server.port = base.port_or_known_default().map(i64::from),
        error.type = field::Empty,
        adapter.credential = if with_key { "key" } else { "session" },
    )
}

/// What came of it: a status, or why there is none.
pub(crate) fn answered_by_plane(span: &Span, answer: Result<StatusCode, &str>) {
    match answer {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status.as_u16()));
            if status.is_client_error() || status.is_server_error() {
                failed(span, status.as_str());
            }
        }
        Err(reason) => failed(span, reason),
    }
}

/// The path with what people named or Plane numbered replaced: only fixed words are left, which have no digit.
fn template(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let fixed = part == "v1" || part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let shown = match before {
            "workspaces" if !part.is_empty() => "{workspace}",
            _ if fixed => part,
            _ => "{id}",
        };
        before = part;
        shown
    });
    parts.collect::<Vec<_>>().join("/")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_trace_names_nobodys_workspace_project_or_work_item() {
        let id = "0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f";
        let shown = template(&format!("/api/v1/workspaces/acme/projects/{id}/work-items/?search=secret"));
        assert_eq!(shown, "/api/v1/workspaces/{workspace}/projects/{id}/work-items/");
        assert_eq!(template("/api/workspaces/"), "/api/workspaces/");
        let key = template("/api/v1/workspaces/users/work-items/ENG-42/");
        assert_eq!(key, "/api/v1/workspaces/{workspace}/work-items/{id}/");
        assert_eq!(
            template("/api/workspaces/a/work-items/%C3%84-7/"),
            "/api/workspaces/{workspace}/work-items/{id}/"
        );
    }
}
