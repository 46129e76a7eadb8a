//! What is learnt about one request, and what is told of it: one count, one duration, one log line.

use std::time::{Duration, Instant};

use http::{Method, Response, StatusCode};
use service::{serve::Body, traces::Place};

use super::{body::Verdict, identify::Identity, respond, route::Target, trace};
use crate::{
    error::Error,
    metrics::{InFlight, Listener, Metrics, Outcome},
    oauth,
};

/// One request, from its head to its end; filled in as the steps get there. However it ends, it is told when this is
/// dropped: with its answer, or without one, because the client went away before there was any (a stop that cut the
/// request off looks the same).
pub(crate) struct Story<'a> {
    metrics: &'a Metrics,
    place: &'a Place,
    method: Method,
    _in_flight: InFlight<'a>,
    started: Instant,
    /// Since when the clock stands: the client's time is not ours.
    stopped: Option<Instant>,
    pub(crate) target: Option<Target>,
    user: Option<String>,
    client: Option<String>,
    pub(super) reason: Option<&'static str>,
    /// Whether the fault is ours although the status does not say so.
    ours: bool,
    /// How the body fared that an upstream was sent.
    pub(super) body: Option<Verdict>,
    status: Option<StatusCode>,
}

impl<'a> Story<'a> {
    /// Begins with a request of `method` that came to `listener` at the time of `started`.
    pub(crate) fn begin(
        metrics: &'a Metrics,
        listener: &'a Listener,
        place: &'a Place,
        method: Method,
        started: Instant,
    ) -> Self {
        Self {
            metrics,
            place,
            method,
            _in_flight: listener.request(),
            started,
            stopped: None,
            target: None,
            user: None,
            client: None,
            reason: None,
            ours: false,
            body: None,
            status: None,
        }
    }

    /// Who it is.
    pub(crate) fn know(&mut self, identity: &Identity) {
        if let Identity::Person { session, .. } = identity {
            self.user = Some(session.user.username.clone());
            self.client = Some(session.client.to_string());
        }
    }

    /// Stops the clock while the client sends what we need before we can begin.
    pub(super) fn wait_for_client(&mut self) {
        self.stopped = Some(Instant::now());
    }

    /// It is our turn again.
    pub(super) fn our_turn(&mut self) {
        if let Some(since) = self.stopped.take() {
            self.started += since.elapsed();
        }
    }

    /// What an OAuth endpoint says of its own answer.
    pub(super) fn note(&mut self, outcome: &oauth::Outcome) {
        (self.reason, self.ours) = (Some(outcome.reason), outcome.ours);
    }

    /// The answer to a request that failed, which from now on is what the story says.
    pub(crate) fn failed(&mut self, error: &Error, public_url: &str) -> Response<Body> {
        self.reason = Some(error.reason());
        log_causes(error);
        respond::failure(error, self.target.as_ref(), public_url)
    }

    /// There is an answer: that is what is told, also when the client does not wait for it. The clock stops: all that may
    /// still be waited for is the rest of a body that nobody wanted.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.stopped = Some(Instant::now());
    }

    fn outcome(&self) -> (Outcome, &'static str) {
        let reason = self.reason.unwrap_or("ok");
        match self.status {
            // The panic is on its way through us.
            None if std::thread::panicking() => (Outcome::Failed, "panicked"),
            None => (Outcome::Left, "client_left"),
            Some(status) if self.ours || status.is_server_error() => (Outcome::Failed, reason),
            Some(_) if reason == "ok" => (Outcome::Ok, reason),
            Some(_) => (Outcome::Refused, reason),
        }
    }

    fn count(&self, (outcome, reason): (Outcome, &'static str), took: Duration) {
        let route = self.target.as_ref().map_or("none", Target::label);
        self.metrics.ended(route, (outcome, reason), self.status, took);
        let over_limit = self.status == Some(StatusCode::TOO_MANY_REQUESTS) && reason == "rate_limited";
        match self.target {
            Some(Target::OAuth(_)) if over_limit => self.metrics.rate_limited("address"),
            Some(Target::Upstream(_)) if over_limit => self.metrics.rate_limited("session"),
            Some(Target::OAuth(endpoint)) => {
                self.metrics.oauth_ended(endpoint, (outcome, reason), self.status)
            }
            _ => {}
        }
    }
}

impl Drop for Story<'_> {
    fn drop(&mut self) {
        let took = self.stopped.unwrap_or_else(Instant::now).saturating_duration_since(self.started);
        let route = self.target.as_ref().map_or("none", Target::label);
        let (outcome, reason) = self.outcome();
        trace::ended(self.place.span(), &self.method, route, self.status, reason);
        self.count((outcome, reason), took);
        tracing::info!(
            method = %self.method,
            route,
            status = self.status.map(|status| status.as_u16()),
            outcome = reason,
            user = self.user.as_deref(),
            client = self.client.as_deref(),
            latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

/// The causes of what is our fault, once, with the request's id. What is the client's fault is in the log line's reason.
fn log_causes(error: &Error) {
    if !error.status().is_server_error() || matches!(error, Error::Stopping) {
        return;
    }
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    tracing::warn!(error = %error, causes = causes.join(": "), "request failed");
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use http::Request;
    use prometheus::TextEncoder;
    use service::traces::{Settings, Tracing};

    use super::*;
    use crate::oauth::Endpoint;

    #[test]
    fn a_panic_is_told_as_a_failure_of_ours_and_what_is_just_dropped_as_left() {
        let metrics = Metrics::new(["/mcp"]).unwrap();
        let settings = Settings {
            endpoint: None,
            headers: Vec::new(),
            ca: None,
            service_name: "proxy".to_owned(),
            sample_ratio: 0.0,
            trust_parent: false,
        };
        let place = trace::begin(&Tracing::new(&settings), &Request::new(()), "inline");
        let begin = || Story::begin(&metrics, &metrics.public, &place, Method::GET, Instant::now());
        drop(begin());
        for endpoint in [Endpoint::Callback, Endpoint::Register] {
            begin().target = Some(Target::OAuth(endpoint));
        }
        let panics = || {
            let _story = begin();
            panic!("as the test asked for");
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        let told = TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap();
        for (outcome, reason) in [("left", "client_left"), ("failed", "panicked")] {
            let line = format!(r#"{{outcome="{outcome}",reason="{reason}",route="none",status="none"}} 1"#);
            assert!(told.contains(&line), "{line}");
        }
        assert!(told.contains(r#"proxy_sign_ins_total{outcome="left"} 1"#), "{told}");
        for other in ["created", "refused", "rate_limited", "failed"] {
            assert!(
                told.contains(&format!(r#"proxy_registrations_total{{outcome="{other}"}} 0"#)),
                "{other}"
            );
        }
        assert!(told.contains(r#"proxy_requests_in_flight{listener="public"} 0"#));
    }
}
