//! Every metric of the adapter: name, help, labels, buckets. What each means for an operator is in `docs/metrics.md`.
//!
//! Labels are closed lists of ours: never anything that a client or Plane sends. What alerts look at begins at 0 with the
//! process, so that the first event already counts as a change.

use std::sync::Arc;
use std::time::Instant;

use cognito::KeySet;
use prometheus::{Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};
use service::metrics::{Connections, Declarations};
use service::serve::Refused;

use crate::tools::TOOLS;

/// Seconds: a cached answer up to Plane's time-out.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Parts of a caller's minute.
const USED: &[f64] = &[0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

/// The outcome of what nobody waited for any more.
const LEFT: &str = "left";
/// Of what a panic went through.
const PANICKED: &str = "panicked";
const REQUESTS: [&str; 7] =
    ["ok", LEFT, "invalid_token", "keys_unavailable", "disabled", "internal", PANICKED];
const TOOL_CALLS: [&str; 7] = [
    "ok",
    LEFT,
    "credential.rejected",
    "identity.mismatch",
    "plane.rate_limited",
    "plane.unavailable",
    "plane.unexpected",
];
const PLANE_REQUESTS: [&str; 10] = [
    "ok",
    LEFT,
    "unreachable",
    "timed_out",
    "unavailable",
    "rate_limited",
    "identity_refused",
    "not_signed_in",
    "key_refused",
    "unexpected",
];
const TOKEN_CHECKS: [&str; 7] = [
    "ok",
    "token_expired",
    "token_issuer",
    "token_audience",
    "token_signature",
    "token_unknown_key",
    "keys_unavailable",
];

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
    const ALL: [Self; 4] = [Self::Minted, Self::Refused, Self::Revoked, Self::NotRevoked];

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
    declared: Declarations,
    requests: IntCounterVec,
    in_flight: IntGauge,
    /// Connections of the MCP listener.
    pub connections: Connections,
    /// How many there may be at once.
    pub connections_limit: IntGauge,
    tool_calls: IntCounterVec,
    tool_seconds: HistogramVec,
    plane_requests: IntCounterVec,
    plane_seconds: Histogram,
    budget_refused: IntCounterVec,
    budget_used: Histogram,
    plane_keys: IntCounterVec,
    token_checks: IntCounterVec,
    /// Plane's answers that are kept or shared.
    pub answers: CacheMetrics,
    /// Users' sessions at Plane.
    pub sessions: CacheMetrics,
    /// Users' API keys.
    pub keys: CacheMetrics,
    mcp_enabled: IntGauge,
    reloads: IntCounterVec,
    reload_succeeded: IntGauge,
}

/// A cache's hits and misses.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    hits: IntCounter,
    misses: IntCounter,
}

/// A request that is counted until it is answered, or dropped because its client went away.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Metrics);

/// A tool call, or a question to Plane, counted and timed when it is dropped: by its outcome, or as left by whoever asked.
#[derive(Debug)]
pub struct UnderWay<'a> {
    metrics: &'a Metrics,
    /// None: it is a question to Plane.
    tool: Option<&'static str>,
    outcome: Option<&'static str>,
    started: Instant,
}

impl Metrics {
    /// Declares every metric.
    ///
    /// # Errors
    /// A name or label that Prometheus refuses; a programming mistake that every start would show.
    pub fn new() -> Result<Self, Error> {
        let of = Declarations::new("adapter", env!("CARGO_PKG_VERSION"))?;
        let caches = of.counters("cache_requests_total", "Look-ups in a cache.", &["cache", "result"])?;
        let refused = "Connections refused: limit (waits until another ends) or address (closed).";
        let connections = Connections {
            open: of.gauge("open_connections", "Open connections.")?,
            refused: of.counters("connections_refused_total", refused, &["reason"])?,
        };
        let used = "Part of a caller's requests a minute to Plane that was used, with every request.";
        let refused = "Requests not sent to Plane because a caller's minute was used up.";
        let tool_seconds = "Time a tool call took.";
        let reloaded = "Whether the last new configuration was taken: 1 or 0.";
        let metrics = Self {
            requests: of.counters("requests_total", "HTTP requests that ended, by outcome.", &["outcome"])?,
            in_flight: of.gauge("requests_in_flight", "Requests whose answer has not begun.")?,
            connections,
            connections_limit: of.gauge("connections_limit", "How many connections are served at once.")?,
            tool_calls: of.counters("tool_calls_total", "Tool calls.", &["tool", "outcome"])?,
            tool_seconds: of.histograms("tool_call_duration_seconds", tool_seconds, &["tool"], SECONDS)?,
            plane_requests: of.counters("plane_requests_total", "Questions to Plane.", &["outcome"])?,
            plane_seconds: of.histogram(
                "plane_request_duration_seconds",
                "Time such a question took.",
                SECONDS,
            )?,
            budget_refused: of.counters("plane_budget_refused_total", refused, &["budget"])?,
            budget_used: of.histogram("plane_budget_used_ratio", used, USED)?,
            plane_keys: of.counters("plane_keys_total", "API keys made for users, by event.", &["event"])?,
            token_checks: of.counters("token_checks_total", "ID tokens checked.", &["outcome"])?,
            answers: CacheMetrics::new(&caches, "answers"),
            sessions: CacheMetrics::new(&caches, "sessions"),
            keys: CacheMetrics::new(&caches, "keys"),
            mcp_enabled: of.gauge("mcp_enabled", "Whether MCP answers: 1 or 0.")?,
            reloads: of.counters(
                "config_reloads_total",
                "New configurations met while running.",
                &["outcome"],
            )?,
            reload_succeeded: of.gauge("config_last_reload_successful", reloaded)?,
            declared: of,
        };
        metrics.begin();
        Ok(metrics)
    }

