//! What a process is made of, built from the configuration once.

use std::{fs, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use cognito::{FetchKeys, HttpKeys, KeyPolicy, KeySet, KeySource, Verifier};
use service::{Clock, serve, traces::Tracing};
use url::Url;

use super::{StartError, while_};
use crate::{
    config::{self, Config},
    keys::KeyRing,
    metrics::{Calls, Metrics},
    oauth::Parts,
    pipeline::{Origin, Shared, authenticate::Bearers},
    provider::{Cognito, CognitoSettings, CountedKeys, IdentityProvider},
    rules::Rules,
    store::{
        Store,
        counted::Counted,
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
    pub ring: Arc<KeyRing>,
    pub limits: serve::Limits,
}

pub(super) async fn assemble(
    config: Config,
    clock: &Arc<dyn Clock>,
    drain: Duration,
) -> Result<Assembled, StartError> {
    let metrics = Metrics::new(config.routes.iter().map(|route| route.path.as_str()));
    let metrics = metrics.map_err(while_("register the metrics"))?;
    let store = open_store(config.valkey.as_ref(), clock, &metrics).await?;
    if config.vault.keys_are_ephemeral {
        tracing::warn!(
            "no vault keys configured: they were made up, and every session ends with this process"
        );
    }
    let policy = vault_policy(&config.vault, &config.cognito, config.valkey.is_some());
    let ring = Arc::clone(&config.vault.keys);
    let (keys, verifier) = cognito_keys(&config.cognito, clock, Some(&metrics.cognito))?;
    metrics.watch_keys(Arc::clone(&keys)).map_err(while_("register the metrics"))?;
    let leeway = config.cognito.clock_leeway;
    let bearers = config.cognito.bearers.as_ref().map(|taken| Bearers::new(taken, &keys, clock, leeway));
    let provider = cognito_provider(&config.cognito, Some(&metrics.cognito))?;
    let vault = Vault::new(
        Arc::clone(&store),
        Arc::clone(&ring),
        // Its own: connections end with the runtime they were made on, and refreshes outlive the serving threads.
        cognito_provider(&config.cognito, Some(&metrics.cognito))?,
        Arc::clone(&verifier),
        Arc::clone(clock),
        policy,
        metrics.vault.clone(),
    );
    let tokens = AccessTokens::new(config.server.public_url.clone(), Arc::clone(&ring), Arc::clone(clock));
    let tokens = Arc::new(tokens);
    let parts = Parts {
        store: Arc::clone(&store),
        vault: Arc::clone(&vault),
        provider,
        verifier,
        tokens: Arc::clone(&tokens),
        keys: Arc::clone(&ring),
        clock: Arc::clone(clock),
    };
    let rules = Rules::new(&config, parts).map_err(while_("read client_documents.ca_file"))?;
    metrics.mcp_enabled.set(i64::from(rules.mcp_enabled));
    let limits = serve_limits(&config.limits, drain);
    metrics.connections_limit.set(i64::try_from(limits.connections).unwrap_or(i64::MAX));
    let shared = Shared {
        origin: origin(&config.server.public_url).map_err(while_("read server.public_url"))?,
        rules: ArcSwap::from_pointee(rules),
        tokens,
        bearers,
        vault,
        metrics,
        tracing: Tracing::new(&config.traces),
    };
    Ok(Assembled { shared: Arc::new(shared), store, keys, ring, limits })
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
        // Nobody but this process could read it.
        remember_for: if shared { vault.history } else { Duration::ZERO },
        index: cognito.bearers.as_ref().map_or(Index::Nothing, |taken| taken.index),
        ..usual
    }
}

async fn open_store(
    valkey: Option<&config::Valkey>,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> Result<Arc<dyn Store>, StartError> {
    let Some(valkey) = valkey else {
        tracing::warn!("no valkey configured: sessions are in this process's memory and end with it");
        return Ok(Arc::new(Memory::new(Arc::clone(clock), MEMORY_RECORDS)));
    };
    Ok(Arc::new(Counted::new(open_valkey(valkey).await?, metrics.valkey.clone())))
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

/// Cognito's keys, their fetches counted where `calls` are given, and what verifies tokens of our client with them.
pub(crate) fn cognito_keys(
    settings: &config::Cognito,
    clock: &Arc<dyn Clock>,
    calls: Option<&Calls>,
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
    let fetch = fetch.within(settings.timeout);
    let fetch: Arc<dyn FetchKeys> = match calls {
        Some(calls) => Arc::new(CountedKeys::new(fetch, calls.clone())),
        None => Arc::new(fetch),
    };
    let keys = Arc::new(KeySet::new(sources, fetch, Arc::clone(clock), KeyPolicy::default()));
    let client_id =
        cognito::ClientId::parse(&settings.client_id).map_err(while_("read cognito.client_id"))?;
    let verifier =
        Verifier::new(Arc::clone(&keys), vec![client_id], Arc::clone(clock), settings.clock_leeway);
    Ok((keys, Arc::new(verifier)))
}

/// Counted where `calls` are given.
pub(crate) fn cognito_provider(
    settings: &config::Cognito,
    calls: Option<&Calls>,
) -> Result<Arc<dyn IdentityProvider>, StartError> {
    let http = http_client(settings)?.redirect(reqwest::redirect::Policy::none()).timeout(settings.timeout);
    let issuer = settings.issuers.first().ok_or("no issuer").map_err(while_("read cognito.issuer"))?;
    let provider = Cognito::new(CognitoSettings {
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
    });
    Ok(match calls {
        Some(calls) => Arc::new(provider.counted_by(calls.clone())),
        None => Arc::new(provider),
    })
}

/// A client for Cognito that trusts the configured authorities, or the system's.
pub(crate) fn http_client(settings: &config::Cognito) -> Result<reqwest::ClientBuilder, StartError> {
    let builder = reqwest::Client::builder();
    let Some(path) = &settings.ca_file else { return Ok(builder) };
    let pem = fs::read(path).map_err(while_("read cognito.ca_file"))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(while_("read cognito.ca_file"))?;
    Ok(builder.tls_certs_only(roots))
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
