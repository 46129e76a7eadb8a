//! The Inspector's lint of tool schemas: whether every client and model can read them.

use std::collections::BTreeMap;

use serde_json::Value;
use stack::{forwarder::Forwarder, scratch::Scratch, stack::Stack};

use crate::{
    report::{self, Row},
    suite,
};

#[tokio::test]
async fn tool_schemas_are_portable() {
    let stack = Stack::start().await.unwrap();
    let token = stack.cognito.sign_in("alice", None).unwrap().id_token;
    let origin = stack.adapter.endpoint.strip_suffix("/mcp").unwrap();
    let forwarder = Forwarder::start(origin, &token, None).await.unwrap();
    let url = format!("{}/mcp", forwarder.origin());
    let home = Scratch::new("inspector").unwrap();
    let more = BTreeMap::from([("HOME".to_owned(), home.path().to_str().unwrap().to_owned())]);
    for era in ["legacy", "modern"] {
        let arguments = ["--cli", &url, "--transport", "http", "--protocol-era", era];
        let lint = ["--method", "tools/list", "--strict", "--format", "json"];
        let process = suite::start("MCP_INSPECTOR", &[arguments.as_slice(), &lint].concat(), &more);
        let (status, output) = suite::finish(process).await;
        // The answer is one line, a finding of whatever severity several more.
        let (answer, findings): (Vec<_>, Vec<_>) =
            output.lines().partition(|line| line.starts_with("{\"result\""));
        assert!(status.success() && findings.is_empty(), "{era}, {status}: {}", findings.join("\n"));
        let answer: Value = serde_json::from_str(&answer.concat()).unwrap();
        let tools = answer["result"]["tools"].as_array().map_or(0, Vec::len);
        assert!(tools > 0 && answer["schemaFindings"].is_null(), "{era}: {answer}");
        report::add(vec![Row { passed: tools, ..Row::new("inspector", era, "tools-list-strict", true) }]);
    }
}
