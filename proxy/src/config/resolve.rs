//! Raw → [`Config`]: every value checked, every problem kept, none stops the others from being found.

use std::sync::Arc;

use service::{Secret, config::Problems, telemetry::LogFormat};
use url::Url;

use super::{
    Cognito, Config, Log, OauthGrants, Route, RouteKind, Server, TlsFiles, Upstream, Valkey, Vault, bearers,
    client_documents, forward_auth,
    found::Found,
    limits,
    raw::{self, Raw},
    server,
};
use crate::{
    keys::KeyRing,
    oauth::RedirectPattern,
    store,
    terms::{Resource, Scopes},
};

/// First segments of the paths the proxy answers itself.
const OWN_PATHS: [&str; 10] = [
    ".well-known",
    "auth",
    "authorize",
    "consent",
    "forward-auth",
    "healthz",
    "introspect",
    "register",
    "revoke",
    "token",
];

/// Turns what is written into what is meant.
///
/// # Errors
/// With every problem found, those of loading (`problems`) first.
pub fn resolve(raw: &Raw, problems: Problems) -> Result<Config, Problems> {
    let mut found = Found(problems);
    let server = server::resolve(&raw.server, &mut found);
    let tls = tls(&raw.tls, &mut found);
    let routes = routes(raw, server.as_ref(), &mut found);
    let upstream = upstream(&raw.upstream, &mut found);
    let forward_auth = forward_auth::resolve(&raw.forward_auth, server.as_ref(), &mut found);
    let cognito = cognito(&raw.cognito, server.as_ref(), &mut found);
    let oauth = grants(&raw.oauth, &mut found);
    let client_documents = client_documents::resolve(&raw.client_documents, &mut found);
    let valkey = valkey(&raw.valkey, &mut found);
    let vault = vault(&raw.vault, valkey.is_some(), &mut found);
    let limits = limits::resolve(&raw.limits, &mut found);
    let log = log(&raw.log, &mut found);
    let traces = raw.traces.written().resolve(&mut found.0);
    match (server, tls, cognito, vault, log) {
        (Some(server), Some(tls), Some(cognito), Some(vault), Some(log)) if found.0.is_empty() => {
            Ok(Config {
                server,
                tls,
                mcp_enabled: raw.mcp.enabled,
                routes,
                upstream,
                forward_auth,
                cognito,
                oauth,
                client_documents,
                vault,
                valkey,
                limits,
                log,
                traces,
            })
        }
        _ => Err(found.0),
    }
}

/// Outer none: a problem. Inner none: plain HTTP is wanted.
fn tls(raw: &raw::Tls, found: &mut Found) -> Option<Option<TlsFiles>> {
    if raw.disabled {
        if !raw.cert_file.is_empty() || !raw.key_file.is_empty() {
            found.say("tls.disabled", "is set, and so is a certificate: choose one");
        }
        return Some(None);
    }
    for (key, value) in [("tls.cert_file", &raw.cert_file), ("tls.key_file", &raw.key_file)] {
        if value.is_empty() {
            found.say(
                key,
                "is missing: a PEM file (or tls.disabled = true behind something that terminates TLS)",
            );
        }
    }
    let cert = found.file("tls.cert_file", &raw.cert_file);
    let key = found.file("tls.key_file", &raw.key_file);
    let files = TlsFiles { cert: cert?, key: key? };
    found.check("tls.cert_file", crate::tls::read_certificate(&files))?;
    Some(Some(files))
}

fn routes(raw: &Raw, server: Option<&Server>, found: &mut Found) -> Vec<Route> {
    if raw.routes.is_empty() {
        found.say("routes", "is empty: add a [[routes]] table with path, kind and upstream");
    }
    let mut routes: Vec<Route> = Vec::new();
    for (index, written) in raw.routes.iter().enumerate() {
        let only_asked = written.upstream.is_empty() && !raw.forward_auth.listen.is_empty();
        let Some(route) = route(written, only_asked, server, &format!("routes[{index}]"), found) else {
            continue;
        };
        if routes.iter().any(|known| known.path == route.path) {
            found.say(&format!("routes[{index}].path"), "is the path of another route already");
        } else {
            routes.push(route);
        }
    }
    // The longest path first: the look-up takes the first that fits.
    routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    routes
}

