//! The URL of a Valkey server, read before anything connects.

use fred::error::ErrorKind;
use fred::types::config::Config;
use service::Secret;
use url::Url;

/// Why a URL is none of a Valkey server. Says nothing of the URL, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not an absolute URL with a host.
    #[error("not a URL with a host")]
    Shape,
    /// Another scheme than those of `ValkeySettings`.
    #[error("scheme must be redis, rediss, valkey or valkeys, with -cluster or -sentinel where it is one")]
    Scheme,
    /// A sentinel URL without `sentinelServiceName`.
    #[error("a sentinel URL needs ?sentinelServiceName=")]
    SentinelService,
    /// The path is not a database number, or a `node` has no port.
    #[error("database must be a number, and every node needs a port")]
    Parts,
    /// The system has no usable list of trusted certificates.
    #[error("no trusted certificates found for TLS")]
    Certificates,
    /// The client library refuses the settings.
    #[error("not a usable combination of settings")]
    Refused,
}

pub(super) fn parse(url: &Secret) -> Result<Config, InvalidUrl> {
    let parsed = Url::parse(url.expose()).map_err(|_| InvalidUrl::Shape)?;
    let scheme = parsed.scheme();
    let sentinel = scheme.strip_suffix("-sentinel");
    let base = sentinel.or_else(|| scheme.strip_suffix("-cluster")).unwrap_or(scheme);
    if !matches!(base, "redis" | "rediss" | "valkey" | "valkeys") {
        return Err(InvalidUrl::Scheme);
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(InvalidUrl::Shape);
    }
    let named = parsed.query_pairs().any(|(name, value)| name == "sentinelServiceName" && !value.is_empty());
    if sentinel.is_some() && !named {
        return Err(InvalidUrl::SentinelService);
    }
    Config::from_url(url.expose()).map_err(|error| match error.kind() {
        ErrorKind::Tls => InvalidUrl::Certificates,
        _ => InvalidUrl::Parts,
    })
}
