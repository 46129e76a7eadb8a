//! Cognito slow, wrong or away: what is still valid is served, what is not is an honest 503, and only Cognito's own word
//! ends a session.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use stack::{
    client::Era,
    cognito::{Behaviour, Fault, Faults},
    process::PATIENCE,
    stack::Stack,
};

/// Tokens so short that every request needs fresh ones: less is left than `vault.refresh_before_seconds` asks for.
fn short_lived(behaviour: &mut Behaviour) {
    behaviour.id_token_lifetime = Duration::from_secs(100);
    behaviour.access_token_lifetime = Duration::from_secs(100);
}

#[tokio::test]
async fn many_requests_at_once_refresh_once() {
    let stack =
        Stack::builder().cognito(|options| short_lived(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    assert_eq!(stack.cognito.refreshes(), 0);
    // Fresh tokens last long, so that only the first ones are due.
    stack.cognito.behave(|behaviour| *behaviour = Behaviour::default());
    let calls = (0..32).map(|_| session.client.probe(&session.tokens.access));
    for answer in join_all(calls).await {
        answer.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(stack.cognito.refreshes(), 1);
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept() {
    let rotating = |behaviour: &mut Behaviour| {
        short_lived(behaviour);
        behaviour.rotation = Some(Duration::ZERO);
    };
    let stack = Stack::builder()
        .cognito(|options| rotating(&mut options.behaviour))
        .proxy_setting("vault.cache_seconds", 1)
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    // With no grace at all, a second refresh works only with the token the first one gave.
    let started = Instant::now();
    while stack.cognito.refreshes() < 3 {
        session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
        assert!(started.elapsed() < PATIENCE, "{} refreshes", stack.cognito.refreshes());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn cognito_away_with_valid_tokens_is_not_noticed() {
    let stack =
        Stack::builder().cognito(|options| short_lived(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for fault in [Fault::Drop, Fault::Status(429, "{}".to_owned()), Fault::HtmlBody] {
        let faults =
            Faults { token: Some(fault.clone()), discovery: Some(fault.clone()), ..Faults::default() };
        stack.cognito.set_faults(faults);
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        assert_eq!(answer.status, 200, "{fault:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn cognito_away_with_expired_tokens_is_503_until_it_is_back() {
    let expired = |behaviour: &mut Behaviour| {
        behaviour.id_token_lifetime = Duration::from_secs(3);
        behaviour.access_token_lifetime = Duration::from_secs(3);
    };
    let stack = Stack::builder().cognito(|options| expired(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let down = Fault::Status(503, "busy".to_owned());
    stack.cognito.set_faults(Faults { token: Some(down), ..Faults::default() });
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(answer.status, 503, "less than five seconds left are none: {}", answer.text);
    assert!(answer.header("retry-after").parse::<u32>().is_ok());

    stack.cognito.set_faults(Faults::default());
    stack.cognito.behave(|behaviour| *behaviour = Behaviour::default());
    let started = Instant::now();
    while session.client.probe(&session.tokens.access).await.unwrap().status != 200 {
        assert!(started.elapsed() < PATIENCE, "still not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_session_cognito_has_ended_asks_for_a_new_sign_in() {
    let stack =
        Stack::builder().cognito(|options| short_lived(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.evict_sessions("alice");
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!((answer.status, answer.challenge("error").as_deref()), (401, Some("invalid_token")));
    let refused = session.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_changed_subject_ends_the_session() {
    let stack =
        Stack::builder().cognito(|options| short_lived(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.behave(|behaviour| behaviour.refresh_changes_subject = true);
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text);
}

#[tokio::test]
async fn new_signing_keys_are_picked_up() {
    let stack = Stack::builder().proxy_setting("vault.cache_seconds", 1).start().await.unwrap();
    stack.sign_in("alice").await.unwrap();
    stack.cognito.rotate_keys().unwrap();
    let session = stack.sign_in("bob").await.unwrap();
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "bob@example.com");
}

#[tokio::test]
async fn a_large_id_token_passes() {
    let stack = Stack::builder()
        .cognito(|options| options.behaviour.custom_claim_bytes = 6000)
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "alice@example.com");
}

#[tokio::test]
async fn cognito_away_during_a_sign_in_is_said_to_the_client() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    stack
        .cognito
        .set_faults(Faults { token: Some(Fault::Status(500, "oops".to_owned())), ..Faults::default() });
    let callback = browser.sign_in(&authorization.url, &stack.person("alice")).await.unwrap();
    assert_eq!(callback.error.as_deref(), Some("temporarily_unavailable"));
    assert_eq!(callback.state.as_deref(), Some(authorization.state.as_str()));
    assert_eq!(callback.iss.as_deref(), Some(stack.origin()));
}