fn route(
    raw: &raw::Route,
    only_asked: bool,
    server: Option<&Server>,
    at: &str,
    found: &mut Found,
) -> Option<Route> {
    let path = route_path(&raw.path, &format!("{at}.path"), found);
    let kind = match raw.kind.as_str() {
        "mcp" => Some(RouteKind::Mcp),
        "api-key" => Some(RouteKind::ApiKey),
        "http" => Some(RouteKind::Http),
        _ => {
            found.say(&format!("{at}.kind"), "must be mcp, api-key or http");
            None
        }
    };
    // Traefik never asks about API keys: there is nothing to swap them for.
    let only_asked = only_asked && kind != Some(RouteKind::ApiKey);
    let upstream = if only_asked { Some(None) } else { upstream_of(raw, at, found).map(Some) };
    let scopes = found.check(&format!("{at}.scopes"), Scopes::parse(&raw.scopes.join(" ")));
    let timeout = found.seconds(&format!("{at}.timeout_seconds"), raw.timeout_seconds, 1, 3600);
    let path = path?;
    let resource = Resource::parse(&format!("{}{path}", server?.public_url));
    Some(Route {
        name: if raw.name.is_empty() { path.clone() } else { raw.name.clone() },
        kind: kind?,
        upstream: upstream?,
        scopes: scopes?,
        resource: found.check(&format!("{at}.path"), resource)?,
        timeout,
        path,
    })
}

fn upstream_of(raw: &raw::Route, at: &str, found: &mut Found) -> Option<Url> {
    let key = format!("{at}.upstream");
    let url = found.url(&key, &raw.upstream)?;
    let plain = url.query().is_none() && url.fragment().is_none();
    if !plain {
        found.say(&key, "must be without query and fragment");
    }
    plain.then_some(url)
}

fn route_path(text: &str, key: &str, found: &mut Found) -> Option<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    let dots = text.split('/').any(|part| part == "." || part == "..");
    if !text.starts_with('/') || text.contains("//") || !plain || dots {
        found.say(key, "must begin with / and hold letters, digits, - _ . ~ and single slashes only");
        return None;
    }
    let path = if text == "/" { text } else { text.trim_end_matches('/') };
    if path.split('/').nth(1).is_some_and(|first| OWN_PATHS.contains(&first)) {
        found.say(key, "is one of the proxy's own paths");
        return None;
    }
    Some(path.to_owned())
}

fn upstream(raw: &raw::Upstream, found: &mut Found) -> Upstream {
    Upstream {
        ca_file: found.file("upstream.ca_file", &raw.ca_file),
        connect_timeout: found.seconds(
            "upstream.connect_timeout_seconds",
            raw.connect_timeout_seconds,
            1,
            60,
        ),
        idle: found.seconds("upstream.idle_seconds", raw.idle_seconds, 1, 3600),
    }
}

fn cognito(raw: &raw::Cognito, server: Option<&Server>, found: &mut Found) -> Option<Cognito> {
    let issuers = issuers(raw, found);
    if raw.client_id.is_empty() {
        found.say("cognito.client_id", "is missing: the id of the user pool's app client");
    }
    if !raw.scopes.iter().any(|scope| scope == "openid") {
        found.say("cognito.scopes", "must hold openid: without it Cognito gives no ID token");
    }
    let client_secret = found.one_secret(
        ("cognito.client_secret", raw.client_secret.as_ref()),
        ("cognito.client_secret_file", &raw.client_secret_file),
    );
    let jwks_uri =
        if raw.jwks_uri.is_empty() { None } else { Some(found.url("cognito.jwks_uri", &raw.jwks_uri)?) };
    let redirect_uri = if raw.redirect_uri.is_empty() {
        server.and_then(|server| Url::parse(&format!("{}/auth/callback", server.public_url)).ok())
    } else {
        let url = found.url("cognito.redirect_uri", &raw.redirect_uri);
        if url.as_ref().is_some_and(|url| url.path() != "/auth/callback") {
            found.say("cognito.redirect_uri", "must end in /auth/callback: that is where we answer");
        }
        url
    };
    Some(Cognito {
        issuers: issuers?,
        jwks_uri,
        client_id: raw.client_id.clone(),
        client_secret,
        scopes: raw.scopes.clone(),
        ca_file: found.file("cognito.ca_file", &raw.ca_file),
        timeout: found.seconds("cognito.timeout_seconds", raw.timeout_seconds, 1, 60),
        clock_leeway: found.seconds("cognito.clock_leeway_seconds", raw.clock_leeway_seconds, 0, 300),
        redirect_uri: redirect_uri?,
        bearers: bearers::resolve(raw, found),
        forward_resource: raw.forward_resource,
    })
}

fn issuers(raw: &raw::Cognito, found: &mut Found) -> Option<Vec<cognito::Issuer>> {
    let first = if raw.issuer.is_empty() {
        if raw.region.is_empty() || raw.user_pool_id.is_empty() {
            found.say(
                "cognito.issuer",
                "is missing: the issuer URL, or cognito.region and cognito.user_pool_id",
            );
            return None;
        }
        let made = cognito::Issuer::for_pool(&raw.region, &raw.user_pool_id, cognito::IssuerFormat::Original);
        found.check("cognito.user_pool_id", made)
    } else {
        found.check("cognito.issuer", cognito::Issuer::parse(&raw.issuer))
    };
    let mut all = vec![first?];
    for (index, text) in raw.additional_issuers.iter().enumerate() {
        let key = format!("cognito.additional_issuers[{index}]");
        all.extend(found.check(&key, cognito::Issuer::parse(text)));
    }
    Some(all)
}

