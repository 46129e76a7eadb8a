//! HTTP itself: paths, methods, hosts, sizes, and messages that are none.

use reqwest::Method;
use serde_json::json;

use crate::canned::Plane;
use crate::client::{Stack, call, json_of};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

#[tokio::test]
async fn health_needs_no_credential() {
    let stack = Stack::start().await;
    let response = stack.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(json_of(response, 200).await, json!({"status": "ok"}));
}

#[tokio::test]
async fn signed_in_only_post_is_allowed() {
    let stack = Stack::start().await;
    for method in [Method::GET, Method::DELETE] {
        let request = stack.request(method, "/mcp").bearer_auth(stack.pool.id_token("alice"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["allow"], "POST");
        json_of(response, 405).await;
    }
    let elsewhere = stack.request(Method::GET, "/mcp/x").send().await.unwrap();
    json_of(elsewhere, 404).await;
}

#[tokio::test]
async fn what_is_no_message_is_a_400_with_a_json_rpc_error() {
    let stack = Stack::start().await;
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
    ] {
        let response = stack.as_alice(body).send().await.unwrap();
        assert_eq!(json_of(response, 400).await["error"]["code"], code, "{body}");
    }
    let wrong = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":[]}"#;
    assert_eq!(json_of(stack.as_alice(wrong).send().await.unwrap(), 400).await["id"], "a");
}

#[tokio::test]
async fn odd_parameters_never_become_a_server_error_or_plain_text() {
    let stack = Stack::start().await;
    for params in [json!({"name": 7}), json!({"name": "get_me", "arguments": 7}), json!({})] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let response = stack.as_alice(body).send().await.unwrap();
        assert!(response.status().as_u16() < 500);
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}

#[tokio::test]
async fn any_accept_header_that_allows_json_is_fine() {
    let stack = Stack::start().await;
    let request = |accept: &str| {
        let request = stack.request(Method::POST, "/mcp").bearer_auth(stack.pool.id_token("alice"));
        request.header("content-type", "application/json; charset=utf-8").header("accept", accept).body(LIST)
    };
    for accept in ["*/*", "application/json", "text/event-stream, application/*;q=0.5"] {
        let response = request(accept).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json", "{accept}");
        assert_eq!(response.status(), 200);
    }
    assert_eq!(request("text/html").send().await.unwrap().status(), 406);
}

#[tokio::test]
async fn only_json_is_a_body() {
    let stack = Stack::start().await;
    let request = stack.request(Method::POST, "/mcp").bearer_auth(stack.pool.id_token("alice"));
    let response = request.header("content-type", "text/plain").body(LIST).send().await.unwrap();
    json_of(response, 415).await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let stack = Stack::with("[mcp]\nbody_bytes = 2000\n", Plane::of_alice()).await;
    let response = stack.as_alice(call("get_me", &json!({"x": "y".repeat(3000)}))).send().await.unwrap();
    assert_eq!(json_of(response, 413).await["error"]["data"]["reason"], "body_too_large");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_before_anything_else() {
    let stack = Stack::start().await;
    let host = stack.as_alice(LIST).header("host", "evil.example.com").send().await.unwrap();
    assert_eq!(json_of(host, 403).await["error"]["data"]["reason"], "host_refused");
    let origin = stack.as_alice(LIST).header("origin", "https://evil.example.com").send().await.unwrap();
    assert_eq!(json_of(origin, 403).await["error"]["data"]["reason"], "origin_refused");
}

#[tokio::test]
async fn switched_off_says_so() {
    let stack = Stack::with("[mcp]\nenabled = false\n", Plane::of_alice()).await;
    let response = stack.as_alice(LIST).send().await.unwrap();
    assert_eq!(json_of(response, 503).await["error"]["data"]["reason"], "disabled");
    assert_eq!(stack.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
}
