//! The trace a request belongs to: it goes from the client to Plane and into both logs, without anything being exported.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use stack::{
    client::{Answer, Era, McpClient, SignedIn, rpc_body},
    plane::{PlaneAuth, SeenRequest},
    program::Program,
    stack::Stack,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNRECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Calls `get_me` with further headers and `_meta`.
async fn call(client: &McpClient, bearer: &str, headers: &[(&str, &str)], meta: &Value) -> Answer {
    let mut body = rpc_body(Era::Modern, "tools/call", &json!({ "name": "get_me", "arguments": {} }));
    for (key, value) in meta.as_object().unwrap() {
        body["params"]["_meta"][key] = value.clone();
    }
    let request = client.rpc(Era::Modern, bearer, "tools/call", &json!({ "name": "get_me" })).unwrap();
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request.json(&body)).await.unwrap().expect_status(200).unwrap()
}

async fn call_as(session: &SignedIn, headers: &[(&str, &str)], meta: &Value) -> Answer {
    call(&session.client, &session.tokens.access, headers, meta).await
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

/// The trace id of the one `traceparent` each of these requests carries.
fn traces(requests: &[SeenRequest]) -> Vec<String> {
    let parent = |request: &SeenRequest| match values(&request.headers, "traceparent")[..] {
        [parent] => parent.split('-').nth(1).unwrap().to_owned(),
        ref other => panic!("{other:?} in {request:?}"),
    };
    requests.iter().map(parent).collect()
}

/// `trace_id` and `span_id` of the last request's log line.
async fn logged(program: &mut Program, trace: &str) -> Value {
    let line = program.process().wait_for("the request's log line", async |log| {
        let lines = log.lines().into_iter().rev();
        let mut events = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        events.find(|event| event["message"] == "request" && event["span"]["trace_id"] == trace)
    });
    line.await.unwrap()["span"].clone()
}

#[tokio::test]
async fn the_client_s_trace_goes_on_to_plane_and_into_both_logs() {
    let mut stack = Stack::builder().proxy_setting("traces.sample_ratio", 0.0).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let state = ("tracestate", "vendor=1");
    call_as(&session, &[("traceparent", PARENT), state, ("baggage", "user=mallory")], &json!({})).await;
    let seen = stack.plane.front_requests();
    assert!(!seen.is_empty());
    for request in &seen {
        // That a stranger wants it recorded costs nobody anything: the edge decides, and here says no.
        assert_eq!(values(&request.headers, "traceparent"), [UNRECORDED], "{request:?}");
        assert_eq!(values(&request.headers, "tracestate"), ["vendor=1"], "{request:?}");
        assert!(!request.headers.contains_key("baggage"), "{request:?}");
    }
    for program in [&mut stack.proxies[0].program, &mut stack.adapter.program] {
        let span = logged(program, TRACE).await;
        assert_eq!(span["span_id"], Value::Null, "nothing is recorded, so there is no span: {span}");
        assert!(span["request.id"].is_string(), "{span}");
    }
}

#[tokio::test]
async fn without_one_of_the_client_s_each_request_begins_a_trace_at_the_edge() {
    let mut stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let mut begun = Vec::new();
    for headers in [&[][..], &[("traceparent", "00-nonsense"), ("tracestate", "vendor=1")]] {
        let before = stack.plane.front_requests().len();
        call_as(&session, headers, &json!({})).await;
        let seen = stack.plane.front_requests().split_off(before);
        let mut found = traces(&seen);
        found.dedup();
        let [trace] = found.as_slice() else { panic!("{seen:?}") };
        for program in [&mut stack.proxies[0].program, &mut stack.adapter.program] {
            logged(program, trace).await;
        }
        assert!(seen.iter().all(|request| !request.headers.contains_key("tracestate")), "{seen:?}");
        begun.push(trace.clone());
    }
    assert_ne!(begun[0], begun[1]);
}

#[tokio::test]
async fn a_message_s_own_trace_counts_where_no_header_names_one() {
    let stack = Stack::start().await.unwrap();
    let key = stack.plane.api_key_for("alice");
    // At the adapter itself: behind the edge there is always a header.
    let direct = McpClient::new(&stack.adapter.endpoint, &stack.authority.pem()).unwrap();
    let other = PARENT.replace("4bf9", "0000");
    for (header, message, expected) in [
        ("", PARENT, Some(TRACE)),
        (PARENT, &*other, Some(TRACE)),
        ("", "00-nonsense", None),
        ("00-nonsense", PARENT, Some(TRACE)),
    ] {
        let before = stack.plane.requests().len();
        let headers = [("x-api-key", key.as_str()), ("traceparent", header)];
        let headers = if header.is_empty() { &headers[..1] } else { &headers[..] };
        call(&direct, "", headers, &json!({ "traceparent": message, "baggage": "user=mallory" })).await;
        let seen = stack.plane.requests().split_off(before);
        assert!(!seen.is_empty());
        for (request, trace) in seen.iter().zip(traces(&seen)) {
            assert!(expected.is_none_or(|expected| trace == expected), "{header} {message} {request:?}");
            assert!(!request.headers.contains_key("baggage"), "{request:?}");
        }
    }
}

#[tokio::test]
async fn one_header_names_the_trace_of_the_whole_way_whatever_the_message_says() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let other = PARENT.replace("4bf9", "0000");
    call_as(&session, &[("traceparent", PARENT)], &json!({ "traceparent": other })).await;
    let seen = stack.plane.front_requests();
    assert!(!seen.is_empty());
    assert!(traces(&seen).iter().all(|trace| trace == TRACE), "{seen:?}");
}

#[tokio::test]
async fn making_a_key_is_part_of_the_trace_and_deleting_it_later_is_not() {
    let stack = Stack::builder().plane(|plane| plane.auth = PlaneAuth::Keyed).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let mut body = rpc_body(Era::Modern, "tools/call", &json!({ "name": "list_projects", "arguments": {} }));
    body["id"] = 2.into();
    let parameters = json!({ "name": "list_projects" });
    let request = session.client.rpc(Era::Modern, &session.tokens.access, "tools/call", &parameters).unwrap();
    let request = request.header("traceparent", PARENT).json(&body);
    session.client.send(request).await.unwrap().expect_status(200).unwrap();
    let seen = stack.plane.requests();
    assert!(seen.iter().any(|request| request.method == "POST"), "a key was made: {seen:?}");
    assert!(traces(&seen).iter().all(|trace| trace == TRACE), "{seen:?}");
    // The adapter stops, and deletes what it made.
    let Stack { mut adapter, plane, .. } = stack;
    adapter.program.process().stop().await.unwrap();
    let later = plane.requests().split_off(seen.len());
    assert!(later.iter().any(|request| request.method == "DELETE"), "{later:?}");
    assert!(later.iter().all(|request| !request.headers.contains_key("traceparent")), "{later:?}");
}

#[tokio::test]
async fn cognito_hears_of_no_trace() {
    let stack = Stack::start().await.unwrap();
    // So short that the next use refreshes: a request to Cognito inside one of the client's.
    stack.cognito.behave(|behaviour| behaviour.id_token_lifetime = Duration::from_secs(100));
    let session = stack.sign_in("alice").await.unwrap();
    call_as(&session, &[("traceparent", PARENT)], &json!({})).await;
    assert!(stack.cognito.refreshes() > 0);
    let told = stack.cognito.requests().into_iter().filter(|request| request.names_a_trace);
    assert_eq!(told.map(|request| request.path).collect::<Vec<_>>(), Vec::<String>::new());
}
