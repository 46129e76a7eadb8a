//! Every metric of the proxy: name, labels, buckets.

use std::time::Duration;

use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, core::Collector,
};

/// Seconds: from a cached check to a slow upstream.
const LATENCY: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics, registered.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    upstream: HistogramVec,
    /// `proxy_requests_in_flight`: requests whose answer has not begun.
    pub in_flight: IntGauge,
    /// `proxy_certificate_not_after_seconds`: when the certificate we show ends, unix time.
    pub certificate_ends: Gauge,
    /// `proxy_mcp_enabled`: the master switch.
    pub mcp_enabled: IntGauge,
    /// `proxy_config_reloads_total`: new configurations, `taken` or `refused`.
    pub reloads: IntCounterVec,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The target's label: a configured path, an OAuth endpoint, or `none`.
    pub route: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// `ok`, or the error's reason.
    pub reason: &'a str,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When a name or label is not valid, or taken: a defect that every test run meets.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("proxy_requests_total", "Requests answered, by route, status and reason."),
            &["route", "status", "reason"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new("proxy_request_duration_seconds", "Time until the answer began.")
                .buckets(LATENCY.to_vec()),
            &["route"],
        )?;
        let upstream = HistogramVec::new(
            HistogramOpts::new("proxy_upstream_duration_seconds", "Time until the upstream's answer began.")
                .buckets(LATENCY.to_vec()),
            &["route"],
        )?;
        let in_flight = IntGauge::new("proxy_requests_in_flight", "Requests whose answer has not begun.")?;
        let certificate_ends =
            Gauge::new("proxy_certificate_not_after_seconds", "When the certificate ends, unix time.")?;
        let mcp_enabled = IntGauge::new("proxy_mcp_enabled", "Whether MCP routes answer: 1 or 0.")?;
        let reloads = IntCounterVec::new(
            Opts::new("proxy_config_reloads_total", "New configurations met while running, by outcome."),
            &["outcome"],
        )?;
        let build = IntGauge::with_opts(
            Opts::new("proxy_build_info", "Always 1; the version is the label.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        let all: [Box<dyn Collector>; 8] = [
            Box::new(requests.clone()),
            Box::new(duration.clone()),
            Box::new(upstream.clone()),
            Box::new(in_flight.clone()),
            Box::new(certificate_ends.clone()),
            Box::new(mcp_enabled.clone()),
            Box::new(reloads.clone()),
            Box::new(build),
        ];
        for metric in all {
            registry.register(metric)?;
        }
        Ok(Self { registry, requests, duration, upstream, in_flight, certificate_ends, mcp_enabled, reloads })
    }

    /// What `/metrics` serves.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Counts one answered request.
    pub fn answered(&self, outcome: Outcome<'_>, took: Duration) {
        let status =
            http::StatusCode::from_u16(outcome.status).map_or("000".into(), |s| s.as_str().to_owned());
        self.requests.with_label_values(&[outcome.route, &status, outcome.reason]).inc();
        self.duration.with_label_values(&[outcome.route]).observe(took.as_secs_f64());
    }

    /// Notes how long an upstream took.
    pub fn upstream_answered(&self, route: &str, took: Duration) {
        self.upstream.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}
