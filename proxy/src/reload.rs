//! What can change while we run: the master switch and the log filter. The file is read again when it changes or on
//! SIGHUP, checked whole, and taken only if it has no problem.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use service::{
    Shutdown,
    config::{Layers, Problems},
    telemetry::FilterHandle,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    config::{
        Config,
        raw::{self, Raw},
        resolve,
    },
    edge::switch,
    metrics::Metrics,
};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the configuration comes from, for reading it again.
#[derive(Debug)]
pub struct Source {
    /// The TOML file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment at start.
    pub env: BTreeMap<String, String>,
}

impl Source {
    /// Reads and resolves all layers.
    ///
    /// # Errors
    /// With every problem there is.
    pub fn load(&self) -> Result<(Raw, Config), Problems> {
        let file = match &self.file {
            None => None,
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some((path.clone(), text)),
                Err(error) => {
                    let mut problems = Problems::default();
                    problems.push("--config", format!("cannot read {}: {error}", path.display()));
                    return Err(problems);
                }
            },
        };
        let in_the_open = file.as_ref().map(|(_, text)| secrets_in(text)).unwrap_or_default();
        let layers = Layers { prefix: "PROXY", file, env: &self.env, aliases: raw::LEGACY_ENV };
        let (raw, mut problems) = service::config::load::<Raw>(&layers);
        for key in in_the_open {
            problems.push(key, "is a secret: give it in the environment, or as a file of its own");
        }
        // The Python mode chose its way to sign in by this; any other than SSO would be another program.
        if self.env.get("AUTH_TYPE").is_some_and(|kind| kind != "SSO") {
            problems.push("AUTH_TYPE", "must be SSO or unset: this proxy signs people in with Cognito only");
        }
        let config = resolve(&raw, problems)?;
        Ok((raw, config))
    }

    fn modified(&self) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.file.as_ref()?).and_then(|data| data.modified()).ok()
    }
}

/// The secrets that stand in the configuration file, which is shown, copied and kept under version control.
fn secrets_in(file: &str) -> Vec<&'static str> {
    let Ok(table) = file.parse::<toml::Table>() else { return Vec::new() };
    let stands =
        |key: &str| key.split_once('.').and_then(|(section, name)| table.get(section)?.get(name)).is_some();
    raw::SECRETS.iter().copied().filter(|key| stands(key)).collect()
}

/// Watches the source of a running configuration.
#[derive(Debug)]
pub struct Reload {
    source: Source,
    filter: FilterHandle,
    hangup: Signal,
}

impl Reload {
    /// Watches `source`; a new log filter goes to `filter`. From now on SIGHUP is a wish to reload, and ends nothing.
    ///
    /// # Errors
    /// When the signal handler cannot be installed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(source: Source, filter: FilterHandle) -> io::Result<Self> {
        Ok(Self { source, filter, hangup: signal(SignalKind::hangup())? })
    }

    pub(crate) async fn watch(mut self, mcp_enabled: Arc<AtomicBool>, metrics: Metrics, shutdown: Shutdown) {
        let mut seen = self.source.modified();
        loop {
            let asked = tokio::select! {
                () = shutdown.wait() => return,
                _ = self.hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let modified = self.source.modified();
            if !asked && modified == seen {
                continue;
            }
            seen = modified;
            match self.source.load() {
                Ok((_, config)) => {
                    switch(&mcp_enabled, &metrics, config.mcp_enabled);
                    if let Err(error) = self.filter.set(&config.log.filter) {
                        tracing::error!(%error, "log filter not changed");
                    }
                    tracing::info!(
                        "configuration reloaded: mcp.enabled and log.filter; other keys need a restart"
                    );
                }
                Err(problems) => {
                    for problem in &problems {
                        tracing::error!(
                            key = problem.key,
                            problem = problem.message,
                            "new configuration refused"
                        );
                    }
                }
            }
        }
    }
}
