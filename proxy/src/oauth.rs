//! The OAuth authorization server that MCP clients talk to: one step a file, in the order a client meets them.
//!
//! ```text
//! metadata ─▶ register, or a client's document ─▶ authorize ─▶ consent ─▶ (Cognito) ─▶ callback ─▶ token ─▶ refresh … ─▶ introspect, revoke
//! ```
//!
//! It takes whole requests and gives whole answers; it never fails. Before the redirect URI is proven an error is a page,
//! after it a redirect, at the machine endpoints JSON: `reply` does all three, and nothing else makes a response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use service::{Clock, Secret};

use crate::keys::KeyRing;
use crate::limits::ClientAddress;
use crate::provider::IdentityProvider;
use crate::store::Store;
use crate::terms::{Resource, Scopes};
use crate::tokens::AccessTokens;
use crate::vault::Vault;

mod approvals;
mod authorize;
mod browser;
mod callback;
mod client_document;
mod clients;
mod codes;
mod consent;
mod credentials;
mod error;
mod grants;
mod introspect;
mod metadata;
mod opaque;
mod pages;
mod parameters;
mod rates;
mod records;
mod redirect;
mod register;
mod reply;
mod revoke;
mod token;

#[cfg(test)]
mod tests;

pub use client_document::{
    ClientDocuments, DocumentError, FetchDocument, Fetched, HostPattern, InvalidHost, LoadError, Place,
};
pub(crate) use clients::registered_name;
pub use error::{ErrorCode, OAuthError};
pub use redirect::{InvalidPattern, RedirectPattern};
pub use reply::Outcome;

/// The scope that asks for a refresh token (OpenID Connect Core section 11). Always accepted and never in a challenge.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// One route of the edge that takes our tokens.
#[derive(Debug, Clone)]
pub struct ProtectedResource {
    /// Where it is served: `/mcp`. `/` is the root.
    pub path: String,
    /// What it is called in `resource` and `aud`: the full URL of the route.
    pub resource: Resource,
    /// The scopes that can be asked for at it; the challenge names them.
    pub scopes: Scopes,
    /// Its name for people, on the consent page.
    pub name: String,
}

/// What the authorization server goes by.
#[derive(Debug, Clone)]
pub struct OAuthSettings {
    /// The public origin, no trailing slash: byte-identical in metadata, `iss` and tokens.
    pub issuer: String,
    /// The routes that take our tokens.
    pub resources: Vec<ProtectedResource>,
    /// Every redirect URI a client may register must match one; checked again at each authorization.
    pub allowed_redirect_uris: Vec<RedirectPattern>,
    /// Where Cognito sends the browser back: the path of the redirect URI registered there.
    pub callback_path: String,
    /// How long our access tokens are valid.
    pub access_token: Duration,
    /// How long a refresh token may lie unused.
    pub refresh_token: Duration,
    /// How long a code may be redeemed.
    pub code: Duration,
    /// How long a person may take, once for consent and once for Cognito's pages.
    pub transaction: Duration,
    /// How long a registered client may go unused before it is forgotten; never less than its refresh tokens last.
    pub client_ttl: Duration,
    /// How many clients may register each minute, all together, half of them from one network; 0 is without limit.
    pub registrations_per_minute: u32,
    /// How many may each hour, and half of them from one network; 0 is without limit.
    pub registrations_per_hour: u32,
    /// How many sign-ins one network may begin each minute, and ten networks together; 0 is without limit.
    pub sign_ins_per_minute: u32,
    /// How long a session lives whatever happens: not above the validity of Cognito's refresh tokens.
    pub session_max: Duration,
    /// Does not ask a person again who approved the same for the same client in the same browser (`approvals`).
    pub remember_consent: bool,
    /// Takes a `resource` that is none of ours as absent, with a warning, instead of refusing it: for clients that send
    /// their own loopback address (Cursor).
    pub relax_resource: bool,
    /// What resource servers prove themselves with that introspect our tokens; none: no resource server may.
    pub introspection_secret: Option<Secret>,
}

