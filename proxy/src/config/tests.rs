use std::{collections::BTreeMap, path::PathBuf};

use service::config::{Layers, Problems};

use super::*;
use crate::keys::KeyRing;
use crate::limits::TrustedProxies;

/// Resolves a file's text and an environment, as the binary does.
fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = Some((PathBuf::from("proxy.toml"), text.to_owned()));
    let layers = Layers { prefix: "PROXY", file, env: &env, aliases: raw::LEGACY_ENV };
    let (raw, problems) = service::config::load::<raw::Raw>(&layers);
    resolve(&raw, problems)
}

const GOOD: &str = r#"
[server]
public_url = "https://MCP.example.com/"
[tls]
disabled = true
[cognito]
region = "eu-central-1"
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4h57example"
[[routes]]
path = "/mcp"
upstream = "http://adapter:8211/mcp"
[[routes]]
path = "/"
kind = "http"
upstream = "https://plane.example.com"
scopes = ["plane:read", "plane:rest"]
"#;

#[test]
fn a_small_file_is_enough() {
    let config = load(GOOD, &[]).unwrap();
    assert_eq!(config.server.public_url, "https://mcp.example.com");
    assert_eq!(config.server.hosts, ["mcp.example.com"]);
    assert_eq!(config.cognito.redirect_uri.as_str(), "https://mcp.example.com/auth/callback");
    assert_eq!(
        config.cognito.issuers[0].as_str(),
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI"
    );
    assert!(config.valkey.is_none() && config.vault.keys_are_ephemeral);
    let routes: Vec<_> =
        config.routes.iter().map(|route| (route.path.as_str(), route.resource.as_str())).collect();
    assert_eq!(routes, [("/mcp", "https://mcp.example.com/mcp"), ("/", "https://mcp.example.com")]);
}

#[test]
fn every_problem_is_reported_at_once_and_none_shows_a_secret() {
    let bad = r#"
[server]
public_url = "http://mcp.example.com/path"
listen = "nowhere"
[tls]
cert_file = "/does/not/exist.pem"
[cognito]
client_secret = "hunter2-hunter2"
client_secret_file = "/also/missing"
scopes = ["email"]
[[routes]]
path = "/token"
kind = "magic"
upstream = "adapter:8211"
[vault]
keys = "hunter2-hunter2"
[limits]
header_bytes = 12
[log]
filter = "a=b=c"
colour = "red"
"#;
    let problems = load(bad, &[("PROXY_UPSTREAM__IDLE_SECONDS", "soon")]).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "server.public_url",
        "server.listen",
        "tls.cert_file",
        "tls.key_file",
        "cognito.issuer",
        "cognito.client_id",
        "cognito.client_secret",
        "cognito.scopes",
        "routes[0].path",
        "routes[0].kind",
        "routes[0].upstream",
        "vault.keys",
        "limits.header_bytes",
        "log.filter",
        "log.colour",
        "upstream.idle_seconds",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
    assert!(!problems.to_string().contains("hunter2"));
}

#[test]
fn the_names_of_the_python_mode_keep_working() {
    let text =
        "[tls]\ndisabled = true\n[[routes]]\npath = \"/mcp\"\nupstream = \"http://adapter:8211/mcp\"\n";
    let env = [
        ("MCP_BASE_URL", "https://mcp.example.com"),
        ("COGNITO_USER_POOL_ID", "eu-central-1_AbCdEfGhI"),
        ("COGNITO_AWS_REGION", "eu-central-1"),
        ("OIDC_CLIENT_ID", "4h57example"),
        ("OIDC_CLIENT_SECRET", "a-client-secret"),
        ("MCP_JWT_SIGNING_KEY", "0123456789abcdef0123456789abcdef"),
        ("MCP_ALLOWED_CLIENT_REDIRECT_URIS", "https://agent.example/callback,https://other.example/*"),
        ("MCP_COGNITO_REDIRECT_URI", "https://sign-in.example.com/auth/callback"),
        ("COGNITO_RELAX_OAUTH_RESOURCE_MISMATCH", "true"),
        ("REDIS_HOST", "valkey"),
        ("REDIS_PORT", "6380"),
        ("ENABLE_AI_MCP_RUNTIME", "false"),
    ];
    let config = load(text, &env).unwrap();
    assert_eq!(config.valkey.unwrap().url.expose(), "redis://valkey:6380");
    assert_eq!(config.oauth.allowed_redirect_uris.len(), 2);
    assert_eq!(config.cognito.redirect_uri.as_str(), "https://sign-in.example.com/auth/callback");
    assert!(config.oauth.relax_resource);
    assert!(!config.mcp_enabled && !config.vault.keys_are_ephemeral);
    assert!(config.cognito.client_secret.is_some());
}

