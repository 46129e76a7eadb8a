//! What a process is made of, built from the configuration once.

use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use cognito::{HttpKeys, KeyPolicy, KeySet, KeySource, Verifier};
use service::{Clock, serve};
use url::Url;

use super::{StartError, while_};
use crate::{
    config::{self, Config, RouteKind},
    limits::{Limiter, Rate, SharedLimiter},
    metrics::Metrics,
    oauth::{ClientDocuments, OAuth, OAuthSettings, Parts, ProtectedResource, RedirectPattern},
    pipeline::{Origin, Shared, authenticate::Bearers},
    provider::{Cognito, CognitoSettings, IdentityProvider},
    store::{
        Store,
        memory::Memory,
        valkey::{Valkey, ValkeySettings},
    },
    tokens::AccessTokens,
    vault::{Vault, VaultPolicy, index::Index},
};

/// How many records the in-memory store holds; above it new ones are refused.
const MEMORY_RECORDS: usize = 100_000;
/// How much longer than a dead replica's lock a request waits for its turn to refresh.
const WAIT_AFTER_LOCK: Duration = Duration::from_secs(5);
/// How long the first connection to Valkey is waited for; then we start without, and `/readyz` says so.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the process is made of.
pub(super) struct Assembled {
    pub shared: Arc<Shared>,
    pub store: Arc<dyn Store>,
    pub keys: Arc<KeySet>,
    pub limits: serve::Limits,
}

pub(super) async fn assemble(
    config: Config,
    clock: &Arc<dyn Clock>,
    drain: Duration,
) -> Result<Assembled, StartError> {
    let store = open_store(config.valkey.as_ref(), clock).await?;
    if config.vault.keys_are_ephemeral {
        tracing::warn!(
            "no vault keys configured: they were made up, and every session ends with this process"
        );
    }
    let policy = vault_policy(&config.vault, &config.cognito, config.valkey.is_some());
    let ring = Arc::new(config.vault.keys);
    let (keys, verifier) = cognito_keys(&config.cognito, clock)?;
    let leeway = config.cognito.clock_leeway;
    let bearers = config.cognito.bearers.as_ref().map(|taken| Bearers::new(taken, &keys, clock, leeway));
    let provider = cognito_provider(&config.cognito)?;
    let vault = Vault::new(
        Arc::clone(&store),
        Arc::clone(&ring),
        // Its own: connections end with the runtime they were made on, and refreshes outlive the serving threads.
        cognito_provider(&config.cognito)?,
        Arc::clone(&verifier),
        Arc::clone(clock),
        policy,
    );
    let tokens = AccessTokens::new(config.server.public_url.clone(), Arc::clone(&ring), Arc::clone(clock));
    let tokens = Arc::new(tokens);
    let mut settings = oauth_settings(&config.server, &config.routes, config.oauth);
    settings.registrations_per_minute = config.limits.registrations_per_minute;
    settings.registrations_per_hour = config.limits.registrations_per_hour;
    // A sign-in takes more than two requests: one address alone never finds its network over this.
    settings.sign_ins_per_minute = config.limits.oauth_requests_per_minute.div_ceil(2);
    let parts = Parts {
        store: Arc::clone(&store),
        vault: Arc::clone(&vault),
        provider,
        verifier,
        tokens: Arc::clone(&tokens),
        keys: ring,
        clock: Arc::clone(clock),
    };
    let documents = ClientDocuments::load(&config.client_documents, clock)
        .map_err(while_("read client_documents.ca_file"))?;
    let metrics = Metrics::new().map_err(while_("register the metrics"))?;
    metrics.mcp_enabled.set(i64::from(config.mcp_enabled));
    let (by_session, by_address) = rates(&config.limits, &store, clock);
    let limits = serve_limits(&config.limits, drain);
    let shared = Shared {
        origin: origin(&config.server.public_url).map_err(while_("read server.public_url"))?,
        server: config.server,
        routes: config.routes.into_iter().map(Arc::new).collect(),
        limits: config.limits,
        oauth: OAuth::new(settings, parts).with_client_documents(documents),
        tokens,
        bearers,
        vault,
        by_session,
        by_address,
        metrics,
        mcp_enabled: Arc::new(AtomicBool::new(config.mcp_enabled)),
    };
    Ok(Assembled { shared: Arc::new(shared), store, keys, limits })
}

