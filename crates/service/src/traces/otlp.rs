//! Recorded spans on their way to a collector, by OTLP over HTTP. Nobody waits for them: they go through a bounded queue on a
//! thread of its own, and what does not fit, or does not arrive, is lost and said so.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData};
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::registry::LookupSpan;

use super::{Settings, TARGET, TraceContext};

/// How long the end of the process waits for the last spans to go out.
const FAREWELL: Duration = Duration::from_secs(3);
/// Longest wait for a connection to the collector, and for its answer. (`OTEL_EXPORTER_OTLP_TIMEOUT` can shorten what is tried
/// in all.)
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// Why the way out could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client: an unusable `traces.ca_file`.
    #[error("cannot set up the client for traces")]
    Client(#[from] reqwest::Error),
    /// The exporter: an unusable OTEL_* variable.
    #[error("cannot set up the export of traces")]
    Exporter(#[from] ExporterBuildError),
}

/// The way of the recorded spans out of the process.
#[derive(Debug)]
pub struct Export(SdkTracerProvider);

impl Export {
    /// Sends what is still here, for three seconds at most. Not for a thread that serves.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// Makes the way out, if one is wanted. Not inside a runtime: the client is a blocking one, on a thread of its own.
///
/// # Errors
/// [`Error`]. A collector that does not answer is none.
pub(crate) fn export(settings: &Settings) -> Result<Option<Export>, Error> {
    let Some(endpoint) = &settings.endpoint else { return Ok(None) };
    // As everywhere here: no redirects, and no proxy taken from the environment.
    let client = reqwest::blocking::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT);
    let client = match &settings.ca {
        Some(pem) => client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?),
        None => client,
    };
    let headers = settings.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client.timeout(ANSWER).build()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_headers(headers.collect())
        .build()?;
    // Who came with a trace has been judged (`Tracing::begin`), and new traces have ids of our own choice.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(settings.service_name.clone()).build())
        .with_sampler(sampler)
        .with_batch_exporter(Told { exporter, failing: AtomicBool::new(false), lost: AtomicU64::new(0) })
        .build();
    Ok(Some(Export(provider)))
}

/// Turns the tracing spans that are parts of a trace, and no others, into spans of it.
pub(crate) fn layer<S>(export: Option<&Export>) -> Option<impl Layer<S> + use<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == TARGET;
    export.map(|export| {
        let tracer: SdkTracer = export.0.tracer("service");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // The parent is the tracing span that is entered. (Nothing here uses OpenTelemetry's own idea of it.)
            .with_context_activation(false)
            .with_filter(FilterFn::new(ours).with_max_level_hint(LevelFilter::INFO))
    })
}

/// Starts a request's span below the one that caused it; says where that is, if it is somewhere.
pub(super) fn start(span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
    if let Some(parent) = parent {
        let parent = opentelemetry::Context::new().with_remote_span_context(parent.into());
        span.set_parent(parent).ok()?;
    }
    started(span)
}

/// Where the span is, once it has been started.
pub(super) fn started(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let found = context.span().span_context().clone();
    found.is_valid().then(|| TraceContext {
        trace: u128::from_be_bytes(found.trace_id().to_bytes()),
        span: u64::from_be_bytes(found.span_id().to_bytes()),
        sampled: found.is_sampled(),
        state: found.trace_state().header(),
    })
}

/// By hand: the bridge takes a name only until the span is started.
pub(super) fn name(span: &Span, name: String) {
    span.context().span().update_name(name);
}

pub(super) fn link(span: &Span, other: &TraceContext) {
    span.add_link(other.into());
}

impl From<&TraceContext> for SpanContext {
    fn from(context: &TraceContext) -> Self {
        Self::new(
            TraceId::from_bytes(context.trace.to_be_bytes()),
            SpanId::from_bytes(context.span.to_be_bytes()),
            if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
            true,
            context.state.parse().unwrap_or(TraceState::NONE),
        )
    }
}

/// Says when spans begin to be lost, and when they no longer are, instead of once a batch.
#[derive(Debug)]
struct Told {
    exporter: SpanExporter,
    failing: AtomicBool,
    lost: AtomicU64,
}

impl opentelemetry_sdk::trace::SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        match self.exporter.export(batch).await {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                let lost = self.lost.load(Ordering::Relaxed);
                tracing::info!(lost, "traces are exported again");
            }
            Ok(()) => {}
            Err(error) => {
                self.lost.fetch_add(spans, Ordering::Relaxed);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "traces cannot be exported, their spans are lost until they can");
                }
            }
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "spans were lost on the way to the collector");
        }
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
