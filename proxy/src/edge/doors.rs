//! Who is let in at the listeners: the limits on connections, which a reload may change.

use std::sync::Arc;

use service::serve::{self, Admission, Exempt};

use crate::{limits::TrustedProxies, metrics::Metrics, rules::Rules};

/// The door of each listener.
pub(crate) struct Doors {
    /// That of clients.
    pub public: Admission,
    /// Traefik's.
    pub forward_auth: Admission,
}

impl Doors {
    /// By the rules at the start.
    pub(crate) fn new(rules: &Rules, metrics: &Metrics) -> Self {
        let public = Admission::new(limits(rules), proxies(&rules.server.trusted_proxies));
        let forward_auth = Admission::new(limits(rules), proxies(&rules.may_ask));
        tell(rules, metrics);
        Self { public, forward_auth }
    }

    /// By other rules from now on.
    pub(crate) fn follow(&self, rules: &Rules, metrics: &Metrics) {
        self.public.set(limits(rules), proxies(&rules.server.trusted_proxies));
        self.forward_auth.set(limits(rules), proxies(&rules.may_ask));
        tell(rules, metrics);
    }
}

fn limits(rules: &Rules) -> serve::Limits {
    let limits = &rules.limits;
    serve::Limits {
        header_bytes: limits.header_bytes,
        headers: limits.headers,
        header_read: limits.header_timeout,
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        drain: rules.server.drain,
        ..serve::Limits::default()
    }
}

/// Proxies carry everybody's connections.
fn proxies(trusted: &TrustedProxies) -> Exempt {
    let trusted = trusted.clone();
    Arc::new(move |address| trusted.holds(address))
}

fn tell(rules: &Rules, metrics: &Metrics) {
    metrics.connections_limit.set(i64::try_from(rules.limits.connections).unwrap_or(i64::MAX));
}
