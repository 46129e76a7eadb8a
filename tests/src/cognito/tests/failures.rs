//! Faults, and the end of the double itself.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{Pool, answer, text};
use crate::cognito::{Fault, Faults, Host};

fn token_fault(fault: Fault) -> Faults {
    Faults { token: Some(fault), ..Faults::default() }
}

#[tokio::test]
async fn a_status_fault_carries_nothing_out() {
    let pool = Pool::start().await;
    let code = pool.code(&[]).await;
    pool.cognito.set_faults(token_fault(Fault::Status(429, r#"{"message":"Rate exceeded"}"#.into())));
    assert_eq!(pool.redeem(&code).await, (429, json!({ "message": "Rate exceeded" })));
    pool.cognito.set_faults(token_fault(Fault::HtmlBody));
    let (status, body) = pool.redeem(&code).await;
    assert!(status == 200 && body.as_str().unwrap().starts_with("<html>"), "{body}");
    pool.cognito.set_faults(Faults::default());
    assert_eq!(pool.redeem(&code).await.0, 200);
}

#[tokio::test]
async fn a_cut_connection_carries_nothing_out_and_a_cut_answer_does() {
    let pool = Pool::behaving(|behaviour| behaviour.rotation = Some(Duration::ZERO)).await;
    let token = pool.cognito.sign_in("alice", None).unwrap().refresh_token;
    let ask = || {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let request = pool.http.post(pool.url("/oauth2/token")).form(&form);
        request.basic_auth(&pool.cognito.client_id, pool.cognito.client_secret.as_deref()).send()
    };
    pool.cognito.set_faults(token_fault(Fault::Drop));
    assert!(ask().await.is_err());
    pool.cognito.set_faults(Faults::default());
    let (_, body) = pool.refresh(&token).await;
    let next = text(&body, "refresh_token").to_owned();
    pool.cognito.set_faults(token_fault(Fault::DropAnswer));
    let form = [("grant_type", "refresh_token"), ("refresh_token", next.as_str())];
    let request = pool.http.post(pool.url("/oauth2/token")).form(&form);
    let secret = pool.cognito.client_secret.as_deref();
    assert!(request.basic_auth(&pool.cognito.client_id, secret).send().await.is_err());
    pool.cognito.set_faults(Faults::default());
    assert_eq!(pool.refresh(&next).await.0, 400);
    assert!(pool.cognito.refreshes() >= 4);
}

#[tokio::test]
async fn a_hanging_endpoint_does_not_stop_the_others() {
    let pool = Pool::start().await;
    let all = Faults { jwks: Some(Fault::Hang), discovery: Some(Fault::Hang), ..Faults::default() };
    pool.cognito.set_faults(all);
    let jwks = format!("{}/.well-known/jwks.json", pool.cognito.issuer_url());
    assert!(timeout(Duration::from_millis(100), pool.http.get(&jwks).send()).await.is_err());
    assert_eq!(pool.visit(&pool.authorize_url(&[])).await.0, 302);
    pool.cognito
        .set_faults(Faults { authorize: Some(Fault::Delay(Duration::from_millis(1))), ..Faults::default() });
    assert_eq!(pool.visit(&pool.authorize_url(&[])).await.0, 302);
    assert_eq!(answer(pool.http.get(&jwks)).await.0, 200);
    assert_eq!(
        pool.cognito.requests_to(Host::Issuer, "/eu-central-1_Double01/.well-known/jwks.json").len(),
        2
    );
}

#[tokio::test]
async fn what_is_not_cognitos_is_not_found() {
    let pool = Pool::start().await;
    for path in ["/oauth2/introspect", "/.well-known/oauth-authorization-server", "/"] {
        assert_eq!(pool.visit(&pool.url(path)).await.0, 404, "{path}");
    }
    assert_eq!(pool.visit(&pool.url("/oauth2/token")).await.0, 405);
    // The two hosts do not answer for each other.
    assert_eq!(pool.visit(&pool.url("/eu-central-1_Double01/.well-known/jwks.json")).await.0, 404);
    let other = format!("{}/oauth2/authorize", pool.cognito.issuer_url());
    assert_eq!(answer(pool.http.get(other)).await.0, 404);
}

#[tokio::test]
async fn dropping_the_handle_stops_both_hosts() {
    let pool = Pool::start().await;
    let urls = [pool.url("/login"), pool.cognito.issuer_url().parse().unwrap()];
    drop(pool.cognito);
    for url in urls {
        let mut tries = 0;
        while pool.http.get(url.clone()).send().await.is_ok() {
            tries += 1;
            assert!(tries < 100, "{url} still answers");
            tokio::task::yield_now().await;
        }
    }
}
