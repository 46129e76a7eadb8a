//! What a probe says: what was tried, what that means, what to do.

use std::{error::Error, fmt};

use serde::Serialize;

/// Longest text that is taken over from elsewhere.
const MAX_FOREIGN: usize = 300;

/// What is said of what no probe looks at.
const NOT_PROBED: &str =
    "Plane, which only the adapter knows: ask one of its tools, such as get_me, and see its log";

/// How it is with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
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
pub(super) struct Trial {
    probe: &'static str,
    tried: String,
}

/// What came of a probe.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    probe: &'static str,
    status: Status,
    tried: String,
    means: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

impl Trial {
    pub(super) fn new(probe: &'static str, tried: impl Into<String>) -> Self {
        Self { probe, tried: tried.into() }
    }

    pub(super) fn ok(self, means: impl Into<String>) -> Finding {
        self.end(Status::Ok, means.into(), String::new())
    }

    pub(super) fn warn(self, means: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.end(Status::Warn, means.into(), advice.into())
    }

    pub(super) fn fail(self, means: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.end(Status::Fail, means.into(), advice.into())
    }

    pub(super) fn skip(self, means: impl Into<String>) -> Finding {
        self.end(Status::Skip, means.into(), String::new())
    }

    fn end(self, status: Status, means: String, advice: String) -> Finding {
        Finding { probe: self.probe, status, tried: self.tried, means, advice }
    }
}

impl Finding {
    pub(super) fn is_failure(&self) -> bool {
        self.status == Status::Fail
    }
}

/// All findings, in the order of the probes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    ok: bool,
    probes: Vec<Finding>,
    not_probed: [&'static str; 1],
}

impl Report {
    pub(super) fn new(probes: Vec<Finding>) -> Self {
        Self { ok: !probes.iter().any(Finding::is_failure), probes, not_probed: [NOT_PROBED] }
    }

    pub(super) fn has_failure(&self) -> bool {
        !self.ok
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.probes {
            let Finding { probe, status, tried, means, advice } = finding;
            writeln!(f, "{:<4}  {probe:<13}  {tried}: {means}", status.word())?;
            for line in advice.lines() {
                writeln!(f, "        {line}")?;
            }
        }
        write!(f, "not looked at: {NOT_PROBED}")
    }
}

/// An error with its causes, on one line.
pub(super) fn causes(error: &dyn Error) -> String {
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
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_FOREIGN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_a_probe_and_advice_below_it() {
        let bad = Trial::new("clock", "asked the time").fail("it is late", "set it\nkeep it");
        let report = Report::new(vec![Trial::new("jwks", "read the keys").ok("they are good"), bad]);
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok    jwks           read the keys: they are good");
        assert_eq!(lines[1], "fail  clock          asked the time: it is late");
        assert_eq!(lines[2..4], ["        set it", "        keep it"]);
        assert!(report.has_failure() && lines[4].contains("Plane"), "{text}");
    }

    #[test]
    fn a_warning_is_no_failure() {
        let report = Report::new(vec![Trial::new("valkey", "looked").warn("there is none", "add one")]);
        assert!(!report.has_failure());
        assert_eq!(serde_json::to_value(&report).unwrap()["probes"][0]["status"], "warn");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc"), "a[31mbc");
        assert_eq!(printable(&"x".repeat(1_000)).len(), MAX_FOREIGN);
    }
}