#[test]
fn a_shared_store_needs_a_key_that_outlives_the_process() {
    let problems = load(GOOD, &[("PROXY_VALKEY__URL", "redis://valkey:6379")]).unwrap_err();
    assert!(problems.to_string().contains("vault.keys_file: is missing"), "{problems}");
}

#[test]
fn what_is_printed_holds_no_password_in_a_url() {
    for (key, name) in [
        ("server.public_url", "PROXY_SERVER__PUBLIC_URL"),
        ("cognito.jwks_uri", "PROXY_COGNITO__JWKS_URI"),
        ("cognito.redirect_uri", "PROXY_COGNITO__REDIRECT_URI"),
    ] {
        for user in ["", "user"] {
            let problems =
                load(GOOD, &[(name, &format!("https://{user}:hunter2@mcp.example.com"))]).unwrap_err();
            assert!(problems.to_string().contains(&format!("{key}: must be without user")), "{problems}");
            assert!(!problems.to_string().contains("hunter2"), "{problems}");
        }
    }
    let upstream = GOOD.replace("http://adapter:8211", "http://:hunter2@adapter:8211");
    let problems = load(&upstream, &[]).unwrap_err();
    assert_eq!(problems.to_string().trim(), "routes[0].upstream: must be without user name and password");
}

#[test]
fn a_url_that_cannot_be_valkeys_is_found_before_anything_starts() {
    let keys = KeyRing::generate_line();
    let with = |url: &str| load(GOOD, &[("PROXY_VALKEY__URL", url), ("PROXY_VAULT__KEYS", keys.expose())]);
    for url in [
        "redis://edge:hunter2#b@valkey",
        "redis://edge:hunter2/b@valkey",
        "http://valkey:6379",
        "valkey:6379",
        "redis://valkey:6379/first",
        "redis-sentinel://sentinel:26379",
    ] {
        let problems = with(url).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["valkey.url"]);
        assert!(!problems.to_string().contains("hunter2"), "{problems}");
    }
    for url in ["rediss://edge:hunter2%23b@valkey:6380/1", "redis-cluster://node:6379?node=other:6379"] {
        assert!(with(url).is_ok(), "{url}");
    }
}

#[test]
fn two_routes_cannot_have_one_path_and_none_may_take_the_proxys_own() {
    let twice = format!("{GOOD}\n[[routes]]\npath = \"/mcp/\"\nupstream = \"http://other:1/\"\n");
    assert!(load(&twice, &[]).unwrap_err().to_string().contains("routes[2].path: is the path of another"));
    for path in
        ["/healthz", "/auth/callback", "/.well-known/x", "/consent", "mcp", "/a//b", "/a/../b", "/a%2f"]
    {
        let text = GOOD.replace("path = \"/mcp\"", &format!("path = \"{path}\""));
        assert!(load(&text, &[]).is_err(), "{path}");
    }
}

#[test]
fn settings_about_cognitos_access_tokens_are_off_and_of_no_use_alone() {
    let config = load(GOOD, &[]).unwrap();
    assert!(config.cognito.bearers.is_none() && !config.cognito.forward_resource);
    assert!(config.oauth.introspection_secret.is_none());
    let problems = load(
        GOOD,
        &[
            ("PROXY_COGNITO__MATCH_BY_SUB", "true"),
            ("PROXY_COGNITO__ADDITIONAL_CLIENT_IDS", "7other"),
            ("PROXY_OAUTH__INTROSPECTION_SECRET", "hunter2"),
        ],
    )
    .unwrap_err();
    let mut keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    let expected = ["cognito.additional_client_ids", "cognito.match_by_sub", "oauth.introspection_secret"];
    assert_eq!(keys, expected);
    assert!(!problems.to_string().contains("hunter2"));

    let on =
        [("PROXY_COGNITO__ACCEPT_ACCESS_TOKENS", "true"), ("PROXY_COGNITO__ADDITIONAL_CLIENT_IDS", "7other")];
    let bearers = load(GOOD, &on).unwrap().cognito.bearers.unwrap();
    let ids: Vec<&str> = bearers.client_ids.iter().map(cognito::ClientId::as_str).collect();
    assert_eq!((ids.len(), ids[1]), (2, "7other"));
    assert_eq!(bearers.index, crate::vault::index::Index::Origin);
}

