//! What operators do to the records in Valkey, as `docs/valkey.md` and `docs/incidents.md` say: back up, restore, delete.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{
    client::{Era, SignedIn},
    ports::free_port,
    process::PATIENCE,
    proxy::Proxy,
    scratch::Scratch,
    stack::{Stack, Store},
    valkey::Valkey,
};

/// A proxy of the same deployment that keeps sessions in another Valkey.
async fn proxy_on(stack: &Stack, valkey: &Valkey) -> Proxy {
    let mut settings = stack.proxies[0].settings.clone();
    settings.set("server.listen", format!("127.0.0.1:{}", free_port().unwrap()));
    let mut surroundings = stack.surroundings.clone();
    surroundings.valkey_url = Some(valkey.url());
    Proxy::start(settings, &surroundings.environment()).await.unwrap()
}

/// The session's client, going through that proxy.
fn through(session: &SignedIn, proxy: &Proxy) -> SignedIn {
    let mut session = session.clone();
    session.client = session.client.through(&proxy.origin).unwrap();
    session
}

async fn status(session: &SignedIn) -> u16 {
    session.client.probe(&session.tokens.access).await.unwrap().status
}

/// Waits until the session is refused.
async fn over(session: &SignedIn) {
    let started = Instant::now();
    while status(session).await != 401 {
        assert!(started.elapsed() < PATIENCE, "the session goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The claim `sid` of the session's access token, read as `docs/incidents.md` shows.
fn sid(session: &SignedIn) -> String {
    use base64::Engine;
    let payload = session.tokens.access.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_goes_on_in_a_valkey_restored_from_a_backup() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let folder = Scratch::new("backup").unwrap();
    let backup = folder.path().join("dump.rdb");
    stack.valkey.as_ref().unwrap().backup(&backup).unwrap();

    let restored = Valkey::restored_from(&backup).await.unwrap();
    let proxy = proxy_on(&stack, &restored).await;
    let mut session = through(&session, &proxy);
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "alice@example.com");
    session.refresh().await.unwrap();
    assert_eq!(status(&session).await, 200);
}

#[tokio::test]
async fn what_an_old_backup_brings_back_ends_with_cognitos_tokens_and_what_it_lacks_signs_in_anew() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let mut rotated = stack.sign_in("bob").await.unwrap();
    let revoked = stack.sign_in("alice").await.unwrap();
    // As a session looks whose Cognito tokens were about to end when the backup was made.
    stack.cognito.behave(|behaviour| {
        behaviour.id_token_lifetime = Duration::from_secs(100);
        behaviour.access_token_lifetime = Duration::from_secs(100);
    });
    let revoked_and_due = stack.sign_in("alice").await.unwrap();
    let folder = Scratch::new("backup").unwrap();
    let backup = folder.path().join("dump.rdb");
    stack.valkey.as_ref().unwrap().backup(&backup).unwrap();

    rotated.refresh().await.unwrap();
    for session in [&revoked, &revoked_and_due] {
        session.revoke().await.unwrap().expect_status(200).unwrap();
        assert_eq!(status(session).await, 401);
    }
    let later = stack.sign_in("bob").await.unwrap();

    let restored = Valkey::restored_from(&backup).await.unwrap();
    let proxy = proxy_on(&stack, &restored).await;
    // A session signed out after the backup is back for as long as Cognito's tokens in it are good, and not a refresh longer.
    assert_eq!(status(&through(&revoked, &proxy)).await, 200);
    // Refused by Cognito, the proxy looks a few seconds whether another replica has a newer token.
    over(&through(&revoked_and_due, &proxy)).await;
    // A client that refreshed after the backup has a token the backup does not know as the newest: a replay.
    let rotated = through(&rotated, &proxy);
    assert_eq!(status(&rotated).await, 200);
    let refused = rotated.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")));
    assert_eq!(status(&rotated).await, 401);
    // What began after the backup is not there: neither the session nor the client.
    let later = through(&later, &proxy);
    assert_eq!(status(&later).await, 401);
    let refused = later.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn a_session_whose_records_are_deleted_is_over_within_the_life_of_the_cache() {
    let stack =
        Stack::builder().store(Store::Valkey).proxy_setting("vault.cache_seconds", 1).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let other = stack.sign_in("bob").await.unwrap();
    assert_eq!(status(&session).await, 200);
    let valkey = stack.valkey.as_ref().unwrap();
    for kind in ["session", "grant"] {
        let deleted = valkey.command(&format!("DEL mcp-edge:{kind}:{}", sid(&session))).unwrap();
        assert_eq!(deleted, ":1", "{kind}");
    }
    over(&session).await;
    let refused = session.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")));
    assert_eq!(status(&other).await, 200);
}
