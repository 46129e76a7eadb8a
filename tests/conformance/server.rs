//! The server scenarios, straight at the adapter and through the proxy.

use std::collections::BTreeSet;

use stack::{
    forwarder::Forwarder,
    stack::{Builder, Stack},
};

use crate::{
    expectations::{Explained, baseline, expected_failures},
    report::{self, Row},
    suite::{self, Check, Run, Status},
};

/// The protocol versions that are served.
const VERSIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The version for which the suite lists next to nothing, and what runs on it nevertheless.
const HARDLY_LISTED: &str = "2025-03-26";
const FORCED: [&str; 3] = ["server-initialize", "ping", "tools-list"];

/// Every message of the server is checked against the protocol's schema, whatever the scenario is about.
const OF_EVERY_SCENARIO: &str = "wire-schema-valid";

#[tokio::test]
async fn every_scenario_is_run_or_explained() {
    let listed = suite::listed().await;
    assert!(listed.len() > 60, "{listed:?}");
    for row in Explained::all() {
        let versions = listed.get(&row.scenario);
        let known = versions.is_some_and(|all| all.iter().any(|version| row.covers_listed(version)));
        assert!(known, "the suite has no such scenario: {row:?}");
    }
    for (scenario, versions) in listed {
        let run = versions.iter().any(|version| VERSIONS.contains(&version.as_str()));
        let explained = Explained::all().iter().any(|row| row.scenario == scenario);
        assert!(run || explained, "{scenario} of {versions:?} neither runs nor is explained");
    }
}

#[tokio::test]
async fn the_adapter_holds_the_protocol() {
    let stack = unhurried().start().await.unwrap();
    let token = stack.cognito.sign_in("alice", None).unwrap().id_token;
    let origin = stack.adapter.endpoint.strip_suffix("/mcp").unwrap();
    let forwarder = Forwarder::start(origin, &token, None).await.unwrap();
    hold("adapter", &forwarder).await;
}

#[tokio::test]
async fn the_edge_holds_the_protocol_for_a_signed_in_client() {
    let stack = unhurried().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let ca = stack.authority.pem();
    let forwarder = Forwarder::start(stack.origin(), &session.tokens.access, Some(&ca)).await.unwrap();
    hold("edge", &forwarder).await;
}

/// The suite asks more often than a person would, and as a page of the server's own origin.
fn unhurried() -> Builder {
    Stack::builder()
        .proxy_setting("limits.requests_per_minute", 0)
        .adapter_setting("server.allowed_origins", vec!["http://127.0.0.1:*".to_owned()])
}

/// Runs everything for every version, and fails at the end with all that is wrong.
async fn hold(way: &'static str, forwarder: &Forwarder) {
    let url = format!("{}/mcp", forwarder.origin());
    let listed = suite::listed().await;
    let (mut wrong, mut baselined) = (String::new(), BTreeSet::new());
    for version in VERSIONS {
        let results = report::folder().join("conformance").join(way).join(version);
        let expected = expected_failures(version);
        let due = listed.iter().filter(|(_, versions)| versions.iter().any(|listed| listed == version));
        let due: Vec<&str> = due.map(|(scenario, _)| scenario.as_str()).collect();
        let mut runs =
            vec![(due, suite::server(&url, version, &["--suite", "all"], &expected, &results).await)];
        for scenario in FORCED.into_iter().filter(|_| version == HARDLY_LISTED) {
            let selection = ["--scenario", scenario, "--force"];
            let run = suite::server(&url, version, &selection, &expected, &results.join(scenario)).await;
            runs.push((vec![scenario], run));
        }
        for (due, run) in &runs {
            let ran: Vec<&str> = run.scenarios.keys().map(String::as_str).collect();
            assert_eq!(&ran, due, "{way}, {version}:\n{}", run.output);
            wrong += &judge(way, version, run, &mut baselined);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(baselined, baseline(), "checks of baseline.yml that never ran");
}

/// Reports a run and says what is wrong with it. The suite's own verdict counts too: it knows about checks that should have
/// failed.
fn judge(way: &'static str, version: &str, run: &Run, baselined: &mut BTreeSet<String>) -> String {
    let explained = Explained::all();
    let mut wrong = String::new();
    let mut rows = Vec::new();
    for (scenario, checks) in &run.scenarios {
        let applicable = !explained.iter().any(|row| row.covers(scenario, version));
        let mut row = Row::new(way, version, scenario, applicable);
        for check in checks {
            let name = format!("{scenario}:{}", check.id);
            match check.status {
                Status::Success => row.passed += 1,
                Status::Skipped | Status::Info => row.skipped += 1,
                Status::Failure | Status::Warning if baseline().contains(&name) => {
                    row.baselined += 1;
                    baselined.insert(name);
                }
                Status::Failure | Status::Warning if !applicable && check.id != OF_EVERY_SCENARIO => {
                    row.expected += 1
                }
                Status::Failure | Status::Warning => {
                    row.failed += 1;
                    wrong += &sentence(way, version, &name, check);
                }
            }
        }
        rows.push(row);
    }
    if wrong.is_empty() && !run.status.success() {
        let (_, verdict) = run.output.split_once("=== SUMMARY ===").unwrap_or(("", &run.output));
        wrong = format!("{way}, {version}: the suite ended with {}:{verdict}\n", run.status);
    }
    report::add(rows);
    wrong
}

fn sentence(way: &str, version: &str, name: &str, check: &Check) -> String {
    format!("{way}, {version}, {name}: {:?}: {}\n", check.status, check.message)
}
