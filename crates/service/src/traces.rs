//! Which trace a request belongs to (W3C Trace Context), and what of it is recorded.
//!
//! ```text
//! caller's traceparent ─▶ Tracing::begin ─▶ Place ─▶ log lines: trace_id, span_id
//!                                             ├────▶ child spans: tracing spans with `target: "traces"`
//!                                             └────▶ Place::hop, hop ─▶ traceparent of what is sent on
//! ```
//!
//! Without an exporter nothing is recorded, and requests still keep the trace they came with: its id is in the log and goes
//! on. With one (feature `otlp`, and an endpoint) every tracing span of the target [`TARGET`] becomes a span of the trace.
//! No other does, so that no library and no log line gets in.

mod context;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
mod without;
#[cfg(not(feature = "otlp"))]
use without as otlp;
mod settings;

pub use context::TraceContext;
pub use otlp::{Error, Export};
pub(crate) use otlp::{export, layer};
pub use settings::{Settings, Written};

use tracing::Span;

/// The target of tracing spans that are parts of a trace. They are in no log line.
pub const TARGET: &str = "traces";

/// What decides whether a request is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Tracing {
    ratio: f64,
    trust_parent: bool,
}

/// Whose word a trace context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Of whoever called: a proxy of ours, if the settings say that only such call.
    Caller,
    /// Of the client that wrote the message, which whoever called only passed on.
    Client,
}

/// Where in a trace a request is served.
#[derive(Clone, Debug)]
pub struct Place {
    span: Span,
    context: TraceContext,
    recorded: bool,
}

impl Tracing {
    /// As the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { ratio: settings.sample_ratio, trust_parent: settings.trust_parent }
    }

    /// Begins a request in the trace it came with, if it came with one, or in a new trace. `span` is its tracing span, new and
    /// without children.
    ///
    /// That a stranger says "sampled" decides nothing alone: it is kept for as many such requests as are recorded of
    /// others, by a draw of ours, since the trace's id is of the stranger's choice too. "Not sampled" is always kept.
    #[must_use]
    pub fn begin(&self, span: Span, came_with: Option<(TraceContext, Source)>) -> Place {
        let parent = came_with.map(|(context, source)| {
            let trusted = self.trust_parent && source == Source::Caller;
            let sampled = context.is_sampled() && (trusted || context::draw(self.ratio));
            context.sampled(sampled)
        });
        let started = otlp::start(&span, parent.as_ref());
        if let Some(context) = started.clone().filter(TraceContext::is_sampled) {
            return Place { span, context, recorded: true };
        }
        // Who records nothing is no part of the tree of spans: the parent stays what it is.
        let context = parent.or(started).unwrap_or_else(TraceContext::unrecorded);
        Place { span, context, recorded: false }
    }
}

impl Place {
    /// The request's tracing span, to be entered.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// What is sent on when nothing of ours is in between.
    #[must_use]
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// For log lines.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.context.trace_id()
    }

    /// For log lines: the request's span, if there is one.
    #[must_use]
    pub fn span_id(&self) -> Option<String> {
        self.recorded.then(|| self.context.span_id())
    }

    /// Notes another trace this request has to do with; nothing for its own.
    pub fn link(&self, other: &TraceContext) {
        if !other.is_of_trace(&self.context) {
            otlp::link(&self.span, other);
        }
    }
}

/// What a request sent inside `span` carries: the span itself, or, where it is not recorded, `otherwise`.
#[must_use]
pub fn hop(span: &Span, otherwise: &TraceContext) -> TraceContext {
    otlp::started(span).filter(TraceContext::is_sampled).unwrap_or_else(|| otherwise.clone())
}

/// A part of what is under way, which may take its time. Where nothing is under way it is nothing: what a program does for
/// itself begins no trace.
#[must_use]
pub fn part(make: impl FnOnce() -> Span) -> Span {
    if Span::current().is_none() { Span::none() } else { make() }
}

/// A [`part`] of which nothing is known but its name.
#[must_use]
pub fn step(name: &'static str) -> Span {
    part(|| tracing::info_span!(target: TARGET, "step", otel.name = name))
}

/// Names a span by what is known at its end: a name is of few, so it holds nothing that callers choose.
pub fn name(span: &Span, name: String) {
    otlp::name(span, name);
}

/// Marks the span of something that failed; `kind` is one of few words.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

#[cfg(test)]
mod tests;
