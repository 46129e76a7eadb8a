//! The configuration: as written with every default visible, then resolved into values that can
//! only be valid. Every problem is found in one pass.

mod policy;
mod raw;
mod resolve;
mod trust;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cognito::{ClientId, KeySource};
use service::config::{Layers, Problem, Problems, load};
use service::reload::Source;
use service::telemetry::LogFormat;
use service::traces;
use toml::Table;
use url::Url;

pub use trust::{Trust, http_client};

use raw::Raw;

use crate::front::origin::{AllowedHosts, AllowedOrigins};
use crate::plane::path::Slug;
use crate::policy::Policy;

/// Names the Python server used, and OpenTelemetry's, and where they belong here.
const ALIASES: &[(&str, &str)] = &[
    ("PLANE_BASE_URL", "plane.base_url"),
    ("PLANE_WORKSPACE_SLUG", "plane.workspace_slug"),
    ("COGNITO_USER_POOL_ID", "cognito.user_pool_id"),
    ("COGNITO_AWS_REGION", "cognito.region"),
    ("OIDC_CLIENT_ID", "cognito.client_ids"),
    ("ENABLE_AI_MCP_RUNTIME", "mcp.enabled"),
    ("PLANE_MCP_ENABLED_TOOLS", "tools.allow"),
    ("SSL_CERT_FILE", "plane.ca_file"),
    ("REQUESTS_CA_BUNDLE", "plane.ca_file"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "traces.headers"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "traces.headers"),
    ("OTEL_SERVICE_NAME", "traces.service_name"),
    ("OTEL_TRACES_SAMPLER_ARG", "traces.sample_ratio"),
];

/// The whole, valid configuration.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[mcp]`
    pub mcp: Mcp,
    /// `[cognito]`
    pub cognito: Cognito,
    /// `[plane]`
    pub plane: Plane,
    /// `[tools]`, `plane.workspaces` and `plane.projects`: what may be shown.
    pub policy: Policy,
    /// `[log]`
    pub log: Log,
    /// `[traces]`
    pub traces: traces::Settings,
    /// What is in effect, defaults included, as TOML. Holds no secret: the only one, the collector's headers, is not shown.
    pub effective: String,
    /// The same, as it is written.
    pub written: Written,
}

/// A configuration as it is written, every default visible.
#[derive(Clone, Debug)]
pub struct Written(Raw);

impl Written {
    /// The settings that can change while the adapter runs.
    pub const LIVE: &'static [&'static str] = raw::LIVE;

    /// Settings that name a file whose content counts too.
    pub const FILES: &'static [&'static str] = raw::FILES;

    /// As a table, to be compared.
    ///
    /// # Errors
    /// When a value has no form in TOML.
    pub fn table(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(&self.0)
    }

    /// This one, with the live settings of `new`.
    #[must_use]
    pub fn with_live(&self, new: &Self) -> Self {
        Self(raw::with_live(&self.0, &new.0))
    }
}

/// Listeners and what may reach them.
#[derive(Debug)]
pub struct Server {
    /// Where MCP is served.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
    /// Serving threads; 0 is one a core.
    pub threads: usize,
    /// How long after the signal to stop everything is still served, while we say that we are not ready.
    pub shutdown_delay: Duration,
    /// How long running requests may go on after that.
    pub drain: Duration,
    /// `Host` values served, beside loopback.
    pub allowed_hosts: AllowedHosts,
    /// `Origin` values served; a request without one is not a browser's.
    pub allowed_origins: AllowedOrigins,
}

/// The MCP endpoint.
#[derive(Debug)]
pub struct Mcp {
    /// Its path.
    pub path: String,
    /// The master switch; off answers 503.
    pub enabled: bool,
    /// Longest request body.
    pub body_bytes: usize,
}

/// Whose ID tokens are taken.
#[derive(Debug)]
pub struct Cognito {
    /// Issuers and where their keys are.
    pub sources: Vec<KeySource>,
    /// App clients a token may be for.
    pub client_ids: Vec<ClientId>,
    /// Certificates trusted when keys are fetched.
    pub trust: Trust,
    /// Clock difference forgiven.
    pub leeway: Duration,
}

/// Where Plane is.
#[derive(Debug)]
pub struct Plane {
    /// The public address, behind the reverse proxy that knows identities.
    pub base_url: Url,
    /// Plane itself, for calls with an API key.
    pub api_url: Option<Url>,
    /// The workspace meant when nobody names one.
    pub workspace: Option<Slug>,
    /// Certificates trusted on the way to Plane.
    pub trust: Trust,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Requests one caller may cause in a minute.
    pub requests_per_minute: u32,
    /// API keys made for signed-in users.
    pub keys: Keys,
}

/// API keys made for signed-in users, on a Plane that takes nothing else.
#[derive(Debug)]
pub struct Keys {
    /// Whether any may be made.
    pub mint: bool,
    /// After what time a key ends by itself.
    pub lifetime: Duration,
    /// What its user sees in Plane; names this process.
    pub label: String,
}

/// Logging.
#[derive(Debug)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written.
    pub filter: String,
}

impl Config {
    /// Reads the file, if there is one, and goes on with [`Config::load`].
    ///
    /// # Errors
    /// Every problem there is; an unreadable file is one of them.
    pub fn read(source: &Source) -> Result<Self, Problems> {
        match source.text() {
            Ok(file) => Self::load(file, &source.env),
            Err(Problem { key, message }) => {
                let mut problems = Self::load(None, &source.env).err().unwrap_or_default();
                problems.push(key, message);
                Err(problems)
            }
        }
    }

    /// Layers defaults, file and environment, and resolves them.
    ///
    /// # Errors
    /// Every problem there is, each naming its key.
    pub fn load(file: Option<(PathBuf, String)>, env: &BTreeMap<String, String>) -> Result<Self, Problems> {
        let in_the_open = file.as_ref().is_some_and(|(_, text)| shows_headers(text));
        let layers = Layers { prefix: "ADAPTER", file, env, aliases: ALIASES };
        let (raw, mut problems) = load::<Raw>(&layers);
        if in_the_open {
            problems.push(
                "traces.headers",
                "is a secret: give it in the environment, or as a file of its own (traces.headers_file)",
            );
        }
        Self::resolved(raw, problems)
    }

    /// Resolves what is written.
    ///
    /// # Errors
    /// Every problem there is, each naming its key.
    pub fn of(written: Written) -> Result<Self, Problems> {
        Self::resolved(written.0, Problems::default())
    }

    fn resolved(raw: Raw, mut problems: Problems) -> Result<Self, Problems> {
        match resolve::resolve(raw, &mut problems) {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }
}

/// Whether the collector's headers stand in the configuration file, which is shown, copied and kept under version control.
fn shows_headers(file: &str) -> bool {
    let table = file.parse::<toml::Table>();
    table.is_ok_and(|table| table.get("traces").is_some_and(|traces| traces.get("headers").is_some()))
}

#[cfg(test)]
mod tests;
