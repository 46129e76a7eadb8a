//! The whole chain of real programs: Traefik with the files of `deploy/traefik`, oauth2-proxy, Valkey, our own programs, and an
//! independent OpenID provider in Cognito's place. Only Plane is a double.
//!
//! ```text
//! Way::Inline        client ─▶ proxy ─▶ adapter ─▶ Traefik ─▶ oauth2-proxy ─▶ Plane
//! Way::Behind        client ─▶ Traefik ─▶ proxies ─▶ adapters ─▶ Traefik ─▶ oauth2-proxy ─▶ Plane
//! Way::ForwardAuth   client ─▶ Traefik ─▶ (proxy /forward-auth, oauth2-proxy) ─▶ adapter ─▶ Traefik ─▶ oauth2-proxy ─▶ Plane
//! browser ─▶ Traefik ─▶ oauth2-proxy ─▶ Plane
//! ```

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};

use crate::{
    adapter::{self, Adapter},
    browser::{Browser, Person},
    certificate::{Authority, CertificateFiles},
    client::{McpClient, SignedIn},
    oauth2_proxy::{OAuth2Proxy, Setup},
    plane::{PlaneDouble, PlaneOptions},
    ports::free_port,
    provider::OpenIdProvider,
    proxy::{self, Proxy, fresh_key},
    settings::{Settings, route},
    traefik::Traefik,
    trouble::{Outcome, While},
    valkey::Valkey,
};

mod restart;

/// How MCP clients reach the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the proxy.
    Inline,
    /// Through Traefik, which spreads them over the proxies.
    Behind,
    /// Through Traefik, which asks the proxy.
    ForwardAuth,
}

/// What a chain is made of.
#[derive(Debug)]
pub struct Builder {
    way: Way,
    replicas: usize,
    provider: Value,
    change_traefik: fn(String) -> String,
    change_oauth2_proxy: fn(&mut Settings),
    change_proxy: fn(&mut Settings),
    change_adapter: fn(&mut Settings),
}

/// A running chain. Dropping it stops everything.
#[derive(Debug)]
pub struct Chain {
    /// How MCP clients come in.
    pub way: Way,
    /// The proxies.
    pub proxies: Vec<Proxy>,
    /// The adapters.
    pub adapters: Vec<Adapter>,
    /// Traefik.
    pub traefik: Traefik,
    /// oauth2-proxy.
    pub oauth2_proxy: OAuth2Proxy,
    /// The provider in Cognito's place.
    pub provider: OpenIdProvider,
    /// Valkey.
    pub valkey: Valkey,
    /// Plane: no front of its own, Traefik is it.
    pub plane: PlaneDouble,
    /// Signed every certificate.
    pub authority: Authority,
    /// Where browsers find Plane: `https://localhost:PORT`, at Traefik.
    pub plane_url: String,
    /// The origin of MCP clients: `https://127.0.0.1:PORT`, the proxy's or Traefik's.
    pub public_url: String,
    /// Traefik's dynamic configuration: the shipped one with this chain's addresses.
    pub dynamic: String,
    /// What oauth2-proxy was told.
    pub setup: Setup,
    /// The environment of every proxy: its secrets.
    pub environment: BTreeMap<String, String>,
}

impl Builder {
    /// Starts this many proxies and adapters.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Other options of the provider, as in `provider.mjs`.
    #[must_use]
    pub fn provider(mut self, options: Value) -> Self {
        self.provider = options;
        self
    }

    /// Changes Traefik's dynamic configuration, to see what goes wrong without a part of it.
    #[must_use]
    pub fn traefik(mut self, change: fn(String) -> String) -> Self {
        self.change_traefik = change;
        self
    }

    /// Changes oauth2-proxy's settings.
    #[must_use]
    pub fn oauth2_proxy(mut self, change: fn(&mut Settings)) -> Self {
        self.change_oauth2_proxy = change;
        self
    }

    /// Changes the settings of every proxy.
    #[must_use]
    pub fn proxy(mut self, change: fn(&mut Settings)) -> Self {
        self.change_proxy = change;
        self
    }

    /// Changes the settings of every adapter.
    #[must_use]
    pub fn adapter(mut self, change: fn(&mut Settings)) -> Self {
        self.change_adapter = change;
        self
    }

