//! The configuration, read again while the process runs: when its file or a file that it names changes, and on SIGHUP.
//!
//! What is read is checked whole first. A configuration with a problem changes nothing. Of one without, the program
//! takes what it can change while running; every other setting that differs is named in the log, because it waits for a
//! restart.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use toml::{Table, Value};

use crate::Shutdown;
use crate::config::{Problem, Problems};

mod live;

/// How often the files are looked at. They are read when they look the same twice: not while somebody still writes them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same after SIGHUP, whose sender has finished writing, as a rule. So many signals cause few reloads.
const LOOK_WHEN_ASKED: Duration = Duration::from_millis(200);
/// After what time a refused configuration is tried again, which may name a file that was being replaced.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Larger files are no configuration.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

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

    /// What the program will go by, made and checked.
    type Prepared;

    /// Settings that can change while the program runs: `section.key`.
    const LIVE: &'static [&'static str];

    /// Settings that name a file whose content is a setting too. Not those that the program watches by itself.
    const FILES: &'static [&'static str];

    /// Reads and checks everything, and gives it once as written, defaults included, and once as it is meant. What is
    /// written is only compared, so that of a secret there may be a fingerprint.
    ///
    /// # Errors
    /// With every problem there is.
    fn load(&self, source: &Source) -> Result<(Table, Self::Config), Problems>;

    /// Makes what the live settings of a new configuration ask for, beside all others as they are. Changes nothing.
    /// `changed` are the live ones that do.
    ///
    /// # Errors
    /// With every problem there is.
    fn prepare(&self, config: Self::Config, changed: &[&str]) -> Result<Self::Prepared, Problems>;

    /// Takes it. From here on nothing can fail.
    fn take(&mut self, prepared: Self::Prepared);

    /// Hears of every attempt: `taken` or `refused`.
    fn attempted(&self, outcome: &'static str);
}

/// Watches the source of a running program's configuration.
#[derive(Debug)]
pub struct Reload {
    source: Source,
    hangup: Signal,
}

/// A file as it can be told from another without reading it: device, inode, length, last change of content and of inode.
/// None where there is no file to read: missing, or a directory, a pipe.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

impl Source {
    /// The file's path and text.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text(&self) -> Result<Option<(PathBuf, String)>, Problem> {
        let Some(path) = &self.file else { return Ok(None) };
        fs::read_to_string(path)
            .map(|text| Some((path.clone(), text)))
            .map_err(|error| unreadable(path, &error))
    }

    /// What is wrong with the file that a start may do with and a reload should not: a pipe would be waited for without
    /// end, and an empty file is one that somebody is about to write.
    fn check(&self) -> Result<(), Problem> {
        let Some(path) = &self.file else { return Ok(()) };
        let data = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let wrong = if !data.is_file() {
            "is no file"
        } else if data.len() > MOST_BYTES {
            "is too large"
        } else if data.len() == 0 {
            "is empty: restart, if every setting is to have its default"
        } else {
            return Ok(());
        };
        Err(Problem { key: "--config".to_owned(), message: format!("{} {wrong}", path.display()) })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem { key: "--config".to_owned(), message: format!("cannot read {}: {error}", path.display()) }
}

fn stamp(path: &Path) -> Stamp {
    let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let (written, changed) = ((data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec()));
    Some((data.dev(), data.ino(), data.len(), written, changed))
}

/// What of the configuration is in force, to be compared with what is read.
type Settings = BTreeMap<String, Value>;

/// Why the configuration is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// SIGHUP.
    Asked,
    /// A file looks different.
    Changed,
    /// It was refused a while ago.
    Again,
}

