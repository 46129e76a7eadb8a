//! `[server]`: where we listen, what we are called, and how we stop.

use std::{net::SocketAddr, time::Duration};

use url::Url;

use super::{found::Found, raw};
use crate::limits::TrustedProxies;

/// Where we listen and what we are called.
#[derive(Debug, Clone)]
pub struct Server {
    /// The origin clients use and the OAuth issuer: scheme, host, port; no trailing slash.
    pub public_url: String,
    /// The hosts (with port where it is not the scheme's own) a request may name, lower case.
    pub hosts: Vec<String>,
    /// Browser origins that may call MCP routes, beside our own.
    pub origins: Vec<String>,
    /// The proxies in front of us that say who asks.
    pub trusted_proxies: TrustedProxies,
    /// The public listener.
    pub listen: SocketAddr,
    /// The admin listener.
    pub admin_listen: SocketAddr,
    /// Threads that serve requests; 0 is one a core.
    pub threads: usize,
    /// How long after the signal to stop everything is still served, while we say that we are not ready.
    pub shutdown_delay: Duration,
    /// How long a stop waits for running requests after that.
    pub drain: Duration,
}

pub(super) fn resolve(raw: &raw::Server, found: &mut Found) -> Option<Server> {
    let origin = public_origin(&raw.public_url, found);
    let listen = found.address("server.listen", &raw.listen);
    let admin_listen = found.address("server.admin_listen", &raw.admin_listen);
    if listen.is_some() && listen == admin_listen && listen.is_some_and(|address| address.port() != 0) {
        found.say("server.admin_listen", "must differ from server.listen");
    }
    let shutdown_delay = found.seconds("server.shutdown_delay_seconds", raw.shutdown_delay_seconds, 0, 600);
    let drain = found.seconds("server.drain_seconds", raw.drain_seconds, 0, 3600);
    let mut trusted_proxies = TrustedProxies::none();
    for (index, text) in raw.trusted_proxies.iter().enumerate() {
        found.check(&format!("server.trusted_proxies[{index}]"), trusted_proxies.add(text));
    }
    let (public_url, host) = origin?;
    let mut hosts = vec![host];
    hosts.extend(raw.additional_hosts.iter().map(|host| host.to_ascii_lowercase()));
    let mut origins = vec![public_url.clone()];
    origins
        .extend(raw.allowed_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()));
    Some(Server {
        public_url,
        hosts,
        origins,
        trusted_proxies,
        listen: listen?,
        admin_listen: admin_listen?,
        threads: raw.threads,
        shutdown_delay,
        drain,
    })
}

/// The origin as clients must write it, and its host with port where that is not the scheme's own.
fn public_origin(text: &str, found: &mut Found) -> Option<(String, String)> {
    const KEY: &str = "server.public_url";
    if text.is_empty() {
        found.say(KEY, "is missing: the https URL clients use, such as https://mcp.example.com");
        return None;
    }
    let url = found.url(KEY, text)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare {
        found.say(KEY, "must be an origin only: scheme, host and port, without a path");
        return None;
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        found.say(KEY, "must be https: OAuth clients refuse anything else (RFC 8414)");
        return None;
    }
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((format!("{}://{authority}", url.scheme()), authority))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
