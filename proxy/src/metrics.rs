//! Every metric of the proxy: name, help, labels, buckets. What each means for an operator is in `docs/metrics.md`.
//!
//! Labels are closed lists of ours, or routes of the configuration: never anything that a stranger sends. What alerts
//! look at begins at 0 with the process, so that the first event already counts as a change.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use cognito::KeySet;
use prometheus::{
    Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};
use service::{
    metrics::{Connections, Declarations},
    serve::Refused,
};

use crate::{oauth::Endpoint, vault::EndReason};

mod counting;

pub(crate) use counting::InFlight;

/// Seconds: from a cached check to a slow upstream.
const REQUEST: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds: from a look into memory to a refresh that is waited for.
const VAULT: &[f64] = &[
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0,
];
/// Seconds: a database close by, up to its time-out.
const VALKEY: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Seconds: somebody else's server, and what waits for it.
const COGNITO: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Routes that are no configured ones.
const HEALTH: &str = "healthz";
/// What never came to a route.
const NO_ROUTE: &str = "none";
/// The status of what was not answered.
const UNANSWERED: &str = "none";
/// Why a request for a configured route fails, by status.
const FAILURES: [(&str, &str); 9] = [
    ("502", "upstream_failed"),
    ("502", "identity_refused_upstream"),
    ("504", "upstream_timeout"),
    ("503", "store"),
    ("503", "cognito"),
    ("503", "keys"),
    ("503", "seal"),
    ("503", "lock"),
    ("503", "disabled"),
];
const REFUSED_TOKENS: [&str; 6] =
    ["ok", "token_expired", "token_issuer", "token_signature", "token_unknown_key", "wrong_resource"];
const SIGN_INS: [&str; 11] = [
    "ok",
    "left",
    "consent_asked",
    "cognito_code_missing",
    "cognito_denied",
    "cognito_error",
    "cognito_grant_refused",
    "cognito_misconfigured",
    "cognito_unavailable",
    "keys_unavailable",
    "store_unavailable",
];
/// Why a sign-in fails at its end by our fault or Cognito's.
const SIGN_IN_FAILURES: [&str; 7] = [
    "cognito_misconfigured",
    "cognito_unavailable",
    "id_token_missing",
    "keys_unavailable",
    "store_unavailable",
    "token_audience",
    "token_not_yet_valid",
];

/// The metrics, registered. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    declared: Declarations,
    requests: IntCounterVec,
    durations: [HistogramVec; 2],
    routes: Arc<ArcSwap<HashMap<String, Route>>>,
    token_checks: IntCounterVec,
    registrations: IntCounterVec,
    sign_ins: IntCounterVec,
    rate_limited: IntCounterVec,
    certificate_ends: IntGaugeVec,
    reloads: IntCounterVec,
    reload_succeeded: IntGauge,
    /// The listener of clients.
    pub public: Listener,
    /// Traefik's.
    pub forward_auth: Listener,
    /// `limits.connections`.
    pub connections_limit: IntGauge,
    /// The master switch.
    pub mcp_enabled: IntGauge,
    /// The sessions.
    pub vault: VaultMetrics,
    /// What is asked of Valkey.
    pub valkey: Calls,
    /// What is asked of Cognito.
    pub cognito: Calls,
}

/// One route's, found once.
#[derive(Debug)]
struct Route {
    ok: IntCounter,
    duration: Histogram,
    /// None where there is no upstream.
    upstream: Option<Histogram>,
}

/// One listener's.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Requests whose answer has not begun.
    pub in_flight: IntGauge,
    /// Connections.
    pub connections: Connections,
}

/// The vault's.
#[derive(Debug, Clone)]
pub struct VaultMetrics {
    cache: CacheMetrics,
    hit: Histogram,
    miss: Histogram,
    refreshes: IntCounterVec,
    refresh: Histogram,
    /// How long a refresh waited for its turn.
    pub lock_wait: Histogram,
    /// Sessions whose code was redeemed.
    pub opened: IntCounter,
    ended: IntCounterVec,
}

/// A cache's hits and misses.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    hits: IntCounter,
    misses: IntCounter,
}

/// Calls of another server, by operation and result.
#[derive(Debug, Clone)]
pub struct Calls {
    calls: IntCounterVec,
    duration: HistogramVec,
}

/// How a request ended, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or answered by the upstream.
    Ok,
    /// Refused by us: the client's fault.
    Refused,
    /// Not done: our fault, or that of what is behind us.
    Failed,
    /// Its client went away before there was an answer.
    Left,
}