/// How often a session may ask, and an address at the OAuth endpoints.
fn rates(
    limits: &config::Limits,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> (Limiter, SharedLimiter) {
    let (session, address) = (limits.requests_per_minute, limits.oauth_requests_per_minute);
    let by_session = Rate::per_minute(session, session.div_ceil(4));
    let by_address = Rate::per_minute(address, address.div_ceil(2));
    let by_address = SharedLimiter::new("oauth", by_address, Arc::clone(store), Arc::clone(clock));
    (Limiter::new(by_session, Arc::clone(clock)), by_address)
}

fn vault_policy(vault: &config::Vault, cognito: &config::Cognito, shared: bool) -> VaultPolicy {
    let usual = VaultPolicy::default();
    VaultPolicy {
        refresh_before: vault.refresh_before,
        cache_for: vault.cache_for,
        cache_entries: vault.cache_entries,
        lock_for: vault.refresh_lock,
        wait_for: vault.refresh_lock + WAIT_AFTER_LOCK,
        // One call, and the discovery it may need before.
        ask_for: cognito.timeout * 2,
        // In its own memory a process has no other to wait for.
        hold_back: if shared { usual.hold_back } else { Duration::ZERO },
        index: cognito.bearers.as_ref().map_or(Index::Nothing, |taken| taken.index),
        ..usual
    }
}

async fn open_store(
    valkey: Option<&config::Valkey>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, StartError> {
    let Some(valkey) = valkey else {
        tracing::warn!("no valkey configured: sessions are in this process's memory and end with it");
        return Ok(Arc::new(Memory::new(Arc::clone(clock), MEMORY_RECORDS)));
    };
    Ok(Arc::new(open_valkey(valkey).await?))
}

/// Begins to connect to Valkey; one that is down is no error.
pub(crate) async fn open_valkey(valkey: &config::Valkey) -> Result<Valkey, StartError> {
    let settings = ValkeySettings {
        url: valkey.url.clone(),
        ca_file: valkey.ca_file.clone(),
        prefix: valkey.prefix.clone(),
        connect_timeout: CONNECT_TIMEOUT,
        command_timeout: valkey.timeout,
    };
    Valkey::connect(&settings).await.map_err(while_("use [valkey]"))
}

pub(crate) fn cognito_keys(
    settings: &config::Cognito,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<KeySet>, Arc<Verifier>), StartError> {
    let mut sources = Vec::new();
    for issuer in &settings.issuers {
        let mut source = KeySource::of(issuer.clone()).map_err(while_("read cognito.issuer"))?;
        if let Some(jwks_uri) = &settings.jwks_uri {
            source.jwks_uri = jwks_uri.clone();
        }
        sources.push(source);
    }
    let client = http_client(settings)?;
    let fetch = HttpKeys::with(client).map_err(while_("set up the client for cognito's keys"))?;
    let fetch = Arc::new(fetch.within(settings.timeout));
    let keys = Arc::new(KeySet::new(sources, fetch, Arc::clone(clock), KeyPolicy::default()));
    let client_id =
        cognito::ClientId::parse(&settings.client_id).map_err(while_("read cognito.client_id"))?;
    let verifier =
        Verifier::new(Arc::clone(&keys), vec![client_id], Arc::clone(clock), settings.clock_leeway);
    Ok((keys, Arc::new(verifier)))
}

pub(crate) fn cognito_provider(settings: &config::Cognito) -> Result<Arc<dyn IdentityProvider>, StartError> {
    let http = http_client(settings)?.redirect(reqwest::redirect::Policy::none()).timeout(settings.timeout);
    let issuer = settings.issuers.first().ok_or("no issuer").map_err(while_("read cognito.issuer"))?;
    Ok(Arc::new(Cognito::new(CognitoSettings {
        issuer: issuer.clone(),
        authorization_endpoint: None,
        token_endpoint: None,
        revocation_endpoint: None,
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        redirect_uri: settings.redirect_uri.clone(),
        scopes: settings.scopes.clone(),
        forward_resource: settings.forward_resource,
        http: http.build().map_err(while_("set up the client for cognito"))?,
    })))
}

/// A client for Cognito that trusts the configured authorities, or the system's.
pub(crate) fn http_client(settings: &config::Cognito) -> Result<reqwest::ClientBuilder, StartError> {
    let builder = reqwest::Client::builder();
    let Some(path) = &settings.ca_file else { return Ok(builder) };
    let pem = fs::read(path).map_err(while_("read cognito.ca_file"))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(while_("read cognito.ca_file"))?;
    Ok(builder.tls_certs_only(roots))
}

fn oauth_settings(
    server: &config::Server,
    routes: &[config::Route],
    grants: config::OauthGrants,
) -> OAuthSettings {
    let takes_tokens = routes.iter().filter(|route| route.kind != RouteKind::ApiKey);
    let resources = takes_tokens.map(|route| ProtectedResource {
        path: route.path.clone(),
        resource: route.resource.clone(),
        scopes: route.scopes.clone(),
        name: route.name.clone(),
    });
    let mut settings = OAuthSettings::new(server.public_url.clone(), resources.collect());
    let mut allowed = RedirectPattern::known();
    allowed.extend(grants.allowed_redirect_uris);
    settings.allowed_redirect_uris = allowed;
    settings.access_token = grants.access_token;
    settings.refresh_token = grants.session;
    settings.session_max = grants.session;
    settings.remember_consent = grants.remember_consent;
    settings.relax_resource = grants.relax_resource;
    settings.introspection_secret = grants.introspection_secret;
    settings
}

fn origin(public_url: &str) -> Result<Origin, url::ParseError> {
    let url = Url::parse(public_url)?;
    let scheme = if url.scheme() == "https" { "https" } else { "http" };
    let (_, host) = public_url.split_once("://").unwrap_or(("", public_url));
    let port = url.port_or_known_default().ok_or(url::ParseError::InvalidPort)?;
    Ok(Origin { scheme, host: host.to_owned(), port })
}

fn serve_limits(limits: &config::Limits, drain: Duration) -> serve::Limits {
    serve::Limits {
        header_bytes: limits.header_bytes,
        headers: limits.headers,
        header_read: limits.header_timeout,
        connections: limits.connections,
        drain,
        ..serve::Limits::default()
    }
}