#[test]
fn proxies_in_front_are_trusted_only_where_they_are_named() {
    assert_eq!(load(GOOD, &[]).unwrap().server.trusted_proxies, TrustedProxies::none());
    let named = ("PROXY_SERVER__TRUSTED_PROXIES", "10.0.0.7,10.0.1.0/28");
    assert_ne!(load(GOOD, &[named]).unwrap().server.trusted_proxies, TrustedProxies::none());
    let text =
        GOOD.replace("[tls]", "trusted_proxies = [\"10.0.0.7\", \"0.0.0.0/0\", \"10.0.0.7/8\"]\n[tls]");
    let problems = load(&text, &[]).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["server.trusted_proxies[1]", "server.trusted_proxies[2]"], "{problems}");
}

#[test]
fn hosts_of_client_documents_are_names_and_the_defaults_are_strict() {
    let config = load(GOOD, &[]).unwrap();
    assert!(config.client_documents.enabled && !config.client_documents.private_networks);
    assert!(config.client_documents.allowed_hosts.is_empty());
    assert_eq!(config.limits.registrations_per_minute, 30);
    let text = format!(
        "{GOOD}[client_documents]\nallowed_hosts = [\"claude.ai\", \"https://x/\"]\nca_file = \"/missing.pem\"\n"
    );
    let problems = load(&text, &[]).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["client_documents.allowed_hosts[1]", "client_documents.ca_file"], "{problems}");
}

#[test]
fn forward_auth_has_an_address_of_its_own_and_answers_nobody_by_default() {
    let with = |listen: &str, trusted: &str| {
        load(&format!("{GOOD}\n[forward_auth]\nlisten = {listen:?}\ntrusted_proxies = [{trusted}]\n"), &[])
    };
    assert!(load(GOOD, &[]).unwrap().forward_auth.is_none());
    let config = with("127.0.0.1:8081", "\"10.0.0.7\"").unwrap().forward_auth.unwrap();
    assert!(config.trusted_proxies.holds([10, 0, 0, 7].into()));
    assert!(!config.trusted_proxies.holds([127, 0, 0, 1].into()));
    let raw = raw::Server::default();
    for (listen, trusted, key) in [
        ("127.0.0.1:8081", "", "forward_auth.trusted_proxies"),
        ("127.0.0.1:8081", "\"0.0.0.0/0\"", "forward_auth.trusted_proxies[0]"),
        ("", "\"10.0.0.7\"", "forward_auth.trusted_proxies"),
        ("nowhere", "\"10.0.0.7\"", "forward_auth.listen"),
        // Sockets of the same port share its connections: some of the public's would come here.
        (raw.listen.as_str(), "\"10.0.0.7\"", "forward_auth.listen"),
        (raw.admin_listen.as_str(), "\"10.0.0.7\"", "forward_auth.listen"),
    ] {
        let problems = with(listen, trusted).unwrap_err();
        assert!(problems.iter().any(|problem| problem.key == key), "{listen} {trusted}: {problems}");
    }
}

#[test]
fn a_route_without_upstream_is_one_that_traefik_asks_about() {
    let route = |kind: &str| format!("{GOOD}\n[[routes]]\npath = \"/more\"\nkind = {kind:?}\n");
    let asked = "\n[forward_auth]\nlisten = \"127.0.0.1:8081\"\ntrusted_proxies = [\"10.0.0.7\"]\n";
    let upstream = |loaded: Result<Config, Problems>| match loaded {
        Ok(config) => config.routes.iter().any(|route| route.path == "/more" && route.upstream.is_none()),
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.key == "routes[2].upstream"), "{problems}");
            false
        }
    };
    for (kind, passes) in [("mcp", true), ("http", true), ("api-key", false)] {
        assert_eq!(upstream(load(&format!("{}{asked}", route(kind)), &[])), passes, "{kind}");
        assert!(!upstream(load(&route(kind), &[])), "{kind}");
    }
}

#[test]
fn tokens_of_a_pool_are_taken_under_both_of_its_issuer_names() {
    let other = "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI";
    let text = GOOD.replace("client_id =", &format!("additional_issuers = [{other:?}]\nclient_id ="));
    let config = load(&text, &[]).unwrap();
    let issuers: Vec<&str> = config.cognito.issuers.iter().map(cognito::Issuer::as_str).collect();
    assert_eq!(issuers, ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", other]);
    let wrong = load(&text.replace("issuer-cognito-idp.eu", "ISSUER-cognito-idp.eu"), &[]).unwrap_err();
    assert!(wrong.iter().all(|problem| problem.key == "cognito.additional_issuers[0]"), "{wrong}");
}
