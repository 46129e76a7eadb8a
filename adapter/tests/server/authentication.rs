//! Who gets in, and what the others are told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::canned::Plane;
use crate::client::{Stack, call, json_of};
use crate::pool::NOW;

fn me() -> Value {
    call("get_me", &json!({}))
}

#[tokio::test]
async fn without_a_credential_every_method_gets_the_challenge() {
    let stack = Stack::start().await;
    for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
        let response = stack.request(method.clone(), "/mcp").send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{method}");
        assert_eq!(json_of(response, 401).await["error"]["data"]["reason"], "missing_credential");
    }
}

#[tokio::test]
async fn tokens_that_do_not_verify_are_refused() {
    let stack = Stack::start().await;
    let good = stack.pool.id_token("alice");
    let (head, rest) = good.split_once('.').unwrap();
    let unsigned = format!("{head}.{}.", rest.split_once('.').unwrap().0);
    let cases = [
        ("expired", stack.pool.token("alice", &json!({"exp": NOW - 61}))),
        ("another client", stack.pool.token("alice", &json!({"aud": "other"}))),
        ("another issuer", stack.pool.token("alice", &json!({"iss": "http://127.0.0.1:1/pool"}))),
        ("an access token", stack.pool.token("alice", &json!({"token_use": "access", "client_id": "app"}))),
        ("no username", stack.pool.token("alice", &json!({"cognito:username": null}))),
        ("no signature", unsigned),
        ("no token", "nonsense".to_owned()),
    ];
    for (what, token) in cases {
        let response = stack.post(me()).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{what}");
        assert_eq!(json_of(response, 401).await["error"]["data"]["reason"], "invalid_token", "{what}");
    }
    assert!(stack.plane.seen().is_empty());
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let stack = Stack::start().await;
    let token = stack.pool.id_token("alice");
    let send = || stack.post(me()).bearer_auth(&token).send();
    assert_eq!(send().await.unwrap().status(), 200);
    stack.clock.set(NOW + 3600 + 61);
    assert_eq!(send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn more_than_one_credential_is_refused() {
    let stack = Stack::start().await;
    let token = stack.pool.id_token("alice");
    let twice = stack.post(me()).bearer_auth(&token).header("authorization", format!("Bearer {token}"));
    let both = stack.post(me()).bearer_auth(&token).header("x-api-key", "plane_api_1");
    let keys = stack.post(me()).header("x-api-key", "plane_api_1").header("x-api-key", "plane_api_2");
    for request in [twice, both, keys] {
        let body = json_of(request.send().await.unwrap(), 400).await;
        assert_eq!(body["error"]["data"]["reason"], "ambiguous_credential");
    }
}

#[tokio::test]
async fn identity_headers_of_others_mean_nothing() {
    let stack = Stack::start().await;
    let spoof = |request: reqwest::RequestBuilder| {
        request.header("x-auth-request-email", "bob@example.com").header("x-forwarded-user", "bob")
    };
    assert_eq!(spoof(stack.post(me())).send().await.unwrap().status(), 401);
    assert_eq!(spoof(stack.as_alice(me())).send().await.unwrap().status(), 200);
    for seen in stack.plane.seen() {
        assert!(seen.header("x-auth-request-email").is_none() && seen.header("x-forwarded-user").is_none());
    }
}

#[tokio::test]
async fn without_keys_nobody_is_turned_away_for_good() {
    // Nothing listens on port 1.
    let stack = Stack::with_keys_at("http://127.0.0.1:1/jwks.json", Plane::of_alice()).await;
    let response = stack.as_alice(me()).send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(json_of(response, 503).await["error"]["data"]["reason"], "keys_unavailable");
    let ready = reqwest::get(format!("{}/readyz", stack.admin)).await.unwrap();
    assert_eq!(ready.status(), 503);
}

#[tokio::test]
async fn with_keys_the_service_is_ready_and_counts() {
    let stack = Stack::start().await;
    let ready = reqwest::get(format!("{}/readyz", stack.admin)).await.unwrap();
    assert_eq!(json_of(ready, 200).await, json!({"checks": {"signing_keys": "ok"}}));
    stack.answer("get_me", json!({})).await;
    let metrics = reqwest::get(format!("{}/metrics", stack.admin)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("adapter_tool_calls_total{outcome=\"ok\",tool=\"get_me\"} 1"), "{metrics}");
    assert!(metrics.contains("adapter_plane_requests_total{outcome=\"ok\"} 1"), "{metrics}");
}
