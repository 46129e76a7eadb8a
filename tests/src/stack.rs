//! Everything together: both doubles, the echo upstream, the adapter and one or more proxies, on free ports.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use toml::Value;

use crate::{
    adapter::{self, Adapter},
    browser::{Browser, Person},
    certificate::Authority,
    client::{McpClient, SignedIn},
    cognito::{CognitoDouble, CognitoOptions},
    echo::Echo,
    plane::{FrontOptions, PlaneDouble, PlaneOptions},
    ports::free_port,
    proxy::{self, Proxy, fresh_key},
    settings::{Settings, route},
    trouble::{Outcome, Trouble, While},
    valkey::Valkey,
};

/// The workspace of the sample data, which tools use when a call names none.
pub const WORKSPACE: &str = "acme";

/// Where the proxies keep sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    /// In the memory of the one proxy.
    #[default]
    Memory,
    /// In a Valkey server of this stack.
    Valkey,
}

/// What a stack is made of; the defaults are one proxy with everything in memory.
#[derive(Debug, Default)]
pub struct Builder {
    store: Store,
    more_proxies: usize,
    echo_routes: bool,
    echo_tls: bool,
    route_timeout: Option<u32>,
    route_scopes: Option<Vec<Value>>,
    port: Option<u16>,
    cognito: CognitoOptions,
    plane: PlaneOptions,
    proxy_settings: Vec<(String, Value)>,
    adapter_settings: Vec<(String, Value)>,
}

/// A running stack. Dropping it stops everything.
#[derive(Debug)]
pub struct Stack {
    /// The proxies, all with the same public URL; the first is the one that URL reaches.
    pub proxies: Vec<Proxy>,
    /// The adapter.
    pub adapter: Adapter,
    /// The database, where there is one.
    pub valkey: Option<Valkey>,
    /// Cognito.
    pub cognito: CognitoDouble,
    /// Plane and the team's front before it.
    pub plane: PlaneDouble,
    /// The upstream of the routes `/echo` and `/echo-mcp`.
    pub echo: Echo,
    /// Signed the proxies' certificates.
    pub authority: Authority,
    /// What the proxies were told.
    pub surroundings: proxy::Surroundings,
}

impl Builder {
    /// Keeps sessions there.
    #[must_use]
    pub fn store(mut self, store: Store) -> Self {
        self.store = store;
        self
    }

    /// Starts `count` proxies instead of one.
    #[must_use]
    pub fn proxies(mut self, count: usize) -> Self {
        self.more_proxies = count.saturating_sub(1);
        self
    }

    /// Adds `/echo` (kind `http`) and `/echo-mcp` (kind `mcp`), both to the echo upstream.
    #[must_use]
    pub fn echo_routes(mut self) -> Self {
        self.echo_routes = true;
        self
    }

    /// The same, with an upstream that speaks TLS under a certificate of the stack's authority.
    #[must_use]
    pub fn echo_routes_over_tls(mut self) -> Self {
        self.echo_tls = true;
        self.echo_routes()
    }

    /// Sets how many seconds upstreams of the echo routes may take.
    #[must_use]
    pub fn route_timeout(mut self, seconds: u32) -> Self {
        self.route_timeout = Some(seconds);
        self
    }

    /// Sets the scopes that tokens for the echo routes need.
    #[must_use]
    pub fn route_scopes(mut self, scopes: &[&str]) -> Self {
        self.route_scopes = Some(scopes.iter().copied().map(Value::from).collect());
        self
    }

    /// Makes the public URL end in this port instead of a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Changes how the Cognito double behaves.
    #[must_use]
    pub fn cognito(mut self, change: impl FnOnce(&mut CognitoOptions)) -> Self {
        change(&mut self.cognito);
        self
    }

    /// Changes how the Plane double behaves.
    #[must_use]
    pub fn plane(mut self, change: impl FnOnce(&mut PlaneOptions)) -> Self {
        change(&mut self.plane);
        self
    }

