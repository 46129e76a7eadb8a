use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::{FetchError, FetchKeys, HttpKeys, MAX_DOCUMENT_BYTES, jwks};
use crate::test_pool::{
    self, ACCESS_KID, ID_KID, ISSUER, NOW, OTHER_ISSUER, id_claims, id_token, key, pool, pool_of,
};
use crate::test_pool::{Pool, sign, unsigned};
use crate::{Issuer, Nonce};

async fn outcome(pool: &Pool, raw: &str) -> &'static str {
    pool.verifier.id_token(raw, Nonce::Unchecked).await.map_or_else(|error| error.reason(), |_| "ok")
}

fn signed_with_kid(kid: &str) -> String {
    let claims = test_pool::with(id_claims(), json!({ "exp": NOW * 2 }));
    sign(key(0), &unsigned(&json!({ "kid": kid, "alg": "RS256" }), &claims))
}

fn good() -> String {
    signed_with_kid(ID_KID)
}

/// Lets background tasks of this single-threaded test run until they wait for something.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens() {
    let pool = pool();
    for _ in 0..5 {
        assert_eq!(outcome(&pool, &good()).await, "ok");
    }
    assert_eq!(pool.fetch.count(), 1);
}

#[tokio::test]
async fn tokens_that_arrive_together_share_one_fetch() {
    let pool = Arc::new(pool());
    let gate = pool.fetch.hold();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { outcome(&pool, &good()).await })
        })
        .collect();
    settle().await;
    gate.notify_one();
    for task in waiting {
        assert_eq!(task.await.unwrap(), "ok");
    }
    assert_eq!(pool.fetch.count(), 1);
}

#[tokio::test]
async fn a_flood_of_unknown_kids_makes_one_fetch_per_pause() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    for n in 0..50 {
        assert_eq!(outcome(&pool, &signed_with_kid(&format!("made-up-{n}"))).await, "token_unknown_key");
    }
    // The planned fetch, and one that the first stranger caused.
    assert_eq!(pool.fetch.count(), 2);
    pool.clock.advance(Duration::from_secs(30));
    for n in 0..50 {
        assert_eq!(outcome(&pool, &signed_with_kid(&format!("made-up-{n}"))).await, "token_unknown_key");
    }
    assert_eq!(pool.fetch.count(), 3);
}

#[tokio::test]
async fn a_rotated_key_is_learnt_and_a_withdrawn_one_forgotten() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.fetch.publish(ISSUER, Some(test_pool::jwks(&[("new+/=", key(0)), (ACCESS_KID, key(1))])));
    // However young the set is: nobody has asked for an unknown key yet.
    assert_eq!(outcome(&pool, &signed_with_kid("new+/=")).await, "ok");
    assert_eq!(outcome(&pool, &good()).await, "token_unknown_key");
    assert_eq!(pool.fetch.count(), 2);
}

#[tokio::test]
async fn old_keys_are_refreshed_behind_the_callers_back() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.clock.advance(Duration::from_secs(3600));
    let gate = pool.fetch.hold();
    for _ in 0..5 {
        assert_eq!(outcome(&pool, &good()).await, "ok");
        settle().await;
    }
    assert_eq!(pool.fetch.count(), 2);
    let issuer = Issuer::parse(ISSUER).unwrap();
    assert_eq!(pool.keys.age(&issuer), Some(Duration::from_secs(3600)));
    gate.notify_one();
    settle().await;
    assert_eq!(pool.keys.age(&issuer), Some(Duration::ZERO));
}

#[tokio::test]
async fn stale_keys_serve_up_to_the_hard_limit_and_then_are_unavailable() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.fetch.publish(ISSUER, None);
    pool.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(outcome(&pool, &good()).await, "ok");
    settle().await;
    pool.clock.advance(Duration::from_secs(1));
    let error = pool.verifier.id_token(&good(), Nonce::Unchecked).await.unwrap_err();
    assert!(error.is_ours());
    assert_eq!(error.reason(), "keys_unavailable");
    assert!(pool.keys.warm().await.is_err());
}

#[tokio::test]
async fn a_failed_fetch_is_not_repeated_at_once_and_recovers() {
    let pool = pool();
    pool.fetch.publish(ISSUER, None);
    for _ in 0..10 {
        assert_eq!(outcome(&pool, &good()).await, "keys_unavailable");
    }
    assert_eq!(pool.fetch.count(), 1);
    pool.fetch.publish(ISSUER, Some(test_pool::jwks(&[(ID_KID, key(0))])));
    pool.clock.advance(Duration::from_secs(5));
    assert_eq!(outcome(&pool, &good()).await, "ok");
}

#[tokio::test]
async fn an_unknown_kid_while_keys_cannot_be_fetched_is_not_the_clients_fault() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.fetch.publish(ISSUER, None);
    pool.clock.advance(Duration::from_secs(30));
    assert_eq!(outcome(&pool, &signed_with_kid("rotated")).await, "keys_unavailable");
    assert_eq!(outcome(&pool, &good()).await, "ok");
}

#[tokio::test]
async fn a_document_without_a_usable_key_does_not_replace_good_keys() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.fetch.publish(ISSUER, Some(json!({ "keys": [] })));
    pool.clock.advance(Duration::from_secs(3600));
    assert_eq!(outcome(&pool, &good()).await, "ok");
    settle().await;
    assert_eq!(pool.fetch.count(), 2);
    assert_eq!(outcome(&pool, &good()).await, "ok");
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_cancel_the_fetch() {
    let pool = Arc::new(pool());
    let gate = pool.fetch.hold();
    let impatient = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { outcome(&pool, &good()).await }
    });
    settle().await;
    impatient.abort();
    settle().await;
    gate.notify_one();
    settle().await;
    assert_eq!(outcome(&pool, &good()).await, "ok");
    assert_eq!(pool.fetch.count(), 1);
}

