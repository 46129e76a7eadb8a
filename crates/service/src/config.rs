//! Configuration: defaults < TOML file < environment, read in one go that reports every problem.
//!
//! Everything is passed in; nothing here reads a file or the environment. The value to load into is a "raw" one: plain
//! serde structs that look like the file, with `#[serde(default)]` and a `Default` that is valid. The caller then turns
//! it into what the program works with, and adds the problems it finds to the same [`Problems`].

mod layers;
mod read;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use config::ValueKind;
use serde::de::DeserializeOwned;

use self::read::{Fault, Reader};

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as in `tls.cert_file` or `list[1].name`; the path, where the file itself cannot be read.
    pub key: String,
    /// What is wrong, in words that show no value: it might be a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.message)
    }
}

/// All that is wrong with the configuration; printed one problem a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem, unless there is one with that key: a value that could not be read stands at its default, so
    /// what follows from it is noise.
    pub fn push(&mut self, key: impl Into<String>, message: impl Into<String>) {
        let key = key.into();
        if self.0.iter().all(|problem| problem.key != key) {
            self.0.push(Problem { key, message: message.into() });
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl Problems {
    /// For the problems of settings that are good only together with others, which wait for a restart.
    #[must_use]
    pub fn as_long_as_others_wait(self) -> Self {
        let told = |Problem { key, message }| Problem {
            key,
            message: format!("{message} (as long as other changed settings wait for a restart)"),
        };
        Self(self.0.into_iter().map(told).collect())
    }
}

impl Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Where settings come from, the weakest first: the file, the aliases, the environment under the prefix.
///
/// With the prefix `APP`, `APP_TLS__CERT_FILE` is `tls.cert_file` and `APP_NAME` is `name`. A list is written as
/// `a,b` or as JSON; a list of tables only in the file or as JSON. An empty variable counts as not set. A variable
/// with `__` that is no setting is a problem; one without is not, because others (Kubernetes' `APP_PORT`, the
/// command line's `APP_CONFIG`) use such names too.
#[derive(Debug)]
pub struct Layers<'a> {
    /// What the environment variables begin with, without the `_`.
    pub prefix: &'a str,
    /// The file's path, for messages, and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// Environment variables with names of their own: `(variable, setting)`.
    pub aliases: &'a [(&'a str, &'a str)],
}

/// Reads all layers into a `Raw`. What has a problem stands at its default in the result, so the result is of use only
/// to look for further problems, unless there are none.
pub fn load<Raw: Default + DeserializeOwned>(layers: &Layers<'_>) -> (Raw, Problems) {
    let mut problems = Problems::default();
    let mut settings = layers::merge(layers, &mut problems);
    // Serde stops at the first fault. So: note it, take the setting it is about away, and read again.
    loop {
        let fault = match Raw::deserialize(Reader::new(settings.clone())) {
            Ok(raw) => return (raw, problems),
            Err(fault) => fault,
        };
        if !is_foreign(&fault, layers.prefix) {
            problems.push(fault.key(), fault.message());
        }
        if !fault.remove_from(&mut settings) || matches!(settings.kind, ValueKind::Nil) {
            return (Raw::default(), problems);
        }
    }
}

/// Whether it is a variable that has our prefix by chance.
fn is_foreign(fault: &Fault, prefix: &str) -> bool {
    fault.is_unknown_key()
        && fault
            .variable()
            .and_then(|variable| layers::setting(variable, prefix))
            .is_some_and(|key| !key.contains('.'))
}

#[cfg(test)]
mod tests;
