//! What can change while we run (`config::raw::live`). `service::reload` reads and checks the files again; this says what the
//! configuration is, makes of it what requests go by, and puts that in place.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use service::Shutdown;
use service::config::{Problem, Problems};
use service::reload::{Reloadable, Source};
use service::telemetry::FilterHandle;
use toml::Table;

use crate::config::{Config, Written};
use crate::front::origin::{AllowedHosts, AllowedOrigins};
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
    /// `Host` values served, beside loopback.
    pub hosts: AllowedHosts,
    /// `Origin` values served; a request without one is not a browser's.
    pub origins: AllowedOrigins,
    /// Longest request body.
    pub body_bytes: usize,
}

/// The rules in force, replaced whole.
#[derive(Debug)]
pub struct Live(ArcSwap<Rules>);

/// Watches the source of a running configuration.
#[derive(Debug)]
pub struct Reload {
    watch: service::reload::Reload,
    running: Written,
    filter: FilterHandle,
}

impl Rules {
    /// What a configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            enabled: config.mcp.enabled,
            policy: Arc::new(config.policy.clone()),
            hosts: config.server.allowed_hosts.clone(),
            origins: config.server.allowed_origins.clone(),
            body_bytes: config.mcp.body_bytes,
        }
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
        let running = running.written.clone();
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
        match running.table() {
            Ok(table) => {
                let program = Program { running, live, memory, metrics, filter };
                watch.watch(program, table, shutdown).await;
            }
            Err(error) => tracing::error!(%error, "the configuration cannot be reloaded"),
        }
    }
}

/// What of the running adapter can change.
struct Program {
    /// As written, with every live setting that was taken since the start.
    running: Written,
    live: Arc<Live>,
    memory: Arc<Memory>,
    metrics: Metrics,
    filter: FilterHandle,
}

impl Reloadable for Program {
    type Config = Written;
    type Prepared = Box<Config>;

    const LIVE: &'static [&'static str] = Written::LIVE;
    const FILES: &'static [&'static str] = Written::FILES;

    fn load(&self, source: &Source) -> Result<(Table, Written), Problems> {
        let written = Config::read(source)?.written;
        let message = |error| format!("cannot be shown: {error}");
        let table = written.table();
        let table = table.map_err(|error| Problem { key: "config".to_owned(), message: message(error) })?;
        Ok((table, written))
    }

    fn prepare(&self, new: Written, _: &[&str]) -> Result<Box<Config>, Problems> {
        // What waits for a restart stays as it is, so that nothing is made of an old and a new half of two settings.
        Config::of(self.running.with_live(&new)).map(Box::new).map_err(Problems::as_long_as_others_wait)
    }

    fn take(&mut self, config: Box<Config>) {
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
        self.running = config.written;
    }

    fn attempted(&self, outcome: &'static str) {
        self.metrics.reload(outcome);
    }
}
