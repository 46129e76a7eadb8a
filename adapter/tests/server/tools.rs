//! What each tool asks Plane, and what it makes of the captured answer.

use serde_json::json;

use crate::canned::Reply;
use crate::client::{Stack, call, text_of};

#[tokio::test]
async fn me_is_the_user_who_signed_in() {
    let stack = Stack::start().await;
    let me = stack.answer("get_me", json!({})).await;
    assert_eq!(me["email"], "alice@example.com");
    assert_eq!(me["username"], "alice");
    assert_eq!(stack.plane.seen()[0].path, "/api/users/me/");
}

#[tokio::test]
async fn me_is_refused_when_plane_means_somebody_else() {
    let stack = Stack::start().await;
    let request = stack.post(call("get_me", &json!({}))).bearer_auth(stack.pool.id_token("bob"));
    let result = stack.result_of(request).await;
    assert_eq!(result["isError"], true);
    assert_eq!(text_of(&result)["code"], "identity.mismatch");
    assert_eq!(stack.plane.sessions(), 2, "a fresh session was tried");
}

#[tokio::test]
async fn workspaces_come_with_slug_and_role() {
    let stack = Stack::start().await;
    let answer = stack.answer("list_workspaces", json!({})).await;
    let beta = json!({"slug": "beta", "name": "Beta Labs", "role": "admin", "members": 1});
    let acme = json!({"slug": "acme", "name": "Acme", "role": "admin", "members": 3});
    assert_eq!(answer, json!({"total": 2, "workspaces": [beta, acme]}));
}

#[tokio::test]
async fn workspaces_in_an_envelope_are_read_too() {
    let stack = Stack::start().await;
    let envelope = json!({"results": [{"slug": "acme", "name": "Acme"}]});
    stack.plane.answer("/api/users/me/workspaces/", Reply::json(200, &envelope));
    assert_eq!(stack.answer("list_workspaces", json!({})).await["workspaces"][0]["slug"], "acme");
}