fn grants(raw: &raw::Oauth, found: &mut Found) -> OauthGrants {
    let mut allowed = Vec::new();
    for (index, text) in raw.allowed_redirect_uris.iter().enumerate() {
        let key = format!("oauth.allowed_redirect_uris[{index}]");
        allowed.extend(found.check(&key, RedirectPattern::parse(text)));
    }
    let introspection_secret = found.one_secret(
        ("oauth.introspection_secret", raw.introspection_secret.as_ref()),
        ("oauth.introspection_secret_file", &raw.introspection_secret_file),
    );
    if introspection_secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
        found.say("oauth.introspection_secret", "must have at least 32 characters");
    }
    OauthGrants {
        allowed_redirect_uris: allowed,
        access_token: found.seconds("oauth.access_token_seconds", raw.access_token_seconds, 1, 86_400),
        session: found.days("oauth.refresh_token_days", raw.refresh_token_days, 1, 3650),
        remember_consent: raw.remember_consent,
        relax_resource: raw.relax_resource,
        introspection_secret,
    }
}

fn valkey(raw: &raw::Valkey, found: &mut Found) -> Option<Valkey> {
    let timeout = found.seconds("valkey.timeout_seconds", raw.timeout_seconds, 1, 30);
    let written = raw.url.as_ref().filter(|url| !url.expose().is_empty());
    let url = match written {
        Some(url) => url.clone(),
        None if raw.host.is_empty() => return None,
        None => Secret::new(format!("redis://{}:{}", raw.host, raw.port)),
    };
    if let Err(error) = store::valkey::readable(&url) {
        found.say(
            "valkey.url",
            format!("{error}; in a password : / ? # @ % and [ ] are written as %3A and so on"),
        );
    }
    let ca_file = found.file("valkey.ca_file", &raw.ca_file);
    let has_tls = ["rediss", "valkeys"].iter().any(|scheme| url.expose().starts_with(scheme));
    if ca_file.is_some() && !has_tls {
        found.say("valkey.ca_file", "is of no use without TLS: valkey.url must begin with rediss or valkeys");
    }
    Some(Valkey { url, ca_file, prefix: raw.prefix.clone(), timeout })
}

fn vault(raw: &raw::Vault, shared: bool, found: &mut Found) -> Option<Vault> {
    let refresh_before = found.seconds("vault.refresh_before_seconds", raw.refresh_before_seconds, 0, 3600);
    let cache_for = found.seconds("vault.cache_seconds", raw.cache_seconds, 0, 3600);
    let refresh_lock = found.seconds("vault.refresh_lock_seconds", raw.refresh_lock_seconds, 1, 60);
    let written = found.one_secret(("vault.keys", raw.keys.as_ref()), ("vault.keys_file", &raw.keys_file));
    let passphrase = raw.passphrase.as_ref().filter(|text| !text.expose().is_empty());
    let (keys, keys_are_ephemeral) = match (written, passphrase) {
        (Some(_), Some(_)) => {
            found.say("vault.passphrase", "is set, and so are vault.keys: choose one");
            return None;
        }
        (Some(text), None) => (found.check("vault.keys", KeyRing::parse(&text))?, false),
        (None, Some(text)) => (found.check("vault.passphrase", KeyRing::from_passphrase(text))?, false),
        (None, None) if shared || !raw.keys_file.is_empty() => {
            if raw.keys_file.is_empty() {
                found.say("vault.keys_file", "is missing: make a key with `mcp-edge-proxy keys generate`");
            }
            return None;
        }
        (None, None) => (KeyRing::ephemeral(), true),
    };
    let (keys, cache_entries) = (Arc::new(keys), raw.cache_entries);
    let history = found.days("vault.history_days", raw.history_days, 0, 365);
    Some(Vault { keys, keys_are_ephemeral, refresh_before, cache_for, refresh_lock, cache_entries, history })
}

fn log(raw: &raw::Log, found: &mut Found) -> Option<Log> {
    let format = match raw.format.as_str() {
        "json" => LogFormat::Json,
        "pretty" => LogFormat::Pretty,
        _ => {
            found.say("log.format", "must be json or pretty");
            return None;
        }
    };
    found.check("log.filter", service::telemetry::check_filter(&raw.filter))?;
    Some(Log { format, filter: raw.filter.clone() })
}
