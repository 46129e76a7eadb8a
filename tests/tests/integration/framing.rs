//! Requests that two servers could read in two ways, and requests that come from or go to somewhere else, are refused.

use std::io::Write;

use serde_json::Value;
use stack::{client::Era, stack::Stack};

use crate::tls;

/// Sends bytes as they are on a connection of their own; returns the status line of the answer.
async fn raw(stack: &Stack, request: String) -> String {
    let mut connection = tls::connect(stack, tls::Wanted::default()).await.unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        connection.write_all(request.as_bytes()).unwrap();
        connection.flush().unwrap();
        tls::read_to_end(&mut connection)
    });
    answer.await.unwrap().lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_not_read_at_all() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let host = stack.origin().trim_start_matches("https://");
    let bearer = format!("Authorization: Bearer {}\r\nConnection: close\r\n", session.tokens.access);
    let cases = [
        ("two hosts", format!("GET /echo HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{bearer}\r\n")),
        ("no host", format!("GET /echo HTTP/1.1\r\n{bearer}\r\n")),
        ("another host", format!("GET /echo HTTP/1.1\r\nHost: evil.example\r\n{bearer}\r\n")),
        (
            "another host in the target",
            format!("GET https://evil.example/echo HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n"),
        ),
        (
            "two lengths",
            format!(
                "POST /echo HTTP/1.1\r\nHost: {host}\r\n{bearer}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
            ),
        ),
        ("an encoded slash", format!("GET /echo%2f..%2fmcp HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n")),
        ("dot segments", format!("GET /echo/../mcp HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n")),
        ("CONNECT", format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n")),
        ("no HTTP", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned()),
    ];
    for (what, request) in cases {
        let status = raw(&stack, request).await;
        assert!(status.starts_with("HTTP/1.1 4") || status.is_empty(), "{what}: {status}");
    }
    assert!(stack.echo.seen().is_empty(), "{:?}", stack.echo.seen());
}

#[tokio::test]
async fn a_request_framed_twice_goes_on_framed_once() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let host = stack.origin().trim_start_matches("https://");
    // What comes after the last chunk is the request an attacker would smuggle past a server that reads the length.
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: 60\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /echo/smuggled HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        session.tokens.access
    );
    raw(&stack, request).await;
    for seen in stack.echo.seen() {
        assert!(
            seen.values("content-length").len() + seen.values("transfer-encoding").len() <= 1,
            "{seen:?}"
        );
        assert!(seen.body_bytes == 0 && seen.target == "/echo", "{seen:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_call() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for (origin, status) in [("https://evil.example", 403), ("null", 403), (stack.origin(), 200)] {
        let request =
            session.client.rpc(Era::Modern, &session.tokens.access, "tools/list", &Value::Null).unwrap();
        let answer = session.client.send(request.header("origin", origin)).await.unwrap();
        assert_eq!(answer.status, status, "{origin}: {}", answer.text);
    }
}

#[tokio::test]
async fn browser_clients_may_read_metadata_but_not_authorize() {
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"] {
        assert_eq!(client.load(path).await.unwrap().header("access-control-allow-origin"), "*", "{path}");
    }
    for (name, allowed) in
        [("token_endpoint", "*"), ("registration_endpoint", "*"), ("authorization_endpoint", "")]
    {
        let url = found.endpoint(name).unwrap();
        let preflight = client.request("OPTIONS", &url).unwrap().header("origin", "https://app.example");
        let answer = client.send(preflight.header("access-control-request-method", "POST")).await.unwrap();
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{name}");
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_408() {
    let stack =
        Stack::builder().echo_routes().proxy_setting("limits.body_timeout_seconds", 1).start().await.unwrap();
    let session = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    let host = stack.origin().trim_start_matches("https://");
    let status = raw(
        &stack,
        format!(
            "POST /echo-mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
            session.tokens.access
        ),
    )
    .await;
    assert!(status.starts_with("HTTP/1.1 408"), "{status}");
}
