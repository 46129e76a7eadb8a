//! Every metric of the adapter: names, labels and buckets in one place.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Bucket bounds in seconds: a cached answer up to Plane's time-out.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What became of an API key made for a signed-in user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// Plane gave one.
    Minted,
    /// Plane gave none, or one that is not the user's.
    Refused,
    /// It was deleted.
    Revoked,
    /// It could not be deleted and lives until it ends.
    NotRevoked,
}

impl KeyEvent {
    fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::Refused => "refused",
            Self::Revoked => "revoked",
            Self::NotRevoked => "not_revoked",
        }
    }
}

/// The adapter's metrics. Clones share the same counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    tool_calls: IntCounterVec,
    tool_seconds: HistogramVec,
    plane_requests: IntCounterVec,
    plane_seconds: HistogramVec,
    mcp_enabled: IntGauge,
    reloads: IntCounterVec,
    plane_keys: IntCounterVec,
}

impl Metrics {
    /// Makes and registers every metric.
    ///
    /// # Errors
    /// A name or label that Prometheus refuses; a programming mistake that every start would show.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self {
            registry: Registry::new(),
            requests: counter("adapter_requests_total", "HTTP requests by outcome", &["outcome"])?,
            tool_calls: counter("adapter_tool_calls_total", "Tool calls", &["tool", "outcome"])?,
            tool_seconds: histogram("adapter_tool_call_seconds", "Duration of tool calls", &["tool"])?,
            plane_requests: counter("adapter_plane_requests_total", "Requests to Plane", &["outcome"])?,
            plane_seconds: histogram("adapter_plane_request_seconds", "Duration of Plane requests", &[])?,
            mcp_enabled: IntGauge::new("adapter_mcp_enabled", "Whether MCP answers: 1 or 0")?,
            reloads: counter(
                "adapter_config_reloads_total",
                "New configurations met while running, by outcome",
                &["outcome"],
            )?,
            plane_keys: counter("adapter_plane_keys_total", "API keys made for users, by event", &["event"])?,
        };
        metrics.registry.register(Box::new(metrics.requests.clone()))?;
        metrics.registry.register(Box::new(metrics.tool_calls.clone()))?;
        metrics.registry.register(Box::new(metrics.tool_seconds.clone()))?;
        metrics.registry.register(Box::new(metrics.plane_requests.clone()))?;
        metrics.registry.register(Box::new(metrics.plane_seconds.clone()))?;
        metrics.registry.register(Box::new(metrics.mcp_enabled.clone()))?;
        metrics.registry.register(Box::new(metrics.reloads.clone()))?;
        metrics.registry.register(Box::new(metrics.plane_keys.clone()))?;
        Ok(metrics)
    }

    /// The registry the admin listener exposes.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// The master switch was set.
    pub fn mcp_enabled(&self, on: bool) {
        self.mcp_enabled.set(i64::from(on));
    }

    /// A new configuration was met: `taken` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// One HTTP request was answered; `outcome` is "ok" or a refusal's reason.
    pub fn request(&self, outcome: &'static str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// One tool call ended; `outcome` is "ok" or the failure's code.
    pub fn tool_call(&self, tool: &'static str, outcome: &'static str, took: Duration) {
        self.tool_calls.with_label_values(&[tool, outcome]).inc();
        self.tool_seconds.with_label_values(&[tool]).observe(took.as_secs_f64());
    }

    /// One request to Plane ended; `outcome` is "ok" or the error's reason.
    pub fn plane_request(&self, outcome: &'static str, took: Duration) {
        self.plane_requests.with_label_values(&[outcome]).inc();
        self.plane_seconds.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
    }

    /// An API key was made for a user, deleted, or neither worked.
    pub fn plane_key(&self, event: KeyEvent) {
        self.plane_keys.with_label_values(&[event.as_str()]).inc();
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()), labels)
}
