//! What can change while we run: the master switch and the log filter. `service::reload` reads and checks the file
//! again; this says what the configuration is, and takes what can change.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

pub use service::reload::Source;
use service::{
    Shutdown,
    config::{Layers, Problems},
    reload::Reloadable,
    telemetry::FilterHandle,
};
use toml::Table;

use crate::{
    config::{
        Config,
        raw::{self, Raw},
        resolve,
    },
    edge::switch,
    metrics::Metrics,
};

/// Reads and resolves all layers.
///
/// # Errors
/// With every problem there is.
pub fn load(source: &Source) -> Result<(Raw, Config), Problems> {
    let file = source.text().map_err(|problem| {
        let mut problems = Problems::default();
        problems.push(problem.key, problem.message);
        problems
    })?;
    let in_the_open = file.as_ref().map(|(_, text)| secrets_in(text)).unwrap_or_default();
    let layers = Layers { prefix: "PROXY", file, env: &source.env, aliases: raw::LEGACY_ENV };
    let (raw, mut problems) = service::config::load::<Raw>(&layers);
    for key in in_the_open {
        problems.push(key, "is a secret: give it in the environment, or as a file of its own");
    }
    // The Python mode chose its way to sign in by this; any other than SSO would be another program.
    if source.env.get("AUTH_TYPE").is_some_and(|kind| kind != "SSO") {
        problems.push("AUTH_TYPE", "must be SSO or unset: this proxy signs people in with Cognito only");
    }
    let config = resolve(&raw, problems)?;
    Ok((raw, config))
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
    watch: service::reload::Reload,
    running: Table,
    filter: FilterHandle,
}

impl Reload {
    /// Watches `source`, from which `running` was read; a new log filter goes to `filter`. From now on SIGHUP is a wish
    /// to reload, and ends nothing.
    ///
    /// # Errors
    /// When the signal handler cannot be installed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(source: Source, running: &Raw, filter: FilterHandle) -> io::Result<Self> {
        let running = Table::try_from(running).map_err(io::Error::other)?;
        Ok(Self { watch: service::reload::Reload::new(source)?, running, filter })
    }

    pub(crate) async fn watch(self, mcp_enabled: Arc<AtomicBool>, metrics: Metrics, shutdown: Shutdown) {
        let Self { watch, running, filter } = self;
        watch.watch(Live { filter, mcp_enabled, metrics }, running, shutdown).await;
    }
}

/// What of the running proxy can change.
struct Live {
    filter: FilterHandle,
    mcp_enabled: Arc<AtomicBool>,
    metrics: Metrics,
}

impl Reloadable for Live {
    type Config = Config;

    const LIVE: &'static [&'static str] = &["mcp.enabled", "log.filter"];

    fn load(&self, source: &Source) -> Result<(Table, Config), Problems> {
        let (raw, config) = load(source)?;
        match Table::try_from(&raw) {
            Ok(written) => Ok((written, config)),
            Err(error) => {
                let mut problems = Problems::default();
                problems.push("config", format!("cannot be shown: {error}"));
                Err(problems)
            }
        }
    }

    fn take(&mut self, config: Config) {
        switch(&self.mcp_enabled, &self.metrics, config.mcp_enabled);
        if let Err(error) = self.filter.set(&config.log.filter) {
            tracing::error!(%error, "log filter not changed");
        }
    }

    fn attempted(&self, outcome: &'static str) {
        self.metrics.reloaded(outcome);
    }
}
