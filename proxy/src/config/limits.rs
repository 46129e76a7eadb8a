//! `[limits]`: what one caller, and all strangers together, may cost us.

use std::time::Duration;

use super::{found::Found, raw};

/// What one caller may cost us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest request body.
    pub body_bytes: u64,
    /// The largest request head.
    pub header_bytes: usize,
    /// The most header lines.
    pub headers: usize,
    /// How long a request head may take.
    pub header_timeout: Duration,
    /// How long the next part of a request body may take.
    pub body_timeout: Duration,
    /// The most connections at once.
    pub connections: usize,
    /// The most of one address, or IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// Requests a minute for one session or API key; 0 is without limit.
    pub requests_per_minute: u32,
    /// Requests a minute for one address at the OAuth endpoints; 0 is without limit.
    pub oauth_requests_per_minute: u32,
    /// How many clients may register each minute, all together; 0 is without limit.
    pub registrations_per_minute: u32,
    /// How many may each hour; 0 is without limit.
    pub registrations_per_hour: u32,
}

pub(super) fn resolve(raw: &raw::Limits, found: &mut Found) -> Limits {
    if !(8 * 1024..=1024 * 1024).contains(&raw.header_bytes) {
        found.say("limits.header_bytes", "must be between 8192 and 1048576");
    }
    if !(16..=1000).contains(&raw.headers) {
        found.say("limits.headers", "must be between 16 and 1000");
    }
    if raw.connections == 0 {
        found.say("limits.connections", "must be at least 1");
    }
    Limits {
        body_bytes: raw.body_bytes,
        header_bytes: raw.header_bytes,
        headers: raw.headers,
        header_timeout: found.seconds("limits.header_timeout_seconds", raw.header_timeout_seconds, 1, 300),
        body_timeout: found.seconds("limits.body_timeout_seconds", raw.body_timeout_seconds, 1, 3600),
        connections: raw.connections,
        connections_per_address: match raw.connections_per_address {
            0 => usize::MAX,
            limit => limit,
        },
        requests_per_minute: raw.requests_per_minute,
        oauth_requests_per_minute: raw.oauth_requests_per_minute,
        registrations_per_minute: raw.registrations_per_minute,
        registrations_per_hour: raw.registrations_per_hour,
    }
}
