//! The configuration, read again while the process runs: when its file changes, and on SIGHUP.
//!
//! What is read is checked whole first. A configuration with a problem changes nothing. Of one without, the program
//! takes what it can change while running; every other setting that differs is named in the log, because it waits for a
//! restart.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use toml::{Table, Value};

use crate::Shutdown;
use crate::config::{Problem, Problems};

/// How often the file is looked at. It is read when it looks the same twice: not while somebody is still writing it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the configuration comes from, for reading it again.
#[derive(Debug)]
pub struct Source {
    /// The TOML file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment at start, which cannot change.
    pub env: BTreeMap<String, String>,
}

/// A program some settings of which can change while it runs.
pub trait Reloadable {
    /// The whole, valid configuration.
    type Config;

    /// Settings that [`Reloadable::take`] takes: `section.key`.
    const LIVE: &'static [&'static str];

    /// Reads and checks everything, and gives it once as written, defaults included, and once as it is meant.
    ///
    /// # Errors
    /// With every problem there is.
    fn load(&self, source: &Source) -> Result<(Table, Self::Config), Problems>;

    /// Takes the live settings of a new configuration.
    fn take(&mut self, config: Self::Config);

    /// Hears of every attempt: `taken` or `refused`.
    fn attempted(&self, outcome: &'static str);
}

/// Watches the source of a running program's configuration.
#[derive(Debug)]
pub struct Reload {
    source: Source,
    hangup: Signal,
}

/// A file as it can be told from another without reading it.
type Stamp = Option<(SystemTime, u64)>;

impl Source {
    /// The file's path and text.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text(&self) -> Result<Option<(PathBuf, String)>, Problem> {
        let Some(path) = &self.file else { return Ok(None) };
        let unreadable = |error| Problem {
            key: "--config".to_owned(),
            message: format!("cannot read {}: {error}", path.display()),
        };
        std::fs::read_to_string(path).map(|text| Some((path.clone(), text))).map_err(unreadable)
    }

    fn stamp(&self) -> Stamp {
        let data = std::fs::metadata(self.file.as_ref()?).ok()?;
        Some((data.modified().ok()?, data.len()))
    }
}

impl Reload {
    /// Watches `source`. From now on SIGHUP is a wish to reload, and ends nothing.
    ///
    /// # Errors
    /// When the signal handler cannot be installed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(source: Source) -> io::Result<Self> {
        Ok(Self { source, hangup: signal(SignalKind::hangup())? })
    }

    /// Reloads `program`, which runs with `running`, until the shutdown.
    pub async fn watch<P: Reloadable>(mut self, mut program: P, running: Table, shutdown: Shutdown) {
        let mut running = settings(&running);
        // Nothing is known of the file yet: it may have changed since it was read for the start.
        let (mut seen, mut read) = (None, None);
        loop {
            let asked = tokio::select! {
                () = shutdown.wait() => return,
                _ = self.hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let stamp = self.source.stamp();
            let still = std::mem::replace(&mut seen, stamp) == stamp;
            if asked || (still && stamp != read) {
                read = stamp;
                reload(&self.source, &mut program, &mut running, asked);
            }
        }
    }
}

fn reload<P: Reloadable>(
    source: &Source,
    program: &mut P,
    running: &mut BTreeMap<String, Value>,
    asked: bool,
) {
    let (written, config) = match program.load(source) {
        Ok(loaded) => loaded,
        Err(problems) => {
            for Problem { key, message } in &problems {
                tracing::error!(key, problem = message, "new configuration refused, the old one stays");
            }
            return program.attempted("refused");
        }
    };
    let new = settings(&written);
    let (live, waiting): (Vec<&str>, Vec<&str>) =
        differing(running, &new).into_iter().partition(|key| P::LIVE.contains(key));
    if live.is_empty() && waiting.is_empty() && !asked {
        return;
    }
    program.take(config);
    program.attempted("taken");
    tracing::info!(changed = live.join(" "), "configuration reloaded");
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(" "), "changed settings wait for a restart");
    }
    // What waits for a restart stays as it was, so that it is named again the next time.
    running.retain(|key, _| !P::LIVE.contains(&key.as_str()));
    running.extend(new.into_iter().filter(|(key, _)| P::LIVE.contains(&key.as_str())));
}

/// Every setting under its dotted name.
fn settings(table: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                let inner = settings(section).into_iter();
                found.extend(inner.map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => {
                found.insert(name.clone(), value.clone());
            }
        }
    }
    found
}

fn differing<'a>(old: &'a BTreeMap<String, Value>, new: &'a BTreeMap<String, Value>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = old
        .keys()
        .chain(new.keys())
        .filter(|key| old.get(*key) != new.get(*key))
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests;
