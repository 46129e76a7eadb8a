//! What a `doctor` says: for each probe what was tried, what that means, what to do.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::output::print_line;

mod request;

pub use request::{Answer, NoAnswer, ask, client, get};

/// Longest text that is taken over from elsewhere.
const MAX_FOREIGN: usize = 300;

/// The time in a `Date` header has whole seconds, and an answer takes a while.
const UNCERTAIN_SECONDS: i64 = 2;

/// How it is with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// People will meet this.
    Fail,
    /// Cannot be told before another probe is good, or there is nothing to tell.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// A probe under way: its name, and what it tries.
#[derive(Debug)]
pub struct Trial {
    probe: &'static str,
    tried: String,
}

/// What came of a probe.
#[derive(Debug, Serialize)]
pub struct Finding {
    probe: &'static str,
    status: Status,
    tried: String,
    means: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

impl Trial {
    /// Begins one: its name, and what it does, as the beginning of a sentence without a subject.
    #[must_use]
    pub fn new(probe: &'static str, tried: impl Into<String>) -> Self {
        Self { probe, tried: tried.into() }
    }

    /// All is well; `means` says what that is.
    #[must_use]
    pub fn ok(self, means: impl Into<String>) -> Finding {
        self.end(Status::Ok, means.into(), String::new())
    }

    /// It works, but somebody should know.
    #[must_use]
    pub fn warn(self, means: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.end(Status::Warn, means.into(), advice.into())
    }

    /// People will meet this.
    #[must_use]
    pub fn fail(self, means: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.end(Status::Fail, means.into(), advice.into())
    }

    /// It cannot be told before another probe is good, or there is nothing to tell.
    #[must_use]
    pub fn skip(self, means: impl Into<String>) -> Finding {
        self.end(Status::Skip, means.into(), String::new())
    }

    fn end(self, status: Status, means: String, advice: String) -> Finding {
        Finding { probe: self.probe, status, tried: self.tried, means, advice }
    }
}

impl Finding {
    /// Whether it failed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.status == Status::Fail
    }
}

/// All findings, in the order of the probes.
#[derive(Debug, Serialize)]
pub struct Report {
    ok: bool,
    probes: Vec<Finding>,
    /// What no probe looks at.
    not_probed: &'static [&'static str],
}

impl Report {
    /// All of them, and what was not looked at.
    #[must_use]
    pub fn new(probes: Vec<Finding>, not_probed: &'static [&'static str]) -> Self {
        Self { ok: !probes.iter().any(Finding::is_failure), probes, not_probed }
    }

    /// Whether any failed.
    #[must_use]
    pub const fn has_failure(&self) -> bool {
        !self.ok
    }

    /// Prints it, as JSON or as text.
    pub fn print(&self, json: bool) {
        match serde_json::to_string(self) {
            Ok(text) if json => print_line(&text),
            // A report is text all through, which always becomes JSON.
            Ok(_) | Err(_) => print_line(self),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for Finding { probe, status, tried, means, advice } in &self.probes {
            lines.push(format!("{:<4}  {probe:<13}  {tried}: {means}", status.word()));
            lines.extend(advice.lines().map(|line| format!("        {line}")));
        }
        lines.extend(self.not_probed.iter().map(|what| format!("not looked at: {what}")));
        f.write_str(&lines.join("\n"))
    }
}

/// What the difference of two clocks means: `ahead` is how many seconds the other's is ahead of ours, if that is known,
/// and `leeway` how much is taken, by the `setting`.
#[must_use]
pub fn clock_finding(trial: Trial, ahead: Option<i64>, leeway: Duration, setting: &str) -> Finding {
    let Some(ahead) = ahead else { return trial.skip("no answer told the time") };
    let leeway = i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX);
    let apart = ahead.abs();
    let word = if ahead < 0 { "ahead" } else { "behind" };
    let means = format!("our clock is {apart} s {word}; {leeway} s are taken ({setting})");
    let advice =
        "Set the clock of this machine by NTP: beyond that, what is good looks expired or not yet valid.";
    if apart > leeway.max(UNCERTAIN_SECONDS) {
        trial.fail(means, advice)
    } else if apart > (leeway / 2).max(UNCERTAIN_SECONDS) {
        trial.warn(means, advice)
    } else {
        trial.ok(means)
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    printable(&text)
}

/// Text from elsewhere, fit for one line of a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_FOREIGN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_a_probe_and_advice_below_it() {
        let bad = Trial::new("clock", "asked the time").fail("it is late", "set it\nkeep it");
        let report = Report::new(
            vec![Trial::new("jwks", "read the keys").ok("they are good"), bad],
            &["Plane", "the moon"],
        );
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok    jwks           read the keys: they are good");
        assert_eq!(lines[1], "fail  clock          asked the time: it is late");
        assert_eq!(lines[2..4], ["        set it", "        keep it"]);
        assert_eq!(lines[4..], ["not looked at: Plane", "not looked at: the moon"]);
        assert!(report.has_failure(), "{text}");
    }

    #[test]
    fn a_warning_is_no_failure() {
        let report = Report::new(vec![Trial::new("valkey", "looked").warn("there is none", "add one")], &[]);
        assert!(!report.has_failure());
        assert_eq!(serde_json::to_value(&report).unwrap()["probes"][0]["status"], "warn");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc"), "a[31mbc");
        assert_eq!(printable(&"x".repeat(1_000)).len(), MAX_FOREIGN);
    }
}
