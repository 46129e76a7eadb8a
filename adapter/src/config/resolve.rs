//! From what is written to what is meant: each key is read once, and every problem is noted under its key.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use cognito::{ClientId, Issuer, IssuerFormat, KeySource};
use service::config::Problems;
use service::telemetry::check_filter;
use url::{Host, Url};

use super::policy::policy;
use super::{Cognito, Config, Keys, Log, Mcp, Plane, Raw, Server, Trust, Written, raw};
use crate::front::origin::{AllowedHosts, AllowedOrigins};
use crate::plane::path::Slug;

/// `None` when a part could not be made at all; then there is a problem that says why.
pub(super) fn resolve(raw: Raw, problems: &mut Problems) -> Option<Config> {
    let server = server(&raw.server, problems);
    let mcp = mcp(&raw.mcp, problems);
    let cognito = cognito(&raw.cognito, problems);
    let plane = plane(&raw.plane, problems);
    let policy = policy(&raw, problems);
    note(problems, "log.filter", check_filter(&raw.log.filter));
    let log = Log { format: raw.log.format, filter: raw.log.filter.clone() };
    let traces = raw.traces.written().resolve(problems);
    let effective = match toml::to_string(&raw) {
        Ok(text) => text,
        Err(error) => {
            problems.push("config", format!("cannot be shown: {error}"));
            return None;
        }
    };
    Some(Config {
        server: server?,
        mcp,
        cognito,
        plane: plane?,
        policy,
        log,
        traces,
        effective,
        written: Written(raw),
    })
}

fn server(raw: &raw::Server, problems: &mut Problems) -> Option<Server> {
    let listen = note(problems, "server.listen", address(&raw.listen));
    let admin_listen = note(problems, "server.admin_listen", address(&raw.admin_listen));
    if let (Some(listen), Some(admin)) = (listen, admin_listen)
        && listen == admin
        && listen.port() != 0
    {
        problems.push("server.admin_listen", "must differ from server.listen");
    }
    within(problems, "server.shutdown_delay_seconds", raw.shutdown_delay_seconds, 0, 600);
    within(problems, "server.drain_seconds", raw.drain_seconds, 0, 600);
    let hosts = AllowedHosts::parse(&raw.allowed_hosts);
    let origins = AllowedOrigins::parse(&raw.allowed_origins);
    Some(Server {
        allowed_hosts: note(problems, "server.allowed_hosts", hosts).unwrap_or_default(),
        allowed_origins: note(problems, "server.allowed_origins", origins).unwrap_or_default(),
        listen: listen?,
        admin_listen: admin_listen?,
        threads: raw.threads,
        shutdown_delay: Duration::from_secs(raw.shutdown_delay_seconds),
        drain: Duration::from_secs(raw.drain_seconds),
    })
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8211")
}

fn mcp(raw: &raw::Mcp, problems: &mut Problems) -> Mcp {
    let plain = raw.path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
    if !raw.path.starts_with('/') || !plain {
        problems.push("mcp.path", "must start with / and hold only letters, digits and - . _ ~ /");
    } else if raw.path == "/healthz" || (raw.path.len() > 1 && raw.path.ends_with('/')) {
        problems.push("mcp.path", "must not be /healthz and must not end in /");
    }
    within(problems, "mcp.body_bytes", raw.body_bytes as u64, 1024, 64 * 1024 * 1024);
    Mcp { path: raw.path.clone(), enabled: raw.enabled, body_bytes: raw.body_bytes }
}

fn cognito(raw: &raw::Cognito, problems: &mut Problems) -> Cognito {
    let mut sources = Vec::new();
    if let Some(source) = primary_issuer(raw, problems).and_then(|issuer| source(issuer, problems)) {
        sources.push(source);
    }
    for (index, text) in raw.additional_issuers.iter().enumerate() {
        let key = format!("cognito.additional_issuers[{index}]");
        let issuer = note(problems, &key, Issuer::parse(text));
        sources.extend(issuer.and_then(|issuer| source(issuer, problems)));
    }
    if !raw.jwks_uri.is_empty()
        && let Some(uri) = note(problems, "cognito.jwks_uri", web_address(&raw.jwks_uri, false))
        && let Some(first) = sources.first_mut()
    {
        first.jwks_uri = uri;
    }
    if raw.client_ids.is_empty() {
        problems.push("cognito.client_ids", "is required: the app client ids whose ID tokens are accepted");
    }
    let client_ids = raw.client_ids.iter().filter_map(|text| {
        let id = ClientId::parse(text.trim());
        note(problems, "cognito.client_ids", id)
    });
    let client_ids = client_ids.collect();
    within(problems, "cognito.clock_leeway_seconds", raw.clock_leeway_seconds, 0, 300);
    Cognito {
        sources,
        client_ids,
        trust: trust(problems, "cognito.ca_file", &raw.ca_file),
        leeway: Duration::from_secs(raw.clock_leeway_seconds),
    }
}