    /// Starts it all and waits until it is ready.
    ///
    /// # Errors
    /// When a program is not installed or does not come up.
    pub async fn start(self) -> Outcome<Chain> {
        let (front, inline) = (free_port()?, free_port()?);
        let plane_url = format!("https://localhost:{front}");
        let public_url = match self.way {
            Way::Inline => format!("https://127.0.0.1:{inline}"),
            Way::Behind | Way::ForwardAuth => format!("https://127.0.0.1:{front}"),
        };
        let callbacks = [format!("{public_url}/auth/callback"), format!("{plane_url}/oauth2/callback")];
        let authority = Authority::new()?;
        let certificate = authority.issue("front")?;
        let provider = OpenIdProvider::start(&callbacks, self.provider.clone()).await?;
        let plane =
            PlaneDouble::start(PlaneOptions::default()).await.while_doing("start the Plane double")?;
        let valkey = Valkey::start().await?;
        let setup = Setup::new(&provider.pool, &plane_url);
        let oauth2_proxy = OAuth2Proxy::start(&setup, self.change_oauth2_proxy).await?;

        let surroundings = proxy::Surroundings {
            public_url: public_url.clone(),
            certificate: authority.issue("edge")?,
            issuer: provider.pool.issuer.clone(),
            client_id: provider.pool.client_id.clone(),
            client_secret: Some(provider.pool.client_secret.clone()),
            vault_keys: fresh_key("e2e")?,
            valkey_url: Some(valkey.url()),
        };
        // What needs no other part goes first; Traefik is told where they are.
        let mut adapters = Vec::new();
        for _ in 0..self.replicas {
            let settings = self.adapter_settings(&provider, &plane, &plane_url, &authority)?;
            adapters.push(Adapter::start(&settings).await?);
        }
        let (mut proxies, environment) = (Vec::new(), surroundings.environment());
        for number in 0..self.replicas {
            let mut settings = self.proxy_settings(&surroundings, number, inline, &adapters)?;
            (self.change_proxy)(&mut settings);
            proxies.push(Proxy::start(settings, &environment).await?);
        }
        let ends =
            Ends { proxies: &proxies, adapters: &adapters, oauth2_proxy: &oauth2_proxy, plane: &plane };
        let dynamic = (self.change_traefik)(ends.dynamic(self.way, &certificate)?);
        let traefik = Traefik::start(front, &dynamic, |settings| settings).await?;
        Ok(Chain {
            way: self.way,
            proxies,
            adapters,
            traefik,
            oauth2_proxy,
            provider,
            valkey,
            plane,
            authority,
            plane_url,
            public_url,
            dynamic,
            setup,
            environment,
        })
    }

    fn adapter_settings(
        &self,
        provider: &OpenIdProvider,
        plane: &PlaneDouble,
        plane_url: &str,
        authority: &Authority,
    ) -> Outcome<Settings> {
        let surroundings = adapter::Surroundings {
            issuer: provider.pool.issuer.clone(),
            client_id: provider.pool.client_id.clone(),
            plane_front: plane_url.to_owned(),
            plane: plane.url(),
            workspace: crate::stack::WORKSPACE.to_owned(),
        };
        let mut settings = surroundings.settings();
        settings.set("plane.ca_file", authority.file().display().to_string());
        // One that a restarted adapter finds free again.
        settings.set("server.listen", format!("127.0.0.1:{}", free_port()?));
        (self.change_adapter)(&mut settings);
        Ok(settings)
    }

    fn proxy_settings(
        &self,
        surroundings: &proxy::Surroundings,
        number: usize,
        inline: u16,
        adapters: &[Adapter],
    ) -> Outcome<Settings> {
        let port = if number == 0 && self.way == Way::Inline { inline } else { free_port()? };
        let mut settings = surroundings.settings(port);
        // Each proxy to an adapter of its own.
        let upstream = adapters.get(number).or(adapters.first()).map_or("", |adapter| &adapter.endpoint);
        if self.way == Way::Inline {
            settings.push("routes", route("/mcp", "mcp", upstream));
            return Ok(settings);
        }
        settings.remove("tls");
        settings.set("tls.disabled", true);
        settings.set("server.trusted_proxies", vec!["127.0.0.1".to_owned()]);
        if self.way == Way::Behind {
            settings.push("routes", route("/mcp", "mcp", upstream));
            return Ok(settings);
        }
        settings.push("routes", route("/mcp", "mcp", ""));
        settings.push("routes", route("/api", "http", ""));
        settings.set("forward_auth.listen", format!("127.0.0.1:{}", free_port()?));
        settings.set("forward_auth.trusted_proxies", vec!["127.0.0.1".to_owned()]);
        Ok(settings)
    }
}

