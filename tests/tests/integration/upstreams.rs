//! Upstreams: reached over TLS under the configured authority, on connections that are kept, and not waited for forever.

use serde_json::json;
use stack::{client::SignedIn, stack::Stack};

async fn post(session: &SignedIn, path: &str) -> stack::client::Answer {
    let url = session.client.endpoint().join(path).unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    session.client.send(request.json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }))).await.unwrap()
}

#[tokio::test]
async fn an_https_upstream_is_trusted_by_the_configured_bundle() {
    let builder = Stack::builder().echo_routes_over_tls();
    // The authority is made with the stack, so the bundle is put in place by a second start of the proxy.
    let mut stack = builder.start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let refused = post(&session, "/echo/x").await;
    assert_eq!(refused.status, 502, "an authority nobody configured is not trusted: {}", refused.text);
    assert!(stack.echo.seen().is_empty());

    let mut settings = stack.proxies[0].settings.clone();
    settings.set("upstream.ca_file", stack.authority.file().display().to_string());
    stack.proxies.clear();
    let environment = stack.environment();
    stack.proxies.push(stack::proxy::Proxy::start(settings, &environment).await.unwrap());
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    post(&session, "/echo/x").await.expect_status(200).unwrap();
    assert_eq!(stack.echo.last().unwrap().target, "/echo/x");
}

#[tokio::test]
async fn connections_to_an_upstream_are_kept() {
    let stack = Stack::builder().echo_routes().proxy_setting("server.threads", 1).start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    for _ in 0..20 {
        post(&session, "/echo/x").await.expect_status(200).unwrap();
    }
    assert_eq!(stack.echo.connections(), 1);
}

#[tokio::test]
async fn an_upstream_that_takes_too_long_is_504() {
    let stack = Stack::builder().echo_routes().route_timeout(1).start().await.unwrap();
    let session = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    let session_http = stack.sign_in_at("/echo", "alice").await.unwrap();
    let answer = post(&session_http, "/echo/slow").await;
    assert_eq!(answer.status, 504, "{}", answer.text);
    stack.echo.wait_abandoned(1).await.unwrap();
    post(&session, "/echo-mcp").await.expect_status(200).unwrap();
}
