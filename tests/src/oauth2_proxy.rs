//! A real oauth2-proxy as Traefik's ForwardAuth service, set up as teams run it with Cognito before Plane.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    chain::shipped,
    ports::free_port,
    process::{Process, tool},
    provider::Pool,
    scratch::Scratch,
    settings::Settings,
    trouble::{Outcome, While},
};

/// What it has to be told.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user pool's issuer.
    pub issuer: String,
    /// The app client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where browsers reach it: `http://127.0.0.1:PORT/oauth2/callback`.
    pub redirect_url: String,
}

/// A running oauth2-proxy. Dropping it stops it.
#[derive(Debug)]
pub struct OAuth2Proxy {
    /// The program.
    pub process: Process,
    port: u16,
    config: PathBuf,
    _scratch: Scratch,
}

impl Setup {
    /// What it is told about a pool, for a Plane that browsers find at `plane_url`.
    #[must_use]
    pub fn new(pool: &Pool, plane_url: &str) -> Self {
        Self {
            issuer: pool.issuer.clone(),
            client_id: pool.client_id.clone(),
            client_secret: pool.client_secret.clone(),
            redirect_url: format!("{plane_url}/oauth2/callback"),
        }
    }

    /// The shipped configuration file with these values.
    ///
    /// # Errors
    /// When it is not there or not TOML.
    pub fn settings(&self, port: u16) -> Outcome<Settings> {
        let mut settings = Settings::read(&shipped("oauth2-proxy.cfg")?)?;
        settings.set("http_address", format!("127.0.0.1:{port}"));
        settings.set("oidc_issuer_url", self.issuer.as_str());
        settings.set("client_id", self.client_id.as_str());
        settings.set("client_secret", self.client_secret.as_str());
        settings.set("cookie_secret", "0123456789abcdef0123456789abcdef");
        settings.set("redirect_url", self.redirect_url.as_str());
        settings.set("trusted_proxy_ips", vec!["127.0.0.1".to_owned()]);
        Ok(settings)
    }
}

impl OAuth2Proxy {
    /// Starts it as `setup` says, with `change` made to its settings.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(setup: &Setup, change: impl FnOnce(&mut Settings)) -> Outcome<Self> {
        let (port, scratch) = (free_port()?, Scratch::new("oauth2-proxy")?);
        let mut settings = setup.settings(port)?;
        change(&mut settings);
        let config = scratch.write("oauth2-proxy.cfg", settings.text())?;
        let process = launch(port, &config).await?;
        Ok(Self { process, port, config, _scratch: scratch })
    }

    /// What `oauth2-proxy --version` says, for the report of a run.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn version() -> Outcome<String> {
        let program = tool("oauth2-proxy", "OAUTH2_PROXY")?;
        let output =
            Command::new(program).arg("--version").output().while_doing("run oauth2-proxy --version")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Stops it and starts it again as it was.
    ///
    /// # Errors
    /// When it does not stop, or does not come up.
    pub async fn restart(&mut self) -> Outcome {
        self.process.stop().await?;
        self.process = launch(self.port, &self.config).await?;
        Ok(())
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn launch(port: u16, config: &Path) -> Outcome<Process> {
    let arguments = [format!("--config={}", config.display())];
    let program = tool("oauth2-proxy", "OAUTH2_PROXY")?;
    let mut process = Process::start("oauth2-proxy", program.as_os_str(), arguments, &BTreeMap::new())?;
    let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
    let url = format!("http://127.0.0.1:{port}/ping");
    process
        .wait_for("ready", async |_| {
            http.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
        })
        .await?;
    Ok(process)
}