/// What Traefik's services are.
struct Ends<'a> {
    proxies: &'a [Proxy],
    adapters: &'a [Adapter],
    oauth2_proxy: &'a OAuth2Proxy,
    plane: &'a PlaneDouble,
}

impl Ends<'_> {
    /// The shipped configuration with this chain's addresses.
    fn dynamic(&self, way: Way, certificate: &CertificateFiles) -> Outcome<String> {
        let name = match way {
            Way::Inline | Way::Behind => "inline.yaml",
            Way::ForwardAuth => "forward-auth.yaml",
        };
        let servers = |urls: Vec<String>| {
            let servers: Vec<String> = urls.iter().map(|url| format!("{{url: \"{url}\"}}")).collect();
            servers.join(", ")
        };
        let edges = self.proxies.iter().map(|proxy| format!("http://{}", proxy.program.public())).collect();
        let adapters =
            self.adapters.iter().map(|adapter| format!("http://{}", adapter.program.public())).collect();
        let asked = self.proxies.iter().find_map(|proxy| proxy.program.listener("forward_auth"));
        let asked = asked.map_or_else(String::new, |address: SocketAddr| address.to_string());
        let text = shipped(name)?
            .replace("plane.example.com", "localhost")
            .replace("mcp.example.com", "127.0.0.1")
            .replace("mcp-edge-proxy:8081", &asked)
            .replace("{url: \"http://mcp-edge-proxy:8080\"}", &servers(edges))
            .replace("{url: \"http://plane-mcp-adapter:8211\"}", &servers(adapters))
            .replace("http://oauth2-proxy:4180", &self.oauth2_proxy.url())
            .replace("http://plane:80", &self.plane.url());
        let (cert, key) = (certificate.cert_file.display(), certificate.key_file.display());
        Ok(format!("{text}tls: {{certificates: [{{certFile: \"{cert}\", keyFile: \"{key}\"}}]}}\n"))
    }
}

/// A file of `deploy/traefik`.
pub(crate) fn shipped(name: &str) -> Outcome<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/traefik").join(name);
    fs::read_to_string(&path).while_doing(format_args!("read {}", path.display()))
}

impl Chain {
    /// A chain to be described: one proxy and one adapter.
    #[must_use]
    pub fn builder(way: Way) -> Builder {
        Builder {
            way,
            replicas: 1,
            provider: json!({}),
            change_traefik: |text| text,
            change_oauth2_proxy: |_| (),
            change_proxy: |_| (),
            change_adapter: |_| (),
        }
    }

    /// One more Traefik before the same parts, with its static and its dynamic configuration changed. To those behind it it is
    /// the first one as long as requests name that one's host.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn another_traefik(
        &self,
        change_static: impl FnOnce(String) -> String,
        change: impl FnOnce(String) -> String,
    ) -> Outcome<Traefik> {
        Traefik::start(free_port()?, &change(self.dynamic.clone()), change_static).await
    }

    /// A client of the endpoint at `path`.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn client(&self, path: &str) -> Outcome<McpClient> {
        McpClient::new(&format!("{}{path}", self.public_url), &self.authority.pem())
    }

    /// A client of Plane itself, where browsers find it.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn plane_client(&self, path: &str) -> Outcome<McpClient> {
        McpClient::new(&format!("{}{path}", self.plane_url), &self.authority.pem())
    }

    /// A browser that has never been anywhere.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn browser(&self) -> Outcome<Browser> {
        Browser::new(&self.authority.pem())
    }

    /// One of the provider's users, approving.
    #[must_use]
    pub fn person(&self, user: &str) -> Person {
        Person::new(user, OpenIdProvider::PASSWORD)
    }

    /// Signs `user` in for `/mcp` with a new client and a new browser.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn sign_in(&self, user: &str) -> Outcome<SignedIn> {
        self.client("/mcp")?.sign_in(&self.browser()?, &self.person(user)).await
    }
}
