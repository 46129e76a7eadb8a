//! Routes where a Plane API key stands in for a sign-in.

use serde_json::{Value, json};
use stack::{client::Era, stack::Stack};

#[tokio::test]
async fn a_plane_api_key_acts_for_its_owner() {
    let stack = Stack::start().await.unwrap();
    let key = stack.plane.api_key_for("alice");
    let client = stack.client("/api-key/mcp").unwrap();
    let params = json!({ "name": "get_me", "arguments": {} });
    let answer = client.send(client.rpc(Era::Modern, &key, "tools/call", &params).unwrap()).await.unwrap();
    let answer = answer.expect_status(200).unwrap();
    assert!(answer.text.contains("alice@example.com"), "{}", answer.text);
    for request in stack.plane.requests() {
        assert_eq!(request.headers.get_all("x-api-key").iter().count(), 1);
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn without_a_key_or_with_a_token_the_route_is_closed() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let client = stack.client("/api-key/mcp").unwrap();
    for bearer in ["", session.tokens.access.as_str()] {
        let answer =
            client.send(client.rpc(Era::Modern, bearer, "tools/list", &Value::Null).unwrap()).await.unwrap();
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let header =
        client.rpc(Era::Modern, "", "tools/list", &Value::Null).unwrap().header("x-api-key", "plane_api_x");
    assert_eq!(client.send(header).await.unwrap().status, 401, "the client's own X-Api-Key is not taken");
}

#[tokio::test]
async fn an_api_key_is_no_token_of_ours() {
    let stack = Stack::start().await.unwrap();
    let key = stack.plane.api_key_for("alice");
    let answer = stack.client("/mcp").unwrap().probe(&key).await.unwrap();
    assert_eq!((answer.status, answer.challenge("error").as_deref()), (401, Some("invalid_token")));
}
