//! What happens, counted: the methods that the parts of the proxy call.

use std::time::{Duration, Instant};

use http::StatusCode;
use prometheus::{Histogram, HistogramTimer};

use super::{CacheMetrics, Calls, Listener, Metrics, Outcome, Refreshed, UNANSWERED, VaultMetrics};
use crate::{oauth::Endpoint, vault::EndReason};

impl Metrics {
    /// Counts one request that has ended, with a status if there was an answer; `route` is a configured path, or a name of
    /// ours.
    pub fn ended(
        &self,
        route: &str,
        (outcome, reason): (Outcome, &'static str),
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let routes = self.routes.load();
        let known = routes.get(route);
        match known {
            // By far the most, and so without a look for the labels.
            Some(known) if outcome == Outcome::Ok && status == Some(StatusCode::OK) => known.ok.inc(),
            _ => {
                let status = status.as_ref().map_or(UNANSWERED, StatusCode::as_str);
                let labels = [route, outcome.as_str(), status, reason];
                self.requests.with_label_values(&labels).inc();
            }
        }
        if let Some(known) = known {
            known.duration.observe(took.as_secs_f64());
        }
    }

    /// An upstream is asked: notes how long that took when dropped, whatever came of it.
    #[must_use]
    pub fn upstream_asked(&self, route: &str) -> Option<HistogramTimer> {
        let routes = self.routes.load();
        routes.get(route).and_then(|route| route.upstream.as_ref()).map(Histogram::start_timer)
    }

    /// Counts one check of a bearer: `ok`, or why not.
    pub fn token_checked(&self, kind: &'static str, outcome: &'static str) {
        self.token_checks.with_label_values(&[kind, outcome]).inc();
    }

    /// Counts how a request to an OAuth endpoint ended, with a status if there was an answer, where it is a registration
    /// or the end of a sign-in.
    pub fn oauth_ended(
        &self,
        endpoint: Endpoint,
        (outcome, reason): (Outcome, &'static str),
        status: Option<StatusCode>,
    ) {
        match endpoint {
            Endpoint::Register => {
                let outcome = match (outcome, status) {
                    (Outcome::Ok, Some(StatusCode::CREATED)) => "created",
                    // A preflight.
                    (Outcome::Ok, _) => return,
                    (Outcome::Refused, Some(StatusCode::TOO_MANY_REQUESTS)) => "rate_limited",
                    (Outcome::Refused, _) => "refused",
                    (Outcome::Failed, _) => "failed",
                    (Outcome::Left, _) => return,
                };
                self.registrations.with_label_values(&[outcome]).inc();
            }
            Endpoint::Callback => {
                let outcome = match (outcome, status) {
                    (Outcome::Left, _) => outcome.as_str(),
                    // The consent page is shown anew to a user who did not approve what another one had.
                    (Outcome::Ok, Some(StatusCode::OK)) => "consent_asked",
                    _ => reason,
                };
                self.sign_ins.with_label_values(&[outcome]).inc();
            }
            _ => {}
        }
        match reason {
            "registrations_limited" => self.rate_limited("registrations"),
            "sign_ins_limited" => self.rate_limited("sign_ins"),
            _ => {}
        }
    }

    /// Counts one refusal for being over a limit.
    pub fn rate_limited(&self, limit: &'static str) {
        self.rate_limited.with_label_values(&[limit]).inc();
    }

    /// The certificate we show ends then.
    pub fn certificate_ends(&self, unix: i64) {
        self.certificate_ends.with_label_values::<&str>(&[]).set(unix);
    }

    /// A new configuration was met: `taken` or `refused`.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
        self.reload_succeeded.set(i64::from(outcome == "taken"));
    }
}

impl VaultMetrics {
    /// A session was looked for and found, in the cache or not, or not at all.
    pub fn looked(&self, cached: bool, took: Duration) {
        self.cache.looked(cached);
        if cached { &self.hit } else { &self.miss }.observe(took.as_secs_f64());
    }

    /// A refresh ended.
    pub fn refreshed(&self, outcome: Refreshed, took: Duration) {
        self.refreshes.with_label_values(&[outcome.as_str()]).inc();
        self.refresh.observe(took.as_secs_f64());
    }

    /// A session was ended.
    pub fn ended(&self, reason: EndReason) {
        self.ended.with_label_values(&[reason.as_str()]).inc();
    }
}

impl CacheMetrics {
    /// Something was looked for, and was there or not.
    pub fn looked(&self, found: bool) {
        if found { &self.hits } else { &self.misses }.inc();
    }
}

impl Listener {
    /// Counts a request until it is answered, or dropped because its client went away.
    #[must_use]
    pub fn request(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(self)
    }
}

/// A request that is counted.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Listener);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Calls {
    /// Counts a call when it ends, by what `result` makes of its failure. One whose caller gave up counts as `given_up`.
    pub async fn counted<T, E>(
        &self,
        (operation, given_up): (&'static str, &'static str),
        call: impl Future<Output = Result<T, E>>,
        result: impl FnOnce(&E) -> &'static str,
    ) -> Result<T, E> {
        let mut under_way = UnderWay { calls: self, operation, result: given_up, started: Instant::now() };
        let answer = call.await;
        under_way.result = answer.as_ref().err().map_or("ok", result);
        answer
    }
}

/// A call, counted when it is dropped.
struct UnderWay<'a> {
    calls: &'a Calls,
    operation: &'static str,
    result: &'static str,
    started: Instant,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Self { calls, operation, result, started } = self;
        calls.calls.with_label_values(&[*operation, *result]).inc();
        calls.duration.with_label_values(&[*operation]).observe(started.elapsed().as_secs_f64());
    }
}
