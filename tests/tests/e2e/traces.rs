//! What is recorded of a request, as a real OpenTelemetry Collector gets it from our programs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn, rpc_body},
    collector::{Collector, Span},
    stack::{Builder, Stack, Store},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A stack that sends everything it records to the collector.
fn traced(collector: &str, ratio: f64) -> Builder {
    Stack::builder()
        .store(Store::Valkey)
        .proxy_setting("traces.endpoint", collector)
        .proxy_setting("traces.sample_ratio", ratio)
        .adapter_setting("traces.endpoint", collector)
        .adapter_setting("traces.sample_ratio", ratio)
}

/// Calls `get_me`, with a header and `_meta` where they are not empty.
async fn call(session: &SignedIn, header: &str, meta: &str) {
    let parameters = json!({ "name": "get_me", "arguments": {} });
    let mut body = rpc_body(Era::Modern, "tools/call", &parameters);
    if !meta.is_empty() {
        body["params"]["_meta"]["traceparent"] = meta.into();
    }
    let request = session.client.rpc(Era::Modern, &session.tokens.access, "tools/call", &parameters).unwrap();
    let request = if header.is_empty() { request } else { request.header("traceparent", header) };
    session.client.send(request.json(&body)).await.unwrap().expect_status(200).unwrap();
}

/// Stops both programs, which sends what they still hold.
async fn stop(stack: &mut Stack) {
    for proxy in &mut stack.proxies {
        proxy.program.process().stop().await.unwrap();
    }
    stack.adapter.program.process().stop().await.unwrap();
}

/// The trace of the tool call, and its spans.
fn of_the_call(spans: &[Span]) -> (String, Vec<Span>) {
    let served = spans.iter().find(|span| span.service == "plane-mcp-adapter" && span.kind == "Server");
    let trace = served.unwrap().trace.clone();
    let all = spans.iter().filter(|span| span.trace == trace).cloned().collect();
    (trace, all)
}

/// The one span that is so.
fn one<'a>(spans: &'a [Span], service: &str, kind: &str, name: &str) -> &'a Span {
    let fits = |span: &&Span| span.service == service && span.kind == kind && span.name == name;
    let found: Vec<_> = spans.iter().filter(fits).collect();
    let [span] = found.as_slice() else { panic!("{service} {kind} {name}: {found:?} among {spans:#?}") };
    span
}

/// Asserts that the spans are those of one call of `get_me`, each below the one that caused it, and gives the first.
fn assert_is_one_call(spans: &[Span], stack: &Stack) -> Span {
    let (edge, adapter) = ("mcp-edge-proxy", "plane-mcp-adapter");
    let request = one(spans, edge, "Server", "POST /mcp");
    let session = one(spans, edge, "Internal", "session");
    let forward = one(spans, edge, "Client", "POST");
    let message = one(spans, adapter, "Server", "tools/call get_me");
    let tool = one(spans, adapter, "Internal", "execute_tool get_me");
    let plane = one(spans, adapter, "Client", "GET /api/users/me/");
    for (child, parent) in
        [(session, request), (forward, request), (message, forward), (tool, message), (plane, tool)]
    {
        assert_eq!(child.parent, parent.id, "{child:?} is not below {parent:?}");
    }
    assert!(spans.iter().all(|span| span.status == "Unset"), "{spans:#?}");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/mcp"),
        ("http.response.status_code", "200"),
        ("edge.outcome", "ok"),
        ("edge.way", "inline"),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{request:?}");
    }
    for (name, value) in [("mcp.method.name", "tools/call"), ("gen_ai.tool.name", "get_me")] {
        assert_eq!(message.attributes.get(name).map(String::as_str), Some(value), "{message:?}");
    }
    assert_eq!(plane.attributes.get("server.address").map(String::as_str), Some("127.0.0.1"));
    // Plane is told of the span that asks it.
    let told = stack.plane.front_requests();
    let told: Vec<_> = told.iter().map(|request| request.headers["traceparent"].to_str().unwrap()).collect();
    let expected = format!("00-{}-{}-01", plane.trace, plane.id);
    assert!(told.contains(&expected.as_str()), "{expected} {told:?}");
    request.clone()
}

