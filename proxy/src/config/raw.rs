//! The configuration as it is written: every key, every default. The only place where defaults live.

use serde::{Deserialize, Serialize};
use service::{Secret, secret::redacted};

mod client_documents;
mod forward_auth;
mod limits;
mod live;
mod traces;

pub use client_documents::ClientDocuments;
pub use forward_auth::ForwardAuth;
pub use limits::Limits;
pub use live::{FILES, LIVE, with_live};
pub use traces::Traces;

/// Environment names of the Python Cognito mode that keep working, and OpenTelemetry's, with the key each stands for.
pub const LEGACY_ENV: &[(&str, &str)] = &[
    ("MCP_BASE_URL", "server.public_url"),
    ("COGNITO_USER_POOL_ID", "cognito.user_pool_id"),
    ("COGNITO_AWS_REGION", "cognito.region"),
    ("OIDC_CLIENT_ID", "cognito.client_id"),
    ("OIDC_CLIENT_SECRET", "cognito.client_secret"),
    ("MCP_JWT_SIGNING_KEY", "vault.passphrase"),
    ("MCP_ALLOWED_CLIENT_REDIRECT_URIS", "oauth.allowed_redirect_uris"),
    ("MCP_COGNITO_REDIRECT_URI", "cognito.redirect_uri"),
    ("COGNITO_RELAX_OAUTH_RESOURCE_MISMATCH", "oauth.relax_resource"),
    ("REDIS_HOST", "valkey.host"),
    ("REDIS_PORT", "valkey.port"),
    ("ENABLE_AI_MCP_RUNTIME", "mcp.enabled"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "traces.headers"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "traces.headers"),
    ("OTEL_SERVICE_NAME", "traces.service_name"),
    ("OTEL_TRACES_SAMPLER_ARG", "traces.sample_ratio"),
];

/// Keys that are refused in the file. (A `valkey.url` may hold a password too, but need not.)
pub const SECRETS: &[&str] = &[
    "cognito.client_secret",
    "oauth.introspection_secret",
    "traces.headers",
    "vault.keys",
    "vault.passphrase",
];

/// The whole file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// Where we listen and what we are called.
    pub server: Server,
    /// The certificate we show.
    pub tls: Tls,
    /// The MCP runtime as a whole.
    pub mcp: Mcp,
    /// What is behind us, by path.
    pub routes: Vec<Route>,
    /// How we reach what is behind us.
    pub upstream: Upstream,
    /// The way in beside the path, for Traefik.
    pub forward_auth: ForwardAuth,
    /// The user pool people sign in at.
    pub cognito: Cognito,
    /// What we grant to clients.
    pub oauth: Oauth,
    /// Clients that are known by a document of theirs.
    pub client_documents: ClientDocuments,
    /// How sessions are kept.
    pub vault: Vault,
    /// Where sessions are kept.
    pub valkey: Valkey,
    /// What one caller may cost us.
    pub limits: Limits,
    /// What we say about it.
    pub log: Log,
    /// What of requests is recorded, and where it goes.
    pub traces: Traces,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// The origin clients use, e.g. `https://mcp.example.com`: the OAuth issuer. No path.
    pub public_url: String,
    /// Address and port of the public listener.
    pub listen: String,
    /// Address and port of the admin listener: `/livez`, `/readyz`, `/metrics`. Keep it private.
    pub admin_listen: String,
    /// Threads that serve requests; 0 is one a core.
    pub threads: usize,
    /// How long after the signal to stop everything is still served, while `/healthz` and `/readyz` are 503.
    pub shutdown_delay_seconds: u64,
    /// How long a stop waits for running requests after that.
    pub drain_seconds: u64,
    /// Hosts beside `public_url`'s that requests may name.
    pub additional_hosts: Vec<String>,
    /// Browser origins that may call MCP routes; requests without `Origin` are not concerned.
    pub allowed_origins: Vec<String>,
    /// Load balancers in front of us, `10.0.0.7` or `10.0.0.0/28`: their `X-Forwarded-For` says who asks.
    pub trusted_proxies: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            listen: "0.0.0.0:8443".into(),
            admin_listen: "127.0.0.1:9443".into(),
            threads: 0,
            shutdown_delay_seconds: 0,
            drain_seconds: 30,
            additional_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// `[tls]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// PEM file with the certificate chain, leaf first. Re-read when it changes.
    pub cert_file: String,
    /// PEM file with the private key of the leaf.
    pub key_file: String,
    /// Serve plain HTTP because something in front of us terminates TLS.
    pub disabled: bool,
}

