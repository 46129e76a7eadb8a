//! One of our own programs, run as it is in production: a configuration file, a process, two listeners.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use serde_json::Value;

use crate::{
    process::{Log, Process, our_binary},
    scratch::Scratch,
    settings::Settings,
    trouble::{Outcome, While},
};

mod reload;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `mcp-edge-proxy`, or what `PROXY_BIN` names.
    Proxy,
    /// `plane-mcp-adapter`, or what `ADAPTER_BIN` names.
    Adapter,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Proxy => "mcp-edge-proxy",
            Self::Adapter => "plane-mcp-adapter",
        }
    }

    fn binary(self) -> Outcome<PathBuf> {
        our_binary(
            self.name(),
            match self {
                Self::Proxy => "PROXY_BIN",
                Self::Adapter => "ADAPTER_BIN",
            },
        )
    }
}

/// A running one. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    process: Process,
    config: PathBuf,
    public: SocketAddr,
    admin: SocketAddr,
    http: reqwest::Client,
    scratch: Scratch,
}

impl Program {
    /// Starts it and waits until its `/readyz` answers 200.
    ///
    /// # Errors
    /// When it does not come up; the sentence carries its log.
    pub async fn start(
        kind: Kind,
        settings: &Settings,
        environment: &BTreeMap<String, String>,
    ) -> Outcome<Self> {
        let mut program = Self::start_unready(kind, settings, environment).await?;
        program.wait_ready().await?;
        Ok(program)
    }

    /// Starts it and waits only until it listens.
    ///
    /// # Errors
    /// When it does not come up; the sentence carries its log.
    pub async fn start_unready(
        kind: Kind,
        settings: &Settings,
        environment: &BTreeMap<String, String>,
    ) -> Outcome<Self> {
        let scratch = Scratch::new(kind.name())?;
        let config = scratch.write("config.toml", settings.text())?;
        let arguments = arguments(&config, "serve");
        let mut process = Process::start(kind.name(), kind.binary()?.as_os_str(), arguments, environment)?;
        let (public, admin) = process
            .wait_for("listening", async |log| {
                let public = listener(log, "public")?;
                let admin = listener(log, "admin")?;
                Some((public, admin))
            })
            .await?;
        let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
        Ok(Self { process, config, public, admin, http, scratch })
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// When it does not; the sentence carries the log.
    pub async fn wait_ready(&mut self) -> Outcome {
        let (http, url) = (self.http.clone(), format!("http://{}/readyz", self.admin));
        let probe = async |_: &Log| {
            let answer = http.get(&url).send().await.ok()?;
            (answer.status() == 200).then_some(())
        };
        self.process.wait_for("200 at /readyz", probe).await
    }

    /// Waits until `/readyz` tells that the check `name` passes (`passes`), or does not; gives the status of that answer.
    ///
    /// # Errors
    /// When it does not; the sentence carries the log.
    pub async fn wait_check(&mut self, name: &str, passes: bool) -> Outcome<u16> {
        let (http, url) = (self.http.clone(), format!("http://{}/readyz", self.admin));
        let probe = async |_: &Log| {
            // A kubelet waits no longer, and takes silence for a no.
            let answer = http.get(&url).timeout(Duration::from_secs(1)).send().await.ok()?;
            let status = answer.status().as_u16();
            let said: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
            let word = said.pointer(&format!("/checks/{name}"))?.as_str()?;
            ((word == "ok") == passes).then_some(status)
        };
        let what = format!("{name} {} at /readyz", if passes { "good" } else { "away" });
        self.process.wait_for(&what, probe).await
    }

    /// The address of the public listener.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// The address of another listener, where there is one.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        listener(self.process.log(), name)
    }

    /// Status and body of a path of the admin listener.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admin(&self, path: &str) -> Outcome<(u16, String)> {
        let what = format!("load {path} of the admin listener");
        let answer = self.http.get(format!("http://{}{path}", self.admin)).send().await.while_doing(&what)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.while_doing(&what)?))
    }

    /// What its configuration file holds.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn settings(&self) -> Outcome<Settings> {
        Settings::read(&std::fs::read_to_string(&self.config).while_doing("read a configuration file")?)
    }

    /// Replaces its configuration file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rewrite(&self, settings: &Settings) -> Outcome {
        std::fs::write(&self.config, settings.text()).while_doing("rewrite a configuration file")
    }

    /// Sends it a signal, such as `TERM` or `HUP`.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: &str) -> Outcome {
        self.process.signal(signal)
    }

    /// The process itself: its log, its signals, its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.process.log()
    }
}

/// Runs a program with `command` (`check`, `healthcheck --ready`, …) until it ends by itself; gives its exit status and all its output.
///
/// # Errors
/// When it cannot be started or does not end.
pub async fn run_to_end(kind: Kind, command: &str, settings: &Settings) -> Outcome<(ExitStatus, String)> {
    run_to_end_with(kind, command, settings, &BTreeMap::new()).await
}

/// The same in an environment.
///
/// # Errors
/// As [`run_to_end`].
pub async fn run_to_end_with(
    kind: Kind,
    command: &str,
    settings: &Settings,
    environment: &BTreeMap<String, String>,
) -> Outcome<(ExitStatus, String)> {
    let scratch = Scratch::new(kind.name())?;
    let config = scratch.write("config.toml", settings.text())?;
    let arguments = arguments(&config, command);
    let mut process = Process::start(kind.name(), kind.binary()?.as_os_str(), arguments, environment)?;
    let status = process.wait_ended().await?;
    Ok((status, process.log().text()))
}

fn arguments(config: &Path, command: &str) -> Vec<OsString> {
    let words = command.split_whitespace().map(OsString::from);
    ["--config".into(), config.into()].into_iter().chain(words).collect()
}

/// The address in the line `listening addr=… listener=…` of a JSON log.
fn listener(log: &Log, name: &str) -> Option<SocketAddr> {
    log.lines().iter().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        if text("listener") != Some(name) {
            return None;
        }
        text("addr")?.parse().ok()
    })
}
