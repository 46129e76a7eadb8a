//! `target/reports/conformance.json`: a row for each scenario, version and way in.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::json;

/// How the checks of one scenario ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `adapter`, `edge`, `authorization` or `inspector`.
    pub(crate) way: &'static str,
    pub(crate) version: String,
    pub(crate) scenario: String,
    /// Whether the server offers what it tests. If not, `expected` are its failures.
    pub(crate) applicable: bool,
    pub(crate) passed: usize,
    /// Failed though nothing says they may.
    pub(crate) failed: usize,
    /// Failed by decision: named in baseline.yml.
    pub(crate) baselined: usize,
    /// Failed because the scenario does not apply.
    pub(crate) expected: usize,
    pub(crate) skipped: usize,
}

impl Row {
    /// A scenario of which nothing is known yet.
    pub(crate) fn new(way: &'static str, version: &str, scenario: &str, applicable: bool) -> Self {
        let (version, scenario) = (version.to_owned(), scenario.to_owned());
        Self {
            way,
            version,
            scenario,
            applicable,
            passed: 0,
            failed: 0,
            baselined: 0,
            expected: 0,
            skipped: 0,
        }
    }
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Where reports go.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports")
}

/// Adds rows and writes the report anew. Prints a line for each that says something.
#[expect(clippy::print_stdout, reason = "with --nocapture it is the table that `make conformance` shows")]
pub(crate) fn add(rows: Vec<Row>) {
    let mut all = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    for row in rows.iter().filter(|row| row.applicable) {
        let Row { way, version, scenario, passed, failed, baselined, skipped, .. } = row;
        println!(
            "{way:<13} {version:<10} {scenario:<44} {passed:>2} passed, {failed} failed, {baselined} baselined, {skipped} skipped"
        );
    }
    all.extend(rows);
    all.sort_by(|a, b| (a.way, &a.version, &a.scenario).cmp(&(b.way, &b.version, &b.scenario)));
    let total = |count: fn(&Row) -> usize| all.iter().filter(|row| row.applicable).map(count).sum::<usize>();
    let report = json!({
        "passed": total(|row| row.passed),
        "failed": all.iter().map(|row| row.failed).sum::<usize>(),
        "baselined": total(|row| row.baselined),
        "skipped": total(|row| row.skipped),
        "scenarios": all.as_slice(),
    });
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join("conformance.json"), format!("{report:#}\n")).unwrap();
}
