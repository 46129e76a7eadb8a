//! `[limits]` as it is written.

use serde::{Deserialize, Serialize};

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The largest request body; more is 413.
    pub body_bytes: u64,
    /// The largest request head; more is 431.
    pub header_bytes: usize,
    /// The most header lines; more is 431.
    pub headers: usize,
    /// How long a client may take to send its request head.
    pub header_timeout_seconds: u64,
    /// How long a client may take to send the next part of its body.
    pub body_timeout_seconds: u64,
    /// The most connections at once; more wait.
    pub connections: usize,
    /// The most connections of one address at once, of IPv6 of one /64; more are closed. The network around it (/24, of IPv6
    /// /48) has half of `connections`, or as many as one address if that is more. 0 is without limit for both, and neither
    /// holds for `server.trusted_proxies`.
    pub connections_per_address: usize,
    /// How often a session, or an API key, may ask each minute; 0 is without limit.
    pub requests_per_minute: u32,
    /// How often one address may use the OAuth endpoints each minute, and one network begin half as many sign-ins; 0 is
    /// without limit.
    pub oauth_requests_per_minute: u32,
    /// How many clients may register each minute, all together; 0 is without limit.
    pub registrations_per_minute: u32,
    /// How many may each hour: one that is not used is forgotten after an hour, so that this bounds how many there are.
    pub registrations_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 4 * 1024 * 1024,
            header_bytes: 64 * 1024,
            headers: 100,
            header_timeout_seconds: 10,
            body_timeout_seconds: 30,
            connections: 10_000,
            connections_per_address: 1000,
            requests_per_minute: 600,
            oauth_requests_per_minute: 120,
            registrations_per_minute: 30,
            registrations_per_hour: 600,
        }
    }
}
