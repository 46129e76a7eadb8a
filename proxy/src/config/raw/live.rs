//! Which settings can change while the proxy runs; docs/configuration.md tells people, and a test compares the two.

use super::Raw;

service::live_settings!(
    pub Raw:
    server.additional_hosts,
    server.allowed_origins,
    server.trusted_proxies,
    mcp.enabled,
    routes,
    forward_auth.trusted_proxies,
    oauth.allowed_redirect_uris,
    oauth.access_token_seconds,
    oauth.refresh_token_days,
    oauth.remember_consent,
    oauth.relax_resource,
    oauth.introspection_secret_file,
    client_documents.enabled,
    client_documents.allowed_hosts,
    client_documents.private_networks,
    client_documents.ca_file,
    vault.keys_file,
    limits.connections,
    limits.connections_per_address,
    limits.header_bytes,
    limits.headers,
    limits.header_timeout_seconds,
    limits.body_bytes,
    limits.body_timeout_seconds,
    limits.requests_per_minute,
    limits.oauth_requests_per_minute,
    limits.registrations_per_minute,
    limits.registrations_per_hour,
    log.filter,
);

/// Settings that name a file whose content counts too; a change of one that is not live waits for a restart. The
/// certificate's files are watched by `tls`.
pub const FILES: &[&str] = &[
    "upstream.ca_file",
    "cognito.ca_file",
    "cognito.client_secret_file",
    "oauth.introspection_secret_file",
    "client_documents.ca_file",
    "traces.ca_file",
    "traces.headers_file",
    "vault.keys_file",
    "valkey.ca_file",
];

#[cfg(test)]
mod tests;
