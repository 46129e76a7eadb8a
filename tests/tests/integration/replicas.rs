//! Several proxies on one session: each behaves as if it were the only one.

use std::time::Duration;

use futures_util::future::join_all;
use service::{Clock, SystemClock};
use stack::{
    client::SignedIn,
    cognito::{Behaviour, Fault, Faults},
    process::Log,
    stack::{Stack, Store},
};

/// Seconds the tokens of the sign-in live.
const SHORT: u64 = 2;

/// Two proxies, and a session at each of them (the same one) whose ID token has just expired.
pub(crate) async fn expired(rotation: Option<Duration>) -> (Stack, [SignedIn; 2]) {
    expired_with_lock(rotation, 1).await
}

/// The same where a proxy that stands still for less than `lock` seconds keeps its turn to refresh.
pub(crate) async fn expired_with_lock(rotation: Option<Duration>, lock: i64) -> (Stack, [SignedIn; 2]) {
    let builder = Stack::builder().store(Store::Valkey).proxies(2);
    let builder = builder.proxy_setting("vault.refresh_lock_seconds", lock).cognito(|options| {
        options.behaviour.id_token_lifetime = Duration::from_secs(SHORT);
        options.behaviour.rotation = rotation;
    });
    let stack = builder.start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let over = SystemClock.unix() + SHORT;
    let elsewhere =
        SignedIn { client: session.client.through(&stack.proxies[1].origin).unwrap(), ..session.clone() };
    stack.cognito.behave(|behaviour| *behaviour = Behaviour { rotation, ..Behaviour::default() });
    while SystemClock.unix() <= over {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (stack, [session, elsewhere])
}

#[tokio::test]
async fn sixty_four_requests_on_an_expired_id_token_refresh_once_and_none_fails() {
    let (stack, sessions) = expired(Some(Duration::ZERO)).await;
    // Slow enough that every one of them comes while the refresh is under way.
    let slow = Fault::Delay(Duration::from_millis(300));
    stack.cognito.set_faults(Faults { token: Some(slow), ..Faults::default() });
    let calls = (0..64).map(|number| {
        let session = &sessions[number % 2];
        session.client.probe(&session.tokens.access)
    });
    for answer in join_all(calls).await {
        answer.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(stack.cognito.refreshes(), 1);
}

#[tokio::test]
async fn a_proxy_killed_while_cognito_answers_costs_the_others_a_moment_and_the_session_lives() {
    let (mut stack, [session, elsewhere]) = expired(Some(Duration::from_secs(30))).await;
    let late = Fault::LateAnswer(Duration::from_secs(60));
    stack.cognito.set_faults(Faults { token: Some(late), ..Faults::default() });
    let lost = {
        let session = elsewhere.clone();
        tokio::spawn(async move { session.client.probe(&session.tokens.access).await })
    };
    while stack.cognito.refreshes() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Cognito has rotated the refresh token, and the only one who was to hear of the new one is no more.
    stack.proxies[1].program.process().kill();
    assert!(lost.await.unwrap().is_err());
    stack.cognito.set_faults(Faults::default());
    let answers = join_all((0..8).map(|_| session.client.probe(&session.tokens.access))).await;
    for answer in answers {
        answer.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(stack.cognito.refreshes(), 2, "the second within the grace of the first");
}

#[tokio::test]
async fn a_proxy_that_stands_still_with_the_only_good_refresh_token_costs_no_session() {
    let (mut stack, [session, elsewhere]) = expired(Some(Duration::ZERO)).await;
    let late = Fault::LateAnswer(Duration::from_millis(200));
    stack.cognito.set_faults(Faults { token: Some(late), ..Faults::default() });
    let ask = |session: SignedIn| {
        tokio::spawn(async move { session.client.probe(&session.tokens.access).await.unwrap() })
    };
    let held_up = ask(elsewhere);
    while stack.cognito.refreshes() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Cognito has rotated the refresh token, without grace; who is to hear of it does nothing until its lock has run out.
    stack.proxies[1].program.signal("STOP").unwrap();
    stack.cognito.set_faults(Faults::default());
    let refused = ask(session);
    let waits = |log: &Log| log.text().contains("cognito refused a refresh token");
    let other = stack.proxies[0].program.process();
    other.wait_for("refused by Cognito", async |log| waits(log).then_some(())).await.unwrap();
    stack.proxies[1].program.signal("CONT").unwrap();
    for answer in [held_up, refused] {
        answer.await.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(stack.cognito.refreshes(), 2);
}