    /// Begins at 0 what is not there before it happens.
    fn begin(&self) {
        from_zero(&self.requests, REQUESTS.map(|outcome| [outcome]));
        from_zero(&self.connections.refused, Refused::ALL.map(|why| [why.as_str()]));
        for tool in TOOLS {
            from_zero(&self.tool_calls, TOOL_CALLS.map(|outcome| [tool.name, outcome]));
            self.tool_seconds.with_label_values(&[tool.name]);
        }
        from_zero(&self.plane_requests, PLANE_REQUESTS.map(|outcome| [outcome]));
        from_zero(&self.budget_refused, [["session"], ["key"]]);
        from_zero(&self.plane_keys, KeyEvent::ALL.map(|event| [event.as_str()]));
        from_zero(&self.token_checks, TOKEN_CHECKS.map(|outcome| [outcome]));
        from_zero(&self.reloads, [["taken"], ["refused"]]);
        self.reload_succeeded.set(1);
    }

    /// The registry the admin listener exposes.
    pub fn registry(&self) -> Registry {
        self.declared.registry().clone()
    }

    /// Tells when Cognito's keys were fetched.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn watch_keys(&self, keys: Arc<KeySet>) -> Result<(), Error> {
        let help = "When Cognito's keys were fetched, unix time; 0: not yet.";
        self.declared.read("jwks_fetched_timestamp_seconds", help, "issuer", move || {
            let fetched = |issuer| keys.fetched_at(issuer).unwrap_or(0);
            keys.issuers().map(|issuer| (issuer.to_string(), number(fetched(issuer)))).collect()
        })
    }

    /// The master switch was set.
    pub fn mcp_enabled(&self, on: bool) {
        self.mcp_enabled.set(i64::from(on));
    }

    /// A new configuration was met: `taken` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
        self.reload_succeeded.set(i64::from(outcome == "taken"));
    }

    /// A request came.
    #[must_use]
    pub fn request_began(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(self)
    }

    /// One HTTP request has ended; `outcome` is "ok", a refusal's reason, or [`unfinished`].
    pub fn request(&self, outcome: &'static str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// One ID token was checked; `outcome` is "ok" or why it is not taken.
    pub fn token_checked(&self, outcome: &'static str) {
        self.token_checks.with_label_values(&[outcome]).inc();
    }

    /// A call of `tool` begins.
    #[must_use]
    pub fn tool_call(&self, tool: &'static str) -> UnderWay<'_> {
        UnderWay { metrics: self, tool: Some(tool), outcome: None, started: Instant::now() }
    }

    /// A question to Plane begins.
    #[must_use]
    pub fn plane_request(&self) -> UnderWay<'_> {
        UnderWay { metrics: self, tool: None, outcome: None, started: Instant::now() }
    }

    /// A request to Plane took its place: it is the `sent`th of the caller's `per_minute`.
    pub fn budget_used(&self, sent: usize, per_minute: u32) {
        self.budget_used.observe(number(sent as u64) / f64::from(per_minute.max(1)));
    }

    /// A request found no place in the caller's `session` or `key` budget.
    pub fn budget_refused(&self, budget: &'static str) {
        self.budget_refused.with_label_values(&[budget]).inc();
    }

    /// An API key was made for a user, deleted, or neither worked.
    pub fn plane_key(&self, event: KeyEvent) {
        self.plane_keys.with_label_values(&[event.as_str()]).inc();
    }
}

impl CacheMetrics {
    fn new(caches: &IntCounterVec, name: &str) -> Self {
        let of = |result| caches.with_label_values(&[name, result]);
        Self { hits: of("hit"), misses: of("miss") }
    }

    /// Something was looked for, and was there or not.
    pub fn looked(&self, found: bool) {
        if found { &self.hits } else { &self.misses }.inc();
    }
}

impl UnderWay<'_> {
    /// It has ended; `outcome` is "ok", or what went wrong.
    pub fn ended(mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(unfinished);
        let (metrics, took) = (self.metrics, self.started.elapsed().as_secs_f64());
        match self.tool {
            Some(tool) => {
                metrics.tool_calls.with_label_values(&[tool, outcome]).inc();
                metrics.tool_seconds.with_label_values(&[tool]).observe(took);
            }
            None => {
                metrics.plane_requests.with_label_values(&[outcome]).inc();
                metrics.plane_seconds.observe(took);
            }
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// The outcome of what is dropped before its end: nobody waited for it any more (a stop that cut it off looks the same), or
/// a panic is on its way through it.
pub fn unfinished() -> &'static str {
    if std::thread::panicking() { PANICKED } else { LEFT }
}

/// Begins the counters with these labels at 0.
fn from_zero<'a, const N: usize>(counters: &IntCounterVec, labels: impl IntoIterator<Item = [&'a str; N]>) {
    for labels in labels {
        counters.with_label_values(&labels);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float, and such numbers fit it")]
const fn number(count: u64) -> f64 {
    count as f64
}