#[tokio::test]
async fn a_clock_put_back_does_not_stop_fetches() {
    let pool = pool();
    assert_eq!(outcome(&pool, &good()).await, "ok");
    pool.clock.set(NOW - 7 * 24 * 3600);
    pool.fetch.publish(ISSUER, Some(test_pool::jwks(&[("new", key(0))])));
    assert_eq!(outcome(&pool, &signed_with_kid("new")).await, "ok");
}

#[tokio::test]
async fn warming_fetches_every_issuer_and_reports_the_one_that_fails() {
    let pool = pool_of(&[ISSUER, OTHER_ISSUER]);
    let error = pool.keys.warm().await.unwrap_err();
    assert_eq!(error.issuer.as_str(), OTHER_ISSUER);
    assert_eq!(pool.keys.age(&Issuer::parse(ISSUER).unwrap()), Some(Duration::ZERO));
    assert_eq!(pool.keys.age(&Issuer::parse(OTHER_ISSUER).unwrap()), None);
    pool.fetch.publish(OTHER_ISSUER, Some(test_pool::jwks(&[("k", key(2))])));
    pool.clock.advance(Duration::from_secs(5));
    assert!(pool.keys.warm().await.is_ok());
    assert_eq!(pool.fetch.count(), 3);
    assert_eq!(outcome(&pool, &id_token(json!({}))).await, "ok");
    assert_eq!(pool.keys.issuers().count(), 2);
}

#[tokio::test]
async fn warming_does_not_wait_for_a_refresh_while_the_keys_still_serve() {
    let pool = pool();
    assert!(pool.keys.warm().await.is_ok());
    pool.clock.advance(Duration::from_secs(3600));
    let gate = pool.fetch.hold();
    tokio::select! {
        biased;
        warm = pool.keys.warm() => assert!(warm.is_ok()),
        () = settle() => panic!("it waits for the issuer"),
    }
    settle().await;
    assert_eq!(pool.fetch.count(), 2, "but the refresh has begun");
    gate.notify_one();
    settle().await;
    assert_eq!(pool.keys.age(&Issuer::parse(ISSUER).unwrap()), Some(Duration::ZERO));
}

#[tokio::test]
async fn an_issuer_that_hangs_does_not_keep_others_from_being_fetched() {
    let pool = pool_of(&[ISSUER, OTHER_ISSUER]);
    let _gate = pool.fetch.hold();
    tokio::select! {
        biased;
        _ = pool.keys.warm() => panic!("nobody has answered"),
        () = settle() => {}
    }
    assert_eq!(pool.fetch.count(), 2);
}

#[test]
fn only_rs256_signing_keys_of_2048_bits_are_taken_from_a_document() {
    let good = test_pool::jwk("good", key(0));
    let change = |changes| test_pool::with(test_pool::with(good.clone(), json!({ "kid": "bad" })), changes);
    let bad = [
        change(json!({ "kty": "EC" })),
        change(json!({ "alg": "RS512" })),
        change(json!({ "alg": null })),
        change(json!({ "use": "enc" })),
        change(json!({ "use": null })),
        change(json!({ "kid": null })),
        change(json!({ "kid": "" })),
        change(json!({ "kid": 1 })),
        change(json!({ "n": "AQAB" })),
        change(json!({ "n": "not base64!" })),
        change(json!({ "e": "" })),
        json!({ "kid": "bad", "kty": "oct", "alg": "HS256", "use": "sig", "k": "c2VjcmV0" }),
        json!("nonsense"),
    ];
    for jwk in bad {
        let document = json!({ "keys": [jwk, good] }).to_string();
        let keys = jwks::read(document.as_bytes()).unwrap();
        assert_eq!(keys.keys().map(AsRef::as_ref).collect::<Vec<_>>(), ["good"], "{jwk}");
    }
    for document in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(jwks::read(document.as_bytes()).is_err(), "{document}");
    }
}

/// Serves one raw HTTP answer and returns what fetching it gave.
async fn fetched(answer: String) -> Result<usize, FetchError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = Url::parse(&format!("http://{}/jwks.json", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    });
    let keys = HttpKeys::with(reqwest::Client::builder().no_proxy()).unwrap();
    let outcome = keys.fetch(&uri).await.map(|document| document.len());
    server.abort();
    outcome
}

#[tokio::test]
async fn http_answers_other_than_a_small_200_are_failures() {
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    assert_eq!(fetched(answer("200 OK", "{}")).await.unwrap(), 2);
    assert!(matches!(fetched(answer("503 Down", "{}")).await, Err(FetchError::Status(503))));
    assert!(matches!(fetched(answer("404 Gone", "{}")).await, Err(FetchError::Status(404))));
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert!(matches!(fetched(elsewhere.to_owned()).await, Err(FetchError::Status(302))));
    let large = "x".repeat(MAX_DOCUMENT_BYTES + 1);
    assert!(matches!(fetched(answer("200 OK", &large)).await, Err(FetchError::TooLarge)));
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{large}");
    assert!(matches!(fetched(endless).await, Err(FetchError::TooLarge)));
    assert!(matches!(
        fetched("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into()).await,
        Err(FetchError::Transport(_))
    ));
    assert!(matches!(fetched(String::new()).await, Err(FetchError::Transport(_))));
}
