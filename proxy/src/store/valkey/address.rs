//! Where a Valkey server is, read before anything connects.

use std::path::Path;

use fred::error::ErrorKind;
use fred::types::config::Config;
use service::Secret;
use url::Url;

use super::trust;

/// Why no Valkey server can be reached this way. Says nothing of the URL, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
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
    /// The file of trusted certificates cannot be read, or holds none.
    #[error("the file of trusted certificates cannot be read or holds none")]
    CaFile,
    /// A file of trusted certificates, and a URL without TLS.
    #[error("trusted certificates are of no use without TLS: the scheme must be rediss or valkeys")]
    NoTls,
    /// The client library refuses the settings.
    #[error("not a usable combination of settings")]
    Refused,
}

/// What the client library needs to know of the server.
pub(super) fn of(url: &Secret, ca_file: Option<&Path>) -> Result<Config, InvalidSettings> {
    let mut config = parse(url)?;
    if let Some(ca_file) = ca_file {
        if config.tls.is_none() {
            return Err(InvalidSettings::NoTls);
        }
        config.tls = Some(trust::only(ca_file)?.into());
    }
    Ok(config)
}

/// Whether the URL can be one of a Valkey server, as far as it tells without this machine's certificates.
///
/// # Errors
/// What is wrong with it.
pub fn readable(url: &Secret) -> Result<(), InvalidSettings> {
    match parse(url) {
        Ok(_) | Err(InvalidSettings::Certificates) => Ok(()),
        Err(error) => Err(error),
    }
}

fn parse(url: &Secret) -> Result<Config, InvalidSettings> {
    let parsed = Url::parse(url.expose()).map_err(|_| InvalidSettings::Shape)?;
    let scheme = parsed.scheme();
    let sentinel = scheme.strip_suffix("-sentinel");
    let base = sentinel.or_else(|| scheme.strip_suffix("-cluster")).unwrap_or(scheme);
    if !matches!(base, "redis" | "rediss" | "valkey" | "valkeys") {
        return Err(InvalidSettings::Scheme);
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(InvalidSettings::Shape);
    }
    let named = parsed.query_pairs().any(|(name, value)| name == "sentinelServiceName" && !value.is_empty());
    if sentinel.is_some() && !named {
        return Err(InvalidSettings::SentinelService);
    }
    Config::from_url(url.expose()).map_err(|error| match error.kind() {
        ErrorKind::Tls => InvalidSettings::Certificates,
        _ => InvalidSettings::Parts,
    })
}