/// What came of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Cognito gave new tokens.
    Refreshed,
    /// Another replica had them.
    Adopted,
    /// Cognito refused: the session has ended.
    Refused,
    /// Something did not answer; the next request tries again.
    Unavailable,
}

impl Metrics {
    /// Declares all metrics, for these configured routes.
    ///
    /// # Errors
    /// When a name or label is not valid, or taken: a defect that every start meets.
    pub fn new<'a>(routes: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let of = Declarations::new("proxy", env!("CARGO_PKG_VERSION"))?;
        let caches = of.counters("cache_requests_total", "Look-ups in a cache.", &["cache", "result"])?;
        let in_flight =
            of.gauges("requests_in_flight", "Requests whose answer has not begun.", &["listener"])?;
        let open = of.gauges("open_connections", "Open connections.", &["listener"])?;
        let refused = "Connections refused: limit (waits until another ends) or address (closed).";
        let refused = of.counters("connections_refused_total", refused, &["reason"])?;
        from_zero(&refused, Refused::ALL.map(|why| [why.as_str()]));
        let listener = |name: &str| Listener {
            in_flight: in_flight.with_label_values(&[name]),
            connections: Connections { open: open.with_label_values(&[name]), refused: refused.clone() },
        };
        let requests =
            "Requests ended: ok, refused (by us, 4xx), failed (5xx), or left by their client unanswered.";
        let requests = of.counters("requests_total", requests, &["route", "outcome", "status", "reason"])?;
        let duration = "Time until the answer began, or the client left.";
        let duration = of.histograms("request_duration_seconds", duration, &["route"], REQUEST)?;
        let upstream = "Time until the upstream's answer began, or was given up.";
        let upstream = of.histograms("upstream_duration_seconds", upstream, &["route"], REQUEST)?;
        let metrics = Self {
            routes: Arc::default(),
            durations: [duration, upstream],
            requests,
            token_checks: of.counters("token_checks_total", "Bearers checked.", &["kind", "outcome"])?,
            registrations: of.counters(
                "registrations_total",
                "Clients that asked to register.",
                &["outcome"],
            )?,
            sign_ins: of.counters("sign_ins_total", "Sign-ins that came back from Cognito.", &["outcome"])?,
            rate_limited: of.counters("rate_limited_total", "Requests over a limit (429).", &["limit"])?,
            // Absent where there is no certificate of ours.
            certificate_ends: of.gauges(
                "certificate_not_after_timestamp_seconds",
                "When the certificate we show ends, unix time.",
                &[],
            )?,
            reloads: of.counters(
                "config_reloads_total",
                "New configurations met while running.",
                &["outcome"],
            )?,
            reload_succeeded: of.gauge(
                "config_last_reload_successful",
                "Whether the last new configuration was taken: 1 or 0.",
            )?,
            public: listener("public"),
            forward_auth: listener("forward_auth"),
            connections_limit: of
                .gauge("connections_limit", "How many connections each listener serves at once.")?,
            mcp_enabled: of.gauge("mcp_enabled", "Whether MCP routes answer: 1 or 0.")?,
            vault: VaultMetrics::new(&of, &caches)?,
            valkey: Calls::new(&of, ["valkey_calls_total", "valkey_call_duration_seconds"], VALKEY)?,
            cognito: Calls::new(&of, ["cognito_calls_total", "cognito_call_duration_seconds"], COGNITO)?,
            declared: of,
        };
        metrics.begin();
        metrics.serve(routes);
        Ok(metrics)
    }

    /// Begins at 0 what is not there before it happens.
    fn begin(&self) {
        from_zero(
            &self.token_checks,
            ["access", "cognito"].iter().flat_map(|kind| REFUSED_TOKENS.map(|outcome| [*kind, outcome])),
        );
        from_zero(&self.token_checks, [["api_key", "ok"]]);
        from_zero(&self.registrations, ["created", "refused", "rate_limited", "failed"].map(|one| [one]));
        from_zero(&self.sign_ins, SIGN_INS.map(|outcome| [outcome]));
        let callback = Endpoint::Callback.label();
        from_zero(&self.requests, SIGN_IN_FAILURES.map(|reason| [callback, "failed", "303", reason]));
        from_zero(&self.rate_limited, ["session", "address", "registrations", "sign_ins"].map(|one| [one]));
        from_zero(&self.reloads, [["taken"], ["refused"]]);
        self.reload_succeeded.set(1);
        let operations = ["discovery", "jwks", "token", "refresh", "revoke"];
        self.cognito.begin(&operations, &["ok", "refused", "misconfigured", "unavailable"]);
    }

    /// The configured routes are these from now on.
    pub fn serve<'a>(&self, configured: impl IntoIterator<Item = &'a str>) {
        let [duration, upstream] = &self.durations;
        let route = |path: &str, upstream| {
            let ok = self.requests.with_label_values(&[path, "ok", "200", "ok"]);
            (path.to_owned(), Route { ok, duration: duration.with_label_values(&[path]), upstream })
        };
        let own = Endpoint::ALL.map(Endpoint::label).into_iter().chain([HEALTH, NO_ROUTE]);
        let mut routes: HashMap<_, _> = own.map(|path| route(path, None)).collect();
        for path in configured {
            from_zero(&self.requests, FAILURES.map(|(status, reason)| [path, "failed", status, reason]));
            from_zero(&self.requests, [[path, Outcome::Left.as_str(), UNANSWERED, "client_left"]]);
            routes.extend([route(path, Some(upstream.with_label_values(&[path])))]);
        }
        self.routes.store(Arc::new(routes));
    }

    /// What `/metrics` serves.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        self.declared.registry()
    }

    /// Tells when Cognito's keys were fetched.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn watch_keys(&self, keys: Arc<KeySet>) -> Result<(), Error> {
        let help = "When Cognito's keys were fetched, unix time; 0: not yet.";
        self.declared.read("jwks_fetched_timestamp_seconds", help, "issuer", move || {
            let fetched = |issuer| keys.fetched_at(issuer).unwrap_or(0);
            keys.issuers().map(|issuer| (issuer.to_string(), seconds(fetched(issuer)))).collect()
        })
    }
}