    /// Sets a key of the proxies' configuration, after all others.
    #[must_use]
    pub fn proxy_setting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.proxy_settings.push((key.to_owned(), value.into()));
        self
    }

    /// Sets a key of the adapter's configuration, after all others.
    #[must_use]
    pub fn adapter_setting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.adapter_settings.push((key.to_owned(), value.into()));
        self
    }

    /// Starts it all and waits until it is ready.
    ///
    /// # Errors
    /// When a part does not come up; the sentence says which and why.
    pub async fn start(self) -> Outcome<Stack> {
        let port = self.port.map_or_else(free_port, Ok)?;
        let public_url = format!("https://127.0.0.1:{port}");
        let authority = Authority::new()?;
        let echo = if self.echo_tls {
            Echo::start_tls(&authority.issue("echo")?).await?
        } else {
            Echo::start().await?
        };
        let (cognito, plane) = doubles(self.cognito.clone(), self.plane.clone(), &public_url).await?;
        let adapter = self.adapter(&cognito, &plane);
        let valkey = async {
            Ok(match self.store {
                Store::Memory => None,
                Store::Valkey => Some(Valkey::start().await?),
            })
        };
        let (adapter, valkey) = try_join(adapter, valkey).await?;
        let surroundings = proxy::Surroundings {
            public_url,
            certificate: authority.issue("edge")?,
            issuer: cognito.issuer_url().to_owned(),
            client_id: cognito.client_id.clone(),
            client_secret: cognito.client_secret.clone(),
            vault_keys: fresh_key("test")?,
            valkey_url: valkey.as_ref().map(Valkey::url),
        };
        let mut proxies = Vec::new();
        for number in 0..=self.more_proxies {
            let listen = if number == 0 { port } else { free_port()? };
            let settings = self.proxy_settings(&surroundings, listen, &adapter, &echo);
            proxies.push(Proxy::start(settings, &surroundings.environment()).await?);
        }
        Ok(Stack { proxies, adapter, valkey, cognito, plane, echo, authority, surroundings })
    }

    async fn adapter(&self, cognito: &CognitoDouble, plane: &PlaneDouble) -> Outcome<Adapter> {
        let surroundings = adapter::Surroundings {
            issuer: cognito.issuer_url().to_owned(),
            client_id: cognito.client_id.clone(),
            plane_front: plane.front_url(),
            plane: plane.url(),
            workspace: WORKSPACE.to_owned(),
        };
        let mut settings = surroundings.settings();
        for (key, value) in &self.adapter_settings {
            settings.set(key, value.clone());
        }
        Adapter::start(&settings).await
    }

    fn proxy_settings(
        &self,
        surroundings: &proxy::Surroundings,
        port: u16,
        adapter: &Adapter,
        echo: &Echo,
    ) -> Settings {
        let mut settings = surroundings.settings(port);
        settings.push("routes", route("/mcp", "mcp", &adapter.endpoint));
        settings.push("routes", route("/api-key/mcp", "api-key", &adapter.endpoint));
        if self.echo_routes {
            let endpoint = format!("{}/upstream/mcp", echo.url());
            let routes = [route("/echo", "http", echo.url()), route("/echo-mcp", "mcp", &endpoint)];
            for mut route in routes {
                if let Some(seconds) = self.route_timeout {
                    route.insert("timeout_seconds".to_owned(), i64::from(seconds).into());
                }
                if let Some(scopes) = &self.route_scopes {
                    route.insert("scopes".to_owned(), scopes.clone().into());
                }
                settings.push("routes", route);
            }
        }
        for (key, value) in &self.proxy_settings {
            settings.set(key, value.clone());
        }
        settings
    }
}

async fn doubles(
    mut options: CognitoOptions,
    mut plane: PlaneOptions,
    public_url: &str,
) -> Outcome<(CognitoDouble, PlaneDouble)> {
    options.redirect_uris.push(format!("{public_url}/auth/callback"));
    let cognito = CognitoDouble::start(options).await?;
    let keys = format!("{}/.well-known/jwks.json", cognito.issuer_url());
    plane.front = Some(FrontOptions::new(keys, cognito.issuer_url(), &cognito.client_id));
    let plane = PlaneDouble::start(plane).await;
    Ok((cognito, plane.while_doing("start the Plane double")?))
}

impl Stack {
    /// A stack to be described.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One proxy with everything in memory.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start() -> Outcome<Self> {
        Self::builder().start().await
    }

    /// The origin clients use.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.surroundings.public_url
    }

    /// The first proxy.
    ///
    /// # Errors
    /// When it was taken away.
    pub fn proxy(&mut self) -> Outcome<&mut Proxy> {
        self.proxies.first_mut().ok_or_else(|| Trouble::new("no proxy runs"))
    }

    /// A client of the endpoint at `path`.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn client(&self, path: &str) -> Outcome<McpClient> {
        McpClient::new(&format!("{}{path}", self.origin()), &self.authority.pem())
    }

    /// A browser that has never been anywhere.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn browser(&self) -> Outcome<Browser> {
        Browser::new(&self.authority.pem())
    }

    /// One of the double's users, approving.
    #[must_use]
    pub fn person(&self, user: &str) -> Person {
        Person::new(user, CognitoDouble::PASSWORD)
    }

    /// Signs `user` in for `/mcp` with a new client and a new browser.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn sign_in(&self, user: &str) -> Outcome<SignedIn> {
        self.sign_in_at("/mcp", user).await
    }

    /// The same for another route.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn sign_in_at(&self, path: &str, user: &str) -> Outcome<SignedIn> {
        self.client(path)?.sign_in(&self.browser()?, &self.person(user)).await
    }

    /// Everything all our programs logged so far.
    #[must_use]
    pub fn logs(&self) -> String {
        let proxies = self.proxies.iter().map(|proxy| proxy.program.log().text());
        proxies.chain([self.adapter.program.log().text()]).collect::<Vec<_>>().join("\n")
    }

    /// The environment the proxies run with.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.surroundings.environment()
    }
}
