//! Each setting that the docs call live, changed while a stream is open.

use std::{
    io::{ErrorKind, Read, Write},
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use stack::{
    client::SignedIn,
    proxy::{Proxy, fresh_key},
    scratch::Scratch,
    settings::{Settings, route},
    stack::Stack,
    wire,
};
use tokio::time::timeout;

use crate::client_documents::Documents;

mod seen;

/// A vault key file with two keys, and the proxy started anew with it.
pub(super) struct KeyFile {
    pub(super) lines: [String; 2],
    scratch: Scratch,
}

impl KeyFile {
    pub(super) async fn start(stack: &mut Stack) -> Self {
        let scratch = Scratch::new("keys").unwrap();
        let lines = ["first", "second"].map(|id| fresh_key(id).unwrap());
        let keys = Self { lines, scratch };
        keys.write(&keys.lines.join("\n"));
        restart(stack, |settings| settings.set("vault.keys_file", keys.path("keys"))).await;
        keys
    }

    pub(super) fn write(&self, text: &str) {
        self.scratch.write("keys", text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).display().to_string()
    }
}

/// Starts the proxy anew on its port with other settings, and its vault keys from a file.
async fn restart(stack: &mut Stack, change: impl FnOnce(&mut Settings)) {
    let mut environment = stack.environment();
    environment.remove("PROXY_VAULT__KEYS");
    let mut settings = stack.proxies.remove(0).settings.clone();
    change(&mut settings);
    stack.proxies.push(Proxy::start(settings, &environment).await.unwrap());
}

struct World {
    stack: Stack,
    keys: KeyFile,
    documents: Documents,
    /// For `/echo`.
    session: SignedIn,
}

/// How long an answer is waited for that should not come; longer than what is set to a second.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the introspection secret is in the beginning, and after.
const SECRETS: [&str; 2] = ["the first secret, of 32 characters", "the other secret, of 32 characters"];

impl World {
    async fn start() -> Self {
        let mut stack = Stack::builder().echo_routes().start().await.unwrap();
        let keys = KeyFile::start(&mut stack).await;
        let documents = Documents::start().await;
        keys.scratch.write("secret", SECRETS[0]).unwrap();
        let change = |settings: &mut Settings| {
            settings.set("oauth.introspection_secret_file", keys.path("secret"));
            settings.set("forward_auth.listen", "127.0.0.1:0");
            settings.set("forward_auth.trusted_proxies", vec!["10.0.0.7"]);
            settings.set("limits.oauth_requests_per_minute", 0);
            settings.set("limits.registrations_per_minute", 0);
            settings.set("limits.registrations_per_hour", 0);
            settings.set("log.filter", "info,proxy::pipeline=warn");
        };
        restart(&mut stack, change).await;
        let session = stack.sign_in_at("/echo", "alice").await.unwrap();
        Self { stack, keys, documents, session }
    }

    /// The status of a request sent as it is on a connection of its own; 0 when there is no answer, or no connection.
    async fn raw(&self, request: String) -> u16 {
        let address = self.stack.proxies[0].program.public();
        let (ca, request) = (self.stack.authority.pem(), request.replace('\n', "\r\n").into_bytes());
        let asked = timeout(PATIENCE, wire::exchange(address, &ca, request, PATIENCE)).await;
        let answer = asked.ok().and_then(Result::ok).unwrap_or_default();
        wire::statuses(&answer).first().copied().unwrap_or_default()
    }

    /// Whether a head that is never finished is waited for.
    async fn is_patient(&self) -> bool {
        let address = self.stack.proxies[0].program.public();
        let connection = wire::connect(address, &self.stack.authority.pem(), wire::Wanted::default()).await;
        let mut connection = connection.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            connection.sock.set_read_timeout(Some(PATIENCE)).unwrap();
            connection.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").unwrap();
            connection.flush().unwrap();
            connection.read(&mut [0; 100])
        });
        read.await
            .unwrap()
            .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    fn host(&self) -> &str {
        self.stack.origin().trim_start_matches("https://")
    }

    /// `bytes` to the echo route, from behind a proxy of which it depends whether it is believed.
    async fn echo(&self, bytes: usize) -> u16 {
        let client = &self.session.client;
        let url = client.endpoint().join("/echo/status/200").unwrap();
        let request = client.request("POST", &url).unwrap().bearer_auth(&self.session.tokens.access);
        let request = request.header("x-forwarded-for", "203.0.113.9").body("x".repeat(bytes));
        client.send(request).await.unwrap().status
    }

    async fn registration(&self, uri: &str) -> u16 {
        let metadata = json!({ "redirect_uris": [uri], "token_endpoint_auth_method": "none" });
        self.session.client.register(&self.session.discovery, &metadata).await.unwrap().status
    }

    /// The authorization page of a client with this id, for this resource.
    async fn page(&self, client_id: &str, resource: Option<&str>) -> stack::browser::Page {
        let (client, found) = (&self.session.client, &self.session.discovery);
        let mut url = client.authorization(found, client_id).unwrap().url;
        if let Some(resource) = resource {
            let pairs: Vec<_> =
                url.query_pairs().into_owned().filter(|(name, _)| name != "resource").collect();
            url.query_pairs_mut().clear().extend_pairs(pairs).append_pair("resource", resource);
        }
        self.stack.browser().unwrap().visit(&url).await.unwrap()
    }

    async fn introspected(&self, token: &str) -> Vec<Value> {
        let client = &self.session.client;
        let url = client.endpoint().join("/introspect").unwrap();
        let mut told = Vec::new();
        for secret in SECRETS {
            let request = client.request("POST", &url).unwrap().bearer_auth(secret);
            told.push(client.send(request.form(&[("token", token)])).await.unwrap().json);
        }
        told
    }

    /// Changes a setting, and what it needs beside it.
    fn change(&self, setting: &str, settings: &mut Settings) {
        match setting {
            "server.additional_hosts" => settings.set(setting, vec!["other.example"]),
            "server.allowed_origins" => settings.set(setting, vec!["https://app.example"]),
            "server.trusted_proxies" | "forward_auth.trusted_proxies" => {
                settings.set(setting, vec!["127.0.0.1"])
            }
            "mcp.enabled" | "oauth.remember_consent" | "client_documents.enabled" => {
                settings.set(setting, false)
            }
            "routes" => settings.push("routes", route("/added", "http", self.stack.echo.url())),
            "oauth.allowed_redirect_uris" => settings.set(setting, vec!["https://client.example/*"]),
            "oauth.access_token_seconds" => settings.set(setting, 600),
            "oauth.refresh_token_days" => settings.set(setting, 2),
            "oauth.relax_resource" => {
                let only = route("/mcp", "mcp", &self.stack.adapter.endpoint);
                settings.set("routes", vec![toml::Value::from(only)]);
                settings.set(setting, true);
            }
            "oauth.introspection_secret_file" => drop(self.keys.scratch.write("secret", SECRETS[1]).unwrap()),
            "client_documents.allowed_hosts" => settings.set(setting, vec!["known.example"]),
            "client_documents.private_networks" => settings.set(setting, true),
            "client_documents.ca_file" => {
                settings.set("client_documents.private_networks", true);
                settings.set(setting, self.documents.authority.file().display().to_string());
            }
            "vault.keys_file" => {
                let [first, second] = &self.keys.lines;
                self.keys.write(&format!("{second}\n{first}"));
            }
            "limits.body_bytes" => settings.set(setting, 2000),
            "limits.header_bytes" => settings.set(setting, 8192),
            "limits.headers" => settings.set(setting, 16),
            "log.filter" => settings.set(setting, "info"),
            _ => settings.set(setting, 1),
        }
    }
}

