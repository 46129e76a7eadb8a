//! Refresh, rotation, revocation, and the ways a sign-in ends.

use std::time::Duration;

use serde_json::{Value, json};

use super::{NOW, Pool, answer, claims, text};

const INVALID_GRANT: &str = "invalid_grant";

fn error_of(answer: &(u16, Value)) -> &str {
    assert_eq!(answer.0, 400);
    text(&answer.1, "error")
}

#[tokio::test]
async fn without_rotation_no_refresh_token_comes_back_and_the_old_one_stays_good() {
    let pool = Pool::start().await;
    let issued = pool.cognito.sign_in("alice", Some("no-1")).unwrap();
    for _ in 0..3 {
        pool.clock.advance(Duration::from_secs(600));
        let (status, body) = pool.refresh(&issued.refresh_token).await;
        assert_eq!((status, body.get("refresh_token")), (200, None));
        assert_eq!(claims(text(&body, "id_token"))["nonce"], "no-1");
        assert_eq!(claims(text(&body, "id_token"))["auth_time"], NOW);
        assert_eq!(claims(text(&body, "id_token"))["origin_jti"], claims(&issued.id_token)["origin_jti"]);
    }
    assert_eq!(pool.cognito.refreshes(), 3);
}

#[tokio::test]
async fn a_rotated_token_works_within_the_grace_period_and_not_after() {
    let pool = Pool::behaving(|behaviour| behaviour.rotation = Some(Duration::from_secs(10))).await;
    let first = pool.cognito.sign_in("alice", None).unwrap().refresh_token;
    let (_, body) = pool.refresh(&first).await;
    let second = text(&body, "refresh_token").to_owned();
    assert_ne!(first, second);
    pool.clock.advance(Duration::from_secs(9));
    assert_eq!(pool.refresh(&first).await.0, 200);
    pool.clock.advance(Duration::from_secs(1));
    assert_eq!(error_of(&pool.refresh(&first).await), INVALID_GRANT);
    assert_eq!(pool.refresh(&second).await.0, 200);
}