impl VaultMetrics {
    fn new(of: &Declarations, caches: &IntCounterVec) -> Result<Self, Error> {
        let found = "Time to find a usable session, by whether it was in the cache.";
        let found = of.histograms("vault_duration_seconds", found, &["cache"], VAULT)?;
        let refreshes = of.counters("refreshes_total", "Refreshes of sessions.", &["outcome"])?;
        from_zero(&refreshes, Refreshed::ALL.map(|outcome| [outcome.as_str()]));
        let ended = of.counters("sessions_ended_total", "Sessions ended before their time.", &["reason"])?;
        from_zero(&ended, EndReason::ALL.map(|reason| [reason.as_str()]));
        let waited = "Time a refresh waited for its turn among the replicas.";
        Ok(Self {
            cache: CacheMetrics::new(caches, "sessions"),
            hit: found.with_label_values(&["hit"]),
            miss: found.with_label_values(&["miss"]),
            refreshes,
            refresh: of.histogram(
                "refresh_duration_seconds",
                "Time a refresh took, its wait included.",
                COGNITO,
            )?,
            lock_wait: of.histogram("refresh_lock_wait_seconds", waited, VAULT)?,
            opened: of.counter("sessions_opened_total", "Sessions begun: a client redeemed its code.")?,
            ended,
        })
    }
}

impl CacheMetrics {
    fn new(caches: &IntCounterVec, name: &str) -> Self {
        let of = |result| caches.with_label_values(&[name, result]);
        Self { hits: of("hit"), misses: of("miss") }
    }
}

impl Calls {
    fn new(of: &Declarations, [calls, duration]: [&str; 2], buckets: &[f64]) -> Result<Self, Error> {
        Ok(Self {
            calls: of.counters(calls, "Calls that ended, by result.", &["operation", "result"])?,
            duration: of.histograms(duration, "Time such a call took.", &["operation"], buckets)?,
        })
    }

    /// Begins at 0 for what will be called.
    pub fn begin(&self, operations: &[&str], results: &[&str]) {
        for operation in operations {
            self.duration.with_label_values(&[operation]);
            from_zero(&self.calls, results.iter().map(|result| [*operation, *result]));
        }
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl Refreshed {
    const ALL: [Self; 4] = [Self::Refreshed, Self::Adopted, Self::Refused, Self::Unavailable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Adopted => "adopted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Begins the counters with these labels at 0.
fn from_zero<'a, const N: usize>(counters: &IntCounterVec, labels: impl IntoIterator<Item = [&'a str; N]>) {
    for labels in labels {
        counters.with_label_values(&labels);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and unix time fits it for 285,000 years")]
const fn seconds(unix: u64) -> f64 {
    unix as f64
}
