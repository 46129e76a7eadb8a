//! The problems found so far, with the checks that every section needs.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use service::{Secret, config::Problems};
use url::Url;

/// The problems so far, with the checks every section needs.
pub(super) struct Found(pub(super) Problems);

impl Found {
    pub(super) fn say(&mut self, key: &str, message: impl Into<String>) {
        self.0.push(key, message.into());
    }

    /// The value, or a problem at `key`.
    pub(super) fn check<T, E: std::fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.say(key, error.to_string())).ok()
    }

    pub(super) fn seconds(&mut self, key: &str, value: u64, least: u64, most: u64) -> Duration {
        if !(least..=most).contains(&value) {
            self.say(key, format!("must be between {least} and {most} seconds"));
        }
        Duration::from_secs(value)
    }

    pub(super) fn days(&mut self, key: &str, value: u64, least: u64, most: u64) -> Duration {
        if !(least..=most).contains(&value) {
            self.say(key, format!("must be between {least} and {most}"));
        }
        Duration::from_secs(value.saturating_mul(24 * 60 * 60))
    }

    pub(super) fn address(&mut self, key: &str, value: &str) -> Option<SocketAddr> {
        let parsed = value.parse();
        if parsed.is_err() {
            self.say(key, "must be ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443");
        }
        parsed.ok()
    }

    /// A file that can be read now; empty means none.
    pub(super) fn file(&mut self, key: &str, value: &str) -> Option<PathBuf> {
        if value.is_empty() {
            return None;
        }
        let path = PathBuf::from(value);
        match fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                self.say(key, format!("cannot read {value}: {error}"));
                None
            }
        }
    }

    pub(super) fn url(&mut self, key: &str, value: &str) -> Option<Url> {
        match Url::parse(value) {
            // `check` and the doctor print it.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.say(key, "must be without user name and password");
                None
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                self.say(key, "must be an absolute http or https URL");
                None
            }
        }
    }

    /// A secret that may be given as text or as a file, but not as both.
    pub(super) fn one_secret(
        &mut self,
        text: (&str, Option<&Secret>),
        file: (&str, &String),
    ) -> Option<Secret> {
        let written = text.1.filter(|secret| !secret.expose().is_empty());
        match (written, file.1.is_empty()) {
            (Some(_), false) => {
                self.say(text.0, format!("is set, and so is {}: choose one", file.0));
                None
            }
            (Some(secret), true) => Some(secret.clone()),
            (None, true) => None,
            (None, false) => match fs::read_to_string(file.1) {
                Ok(content) => Some(Secret::new(content.trim())),
                Err(error) => {
                    self.say(file.0, format!("cannot read {}: {error}", file.1));
                    None
                }
            },
        }
    }
}