/// What is seen of each setting in the beginning, and after its change.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("client_documents.allowed_hosts", "client_document_address", "client_document_host"),
    ("client_documents.ca_file", "400", "200"),
    ("client_documents.enabled", "true", "false"),
    ("client_documents.private_networks", "client_document_address", "client_document_unreachable"),
    ("forward_auth.trusted_proxies", "403", "401"),
    ("limits.body_bytes", "200", "413"),
    ("limits.body_timeout_seconds", "0", "408"),
    ("limits.connections", "200", "0"),
    ("limits.connections_per_address", "200", "0"),
    ("limits.header_bytes", "200", "431"),
    ("limits.header_timeout_seconds", "waits", "closes"),
    ("limits.headers", "200", "431"),
    ("limits.oauth_requests_per_minute", "400", "429"),
    ("limits.registrations_per_hour", "201", "429"),
    ("limits.registrations_per_minute", "201", "429"),
    ("limits.requests_per_minute", "200", "429"),
    ("mcp.enabled", "401", "503"),
    ("oauth.access_token_seconds", "3600", "600"),
    ("oauth.allowed_redirect_uris", "400", "201"),
    ("oauth.introspection_secret_file", "true null", "null true"),
    ("oauth.refresh_token_days", "30 days", "2 days"),
    ("oauth.relax_resource", "303", "200"),
    ("oauth.remember_consent", "2592000", "3600"),
    ("routes", "404", "401"),
    ("server.additional_hosts", "421", "401"),
    ("server.allowed_origins", "403", "401"),
    ("server.trusted_proxies", "127.0.0.1", "203.0.113.9"),
    ("vault.keys_file", "first, and old ones 200", "second, and old ones 200"),
    // The last one: what was logged stays.
    ("log.filter", "none", "requests"),
];

#[tokio::test]
async fn each_live_setting_changes_at_once_and_back_while_a_stream_is_open() {
    let world = World::start().await;
    let client = &world.session.client;
    let url = client.endpoint().join("/echo/events").unwrap();
    let stream = client.request("POST", &url).unwrap().bearer_auth(&world.session.tokens.access);
    let mut events = stream.send().await.unwrap().bytes_stream();
    let program = &world.stack.proxies[0].program;
    let beginning = program.settings().unwrap();
    for (setting, before, after) in SETTINGS {
        assert_eq!(world.seen(setting).await, *before, "{setting} before");
        program.reload(|settings| world.change(setting, settings), "taken").await.unwrap();
        assert_eq!(world.seen(setting).await, *after, "{setting} after");
        world.stack.echo.emit(setting).await.unwrap();
        let chunk = events.next().await.unwrap().unwrap();
        assert_eq!(chunk, format!("data: {setting}\n\n").as_bytes());
        if let "oauth.introspection_secret_file" | "vault.keys_file" = *setting {
            continue;
        }
        program.reload(|settings| *settings = beginning.clone(), "taken").await.unwrap();
    }
}

#[test]
fn every_setting_that_the_docs_call_live_is_tried() {
    let docs = include_str!("../../../../docs/configuration.md");
    let rows = docs.lines().skip_while(|line| *line != "| program | settings |").skip(2);
    let rows = rows.take_while(|line| line.starts_with("| proxy |") || line.starts_with("| |"));
    let mut told: Vec<_> = rows.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let mut tried: Vec<_> = SETTINGS.iter().map(|(setting, ..)| *setting).collect();
    told.sort_unstable();
    tried.sort_unstable();
    assert_eq!(told, tried);
}