/// `[mcp]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Mcp {
    /// The master switch: off, every MCP route answers 503. Re-read when the file changes.
    pub enabled: bool,
}

impl Default for Mcp {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `[[routes]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// The path the route answers, and everything below it: `/mcp`.
    pub path: String,
    /// What people read on the consent page: `Plane`. Empty: the path.
    pub name: String,
    /// `mcp`: our tokens, JSON-RPC; `api-key`: a Plane API key goes on as `X-Api-Key`; `http`: our tokens, any HTTP.
    pub kind: String,
    /// Where requests go. For `mcp` and `api-key` the URL of the MCP endpoint, for `http` an origin that gets the same path.
    pub upstream: String,
    /// The scopes a token needs here.
    pub scopes: Vec<String>,
    /// How long the upstream may take until its response headers are there.
    pub timeout_seconds: u64,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            path: String::new(),
            name: String::new(),
            kind: "mcp".into(),
            upstream: String::new(),
            scopes: vec!["plane:read".into()],
            timeout_seconds: 60,
        }
    }
}

/// `[upstream]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// PEM bundle that https upstreams are checked against; empty: the system's.
    pub ca_file: String,
    /// How long connecting may take.
    pub connect_timeout_seconds: u64,
    /// How long an idle upstream connection is kept.
    pub idle_seconds: u64,
}

impl Default for Upstream {
    fn default() -> Self {
        Self { ca_file: String::new(), connect_timeout_seconds: 5, idle_seconds: 60 }
    }
}

/// `[cognito]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Cognito {
    /// The user pool's issuer URL. Empty: made of `region` and `user_pool_id`.
    pub issuer: String,
    /// The AWS region of the pool.
    pub region: String,
    /// The id of the pool: `eu-central-1_AbCdEfGhI`.
    pub user_pool_id: String,
    /// Other issuer URLs whose tokens are the same pool's (Cognito has two issuer formats).
    pub additional_issuers: Vec<String>,
    /// Where the keys are; empty: `<issuer>/.well-known/jwks.json`.
    pub jwks_uri: String,
    /// The app client.
    pub client_id: String,
    /// The app client's secret, for confidential clients. Better as a file.
    #[serde(serialize_with = "redacted")]
    pub client_secret: Option<Secret>,
    /// File with the app client's secret.
    pub client_secret_file: String,
    /// What we ask Cognito for.
    pub scopes: Vec<String>,
    /// Where Cognito sends the browser back to; empty: `<public_url>/auth/callback`.
    pub redirect_uri: String,
    /// PEM bundle that Cognito's endpoints are checked against; empty: the system's.
    pub ca_file: String,
    /// How long one call to Cognito may take.
    pub timeout_seconds: u64,
    /// How far Cognito's clock may be from ours.
    pub clock_leeway_seconds: u64,
    /// Take Cognito's own access tokens as bearers too, where a session is found for them.
    pub accept_access_tokens: bool,
    /// App clients beside `client_id` whose access tokens are taken.
    pub additional_client_ids: Vec<String>,
    /// Take the user's latest session at the route for an access token of another sign-in.
    pub match_by_sub: bool,
    /// Name the route to Cognito as `resource` (RFC 8707), so that its access tokens carry it as `aud`.
    pub forward_resource: bool,
}

