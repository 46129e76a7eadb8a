//! The clients people use, unmodified, through the real stack: each signs in, lists, calls, refreshes, and signs in again when
//! its session was revoked.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use stack::{
    chain::{Chain, Way},
    process::{Process, environment, tool},
};

mod rmcp_client;

/// A driver gives up by itself before this.
const DRIVE: Duration = Duration::from_secs(150);

/// Where `make e2e` puts the clients, from `target/tools/bin`, and the variables that name others.
const PYTHON: (&str, &str) = ("../python/bin/python", "MCP_PYTHON");
const FASTMCP: (&str, &str) = ("../fastmcp/bin/python", "MCP_FASTMCP_PYTHON");
const OTHERS: [(&str, &str); 4] = [
    ("node", "NODE"),
    ("node22", "NODE22"),
    ("../node/node_modules/mcp-remote/dist/proxy.js", "MCP_REMOTE"),
    (
        "../conformance/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js",
        "MCP_INSPECTOR",
    ),
];

/// Runs a client's driver against a fresh chain, with the whole programme, and returns the JSON line it prints.
async fn drive(way: Way, python: (&str, &str), script: &str, more: &[&str]) -> Value {
    let chain = Chain::builder(way).start().await.unwrap();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/clients").join(script);
    let (url, ca, person) =
        (format!("{}/mcp", chain.public_url), chain.authority.file(), chain.person("alice"));
    let where_to = [script.to_str().unwrap(), "--url", &url, "--ca", ca.to_str().unwrap()];
    let who = ["--user", &person.user, "--password", &person.password, "--refresh", "--revoke"];
    let arguments = where_to.iter().chain(&who).chain(more);
    let mut variables: BTreeMap<String, String> = OTHERS
        .iter()
        .map(|&(name, variable)| (variable.to_owned(), tool(name, variable).unwrap().display().to_string()))
        .collect();
    variables.insert("PATH".to_owned(), environment("PATH").unwrap());
    let python = tool(python.0, python.1).unwrap();
    let mut process = Process::start("client", python.as_os_str(), arguments, &variables).unwrap();
    let status = process.wait_ended_within(DRIVE).await.unwrap();
    let output = process.log().text();
    let outcome = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let outcome = outcome.unwrap_or_else(|| panic!("{script:?} printed no JSON:\n{output}"));
    assert!(status.success(), "{outcome:#}");
    assert_eq!(outcome["me"]["email"], "alice@example.com", "{outcome:#}");
    assert!(outcome["tools"].as_array().unwrap().contains(&json!("list_projects")), "{outcome:#}");
    assert_eq!(
        (&outcome["refreshed"], &outcome["signed_in_again"]),
        (&json!(true), &json!(true)),
        "{outcome:#}"
    );
    assert_eq!(chain.plane.users_seen(), ["alice@example.com"]);
    outcome
}

#[tokio::test]
async fn the_python_sdk_goes_all_the_way_behind_traefik() {
    let outcome = drive(Way::Behind, PYTHON, "python_client.py", &[]).await;
    assert_eq!(outcome["protocol"], "2026-07-28", "{outcome:#}");
}

#[tokio::test]
async fn the_python_sdk_goes_all_the_way_in_its_legacy_mode_by_forward_auth() {
    let outcome = drive(Way::ForwardAuth, PYTHON, "python_client.py", &["--era", "legacy"]).await;
    assert_eq!(outcome["protocol"], "2025-11-25", "{outcome:#}");
}

#[tokio::test]
async fn fastmcp_goes_all_the_way_by_forward_auth() {
    let outcome = drive(Way::ForwardAuth, FASTMCP, "fastmcp_client.py", &[]).await;
    assert_eq!(outcome["client"], "fastmcp 4.1.2", "{outcome:#}");
}

#[tokio::test]
async fn mcp_remote_goes_all_the_way_inline() {
    let outcome = drive(Way::Inline, PYTHON, "mcp_remote_client.py", &[]).await;
    assert_eq!(outcome["registered"], true, "{outcome:#}");
}

#[tokio::test]
async fn the_inspector_goes_all_the_way_behind_traefik_and_finds_no_fault_in_the_tools() {
    let outcome = drive(Way::Behind, PYTHON, "inspector_client.py", &[]).await;
    assert_eq!(outcome["both_eras"], true, "{outcome:#}");
}
