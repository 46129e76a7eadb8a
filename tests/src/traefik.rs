//! A real Traefik with a static and a dynamic configuration, on a free port.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    chain::shipped,
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
    /// Starts it on `port` with the static configuration of `deploy/traefik`, changed by `change`, and `dynamic` (the file
    /// provider's YAML).
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(port: u16, dynamic: &str, change: impl FnOnce(String) -> String) -> Outcome<Self> {
        let scratch = Scratch::new("traefik")?;
        let dynamic = scratch.write("dynamic.yaml", dynamic)?;
        let settings = shipped("traefik.yaml")?
            .replace("\":443\"", &format!("\"127.0.0.1:{port}\""))
            .replace("/etc/traefik/dynamic.yaml", &dynamic.display().to_string())
            // Else it waits up to two seconds before it takes a change.
            .replace("providers:\n", "providers:\n  providersThrottleDuration: 100ms\n");
        let settings = scratch.write("traefik.yaml", change(settings))?;
        let arguments = [format!("--configFile={}", settings.display())];
        let program = tool("traefik", "TRAEFIK")?;
        let mut process = Process::start("traefik", program.as_os_str(), arguments, &BTreeMap::new())?;
        // It listens before it has read the dynamic configuration, with a certificate of its own making and no route.
        let builder = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true);
        let http = builder.build().while_doing("build a client")?;
        let url = format!("https://localhost:{port}/");
        process
            .wait_for("routing", async |_| {
                http.get(&url).send().await.ok().filter(|answer| answer.status().as_u16() != 404).map(|_| ())
            })
            .await?;
        Ok(Self { process, port, dynamic, _scratch: scratch })
    }

    /// Where it listens: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The same for a socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Replaces the dynamic configuration; Traefik takes it a moment later.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn change(&self, dynamic: &str) -> Outcome {
        self.changes()(dynamic)
    }

    /// [`Traefik::change`] for a task of its own.
    pub fn changes(&self) -> impl Fn(&str) -> Outcome + Send + 'static + use<> {
        let path = self.dynamic.clone();
        move |dynamic| {
            // In one step: half a file would be taken too.
            let whole = path.with_extension("whole");
            let written = fs::write(&whole, dynamic).and_then(|()| fs::rename(&whole, &path));
            written.while_doing("write Traefik's dynamic configuration")
        }
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
