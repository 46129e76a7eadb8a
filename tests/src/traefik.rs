//! A real Traefik with a static and a dynamic configuration, on a free port.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    ports::free_port,
    process::{Process, tool},
    scratch::Scratch,
    trouble::{Outcome, While},
};

/// A running Traefik. Dropping it stops it.
#[derive(Debug)]
pub struct Traefik {
    /// The program.
    pub process: Process,
    port: u16,
    dynamic: PathBuf,
    _scratch: Scratch,
}

impl Traefik {
    /// Starts it with the routers, middlewares and services of `dynamic` (the file provider's YAML) on one entry point called
    /// `web`, whose further settings `entry_point` gives as YAML lines, such as `http: {aliasHeadersStrategy: delete}`.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(port: u16, entry_point: &[&str], dynamic: &str) -> Outcome<Self> {
        let scratch = Scratch::new("traefik")?;
        let dynamic = scratch.write("dynamic.yaml", dynamic)?;
        let ping = free_port()?;
        let more: String = entry_point.iter().map(|line| format!("    {line}\n")).collect();
        let settings = format!(
            "global: {{checkNewVersion: false, sendAnonymousUsage: false}}\n\
             log: {{level: WARN}}\n\
             ping: {{entryPoint: ping}}\n\
             entryPoints:\n  ping: {{address: \"127.0.0.1:{ping}\"}}\n  web:\n    address: \"127.0.0.1:{port}\"\n{more}\
             providers: {{file: {{filename: \"{}\", watch: true}}}}\n",
            dynamic.display()
        );
        let settings = scratch.write("traefik.yaml", settings)?;
        let arguments = [format!("--configFile={}", settings.display())];
        let program = tool("traefik", "TRAEFIK")?;
        let mut process = Process::start("traefik", program.as_os_str(), arguments, &BTreeMap::new())?;
        let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
        let url = format!("http://127.0.0.1:{ping}/ping");
        process
            .wait_for("ready", async |_| {
                http.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
            })
            .await?;
        Ok(Self { process, port, dynamic, _scratch: scratch })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Replaces the dynamic configuration; Traefik takes it a moment later.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn change(&self, dynamic: &str) -> Outcome {
        fs::write(&self.dynamic, dynamic).while_doing("write Traefik's dynamic configuration")
    }

    /// What `traefik version` says, for the report of a run.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn version() -> Outcome<String> {
        let program = tool("traefik", "TRAEFIK")?;
        let output = Command::new(program).arg("version").stderr(Stdio::null()).output();
        let output = output.while_doing("run traefik version")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