impl Default for Cognito {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            region: String::new(),
            user_pool_id: String::new(),
            additional_issuers: Vec::new(),
            jwks_uri: String::new(),
            client_id: String::new(),
            client_secret: None,
            client_secret_file: String::new(),
            scopes: vec!["openid".into()],
            redirect_uri: String::new(),
            ca_file: String::new(),
            timeout_seconds: 10,
            clock_leeway_seconds: 60,
            accept_access_tokens: false,
            additional_client_ids: Vec::new(),
            match_by_sub: false,
            forward_resource: false,
        }
    }
}

/// `[oauth]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Oauth {
    /// Redirect URIs clients may use beside loopback ones and those of the known clients; `*` stands for one run of characters.
    pub allowed_redirect_uris: Vec<String>,
    /// How long an access token lives.
    pub access_token_seconds: u64,
    /// How long a sign-in lasts at most; not longer than the refresh token of the Cognito app client.
    pub refresh_token_days: u64,
    /// Do not ask again for 30 days who has approved the same for the same client in the same browser.
    pub remember_consent: bool,
    /// Take a `resource` that is not ours for the only one we have, instead of refusing it.
    pub relax_resource: bool,
    /// With it resource servers may introspect every token of ours (RFC 7662), not only a client its own. 32 characters or more.
    #[serde(serialize_with = "redacted")]
    pub introspection_secret: Option<Secret>,
    /// File with the introspection secret.
    pub introspection_secret_file: String,
}

impl Default for Oauth {
    fn default() -> Self {
        Self {
            allowed_redirect_uris: Vec::new(),
            access_token_seconds: 3600,
            refresh_token_days: 30,
            remember_consent: true,
            relax_resource: false,
            introspection_secret: None,
            introspection_secret_file: String::new(),
        }
    }
}

/// `[vault]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Vault {
    /// File with the keys, a line each, `id:base64` of 32 bytes. The first seals, all open.
    pub keys_file: String,
    /// The same as text, for the environment.
    #[serde(serialize_with = "redacted")]
    pub keys: Option<Secret>,
    /// A passphrase of at least 32 characters instead of keys.
    #[serde(serialize_with = "redacted")]
    pub passphrase: Option<Secret>,
    /// Cognito's tokens are refreshed when the earlier expiry is nearer than this.
    pub refresh_before_seconds: u64,
    /// How long an opened session is kept in memory.
    pub cache_seconds: u64,
    /// How long a proxy that dies while it refreshes a session keeps the others from refreshing it. Keep it below the
    /// grace period of the app client's refresh token rotation.
    pub refresh_lock_seconds: u64,
    /// How many opened sessions are kept in memory.
    pub cache_entries: u64,
    /// How long Valkey remembers when and why a session ended, for `doctor --why`. 0: it does not.
    pub history_days: u64,
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            keys_file: String::new(),
            keys: None,
            passphrase: None,
            refresh_before_seconds: 120,
            cache_seconds: 10,
            refresh_lock_seconds: 10,
            cache_entries: 10_000,
            history_days: 30,
        }
    }
}

/// `[valkey]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Valkey {
    /// `redis://` or `rediss://` (TLS) with user and password; `-sentinel` and `-cluster` forms in docs/valkey.md. Empty: in memory.
    #[serde(serialize_with = "redacted")]
    pub url: Option<Secret>,
    /// PEM bundle that Valkey and its sentinels are checked against over TLS; empty: the system's.
    pub ca_file: String,
    /// The host, where only that is known.
    pub host: String,
    /// The port beside `host`.
    pub port: u16,
    /// What our keys begin with.
    pub prefix: String,
    /// How long one command may take.
    pub timeout_seconds: u64,
}

impl Default for Valkey {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: String::new(),
            host: String::new(),
            port: 6379,
            prefix: "mcp-edge:".into(),
            timeout_seconds: 2,
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `json` or `pretty`.
    pub format: String,
    /// What is logged, in `RUST_LOG`'s language: `info,proxy=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "json".into(), filter: "info".into() }
    }
}
