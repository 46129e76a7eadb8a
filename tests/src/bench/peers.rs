//! The programs: ours, and peers that do the same work or a part of it before the same upstream.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Command, sync::Arc};

use serde_json::json;

use super::{
    load::{Asker, Place},
    scenarios::{Contestant, Refresher, Scenario, forward_auth, tool_calls},
    usage::Programs,
};
use crate::{
    certificate::CertificateFiles,
    client::SignedIn,
    oauth2_proxy::{OAuth2Proxy, Setup},
    ports::free_port,
    process::Process,
    scratch::Scratch,
    settings::{Settings, route},
    stack::{Stack, Store},
    traefik::Traefik,
    trouble::{Outcome, Trouble, While},
};

/// Connections that ask at once.
pub const CONNECTIONS: usize = 16;
/// The same for what asks more of the machine.
const FEWER: usize = 8;
/// Us, in the report.
pub const EDGE: &str = "MCP Edge";
/// Where Debian puts it.
const NGINX: &str = "/usr/sbin/nginx";
/// Threads of each program: what the machine of the figures has cores.
const THREADS: u32 = 2;

/// Everything that runs. Dropping it stops all of it.
pub struct World {
    stack: Stack,
    upstream: SocketAddr,
    oauth2_proxy: OAuth2Proxy,
    traefik: Traefik,
    nginx: (Process, SocketAddr),
    id_token: String,
    sessions: Vec<SignedIn>,
    /// Signed in for the other route: a token is good for one.
    streaming: SignedIn,
    _kept: (Process, Scratch),
}

impl World {
    /// Starts it all.
    ///
    /// # Errors
    /// When a program is not installed or does not come up.
    pub async fn start() -> Outcome<Self> {
        let (upstream_process, upstream) = start_upstream().await?;
        let stack = start_stack(upstream).await?;
        let certificate = stack.authority.issue("peers")?;
        let id_token = stack.cognito.mint_id_token("alice", &json!({}))?;
        let secret = stack.cognito.client_secret.clone().unwrap_or_default();
        let setup = Setup {
            issuer: stack.cognito.issuer_url().to_owned(),
            client_id: stack.cognito.client_id.clone(),
            client_secret: secret,
            redirect_url: "http://127.0.0.1/oauth2/callback".to_owned(),
        };
        let oauth2_proxy = OAuth2Proxy::start(&setup, quiet).await?;
        let dynamic = traefik_configuration(&oauth2_proxy.url(), upstream, &certificate);
        let traefik = Traefik::start(free_port()?, &dynamic, |settings| settings).await?;
        let scratch = Scratch::new("nginx")?;
        let nginx = start_nginx(&scratch, upstream, &certificate).await?;
        let mut sessions = Vec::new();
        for _ in 0..FEWER {
            sessions.push(stack.sign_in_at("/bench/mcp", "alice").await?);
        }
        let streaming = stack.sign_in_at("/bench/sse", "alice").await?;
        let _kept = (upstream_process, scratch);
        Ok(Self { stack, upstream, oauth2_proxy, traefik, nginx, id_token, sessions, streaming, _kept })
    }

    /// The scenarios.
    ///
    /// # Errors
    /// When a request cannot be said.
    pub fn scenarios(&mut self) -> Outcome<Vec<Scenario>> {
        let json = Scenario {
            name: "tool_call",
            title: "tools/call, a small JSON answer",
            contestants: self.before_the_upstream("/bench/mcp")?,
        };
        let sse = Scenario {
            name: "event_stream",
            title: "tools/call, answered by a stream of 50 events",
            contestants: self.before_the_upstream("/bench/sse")?,
        };
        Ok(vec![json, sse, self.asked_by_traefik()?, self.refreshes()?, self.adapter_alone()?])
    }

    fn edge(&mut self) -> Outcome<(Programs, Place, String)> {
        let host = self.stack.origin().trim_start_matches("https://").to_owned();
        let pem = self.stack.authority.pem();
        let program = &mut self.stack.proxy()?.program;
        let place = Place::tls(program.public(), &pem)?;
        Ok((Programs::new(vec![program.process().id()]), place, host))
    }

