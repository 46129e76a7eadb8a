//! Sessions: found, refreshed, refused, ended.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use service::{Clock, SystemClock};
use stack::{
    browser::Person,
    cognito::{Behaviour, Fault, Faults},
    scrape::Scrape,
    stack::Stack,
};

use crate::replicas::expired_with_lock;

/// The sum over all proxies.
async fn of_all(stack: &Stack, name: &str, labels: &[(&str, &str)]) -> f64 {
    let mut sum = 0.0;
    for proxy in &stack.proxies {
        sum += Scrape::of(&proxy.program).await.unwrap().sum(name, labels);
    }
    sum
}

#[tokio::test]
async fn of_two_replicas_one_refreshes_and_one_waits_and_adopts() {
    let (stack, sessions) = expired_with_lock(None, 20).await;
    let held = Faults { token: Some(Fault::HeldAnswer), ..Faults::default() };
    stack.cognito.set_faults(held);
    let first = sessions[0].clone();
    let first = tokio::spawn(async move { first.client.probe(&first.tokens.access).await });
    while stack.cognito.refreshes() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let calls = (0..7).map(|number| {
        let session = &sessions[number % 2];
        session.client.probe(&session.tokens.access)
    });
    let released = async {
        let asked = Instant::now();
        // The other one has found the turn taken.
        let tries = [("operation", "put_new"), ("result", "ok")];
        let waits = async || {
            Scrape::of(&stack.proxies[1].program).await.unwrap().sum("proxy_valkey_calls_total", &tries)
        };
        while waits().await < 1.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stack.cognito.set_faults(Faults::default());
        asked.elapsed().as_secs_f64()
    };
    let (answers, held) = join(join_all(calls), released).await;
    for answer in answers {
        answer.unwrap().expect_status(200).unwrap();
    }
    first.await.unwrap().unwrap().expect_status(200).unwrap();
    let refreshes = async |outcome| of_all(&stack, "proxy_refreshes_total", &[("outcome", outcome)]).await;
    assert_eq!([refreshes("refreshed").await, refreshes("adopted").await], [1.0, 1.0]);
    let count = async |name: &str| of_all(&stack, name, &[]).await;
    assert_eq!(count("proxy_refresh_duration_seconds_count").await, 2.0);
    assert_eq!(count("proxy_refresh_lock_wait_seconds_count").await, 2.0);
    assert!(count("proxy_refresh_lock_wait_seconds_sum").await > 0.02, "one waited");
    assert!(count("proxy_refresh_duration_seconds_sum").await > held, "one took as long as Cognito");
    let cognito = async |operation, result| {
        of_all(&stack, "proxy_cognito_calls_total", &[("operation", operation), ("result", result)]).await
    };
    assert_eq!([cognito("refresh", "ok").await, cognito("token", "ok").await], [1.0, 1.0]);
    assert!(cognito("discovery", "ok").await >= 1.0 && cognito("jwks", "ok").await >= 2.0);
    let looked = async |result| {
        of_all(&stack, "proxy_cache_requests_total", &[("cache", "sessions"), ("result", result)]).await
    };
    assert_eq!(looked("hit").await + looked("miss").await, 8.0);
    assert_eq!(of_all(&stack, "proxy_vault_duration_seconds_count", &[]).await, 8.0);
    let hits = looked("hit").await;
    sessions[0].client.probe(&sessions[0].tokens.access).await.unwrap().expect_status(200).unwrap();
    assert_eq!(looked("hit").await, hits + 1.0);

    assert_eq!(of_all(&stack, "proxy_sessions_opened_total", &[]).await, 1.0);
    sessions[0].revoke().await.unwrap().expect_status(200).unwrap();
    assert_eq!(of_all(&stack, "proxy_sessions_ended_total", &[("reason", "signed_out")]).await, 1.0);
    assert_eq!(of_all(&stack, "proxy_sessions_ended_total", &[]).await, 1.0);
}

#[tokio::test]
async fn cognito_away_and_cognito_refusing_are_told_apart() {
    let short = |behaviour: &mut Behaviour| {
        behaviour.id_token_lifetime = Duration::from_secs(2);
        behaviour.access_token_lifetime = Duration::from_secs(2);
    };
    let stack = Stack::builder().cognito(|options| short(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let over = SystemClock.unix() + 2;
    while SystemClock.unix() <= over {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let down = Fault::Status(503, "busy".to_owned());
    stack.cognito.set_faults(Faults { token: Some(down), ..Faults::default() });
    session.client.probe(&session.tokens.access).await.unwrap().expect_status(503).unwrap();
    stack.cognito.set_faults(Faults::default());
    stack.cognito.evict_sessions("alice");
    // A refresh that failed is not tried again at once.
    let mut status = 503;
    while status == 503 {
        status = session.client.probe(&session.tokens.access).await.unwrap().status;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 401);

    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    let refreshes = |outcome| scrape.sum("proxy_refreshes_total", &[("outcome", outcome)]);
    assert!(refreshes("unavailable") >= 1.0);
    assert_eq!(refreshes("refused"), 1.0);
    let calls =
        |result| scrape.sum("proxy_cognito_calls_total", &[("operation", "refresh"), ("result", result)]);
    assert_eq!([calls("unavailable"), calls("refused")], [refreshes("unavailable"), 1.0]);
    assert_eq!(scrape.sum("proxy_sessions_ended_total", &[("reason", "grant_refused")]), 1.0);
    let failed = [("route", "/mcp"), ("outcome", "failed"), ("reason", "cognito")];
    assert!(scrape.sum("proxy_requests_total", &failed) >= 1.0);
}

#[tokio::test]
async fn a_sign_in_that_fails_is_counted_by_its_reason() {
    let stack = Stack::start().await.unwrap();
    let broken = Fault::Status(400, r#"{"error":"invalid_client"}"#.to_owned());
    stack.cognito.set_faults(Faults { token: Some(broken), ..Faults::default() });
    let client = stack.client("/mcp").unwrap();
    let person: Person = stack.person("alice");
    assert!(client.sign_in(&stack.browser().unwrap(), &person).await.is_err());
    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    assert_eq!(scrape.sum("proxy_sign_ins_total", &[("outcome", "cognito_misconfigured")]), 1.0);
    // Told to the client by a redirect, and ours nevertheless.
    let failed = [("route", "oauth_callback"), ("outcome", "failed"), ("status", "303")];
    assert_eq!(scrape.sum("proxy_requests_total", &failed), 1.0);
    let calls = [("operation", "token"), ("result", "misconfigured")];
    assert_eq!(scrape.sum("proxy_cognito_calls_total", &calls), 1.0);
    assert_eq!(scrape.sum("proxy_sessions_opened_total", &[]), 0.0);
}
