//! `make report-tools`: what the tools cost an agent, beside the official server's figures.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is for a person")]

use std::{fs, path::Path, process::ExitCode};

use serde_json::{Value, json};
use stack::{
    Outcome,
    client::{Era, SignedIn},
    stack::Stack,
    trouble::While,
};

/// plane-mcp-server 0.3.5 over the same sample workspace: its tools, the bytes of its `tools/list`, and of its answers' text.
const OFFICIAL: (&str, usize, usize) = ("plane-mcp-server 0.3.5", 30, 66_538);

/// What is asked, of which tool, and the bytes of the official server's answer (none: it cannot answer here).
type Case = (&'static str, &'static str, fn() -> Value, Option<usize>);

const CASES: [Case; 10] = [
    ("who am I", "get_me", || json!({}), Some(167)),
    ("projects", "list_projects", || json!({}), None),
    ("one project", "retrieve_project", || json!({"project": "ENG"}), Some(1115)),
    ("workflow states", "list_states", || json!({"project": "ENG"}), Some(3143)),
    ("labels", "list_labels", || json!({"project": "ENG"}), Some(1936)),
    ("25 work items", "list_work_items", || json!({"project": "ENG", "per_page": 25}), Some(25_420)),
    ("one work item", "retrieve_work_item", || json!({"work_item": "ENG-1"}), Some(1998)),
    ("search", "search_work_items", || json!({"query": "login"}), Some(445)),
    ("activity of a work item", "list_activity", || json!({"work_item": "ENG-1"}), Some(5395)),
    ("items of a cycle", "list_work_items", || json!({"project": "ENG", "cycle": "current"}), Some(10_220)),
];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("report-tools: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let stack = Stack::start().await?;
    let session = stack.sign_in("alice").await?;
    let listed = session.call(Era::Modern, "tools/list", &Value::Null).await?;
    let tools = listed.get("tools").cloned().unwrap_or_default();
    let (count, bytes) = (tools.as_array().map_or(0, Vec::len), tools.to_string().len());
    println!("{:<26} {:>12} {:>22}", "", "this adapter", OFFICIAL.0);
    println!("{:<26} {count:>12} {:>22}", "tools", OFFICIAL.1);
    println!("{:<26} {bytes:>12} {:>22}", "bytes of tools/list", OFFICIAL.2);
    println!("bytes of an answer:");
    let mut answers = Vec::new();
    for (what, tool, arguments, official) in CASES {
        let ours = answer(&session, tool, &arguments()).await?;
        let beside = official.map_or_else(|| "cannot answer".to_owned(), |bytes| bytes.to_string());
        println!("  {what:<24} {ours:>12} {beside:>22}");
        answers.push(json!({"what": what, "tool": tool, "bytes": ours, "official_bytes": official}));
    }
    let report = json!({
        "tools": count, "list_bytes": bytes, "official_tools": OFFICIAL.1, "official_list_bytes": OFFICIAL.2,
        "answers": answers,
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&folder).while_doing("make target/reports")?;
    fs::write(folder.join("tools.json"), report.to_string()).while_doing("write target/reports/tools.json")
}

/// Bytes of what the model reads.
async fn answer(session: &SignedIn, tool: &str, arguments: &Value) -> Outcome<usize> {
    let params = json!({"name": tool, "arguments": arguments});
    let result = session.call(Era::Modern, "tools/call", &params).await?;
    if result.get("isError") == Some(&Value::Bool(true)) {
        return Err(stack::Trouble::new(format!("{tool} failed: {result}")));
    }
    Ok(result.pointer("/content/0/text").and_then(Value::as_str).map_or(0, str::len))
}