/// A program under way, and what came of reloading it.
struct Watched<P> {
    program: P,
    running: Settings,
    /// Why the last configuration was refused, if it was, and since when.
    refused: Option<(String, Instant)>,
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
    pub async fn watch<P: Reloadable>(mut self, program: P, running: Table, shutdown: Shutdown) {
        let running = settings(&running, P::FILES);
        let mut watched = Watched { program, running, refused: None };
        // Nothing is known of the files yet: they may have changed since they were read for the start.
        let (mut seen, mut read) = (None, None);
        let (mut asked, mut look) = (false, Instant::now() + LOOK_EVERY);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = self.hangup.recv(), if !asked => {
                    (asked, seen) = (true, Some(self.stamps(&watched)));
                    look = Instant::now() + LOOK_WHEN_ASKED;
                    continue;
                }
                () = sleep_until(look) => {}
            }
            let stamps = Some(self.stamps(&watched));
            let still = std::mem::replace(&mut seen, stamps.clone()) == stamps;
            let why = match (asked, stamps == read) {
                (true, _) => Some(Why::Asked),
                (false, false) => Some(Why::Changed),
                (false, true) => watched.shall_try_again().then_some(Why::Again),
            };
            if let Some(why) = why.filter(|_| still) {
                (read, asked) = (stamps, false);
                watched.reload(&self.source, why);
            }
            look = Instant::now() + if asked { LOOK_WHEN_ASKED } else { LOOK_EVERY };
        }
    }

    /// How the file looks, and those that the running configuration names.
    fn stamps<P: Reloadable>(&self, watched: &Watched<P>) -> Vec<Stamp> {
        let named = P::FILES.iter().filter_map(|key| named_file(watched.running.get(*key)?));
        self.source.file.iter().map(PathBuf::as_path).chain(named).map(stamp).collect()
    }
}

impl<P: Reloadable> Watched<P> {
    fn reload(&mut self, source: &Source, why: Why) {
        match self.attempt(source, why) {
            Ok(true) => {
                self.refused = None;
                self.program.attempted("taken");
            }
            Ok(false) => {}
            Err(problems) => self.refuse(&problems, why),
        }
    }

    fn refuse(&mut self, problems: &Problems, why: Why) {
        let told = self.refused.replace((problems.to_string(), Instant::now()));
        if why == Why::Again && told.is_some_and(|(before, _)| before == problems.to_string()) {
            return;
        }
        for Problem { key, message } in problems {
            tracing::error!(key, problem = message, "new configuration refused, the old one stays");
        }
        self.program.attempted("refused");
    }

    fn shall_try_again(&self) -> bool {
        self.refused.as_ref().is_some_and(|(_, since)| since.elapsed() >= TRY_AGAIN)
    }

    /// Takes what is there now; says whether that was worth a word.
    fn attempt(&mut self, source: &Source, why: Why) -> Result<bool, Problems> {
        source.check().map_err(Problems::from)?;
        let (written, config) = self.program.load(source)?;
        let new = settings(&written, P::FILES);
        let differing = differing(&self.running, &new);
        let (live, waiting): (Vec<&str>, Vec<&str>) =
            differing.into_iter().partition(|key| P::LIVE.contains(key));
        if !live.is_empty() {
            let prepared = self.program.prepare(config, &live)?;
            self.program.take(prepared);
        } else if waiting.is_empty() && why != Why::Asked && self.refused.is_none() {
            return Ok(false);
        }
        tracing::info!(changed = live.join(" "), "configuration reloaded");
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(" "), "changed settings wait for a restart");
        }
        // What waits for a restart stays as it was, so that it is named again the next time.
        let is_live = |key: &String| P::LIVE.contains(&key.as_str());
        self.running.retain(|key, _| !is_live(key));
        self.running.extend(new.into_iter().filter(|(key, _)| is_live(key)));
        Ok(true)
    }
}

/// Every setting under its dotted name; beside the name of each of `files` stands what tells its content from another.
fn settings(table: &Table, files: &[&str]) -> Settings {
    let mut found = flat(table);
    for key in files {
        let Some(value) = found.get_mut(*key) else { continue };
        if let Some(path) = named_file(value) {
            let content = fingerprint(path).unwrap_or(Value::Boolean(false));
            *value = Value::Array(vec![value.clone(), content]);
        }
    }
    found
}

/// The file that a setting names.
fn named_file(value: &Value) -> Option<&Path> {
    let name = value.as_array().and_then(|parts| parts.first()).unwrap_or(value);
    name.as_str().filter(|name| !name.is_empty()).map(Path::new)
}

/// What tells a file's content from another; it may be a secret, of which nothing is kept.
fn fingerprint(path: &Path) -> Option<Value> {
    stamp(path)?;
    let mut content = Vec::new();
    fs::File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut content).ok()?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    Some(Value::String(format!("{:016x}", hasher.finish())))
}

/// Every setting under its dotted name.
fn flat(table: &Table) -> Settings {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                let inner = flat(section).into_iter();
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