    fn bearer(&self, path: &str) -> Outcome<&str> {
        if path.ends_with("/sse") {
            return Ok(&self.streaming.tokens.access);
        }
        let session = self.sessions.first().ok_or_else(|| Trouble::new("nobody is signed in"))?;
        Ok(&session.tokens.access)
    }

    /// Everybody who can stand before the upstream, and nobody.
    fn before_the_upstream(&mut self, path: &str) -> Outcome<Vec<Contestant>> {
        let (edge, place, host) = self.edge()?;
        let ours = self.bearer(path)?.to_owned();
        let pem = self.stack.authority.pem();
        let traefik = Programs::new(vec![self.traefik.process.id(), self.oauth2_proxy.process.id()]);
        let calls = |host: &str, bearer: &str| tool_calls(CONNECTIONS, (host, path), "get_me", bearer);
        Ok(vec![
            Contestant { name: EDGE, place, askers: calls(&host, &ours)?, programs: edge },
            Contestant {
                name: "Traefik + oauth2-proxy",
                place: Place::tls(self.traefik.address(), &pem)?,
                askers: calls("localhost", &self.id_token)?,
                programs: traefik,
            },
            Contestant {
                name: "nginx (TLS, no check)",
                place: Place::tls(self.nginx.1, &pem)?,
                askers: calls("localhost", &ours)?,
                programs: Programs::new(vec![self.nginx.0.id()]),
            },
            Contestant {
                name: "straight (no TLS)",
                place: Place { address: self.upstream, tls: None },
                askers: calls("localhost", &ours)?,
                programs: Programs::default(),
            },
        ])
    }

    fn asked_by_traefik(&mut self) -> Outcome<Scenario> {
        let (edge, _, host) = self.edge()?;
        let asked = self.stack.proxy()?.program.listener("forward_auth");
        let address = asked.ok_or_else(|| Trouble::new("no ForwardAuth listener"))?;
        let peer = self.oauth2_proxy.url().trim_start_matches("http://").parse();
        let ours = forward_auth(CONNECTIONS, "/forward-auth", &host, self.bearer("/bench/mcp")?)?;
        let theirs = forward_auth(CONNECTIONS, "/oauth2/auth", "localhost", &self.id_token)?;
        let contestants = vec![
            Contestant { name: EDGE, place: Place { address, tls: None }, askers: ours, programs: edge },
            Contestant {
                name: "oauth2-proxy",
                place: Place { address: peer.while_doing("read oauth2-proxy's address")?, tls: None },
                askers: theirs,
                programs: Programs::new(vec![self.oauth2_proxy.process.id()]),
            },
        ];
        Ok(Scenario {
            name: "forward_auth",
            title: "asked by Traefik about a request (ForwardAuth)",
            contestants,
        })
    }

    fn refreshes(&mut self) -> Outcome<Scenario> {
        let (programs, place, host) = self.edge()?;
        let refresher = |session| Arc::new(Refresher::new(&host, session)) as Arc<dyn Asker>;
        let askers = self.sessions.iter().map(refresher).collect();
        let contestants = vec![Contestant { name: EDGE, place, askers, programs }];
        Ok(Scenario { name: "token_refresh", title: "refreshing our token at /token (Valkey)", contestants })
    }

    fn adapter_alone(&mut self) -> Outcome<Scenario> {
        let address = self.stack.adapter.program.public();
        let programs = Programs::new(vec![self.stack.adapter.program.process().id()]);
        let askers = tool_calls(FEWER, (&address.to_string(), "/mcp"), "get_me", &self.id_token)?;
        let place = Place { address, tls: None };
        let contestants = vec![Contestant { name: "adapter", place, askers, programs }];
        Ok(Scenario {
            name: "adapter",
            title: "the adapter alone: get_me, one request to Plane",
            contestants,
        })
    }
}

async fn start_upstream() -> Outcome<(Process, SocketAddr)> {
    let own = std::env::current_exe().while_doing("find the running executable")?;
    let mut process = Process::start("upstream", own.as_os_str(), ["--upstream"], &BTreeMap::new())?;
    let listening = process.wait_for("listening", async |log| log.lines().first()?.trim().parse().ok());
    let address = listening.await?;
    Ok((process, address))
}