impl OAuthSettings {
    /// The defaults, for an issuer and its routes.
    #[must_use]
    pub fn new(issuer: impl Into<String>, resources: Vec<ProtectedResource>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            issuer: issuer.into(),
            resources,
            allowed_redirect_uris: RedirectPattern::known(),
            callback_path: "/auth/callback".to_owned(),
            access_token: Duration::from_secs(60 * 60),
            refresh_token: 30 * DAY,
            code: Duration::from_secs(60),
            transaction: Duration::from_secs(10 * 60),
            client_ttl: 90 * DAY,
            registrations_per_minute: 30,
            registrations_per_hour: 600,
            sign_ins_per_minute: 60,
            session_max: 30 * DAY,
            remember_consent: true,
            relax_resource: false,
            introspection_secret: None,
        }
    }

    /// A client whose refresh token still works is in use, however long it was silent, and also when one renewal of its
    /// record failed.
    fn with_clients_kept(self) -> Self {
        let client_ttl = self.client_ttl.max(self.refresh_token.saturating_mul(2));
        Self { client_ttl, ..self }
    }
}

/// The endpoints of the authorization server; nothing else reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// RFC 8414 metadata of the server.
    ServerMetadata,
    /// RFC 9728 metadata of the protected resource with this index in the settings.
    ResourceMetadata(usize),
    /// RFC 7591 dynamic client registration.
    Register,
    /// The authorization endpoint; shows the consent page.
    Authorize,
    /// Where the consent page is sent to.
    Consent,
    /// Where Cognito sends the browser back.
    Callback,
    /// The token endpoint.
    Token,
    /// RFC 7009 revocation.
    Revoke,
    /// RFC 7662 introspection.
    Introspect,
}

impl Endpoint {
    /// One of each kind.
    pub const ALL: [Self; 9] = [
        Self::ServerMetadata,
        Self::ResourceMetadata(0),
        Self::Register,
        Self::Authorize,
        Self::Consent,
        Self::Callback,
        Self::Token,
        Self::Revoke,
        Self::Introspect,
    ];

    /// The endpoint's name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ServerMetadata => "oauth_server_metadata",
            Self::ResourceMetadata(_) => "oauth_resource_metadata",
            Self::Register => "oauth_register",
            Self::Authorize => "oauth_authorize",
            Self::Consent => "oauth_consent",
            Self::Callback => "oauth_callback",
            Self::Token => "oauth_token",
            Self::Revoke => "oauth_revoke",
            Self::Introspect => "oauth_introspect",
        }
    }

    /// Whether pages of other origins may read the answer: what machines call, never what browsers show.
    fn is_cross_origin(self) -> bool {
        match self {
            Self::ServerMetadata
            | Self::ResourceMetadata(_)
            | Self::Register
            | Self::Token
            | Self::Revoke => true,
            // Introspection is for servers.
            Self::Authorize | Self::Consent | Self::Callback | Self::Introspect => false,
        }
    }
}

/// A whole request; the pipeline has capped and read the body.
#[derive(Clone)]
pub struct OAuthRequest {
    /// The method.
    pub method: Method,
    /// The query as sent, without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who asks, for limits and the log.
    pub client: ClientAddress,
}

/// The authorization server, by the settings of the moment. One by other settings ([`OAuth::with_settings`]) shares all
/// that it works with, and its counts.
pub struct OAuth {
    settings: OAuthSettings,
    documents: Option<ClientDocuments>,
    registrations: rates::Rates,
    sign_ins: rates::Rates,
    records: records::Records,
    vault: Arc<Vault>,
    provider: Arc<dyn IdentityProvider>,
    verifier: Arc<cognito::Verifier>,
    tokens: Arc<AccessTokens>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
}

