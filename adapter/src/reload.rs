//! What can change while we run: the master switch, what may be shown, the requests a caller may cause, the log filter.
//! `service::reload` reads and checks the file again; this says what the configuration is, and takes what can change.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use service::Shutdown;
use service::config::Problems;
use service::reload::{Reloadable, Source};
use service::telemetry::FilterHandle;
use toml::Table;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::plane::Memory;
use crate::policy::Policy;

/// What one request goes by, from its first byte to its last.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The master switch.
    pub enabled: bool,
    /// What may be shown.
    pub policy: Arc<Policy>,
}

/// The rules in force, replaced whole.
#[derive(Debug)]
pub struct Live(ArcSwap<Rules>);

/// Watches the source of a running configuration.
#[derive(Debug)]
pub struct Reload {
    watch: service::reload::Reload,
    running: Table,
    filter: FilterHandle,
}

impl Rules {
    /// What a configuration says.
    pub fn of(config: &Config) -> Self {
        Self { enabled: config.mcp.enabled, policy: Arc::new(config.policy.clone()) }
    }
}

impl Live {
    /// In force from the start.
    pub fn new(rules: Rules) -> Self {
        Self(ArcSwap::from_pointee(rules))
    }

    /// The rules for a request that comes now.
    pub fn now(&self) -> Arc<Rules> {
        self.0.load_full()
    }
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
    pub fn new(source: Source, running: &Config, filter: FilterHandle) -> io::Result<Self> {
        let running = running.effective.parse().map_err(io::Error::other)?;
        Ok(Self { watch: service::reload::Reload::new(source)?, running, filter })
    }

    pub(crate) async fn watch(
        self,
        live: Arc<Live>,
        memory: Arc<Memory>,
        metrics: Metrics,
        shutdown: Shutdown,
    ) {
        let Self { watch, running, filter } = self;
        watch.watch(Program { live, memory, metrics, filter }, running, shutdown).await;
    }
}

/// What of the running adapter can change.
struct Program {
    live: Arc<Live>,
    memory: Arc<Memory>,
    metrics: Metrics,
    filter: FilterHandle,
}

impl Reloadable for Program {
    type Config = Config;

    const LIVE: &'static [&'static str] = &[
        "log.filter",
        "mcp.enabled",
        "plane.projects",
        "plane.requests_per_minute",
        "plane.workspaces",
        "tools.allow",
    ];

    fn load(&self, source: &Source) -> Result<(Table, Config), Problems> {
        let config = Config::read(source)?;
        match config.effective.parse() {
            Ok(written) => Ok((written, config)),
            Err(error) => {
                let mut problems = Problems::default();
                problems.push("config", format!("cannot be shown: {error}"));
                Err(problems)
            }
        }
    }

    fn take(&mut self, config: Config) {
        let rules = Rules::of(&config);
        let enabled = rules.enabled;
        let before = self.live.0.swap(Arc::new(rules));
        if before.enabled != enabled {
            tracing::warn!(enabled, "mcp switched");
            self.metrics.mcp_enabled(enabled);
        }
        self.memory.set_per_minute(config.plane.requests_per_minute);
        if let Err(error) = self.filter.set(&config.log.filter) {
            tracing::error!(%error, "log filter not changed");
        }
    }

    fn attempted(&self, outcome: &'static str) {
        self.metrics.reload(outcome);
    }
}