#[tokio::test]
async fn a_tool_call_is_one_trace_from_the_edge_to_plane() {
    let mut collector = Collector::start().await.unwrap();
    let other = PARENT.replace("4bf9", "0000");
    for (header, meta) in [("", ""), (PARENT, ""), ("", PARENT), (PARENT, &*other)] {
        let before = collector.spans().len();
        let mut stack = traced(collector.endpoint(), 1.0).start().await.unwrap();
        let session = stack.sign_in("alice").await.unwrap();
        call(&session, header, meta).await;
        stop(&mut stack).await;
        let whole = |spans: &[Span]| {
            let ended = spans.iter().skip(before).any(|span| span.name == "tools/call get_me");
            ended.then(|| spans.iter().skip(before).cloned().collect::<Vec<_>>())
        };
        let spans = collector.wait_for("the adapter's spans", whole).await.unwrap();
        let (trace, spans) = of_the_call(&spans);
        let first = assert_is_one_call(&spans, &stack);
        if header.is_empty() {
            assert_ne!(trace, TRACE);
            assert_eq!(first.parent, "");
        } else {
            assert_eq!((trace.as_str(), first.parent.as_str()), (TRACE, "00f067aa0ba902b7"));
        }
        // What only the message said is noted where it was read.
        let message = one(&spans, "plane-mcp-adapter", "Server", "tools/call get_me");
        let noted = if meta.is_empty() { vec![] } else { vec![meta.split('-').nth(1).unwrap().to_owned()] };
        assert_eq!(message.links, noted);
        // Both logs name the trace and each its own span.
        for (program, span) in [(&stack.proxies[0].program, &first), (&stack.adapter.program, message)] {
            let lines = program.log().lines();
            let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let named = events
                .filter(|event| event["message"] == "request" && event["span"]["trace_id"] == trace.as_str());
            let named: Vec<_> = named.map(|event| event["span"]["span_id"].clone()).collect();
            assert_eq!(named, [json!(span.id)], "{lines:?}");
        }
    }
}

#[tokio::test]
async fn spans_name_what_a_request_waited_for_and_nobody_who_asked() {
    let mut collector = Collector::start().await.unwrap();
    let mut stack = traced(collector.endpoint(), 1.0).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let projects = json!({ "workspace": "acme", "search": "a secret of alice's" });
    session.tool(Era::Modern, "list_projects", &json!({})).await.unwrap();
    let _ = session.tool(Era::Modern, "list_projects", &projects).await;
    session.refresh().await.unwrap();
    session.client.probe("not-a-token").await.unwrap();
    session.client.load("/nowhere?code=a-code-in-the-query").await.unwrap();
    session.client.load("/healthz").await.unwrap();
    let secrets = session.client.secrets();
    stop(&mut stack).await;
    let spans = collector
        .wait_for("both programs' spans", |spans| {
            let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
            (services.len() == 2).then(|| spans.to_vec())
        })
        .await
        .unwrap();
    let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
    for expected in [
        "authenticate",
        "session",
        "get",
        "put",
        "POST /oauth2/token",
        "GET oauth_callback",
        "POST oauth_token",
    ] {
        assert!(names.contains(expected), "{expected} is not among {names:?}");
    }
    assert!(names.iter().all(|name| !name.contains("healthz")), "{names:?}");
    let refused = spans.iter().find(|span| {
        span.attributes.get("edge.outcome").map(String::as_str) == Some("malformed_token")
            || span.attributes.get("http.response.status_code").map(String::as_str) == Some("401")
    });
    assert_eq!(refused.unwrap().status, "Unset", "what the client did wrong is no error of ours");
    // Nothing begins a trace but a request: no probe, no look at Valkey, no library.
    for first in spans.iter().filter(|span| span.parent.is_empty()) {
        assert_eq!(first.kind, "Server", "{first:?}");
    }
    let text = collector.text();
    for word in ["alice", "acme", "a-code-in-the-query", "nowhere", "not-a-token", "Bearer", "eyJ", "cookie"]
    {
        assert!(!text.contains(word), "{word} is in a trace");
    }
    for secret in secrets.iter().filter(|secret| secret.len() >= 12) {
        assert!(!text.contains(secret.as_str()), "a secret is in a trace");
    }
    for user in ["alice", "bob"] {
        let sub = &stack.cognito.user(user).unwrap().sub;
        assert!(!text.contains(sub.as_str()), "a user's id is in a trace");
    }
}

#[tokio::test]
async fn strangers_cannot_have_everything_recorded() {
    let mut collector = Collector::start().await.unwrap();
    let mut stack = traced(collector.endpoint(), 0.0).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for _ in 0..5 {
        call(&session, PARENT, "").await;
        call(&session, "", PARENT).await;
    }
    stop(&mut stack).await;
    collector.stop().await.unwrap();
    assert_eq!(collector.spans().len(), 0, "{:?}", collector.spans());
    let told = stack.plane.front_requests();
    let told = told.iter().map(|request| request.headers["traceparent"].to_str().unwrap());
    let unrecorded = PARENT.replace("-01", "-00");
    assert!(told.clone().any(|parent| parent == unrecorded), "who records nothing puts itself nowhere");
    assert!(told.clone().all(|parent| parent.ends_with("-00")), "{:?}", told.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_collector_that_is_gone_harms_no_request_and_is_said_once() {
    let mut collector = Collector::start().await.unwrap();
    let endpoint = collector.endpoint().to_owned();
    collector.stop().await.unwrap();
    let mut stack = traced(&endpoint, 1.0).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for _ in 0..20 {
        call(&session, "", "").await;
    }
    // The second batch is lost without a word, at the end the number of all.
    let told = "traces cannot be exported";
    stack.proxies[0]
        .program
        .process()
        .wait_for("told", async |log| log.text().contains(told).then_some(()))
        .await
        .unwrap();
    call(&session, "", "").await;
    stop(&mut stack).await;
    let log = stack.proxies[0].program.log().text();
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(log.contains("spans were lost"), "{log}");
}