#[tokio::test]
async fn with_no_grace_the_old_token_dies_at_once() {
    let pool = Pool::behaving(|behaviour| behaviour.rotation = Some(Duration::ZERO)).await;
    let first = pool.cognito.sign_in("alice", None).unwrap().refresh_token;
    let (one, other) = tokio::join!(pool.refresh(&first), pool.refresh(&first));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn reuse_can_be_made_to_end_the_sign_in() {
    let pool = Pool::behaving(|behaviour| {
        behaviour.rotation = Some(Duration::ZERO);
        behaviour.reuse_ends_sign_in = true;
    })
    .await;
    let first = pool.cognito.sign_in("alice", None).unwrap().refresh_token;
    let (_, body) = pool.refresh(&first).await;
    assert_eq!(pool.refresh(&first).await.0, 400);
    assert_eq!(error_of(&pool.refresh(text(&body, "refresh_token")).await), INVALID_GRANT);
}

#[tokio::test]
async fn rotation_does_not_extend_the_sign_in() {
    let pool = Pool::behaving(|behaviour| {
        behaviour.rotation = Some(Duration::ZERO);
        behaviour.refresh_token_lifetime = Duration::from_secs(3600);
    })
    .await;
    let first = pool.cognito.sign_in("alice", None).unwrap().refresh_token;
    pool.clock.advance(Duration::from_secs(3599));
    let (_, body) = pool.refresh(&first).await;
    let second = text(&body, "refresh_token").to_owned();
    pool.clock.advance(Duration::from_secs(1));
    assert_eq!(error_of(&pool.refresh(&second).await), INVALID_GRANT);
}

#[tokio::test]
async fn a_refresh_can_leave_things_out_or_change_the_subject() {
    let pool = Pool::behaving(|behaviour| {
        behaviour.rotation = Some(Duration::from_secs(60));
        behaviour.refresh_omits_refresh_token = true;
        behaviour.refresh_omits_nonce = true;
        behaviour.refresh_changes_subject = true;
    })
    .await;
    let issued = pool.cognito.sign_in("alice", Some("no-1")).unwrap();
    let (_, body) = pool.refresh(&issued.refresh_token).await;
    let id = claims(text(&body, "id_token"));
    assert_eq!((body.get("refresh_token"), id.get("nonce")), (None, None));
    assert_ne!(id["sub"], claims(&issued.id_token)["sub"]);
    assert_eq!(id["sub"], claims(text(&body, "access_token"))["sub"]);
    pool.cognito.behave(|behaviour| behaviour.refresh_omits_id_token = true);
    let (status, body) = pool.refresh(&issued.refresh_token).await;
    assert_eq!((status, body.get("id_token")), (200, None));
}

#[tokio::test]
async fn a_refresh_sees_the_user_as_he_is_now() {
    let pool = Pool::start().await;
    let token = pool.cognito.sign_in("bob", None).unwrap().refresh_token;
    pool.cognito.change_user("bob", |bob| bob.groups = vec!["admins".into()]).unwrap();
    let (_, body) = pool.refresh(&token).await;
    assert_eq!(claims(text(&body, "id_token"))["cognito:groups"], json!(["admins"]));
    pool.cognito.disable_user("bob").unwrap();
    assert_eq!(error_of(&pool.refresh(&token).await), INVALID_GRANT);
}

#[tokio::test]
async fn evicted_sign_ins_cannot_refresh_while_others_can() {
    let pool = Pool::start().await;
    let alice = pool.cognito.sign_in("alice", None).unwrap();
    let bob = pool.cognito.sign_in("bob", None).unwrap();
    pool.cognito.evict_sessions("alice");
    assert_eq!(error_of(&pool.refresh(&alice.refresh_token).await), INVALID_GRANT);
    assert_eq!(pool.refresh(&bob.refresh_token).await.0, 200);
    // By its signature the token is as good as ever.
    assert_eq!(pool.id_reason(&alice.id_token).await, "ok");
    assert_eq!(pool.user_info(&alice.access_token).await.0, 401);
}

#[tokio::test]
async fn revocation_takes_refresh_tokens_of_this_client_only() {
    let pool = Pool::start().await;
    let issued = pool.cognito.sign_in("alice", None).unwrap();
    let ask = |token: &str, secret: &str| {
        let request = pool.http.post(pool.url("/oauth2/revoke")).form(&[("token", token)]);
        answer(request.basic_auth(&pool.cognito.client_id, Some(secret)))
    };
    let secret = pool.cognito.client_secret.clone().unwrap();
    assert_eq!(pool.user_info(&issued.access_token).await.0, 200);
    assert_eq!(ask("", &secret).await, (400, json!({ "error": "invalid_request" })));
    assert_eq!(ask(&issued.refresh_token, "wrong").await, (401, json!({ "error": "invalid_client" })));
    for token in [&issued.access_token, &issued.id_token] {
        assert_eq!(ask(token, &secret).await, (400, json!({ "error": "unsupported_token_type" })));
    }
    assert_eq!(pool.refresh(&issued.refresh_token).await.0, 200);
    for _ in 0..2 {
        assert_eq!(ask(&issued.refresh_token, &secret).await, (200, json!("")));
    }
    assert_eq!(error_of(&pool.refresh(&issued.refresh_token).await), INVALID_GRANT);
    assert_eq!(pool.user_info(&issued.access_token).await.0, 401);
    pool.cognito.behave(|behaviour| behaviour.revocation = false);
    assert_eq!(ask("any", &secret).await, (400, json!({ "error": "invalid_request" })));
}

#[tokio::test]
async fn user_info_writes_booleans_as_strings() {
    let pool = Pool::start().await;
    let issued = pool.cognito.sign_in("alice", None).unwrap();
    let (_, body) = pool.user_info(&issued.access_token).await;
    let sub = pool.cognito.user("alice").unwrap().sub;
    let expected =
        json!({ "sub": sub, "email": "alice@example.com", "email_verified": "true", "username": "alice" });
    assert_eq!(body, expected);
    assert_eq!(pool.user_info(&issued.id_token).await.0, 401);
    assert_eq!(pool.user_info("made-up").await.0, 401);
}