fn primary_issuer(raw: &raw::Cognito, problems: &mut Problems) -> Option<Issuer> {
    let by_pool = !raw.region.is_empty() || !raw.user_pool_id.is_empty();
    if !raw.issuer.is_empty() {
        return note(problems, "cognito.issuer", Issuer::parse(&raw.issuer));
    }
    if !by_pool {
        problems.push(
            "cognito.issuer",
            "is required: the issuer's URL, or cognito.region and cognito.user_pool_id",
        );
        return None;
    }
    for (key, value) in [("cognito.region", &raw.region), ("cognito.user_pool_id", &raw.user_pool_id)] {
        if value.is_empty() {
            problems.push(key, "is required, because the other of region and user_pool_id is set");
        }
    }
    if raw.region.is_empty() || raw.user_pool_id.is_empty() {
        return None;
    }
    let issuer = Issuer::for_pool(&raw.region, &raw.user_pool_id, IssuerFormat::Original);
    note(problems, "cognito.user_pool_id", issuer)
}

fn source(issuer: Issuer, problems: &mut Problems) -> Option<KeySource> {
    note(problems, "cognito.issuer", KeySource::of(issuer))
}

fn plane(raw: &raw::Plane, problems: &mut Problems) -> Option<Plane> {
    let base_url = if raw.base_url.is_empty() {
        problems.push("plane.base_url", "is required: the address people open Plane at");
        None
    } else {
        note(problems, "plane.base_url", web_address(&raw.base_url, raw.insecure_http))
    };
    let api_url = (!raw.api_url.is_empty())
        .then(|| note(problems, "plane.api_url", web_address(&raw.api_url, raw.insecure_http)));
    let workspace = (!raw.workspace_slug.is_empty()).then(|| {
        let slug = Slug::parse(&raw.workspace_slug).ok_or("is not a workspace slug, such as acme");
        note(problems, "plane.workspace_slug", slug)
    });
    within(problems, "plane.timeout_seconds", raw.timeout_seconds, 1, 300);
    within(problems, "plane.requests_per_minute", raw.requests_per_minute.into(), 1, 100_000);
    Some(Plane {
        trust: trust(problems, "plane.ca_file", &raw.ca_file),
        base_url: base_url?,
        api_url: api_url.flatten(),
        workspace: workspace.flatten(),
        timeout: Duration::from_secs(raw.timeout_seconds),
        requests_per_minute: raw.requests_per_minute,
        keys: keys(raw, problems),
    })
}

fn keys(raw: &raw::Plane, problems: &mut Problems) -> Keys {
    within(problems, "plane.key_hours", raw.key_hours, 1, 24);
    let plain = raw.instance.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !plain || raw.instance.len() > 64 {
        problems.push("plane.instance", "must be at most 64 letters, digits and - . _");
    }
    let instance = if raw.instance.is_empty() { random_word() } else { raw.instance.clone() };
    Keys {
        mint: raw.key_minting == raw::KeyMinting::Auto,
        lifetime: Duration::from_secs(raw.key_hours * 3600),
        label: format!("mcp-edge {instance}"),
    }
}

fn random_word() -> String {
    let mut bytes = [0; 4];
    // Without randomness all processes share a label: nothing depends on it but what people see.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An absolute address without user, query and fragment: https, or http where that is meant.
fn web_address(text: &str, insecure_http: bool) -> Result<Url, &'static str> {
    let url =
        Url::parse(text.trim()).map_err(|_| "must be an absolute URL, such as https://plane.example.com")?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err("must name a host"),
    };
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must have no user, query or fragment");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback || insecure_http => Ok(url),
        "http" => Err(
            "must be https, or tokens would travel in the clear; inside a cluster set plane.insecure_http = true",
        ),
        _ => Err("must be https"),
    }
}

fn trust(problems: &mut Problems, key: &str, file: &str) -> Trust {
    if file.is_empty() {
        return Trust::System;
    }
    note(problems, key, Trust::from_file(file)).unwrap_or_default()
}

fn within(problems: &mut Problems, key: &str, value: u64, least: u64, most: u64) {
    if !(least..=most).contains(&value) {
        problems.push(key, format!("must be between {least} and {most}"));
    }
}

pub(super) fn note<T, E: Display>(problems: &mut Problems, key: &str, result: Result<T, E>) -> Option<T> {
    result.map_err(|error| problems.push(key, error.to_string())).ok()
}
