//! Which settings can change while the adapter runs; docs/configuration.md tells people, and a test compares the two.

use super::Raw;

service::live_settings!(
    pub(in crate::config) Raw:
    server.allowed_hosts,
    server.allowed_origins,
    mcp.enabled,
    mcp.body_bytes,
    plane.workspaces,
    plane.projects,
    plane.requests_per_minute,
    tools.allow,
    log.filter,
);

/// Settings that name a file whose content counts too; a change of one that is not live waits for a restart.
pub(in crate::config) const FILES: &[&str] =
    &["cognito.ca_file", "plane.ca_file", "traces.ca_file", "traces.headers_file"];