/// What the authorization server works with.
pub struct Parts {
    /// Where clients, sign-ins, codes and grants are kept.
    pub store: Arc<dyn Store>,
    /// Where sessions are kept.
    pub vault: Arc<Vault>,
    /// Cognito.
    pub provider: Arc<dyn IdentityProvider>,
    /// Verifies Cognito's tokens.
    pub verifier: Arc<cognito::Verifier>,
    /// Issues our access tokens.
    pub tokens: Arc<AccessTokens>,
    /// Seals and signs.
    pub keys: Arc<KeyRing>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl OAuth {
    /// Puts the server together.
    #[must_use]
    pub fn new(settings: OAuthSettings, parts: Parts) -> Self {
        let Parts { store, vault, provider, verifier, tokens, keys, clock } = parts;
        let registrations = rates::Rates::of_registrations(&settings, &store, &clock);
        let sign_ins = rates::Rates::of_sign_ins(&settings, &store, &clock);
        let records = records::Records::new(store, Arc::clone(&keys));
        let documents = None;
        Self {
            settings: settings.with_clients_kept(),
            documents,
            registrations,
            sign_ins,
            records,
            vault,
            provider,
            verifier,
            tokens,
            keys,
            clock,
        }
    }

    /// The same server by other settings: the same records, keys and counts. Requests that this one answers go on by its
    /// own.
    #[must_use]
    pub fn with_settings(&self, settings: OAuthSettings) -> Self {
        Self {
            registrations: self.registrations.at(&settings),
            sign_ins: self.sign_ins.at(&settings),
            settings: settings.with_clients_kept(),
            documents: self.documents.clone(),
            records: self.records.clone(),
            vault: Arc::clone(&self.vault),
            provider: Arc::clone(&self.provider),
            verifier: Arc::clone(&self.verifier),
            tokens: Arc::clone(&self.tokens),
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
        }
    }

    /// The clients that are known by a document of theirs, where there are any.
    #[must_use]
    pub fn client_documents(&self) -> Option<&ClientDocuments> {
        self.documents.as_ref()
    }

    /// Takes clients that are known by a document of theirs, beside those that register.
    #[must_use]
    pub fn with_client_documents(self, documents: Option<ClientDocuments>) -> Self {
        Self { documents, ..self }
    }

    /// The endpoint at a normalised path, if it is one of ours.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        match path {
            "/.well-known/oauth-authorization-server" => Some(Endpoint::ServerMetadata),
            "/register" => Some(Endpoint::Register),
            "/authorize" => Some(Endpoint::Authorize),
            "/consent" => Some(Endpoint::Consent),
            "/token" => Some(Endpoint::Token),
            "/revoke" => Some(Endpoint::Revoke),
            "/introspect" => Some(Endpoint::Introspect),
            _ if path == self.settings.callback_path => Some(Endpoint::Callback),
            _ => metadata::resource_at(&self.settings, path).map(Endpoint::ResourceMetadata),
        }
    }

    /// The RFC 9728 metadata URL of a resource, for `WWW-Authenticate: Bearer resource_metadata="…"`.
    #[must_use]
    pub fn resource_metadata_url(&self, path: &str) -> String {
        format!("{}{}", self.settings.issuer, metadata::resource_path(path))
    }

    /// Answers. Errors become RFC bodies, pages or redirects; the response carries an [`Outcome`] extension.
    pub async fn answer(&self, endpoint: Endpoint, request: OAuthRequest) -> Response<Bytes> {
        if endpoint.is_cross_origin() && request.method == Method::OPTIONS {
            return reply::preflight();
        }
        let answered = match endpoint {
            Endpoint::ServerMetadata => metadata::server(&self.settings, self.documents.is_some(), &request),
            Endpoint::ResourceMetadata(index) => metadata::resource(&self.settings, index, &request),
            Endpoint::Register => self.register(&request).await,
            Endpoint::Authorize => self.authorize(&request).await,
            Endpoint::Consent => self.consent(&request).await,
            Endpoint::Callback => self.callback(&request).await,
            Endpoint::Token => self.token(&request).await,
            Endpoint::Revoke => self.revoke(&request).await,
            Endpoint::Introspect => self.introspect(&request).await,
        };
        reply::finish(endpoint, &self.settings.issuer, answered)
    }

    /// The resource a `resource` parameter stands for; absent means the only one (RFC 8707 section 2).
    fn resource(&self, asked: Option<&str>) -> Result<&ProtectedResource, OAuthError> {
        metadata::choose_resource(&self.settings, asked)
    }
}
