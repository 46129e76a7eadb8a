//! The clients people use, unmodified, against TLS, Valkey and the adapter.

use std::{collections::BTreeMap, ffi::OsStr, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use stack::{
    process::{Process, environment},
    stack::{Stack, Store},
};

use crate::sign_in::TOOLS;

/// A driver gives up by itself before this.
const DRIVE: Duration = Duration::from_secs(150);

/// A tool's path out of the environment, which `make test` sets.
pub(crate) fn tool(variable: &str) -> String {
    environment(variable).unwrap_or_else(|| {
        panic!("{variable} is not set: run `make test`, which installs the client and sets it")
    })
}

/// Runs a client driver against a fresh stack and returns the JSON line it prints.
async fn drive(python: &str, script: &str, more: &[&str]) -> (Stack, Value) {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let outcome = drive_against(&stack, python, script, more).await;
    (stack, outcome)
}

/// The same against a stack that is there already.
pub(crate) async fn drive_against(stack: &Stack, python: &str, script: &str, more: &[&str]) -> Value {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/clients").join(script);
    let url = format!("{}/mcp", stack.origin());
    let ca = stack.authority.file();
    let person = stack.person("alice");
    let arguments = [script.to_str().unwrap(), "--url", &url, "--ca", ca.to_str().unwrap(), "--refresh"];
    let credentials = ["--user", &person.user, "--password", &person.password];
    let arguments = arguments.iter().chain(&credentials).chain(more);
    let passed_on = ["PATH", "HOME", "NODE", "MCP_REMOTE"];
    let variables: BTreeMap<String, String> =
        passed_on.iter().filter_map(|name| Some(((*name).to_owned(), environment(name)?))).collect();
    let mut process = Process::start("client", OsStr::new(python), arguments, &variables).unwrap();
    let status = process.wait_ended_within(DRIVE).await.unwrap();
    let output = process.log().text();
    let outcome = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let outcome = outcome.unwrap_or_else(|| panic!("{script:?} printed no JSON:\n{output}"));
    assert!(status.success(), "{outcome:#}");
    outcome
}

pub(crate) fn assert_all_steps(stack: &Stack, outcome: &Value) {
    assert_eq!(outcome["user"], "alice", "{outcome:#}");
    assert_eq!(outcome["me"]["email"], "alice@example.com", "{outcome:#}");
    assert_eq!(outcome["tools"].as_array().unwrap().len(), TOOLS.len(), "{outcome:#}");
    assert_eq!(outcome["refreshed"], true, "{outcome:#}");
    assert_eq!(stack.plane.users_seen().len(), 1, "{:?}", stack.plane.users_seen());
}

#[tokio::test]
async fn the_python_sdk_signs_in_calls_and_refreshes() {
    let (stack, outcome) = drive(&tool("MCP_PYTHON"), "python_client.py", &[]).await;
    assert_all_steps(&stack, &outcome);
    assert_eq!(outcome["protocol"], "2026-07-28", "{outcome:#}");
    assert!(outcome["projects"].as_array().unwrap().contains(&json!("ENG")), "{outcome:#}");
}

#[tokio::test]
async fn the_python_sdk_works_in_its_legacy_mode() {
    let (stack, outcome) = drive(&tool("MCP_PYTHON"), "python_client.py", &["--era", "legacy"]).await;
    assert_all_steps(&stack, &outcome);
}

#[tokio::test]
async fn mcp_remote_signs_in_calls_and_refreshes() {
    let _ = (tool("NODE"), tool("MCP_REMOTE"));
    let (stack, outcome) = drive(&tool("MCP_PYTHON"), "mcp_remote_client.py", &[]).await;
    assert_all_steps(&stack, &outcome);
    assert_eq!(outcome["registered"], true, "{outcome:#}");
}
