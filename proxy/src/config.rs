//! The configuration: as written ([`raw`]) → resolved ([`Config`], which only valid values can be in). Every problem is
//! found before anything is bound, and all are reported at once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use service::{Secret, telemetry::LogFormat, traces};
use url::Url;

use crate::{
    keys::KeyRing,
    oauth::RedirectPattern,
    terms::{Resource, Scopes},
};

mod bearers;
mod client_documents;
mod forward_auth;
mod found;
mod limits;
pub mod raw;
mod resolve;
mod server;
#[cfg(test)]
mod tests;

pub use bearers::CognitoBearers;
pub use client_documents::ClientDocuments;
pub use forward_auth::ForwardAuth;
pub use limits::Limits;
pub use resolve::resolve;
pub use server::Server;

/// Everything the proxy needs to know before it starts.
#[derive(Debug)]
pub struct Config {
    /// Where we listen and what we are called.
    pub server: Server,
    /// The certificate we show; none: plain HTTP, something in front terminates TLS.
    pub tls: Option<TlsFiles>,
    /// Whether MCP routes answer at all.
    pub mcp_enabled: bool,
    /// What is behind us.
    pub routes: Vec<Route>,
    /// How we reach it.
    pub upstream: Upstream,
    /// The listener for Traefik's ForwardAuth middleware; none: there is none.
    pub forward_auth: Option<ForwardAuth>,
    /// Where people sign in.
    pub cognito: Cognito,
    /// What we grant to clients.
    pub oauth: OauthGrants,
    /// Clients that are known by a document of theirs.
    pub client_documents: ClientDocuments,
    /// How sessions are kept.
    pub vault: Vault,
    /// Where sessions are kept; none: in the memory of this one process.
    pub valkey: Option<Valkey>,
    /// What one caller may cost us.
    pub limits: Limits,
    /// What we say about it.
    pub log: Log,
    /// What of requests is recorded, and where it goes.
    pub traces: traces::Settings,
}

/// PEM files, read once already when this exists.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The leaf's key.
    pub key: PathBuf,
}

/// How a route authenticates and what it forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// MCP over Streamable HTTP with our tokens.
    Mcp,
    /// MCP over Streamable HTTP with a Plane API key as the bearer.
    ApiKey,
    /// Any HTTP with our tokens.
    Http,
}

/// One protected route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The path it answers, and everything below it at a `/` boundary. No trailing slash, except the root.
    pub path: String,
    /// What people read on the consent page.
    pub name: String,
    /// How it authenticates.
    pub kind: RouteKind,
    /// The URL of the MCP endpoint, or the origin of an `http` route; none: Traefik routes it, and only asks us.
    pub upstream: Option<Url>,
    /// The scopes a token needs.
    pub scopes: Scopes,
    /// What tokens for this route name as their audience.
    pub resource: Resource,
    /// How long the upstream may take until its response headers are there.
    pub timeout: Duration,
}

/// How upstreams are reached.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// PEM bundle for https upstreams; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
}

/// Where people sign in.
#[derive(Debug)]
pub struct Cognito {
    /// The issuers whose tokens we take, the first being the one we sign in at.
    pub issuers: Vec<cognito::Issuer>,
    /// Where the keys are, when not below the issuer.
    pub jwks_uri: Option<Url>,
    /// The app client.
    pub client_id: String,
    /// Its secret, for confidential clients.
    pub client_secret: Option<Secret>,
    /// What we ask for.
    pub scopes: Vec<String>,
    /// Our callback.
    pub redirect_uri: Url,
    /// PEM bundle for Cognito's endpoints; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How far Cognito's clock may be from ours.
    pub clock_leeway: Duration,
    /// Which of its own access tokens are taken as bearers; none: none.
    pub bearers: Option<CognitoBearers>,
    /// Whether Cognito is told the resource a sign-in is for.
    pub forward_resource: bool,
}

/// What we grant to clients.
#[derive(Debug, Clone)]
pub struct OauthGrants {
    /// Redirect URIs allowed beside loopback ones and those of the known clients.
    pub allowed_redirect_uris: Vec<RedirectPattern>,
    /// The life of an access token.
    pub access_token: Duration,
    /// The life of a sign-in.
    pub session: Duration,
    /// Whether people are not asked again what they have approved.
    pub remember_consent: bool,
    /// Take a foreign `resource` for ours where we have only one.
    pub relax_resource: bool,
    /// What resource servers prove themselves with that introspect our tokens; none: no resource server may.
    pub introspection_secret: Option<Secret>,
}

/// How sessions are kept.
#[derive(Debug)]
pub struct Vault {
    /// The master keys.
    pub keys: Arc<KeyRing>,
    /// Whether the keys were made up because none are configured; they go with the process.
    pub keys_are_ephemeral: bool,
    /// How near an expiry may come before we refresh.
    pub refresh_before: Duration,
    /// How long an opened session is kept in memory.
    pub cache_for: Duration,
    /// How long a refresh of a proxy that died keeps the others from it.
    pub refresh_lock: Duration,
    /// How many are.
    pub cache_entries: u64,
    /// How long it is remembered when and why a session ended.
    pub history: Duration,
}

/// Where sessions are kept.
#[derive(Debug)]
pub struct Valkey {
    /// With user and password.
    pub url: Secret,
    /// PEM bundle for TLS; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// What our keys begin with.
    pub prefix: String,
    /// How long one command may take.
    pub timeout: Duration,
}

/// What we say about it.
#[derive(Debug)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines there are.
    pub filter: String,
}
