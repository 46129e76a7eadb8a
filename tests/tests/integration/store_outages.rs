//! Valkey away: an honest 503, nothing lost; and more than one proxy on the same Valkey.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{
    client::{Answer, Era, SignedIn},
    stack::{Stack, Store},
};

use crate::sign_in::TOOLS;

/// Probes until the status is `status`.
async fn wait_for_status(session: &SignedIn, status: u16) -> Answer {
    let started = Instant::now();
    loop {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status == status {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "still {}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn valkey_stopped_is_503_and_back_again_no_session_is_lost() {
    let mut stack =
        Stack::builder().store(Store::Valkey).proxy_setting("vault.cache_seconds", 1).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let mut valkey = stack.valkey.take().unwrap();

    valkey.stop();
    let program = &mut stack.proxy().unwrap().program;
    assert_eq!(program.wait_check("valkey", false).await.unwrap(), 200, "clients shall hear our 503");
    // What is cached may be served for its second; then the answer is 503, never 401.
    let answer = wait_for_status(&session, 503).await;
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    let refresh = session.try_refresh().await.unwrap();
    assert_eq!((refresh.status, &refresh.json["error"]), (503, &json!("temporarily_unavailable")));
    assert!(refresh.header("retry-after").parse::<u32>().is_ok());

    valkey.start_again().await.unwrap();
    assert_eq!(stack.proxy().unwrap().program.wait_check("valkey", true).await.unwrap(), 200);
    assert_eq!(wait_for_status(&session, 200).await.status, 200);
    session.refresh().await.unwrap();
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "alice@example.com");
}

#[tokio::test]
async fn a_session_works_through_a_second_proxy() {
    let stack = Stack::builder().store(Store::Valkey).proxies(2).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    session.client = session.client.through(&stack.proxies[1].origin).unwrap();
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "alice@example.com");
    session.refresh().await.unwrap();
    session.client = session.client.through(&stack.proxies[0].origin).unwrap();
    assert_eq!(session.tools(Era::Modern).await.unwrap().len(), TOOLS.len());
}

#[tokio::test]
async fn a_session_outlives_the_proxy_that_made_it() {
    let mut stack = Stack::builder().store(Store::Valkey).proxies(2).start().await.unwrap();
    let mut session = stack.sign_in("bob").await.unwrap();
    stack.proxies.remove(0);
    session.client = session.client.through(&stack.proxies[0].origin).unwrap();
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "bob@example.com");
}

#[tokio::test]
async fn revocation_at_one_proxy_is_known_to_the_other_at_once() {
    let stack = Stack::builder()
        .store(Store::Valkey)
        .proxies(2)
        .proxy_setting("vault.cache_seconds", 300)
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let mut elsewhere = session.clone();
    elsewhere.client = session.client.through(&stack.proxies[1].origin).unwrap();
    assert_eq!(elsewhere.tools(Era::Modern).await.unwrap().len(), TOOLS.len());
    session.revoke().await.unwrap().expect_status(200).unwrap();
    wait_for_status(&elsewhere, 401).await;
}

#[tokio::test]
async fn what_valkey_holds_is_sealed() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let held = stack.valkey.as_ref().unwrap().dump().unwrap();
    assert!(held.len() >= 3, "a client, a session and a grant: {:?}", held.iter().map(|(key, _)| key));
    for (key, value) in held {
        assert!(!value.contains("eyJ") && !value.contains("alice"), "{key} holds readable data");
        for secret in session.client.secrets() {
            assert!(!value.contains(&secret) && !key.contains(&secret), "{key}");
        }
    }
}

#[tokio::test]
async fn two_proxies_that_must_refresh_at_once_ask_cognito_once() {
    let stack = Stack::builder()
        .store(Store::Valkey)
        .proxies(2)
        .cognito(|options| {
            options.behaviour.id_token_lifetime = Duration::from_secs(100);
            options.behaviour.rotation = Some(Duration::ZERO);
        })
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.behave(|behaviour| behaviour.id_token_lifetime = Duration::from_secs(3600));
    let other = session.client.through(&stack.proxies[1].origin).unwrap();
    let calls = (0..16).map(|number| {
        let client = if number % 2 == 0 { &session.client } else { &other };
        client.probe(&session.tokens.access)
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(stack.cognito.refreshes(), 1);
}