async fn start_stack(upstream: SocketAddr) -> Outcome<Stack> {
    let routes: Vec<toml::Value> = [("/bench/mcp", "mcp"), ("/bench/sse", "sse")]
        .into_iter()
        .map(|(path, end)| toml::Value::Table(route(path, "mcp", &format!("http://{upstream}/{end}"))))
        .collect();
    let builder = Stack::builder()
        .store(Store::Valkey)
        .proxy_setting("routes", routes)
        .proxy_setting("server.threads", i64::from(THREADS))
        .proxy_setting("limits.requests_per_minute", 0)
        .proxy_setting("limits.oauth_requests_per_minute", 0)
        .proxy_setting("limits.registrations_per_minute", 0)
        .proxy_setting("forward_auth.listen", format!("127.0.0.1:{}", free_port()?))
        .proxy_setting("forward_auth.trusted_proxies", vec!["127.0.0.1"])
        .proxy_setting("log.filter", "warn,proxy::edge=info")
        .adapter_setting("log.filter", "warn,adapter::run=info")
        .adapter_setting("server.threads", i64::from(THREADS))
        .adapter_setting("plane.requests_per_minute", 100_000);
    builder.start().await
}

/// Nobody else writes a line a request here.
fn quiet(settings: &mut Settings) {
    for key in ["request_logging", "auth_logging", "standard_logging"] {
        settings.set(key, false);
    }
}

fn traefik_configuration(auth: &str, upstream: SocketAddr, certificate: &CertificateFiles) -> String {
    let (cert, key) = (certificate.cert_file.display(), certificate.key_file.display());
    format!(
        r#"http:
  routers:
    bench: {{rule: "PathPrefix(`/`)", entryPoints: [websecure], middlewares: [oauth2-proxy], service: upstream}}
  middlewares:
    oauth2-proxy:
      forwardAuth:
        address: {auth}/oauth2/auth
        authResponseHeaders: [X-Auth-Request-User, X-Auth-Request-Email]
        maxResponseBodySize: 65536
  services:
    upstream: {{loadBalancer: {{servers: [{{url: "http://{upstream}"}}]}}}}
tls:
  stores: {{default: {{defaultCertificate: {{certFile: "{cert}", keyFile: "{key}"}}}}}}
"#
    )
}

async fn start_nginx(
    scratch: &Scratch,
    upstream: SocketAddr,
    certificate: &CertificateFiles,
) -> Outcome<(Process, SocketAddr)> {
    let port = free_port()?;
    let settings = nginx_configuration(scratch.path(), port, upstream, certificate);
    let file = scratch.write("nginx.conf", settings)?.display().to_string();
    let folder = scratch.path().display().to_string();
    let arguments = ["-p", &folder, "-c", &file, "-e", "stderr"];
    let mut process = Process::start("nginx", NGINX.as_ref(), arguments, &BTreeMap::new())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    process
        .wait_for("listening", async |_| tokio::net::TcpStream::connect(address).await.ok().map(|_| ()))
        .await?;
    Ok((process, address))
}

/// A plain reverse proxy: TLS, connections to the upstream kept, nothing buffered (streams must flow), no log.
fn nginx_configuration(
    folder: &Path,
    port: u16,
    upstream: SocketAddr,
    certificate: &CertificateFiles,
) -> String {
    let (cert, key) = (certificate.cert_file.display(), certificate.key_file.display());
    let at = folder.display();
    format!(
        "worker_processes {THREADS};\ndaemon off;\npid {at}/nginx.pid;\nerror_log stderr warn;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 100000000;\n\
         \x20 client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  fastcgi_temp_path {at}/fastcgi;\n\
         \x20 uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n\
         \x20 upstream bench {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port} ssl;\n    ssl_certificate {cert};\n    ssl_certificate_key {key};\n\
         \x20   location / {{\n      proxy_pass http://bench;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_buffering off;\n      proxy_request_buffering off;\n    }}\n  }}\n}}\n"
    )
}

/// What nginx says it is, for the report.
///
/// # Errors
/// When it is not installed.
pub fn nginx_version() -> Outcome<String> {
    let output = Command::new(NGINX).arg("-v").output().while_doing("run nginx -v")?;
    Ok(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("nginx version: ").to_owned())
}
