//! What can change while we run. `service::reload` reads and checks the files again; this says what the configuration is,
//! makes of it what requests will go by, and puts that in place.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::Arc,
};

pub use service::reload::Source;
use service::{
    Clock, Shutdown,
    config::{Layers, Problem, Problems},
    reload::Reloadable,
    telemetry::FilterHandle,
};
use toml::{Table, Value};

use crate::{
    config::{
        Config,
        raw::{self, Raw},
        resolve,
    },
    keys::KeyRing,
    pipeline::Shared,
    rules::Rules,
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

/// Every setting as written, with a fingerprint in the place of a secret that may stand in the file.
fn written(raw: &Raw) -> Result<Table, toml::ser::Error> {
    let mut table = Table::try_from(raw)?;
    if let Some(Value::Table(valkey)) = table.get_mut("valkey")
        && let Some(url) = &raw.valkey.url
    {
        let mut hasher = DefaultHasher::new();
        url.expose().hash(&mut hasher);
        valkey.insert("url".to_owned(), format!("{:016x}", hasher.finish()).into());
    }
    Ok(table)
}

/// Watches the source of a running configuration.
#[derive(Debug)]
pub struct Reload {
    watch: service::reload::Reload,
    running: Raw,
    filter: FilterHandle,
}

/// What a reload changes things in.
pub(crate) struct Parts {
    pub shared: Arc<Shared>,
    pub ring: Arc<KeyRing>,
    pub clock: Arc<dyn Clock>,
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
    pub fn new(source: Source, running: Raw, filter: FilterHandle) -> io::Result<Self> {
        Ok(Self { watch: service::reload::Reload::new(source)?, running, filter })
    }

    pub(crate) async fn watch(self, parts: Parts, shutdown: Shutdown) {
        let Self { watch, running, filter } = self;
        match written(&running) {
            Ok(written) => watch.watch(Live { running, filter, parts }, written, shutdown).await,
            Err(error) => tracing::error!(%error, "the configuration cannot be reloaded"),
        }
    }
}

/// What of the running proxy can change.
struct Live {
    /// As written, with every live setting that was taken since the start.
    running: Raw,
    filter: FilterHandle,
    parts: Parts,
}

/// A configuration that was checked, with what is made of it.
struct Prepared {
    raw: Raw,
    config: Config,
    rules: Rules,
    has_new_keys: bool,
}

impl Reloadable for Live {
    type Config = Raw;
    type Prepared = Box<Prepared>;

    const LIVE: &'static [&'static str] = raw::LIVE;
    const FILES: &'static [&'static str] = raw::FILES;

    fn load(&self, source: &Source) -> Result<(Table, Raw), Problems> {
        let (raw, _) = load(source)?;
        let table = written(&raw).map_err(|error| problem("config", format!("cannot be shown: {error}")))?;
        Ok((table, raw))
    }

    fn prepare(&self, new: Raw, changed: &[&str]) -> Result<Box<Prepared>, Problems> {
        // What waits for a restart stays as it is, so that nothing is made of an old and a new half of two settings.
        let raw = raw::with_live(&self.running, &new);
        let config = resolve(&raw, Problems::default()).map_err(Problems::as_long_as_others_wait)?;
        let has = |key: &str| changed.contains(&key);
        let documents_anew = has("client_documents.private_networks") || has("client_documents.ca_file");
        let rules = self.parts.shared.rules.load().next(&config, documents_anew, &self.parts.clock);
        let rules = rules.map_err(|error| problem("client_documents.ca_file", error.to_string()))?;
        let has_new_keys = has("vault.keys_file");
        if has_new_keys {
            let checked = self.parts.ring.check_next(&config.vault.keys);
            checked.map_err(|error| problem("vault.keys_file", error.to_string()))?;
        }
        Ok(Box::new(Prepared { raw, config, rules, has_new_keys }))
    }

    fn take(&mut self, prepared: Box<Prepared>) {
        let Prepared { raw, config, rules, has_new_keys } = *prepared;
        let Parts { shared, ring, .. } = &self.parts;
        if has_new_keys {
            ring.follow(&config.vault.keys);
            shared.tokens.follow_ring();
            tracing::info!(keys = ring.ids().join(" "), "vault keys reloaded");
        }
        shared.metrics.serve(rules.routes.iter().map(|route| route.path.as_str()));
        let enabled = rules.mcp_enabled;
        let before = shared.rules.swap(Arc::new(rules));
        if before.mcp_enabled != enabled {
            tracing::warn!(enabled, "mcp switched");
            shared.metrics.mcp_enabled.set(i64::from(enabled));
        }
        if let Err(error) = self.filter.set(&config.log.filter) {
            tracing::error!(%error, "log filter not changed");
        }
        self.running = raw;
    }

    fn attempted(&self, outcome: &'static str) {
        self.parts.shared.metrics.reloaded(outcome);
    }
}

fn problem(key: &str, message: String) -> Problem {
    Problem { key: key.to_owned(), message }
}
