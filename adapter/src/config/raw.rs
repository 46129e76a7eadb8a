//! The configuration as an operator writes it, with the defaults.

use serde::{Deserialize, Serialize};
use service::telemetry::LogFormat;

mod live;
mod traces;

pub(super) use live::{FILES, LIVE, with_live};
pub(super) use traces::Traces;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    /// Listeners.
    pub server: Server,
    /// The MCP endpoint.
    pub mcp: Mcp,
    /// Whose ID tokens are taken.
    pub cognito: Cognito,
    /// Where Plane is.
    pub plane: Plane,
    /// What is offered.
    pub tools: Tools,
    /// Logging.
    pub log: Log,
    /// What of requests is recorded, and where it goes.
    pub traces: Traces,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    /// Where MCP is served.
    pub listen: String,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub admin_listen: String,
    /// Serving threads; 0 is one a core.
    pub threads: usize,
    /// How long after the signal to stop everything is still served, while `/healthz` and `/readyz` are 503.
    pub shutdown_delay_seconds: u64,
    /// How long running requests may go on after that.
    pub drain_seconds: u64,
    /// `Host` values served beside loopback: `mcp.example.com` or `mcp.example.com:8443`.
    pub allowed_hosts: Vec<String>,
    /// Browser origins served: `https://app.example.com` or `http://localhost:*`.
    pub allowed_origins: Vec<String>,
}

/// `[mcp]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mcp {
    /// The endpoint's path.
    pub path: String,
    /// The master switch.
    pub enabled: bool,
    /// Longest request body, in bytes.
    pub body_bytes: usize,
}

/// `[cognito]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cognito {
    /// The issuer; or `region` and `user_pool_id`.
    pub issuer: String,
    /// AWS region of the user pool.
    pub region: String,
    /// The user pool.
    pub user_pool_id: String,
    /// More issuers whose tokens are taken.
    pub additional_issuers: Vec<String>,
    /// App clients a token may be for.
    pub client_ids: Vec<String>,
    /// Where the first issuer's keys are, when not at the usual place.
    pub jwks_uri: String,
    /// PEM file of the authorities trusted for the keys, instead of the system's.
    pub ca_file: String,
    /// Clock difference forgiven.
    pub clock_leeway_seconds: u64,
}

/// `[plane]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Plane {
    /// Plane's public address, behind the reverse proxy that turns the ID token into an identity.
    pub base_url: String,
    /// Plane itself, for calls with an API key; `base_url` when empty.
    pub api_url: String,
    /// Allows plain http to hosts other than loopback.
    pub insecure_http: bool,
    /// The workspace meant when nobody names one.
    pub workspace_slug: String,
    /// Workspaces that may be shown, by slug; every one when empty.
    pub workspaces: Vec<String>,
    /// Projects that may be shown, as `acme/ENG` or `acme/<id>`. They limit only the workspaces they are in.
    pub projects: Vec<String>,
    /// PEM file of the authorities trusted for Plane, instead of the system's.
    pub ca_file: String,
    /// Longest wait for an answer.
    pub timeout_seconds: u64,
    /// Requests one caller may cause in a minute; Plane's own limit is 60.
    pub requests_per_minute: u32,
    /// Whether signed-in users get an API key where Plane takes nothing else.
    pub key_minting: KeyMinting,
    /// When such a key ends by itself, if it is not deleted before.
    pub key_hours: u64,
    /// This process in the label of such a key; a random word when empty.
    pub instance: String,
}

/// `plane.key_minting`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyMinting {
    /// Where Plane's `/api/v1` refuses the session.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// `[tools]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tools {
    /// Tools that may be listed and called, by name; every one when empty.
    pub allow: Vec<String>,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written, such as `info` or `adapter=debug,info`.
    pub filter: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8211".into(),
            admin_listen: "127.0.0.1:9211".into(),
            threads: 0,
            shutdown_delay_seconds: 0,
            drain_seconds: 20,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

impl Default for Mcp {
    fn default() -> Self {
        Self { path: "/mcp".into(), enabled: true, body_bytes: 1024 * 1024 }
    }
}

impl Default for Cognito {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            region: String::new(),
            user_pool_id: String::new(),
            additional_issuers: Vec::new(),
            client_ids: Vec::new(),
            jwks_uri: String::new(),
            ca_file: String::new(),
            clock_leeway_seconds: 60,
        }
    }
}

impl Default for Plane {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            api_url: String::new(),
            insecure_http: false,
            workspace_slug: String::new(),
            workspaces: Vec::new(),
            projects: Vec::new(),
            ca_file: String::new(),
            timeout_seconds: 30,
            requests_per_minute: 60,
            key_minting: KeyMinting::Auto,
            key_hours: 8,
            instance: String::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info,rmcp=warn".into() }
    }
}
