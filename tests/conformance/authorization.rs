//! The authorization scenarios: the suite is the client, the harness is the person at the browser.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use stack::{ports::free_port, stack::Stack};
use url::Url;

use crate::{
    report::{self, Row},
    suite::{self, Status},
};

#[tokio::test]
async fn the_authorization_server_takes_the_suite_through_a_sign_in() {
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let discovery = client.discover().await.unwrap();
    let port = free_port().unwrap().to_string();
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let metadata = json!({"redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none"});
    let registered = client.register(&discovery, &metadata).await.unwrap().expect_status(201).unwrap();

    let results = report::folder().join("conformance/authorization");
    let _ = fs::remove_dir_all(&results); // of an earlier run
    let resource = client.endpoint().as_str();
    let arguments = ["authorization", "--url", stack.origin(), "--resource", resource, "--port", &port];
    let client_id = registered.json["client_id"].as_str().unwrap();
    let more = ["--client-id", client_id, "-o", results.to_str().unwrap()];
    let trust = ("NODE_EXTRA_CA_CERTS".to_owned(), stack.authority.file().to_str().unwrap().to_owned());
    let arguments = [arguments.as_slice(), &more].concat();
    let mut process = suite::start("MCP_CONFORMANCE", &arguments, &BTreeMap::from([trust]));

    let authorize = format!("{}/authorize?", stack.origin());
    let printed = process.wait_for("at the browser", async |log| {
        log.lines().into_iter().find(|line| line.starts_with(&authorize))
    });
    let url = Url::parse(&printed.await.unwrap()).unwrap();
    let callback = stack.browser().unwrap().sign_in(&url, &stack.person("alice")).await.unwrap();
    stack.browser().unwrap().visit(&callback.url).await.unwrap();

    let (status, output) = suite::finish(process).await;
    let scenarios = suite::read(&results, "authorization-server-");
    let names: Vec<&str> = scenarios.keys().map(String::as_str).collect();
    assert_eq!(names, ["authorization-code-grant", "authorization-server-metadata-endpoint"], "{output}");
    let row = |(scenario, checks): (&String, &Vec<suite::Check>)| {
        let count =
            |statuses: &[Status]| checks.iter().filter(|check| statuses.contains(&check.status)).count();
        Row {
            passed: count(&[Status::Success]),
            failed: count(&[Status::Failure, Status::Warning]),
            skipped: count(&[Status::Skipped, Status::Info]),
            ..Row::new("authorization", "all", scenario, true)
        }
    };
    let rows: Vec<Row> = scenarios.iter().map(row).collect();
    report::add(rows.clone());
    assert!(status.success() && rows.iter().all(|row| row.failed == 0 && row.passed > 0), "{output}");
}
