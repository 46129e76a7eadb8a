//! The attack corpus against the real chain, in every way in: whatever a client sends beside a good token or in its place,
//! nothing reaches Plane as anybody but the token's owner, and what is refused does not reach it at all.
//!
//! A row is a request and the status it is answered with, in the order of [`WAYS`]. 0: it is refused, and how may differ from run
//! to run: by a status of 4xx or 5xx, or by a connection or stream that is cut. The client is alice, every forged value says `bob`.

use std::{fs, path::Path};

use serde_json::{Value, json};
use stack::chain::{Chain, Way};

use target::Target;

mod credentials;
mod framing;
mod headers;
mod http2;
mod target;

/// The columns of the tables. The last is Plane's REST API, where a client's headers come to Plane itself.
const WAYS: [&str; 4] = ["inline /mcp", "behind /mcp", "forward_auth /mcp", "forward_auth /api"];

/// Added to a status other than 200 that Plane itself answers alice with.
const PLANE: u16 = 1000;

/// What is tried, how it is sent, and what comes of it.
type Row = (&'static str, fn(&Target) -> String, [u16; 4]);

#[tokio::test]
async fn nothing_reaches_plane_as_somebody_else_inline() {
    let chain = Chain::builder(Way::Inline).start().await.unwrap();
    run(Target::mcp(&chain, 0).await).await;
}

#[tokio::test]
async fn nothing_reaches_plane_as_somebody_else_behind_traefik() {
    let chain = Chain::builder(Way::Behind).start().await.unwrap();
    run(Target::mcp(&chain, 1).await).await;
}

#[tokio::test]
async fn nothing_reaches_plane_as_somebody_else_by_forward_auth() {
    let chain = Chain::builder(Way::ForwardAuth).start().await.unwrap();
    run(Target::mcp(&chain, 2).await).await;
    run(Target::rest(&chain, 3).await).await;
}

async fn run(target: Target<'_>) {
    let (mut report, mut wrong) = (Vec::new(), Vec::new());
    for (what, request, expected) in [headers::rows(), credentials::rows(), framing::rows()].concat() {
        let before = target.seen().len();
        let statuses = target.send(request(&target), expected).await;
        wrong.extend(target.judge(what, &statuses, expected, before));
        report.push(json!({"row": what, "way": target.way(), "status": statuses}));
    }
    for (what, request, expected) in http2::rows() {
        let (what, before) = (format!("HTTP/2: {what}"), target.seen().len());
        let statuses = [target.send_http2(&request(&target), expected).await];
        wrong.extend(target.judge(&what, &statuses, expected, before));
        report.push(json!({"row": what, "way": target.way(), "status": statuses}));
    }
    // What was smuggled may come late.
    wrong.extend(target.seen().iter().filter_map(|seen| target.is_foreign(seen)));
    keep(report);
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// Adds to `target/reports/attacks.json`, in place of what an earlier run said of the same row and way.
fn keep(rows: Vec<Value>) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("attacks.json");
    let known = fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok());
    let mut all: Vec<Value> = known.unwrap_or_default();
    all.retain(|known| !rows.iter().any(|row| row["way"] == known["way"]));
    all.extend(rows);
    let lines: Vec<String> = all.iter().map(Value::to_string).collect();
    fs::write(file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}
