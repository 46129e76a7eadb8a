//! A string that must never reach a log, an error message or a dump.

use std::fmt;

use serde::{Deserialize, Serializer};

/// What stands where a secret would be.
const REDACTED: &str = "[redacted]";

/// A secret string: printing shows `[redacted]`, comparing takes the same time wherever two secrets differ, and there
/// is no `Serialize`, so that it cannot be written out by accident (see [`redacted`]).
#[derive(Clone, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself: the one way to read it, so that every use can be found by name.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl Eq for Secret {}

/// For `#[serde(serialize_with = "service::secret::redacted")]` on a setting: shows whether it is set, not to what.
///
/// # Errors
/// Only those of the serializer.
pub fn redacted<S: Serializer>(value: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(_) => serializer.serialize_some(REDACTED),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, Debug)]
    struct Settings {
        #[serde(serialize_with = "redacted")]
        key: Option<Secret>,
    }

    #[test]
    fn secret_is_never_printed() {
        let settings = Settings { key: Some(Secret::new("hunter2")) };
        let debug = format!("{settings:?} {settings:#?}");
        let json = serde_json::to_string(&settings).unwrap();
        assert!(!debug.contains("hunter2") && !json.contains("hunter2"));
        assert_eq!(json, r#"{"key":"[redacted]"}"#);
    }

    #[test]
    fn equality_is_that_of_the_text() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("aa"));
    }
}
