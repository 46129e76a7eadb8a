//! Why a part of the stack could not do its job, in words for the person who runs the tests.

use std::fmt;

/// A sentence (and, for a process, the end of its log). `Debug` prints it as it is, so that `unwrap` in a test reads well.
pub struct Trouble(String);

/// The result of everything in this crate.
pub type Outcome<T = ()> = Result<T, Trouble>;

impl Trouble {
    /// Trouble with the given sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// Adds what was being done to an error of any kind.
pub trait While<T> {
    /// Turns the error into "cannot {what}: {error and its causes}".
    ///
    /// # Errors
    /// Exactly when `self` is an error.
    fn while_doing(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: std::error::Error> While<T> for Result<T, E> {
    fn while_doing(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| {
            let mut sentence = format!("cannot {what}: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                sentence.push_str(&format!(": {inner}"));
                cause = inner.source();
            }
            Trouble(sentence)
        })
    }
}
