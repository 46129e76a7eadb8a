//! Bodies pass as they come, in both directions, and going away is noticed.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use stack::{client::SignedIn, stack::Stack};
use tokio::time::timeout;

/// Starts a request below `/echo` with a good token and returns the response with its body unread.
async fn open(session: &SignedIn, path: &str) -> reqwest::Response {
    let url = session.client.endpoint().join(path).unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    request.json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).send().await.unwrap()
}

#[tokio::test]
async fn events_arrive_when_they_are_sent() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let response = open(&session, "/echo/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.bytes_stream();
    // The next event is sent only after the one before has arrived: a buffer in between would stop here.
    for event in ["one", "two", "three"] {
        stack.echo.emit(event).await.unwrap();
        let chunk = timeout(Duration::from_secs(20), events.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(chunk, format!("data: {event}\n\n").as_bytes());
    }
    stack.echo.emit("end").await.unwrap();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_missed_upstream() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let response = open(&session, "/echo/events").await;
    stack.echo.emit("one").await.unwrap();
    let mut events = response.bytes_stream();
    events.next().await.unwrap().unwrap();
    drop(events);
    stack.echo.wait_abandoned(1).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_missed_upstream() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let waiting = tokio::spawn(async move { open(&session, "/echo/slow").await });
    stack.echo.wait_seen(1).await.unwrap();
    waiting.abort();
    stack.echo.wait_abandoned(1).await.unwrap();
}

#[tokio::test]
async fn an_upstream_s_own_status_passes() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    for status in [204, 404, 409, 500] {
        assert_eq!(open(&session, &format!("/echo/status/{status}")).await.status().as_u16(), status);
    }
}
