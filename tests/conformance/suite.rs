//! The suite as a program: how it is started, and what it leaves behind.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use serde::Deserialize;
use stack::process::{Process, environment};

/// The suite gives up a scenario after 30 s by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run's results are in folders called `server-SCENARIO-TIME`, with a time of this length.
const TIME_BYTES: usize = "-2026-11-21T13-34-35-742Z".len();

/// One check as the suite wrote it down.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Check {
    pub(crate) id: String,
    pub(crate) status: Status,
    #[serde(rename = "errorMessage", default)]
    pub(crate) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

/// A run: how it ended, what it printed, and the checks of each scenario.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) scenarios: BTreeMap<String, Vec<Check>>,
}

/// The path in the environment variable, which `make test` and `make conformance` set.
pub(crate) fn tool(variable: &str) -> String {
    environment(variable)
        .unwrap_or_else(|| panic!("{variable} is not set: run `make conformance`, which installs the suite"))
}

/// Starts a program of the suite's packages under the Node they need.
pub(crate) fn start(variable: &str, arguments: &[&str], more: &BTreeMap<String, String>) -> Process {
    let program = tool(variable);
    let arguments = [program.as_str()].into_iter().chain(arguments.iter().copied());
    Process::start(variable, OsStr::new(&tool("NODE22")), arguments, more).unwrap()
}

/// The same, until it has ended; gives what it printed too.
pub(crate) async fn finish(mut process: Process) -> (ExitStatus, String) {
    let status = process.wait_ended_within(PATIENCE).await.unwrap();
    (status, process.log().text())
}

/// The versions of each server scenario the suite has, as it lists them: `  - NAME [VERSION,VERSION]`.
pub(crate) async fn listed() -> BTreeMap<String, Vec<String>> {
    let (status, text) = finish(start("MCP_CONFORMANCE", &["list", "--server"], &BTreeMap::new())).await;
    assert!(status.success(), "{text}");
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("  - ")?.strip_suffix(']')?.split_once(" ["));
    let entry =
        |(name, versions): (&str, &str)| (name.to_owned(), versions.split(',').map(str::to_owned).collect());
    lines.map(entry).collect()
}

/// Runs server scenarios of one version: what `selection` names of the suite's options.
pub(crate) async fn server(
    url: &str,
    version: &str,
    selection: &[&str],
    expected: &str,
    results: &Path,
) -> Run {
    let _ = fs::remove_dir_all(results); // of an earlier run
    fs::create_dir_all(results).unwrap();
    let file = results.join("expected-failures.yml");
    fs::write(&file, expected).unwrap();
    let mut arguments =
        vec!["server", "--url", url, "--spec-version", version, "-o", results.to_str().unwrap()];
    arguments.extend(["--expected-failures", file.to_str().unwrap()]);
    arguments.extend(selection);
    let (status, output) = finish(start("MCP_CONFORMANCE", &arguments, &BTreeMap::new())).await;
    Run { status, output, scenarios: read(results, "server-") }
}

/// The checks of each scenario that left results in a folder.
pub(crate) fn read(results: &Path, prefix: &str) -> BTreeMap<String, Vec<Check>> {
    let folders = fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path());
    let of_scenario = |folder: PathBuf| {
        let name = folder.file_name()?.to_str()?.strip_prefix(prefix)?;
        let scenario = name.get(..name.len().checked_sub(TIME_BYTES)?)?.to_owned();
        let checks = fs::read(folder.join("checks.json")).unwrap();
        Some((scenario, serde_json::from_slice(&checks).unwrap()))
    };
    folders.filter_map(of_scenario).collect()
}
