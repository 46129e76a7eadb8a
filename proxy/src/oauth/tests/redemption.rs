use std::time::Duration;

use http::StatusCode;

use super::answers::{assert_error, json, location, pair, query};
use super::world::{CALLBACK, Jar, MCP, World, authorize_url};

#[tokio::test]
async fn a_code_buys_a_token_for_the_resource_and_the_user() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let answer = world
        .redeem(&client, &code, &[("redirect_uri", CALLBACK), ("resource", "https://edge.example/mcp/")])
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let body = json(&answer);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&"Bearer".into(), &3600.into()));
    assert_eq!(body["scope"], "plane:read offline_access");
    let claims = world.tokens.verify(&pair(&answer).0).unwrap();
    assert_eq!((claims.resource.as_str(), claims.client.as_str()), (MCP, client.as_str()));
    let session = world.vault.open(&claims.sid).await.unwrap();
    assert_eq!(
        (session.user.username.as_str(), session.user.subject.as_str()),
        ("alice", claims.subject.as_str())
    );
    assert_eq!(session.client.as_str(), client);
}

#[tokio::test]
async fn a_code_used_twice_ends_the_session() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let (access, refresh) = pair(&world.redeem(&client, &code, &[]).await);
    let sid = world.tokens.verify(&access).unwrap().sid;
    assert!(world.vault.open(&sid).await.is_ok());
    // Whoever comes second, and whatever else is right: it is out.
    assert_error(&world.redeem(&client, &code, &[]).await, 400, "invalid_grant", "code_reused");
    assert!(world.vault.open(&sid).await.is_err());
    assert_error(&world.refresh(&client, &refresh, &[]).await, 400, "invalid_grant", "refresh_token_unknown");
    tokio::task::yield_now().await;
    assert_eq!(*world.cognito.revoked.lock().unwrap(), ["cognito-refresh-token:alice"]);
}

#[tokio::test]
async fn of_parallel_redemptions_at_most_one_wins_and_nothing_survives() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let (one, two) = tokio::join!(world.redeem(&client, &code, &[]), world.redeem(&client, &code, &[]));
    assert!([&one, &two].iter().filter(|answer| answer.status() == StatusCode::OK).count() <= 1);
    for answer in [one, two].iter().filter(|answer| answer.status() == StatusCode::OK) {
        let refreshed = world.refresh(&client, &pair(answer).1, &[]).await;
        assert_eq!(refreshed.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_code_is_bound_to_client_verifier_uri_resource_and_time() {
    let world = World::new();
    let (client, other) = (world.register().await, world.register().await);
    let code = world.code(&client).await;
    let short = "x".repeat(42);
    for (by, more, status, error, why) in [
        (&other, &[][..], 400, "invalid_grant", "code_of_other_client"),
        (
            &client,
            &[("code_verifier", "another-verifier-that-is-long-enough-0123456789")],
            400,
            "invalid_grant",
            "pkce_verifier",
        ),
        (&client, &[("code_verifier", short.as_str())], 400, "invalid_grant", "pkce_verifier"),
        (&client, &[("code_verifier", "")], 400, "invalid_request", "pkce_verifier_missing"),
        (
            &client,
            &[("redirect_uri", "http://localhost:1/callback")],
            400,
            "invalid_grant",
            "code_redirect_uri",
        ),
        (&client, &[("resource", "https://other.example/")], 400, "invalid_target", "resource_unknown"),
        (&client, &[("x", "1"), ("x", "2")], 400, "invalid_request", "repeated_parameter"),
    ] {
        assert_error(&world.redeem(by, &code, more).await, status, error, why);
    }
    let made_up = world.redeem(&client, "made-up", &[]).await;
    assert_error(&made_up, 400, "invalid_grant", "code_unknown");
    world.clock.advance(Duration::from_secs(61));
    assert_error(&world.redeem(&client, &code, &[]).await, 400, "invalid_grant", "code_unknown");
}

#[tokio::test]
async fn a_wrong_try_does_not_spend_the_code() {
    let world = World::new();
    let (client, other) = (world.register().await, world.register().await);
    let code = world.code(&client).await;
    world.redeem(&other, &code, &[]).await;
    assert_eq!(world.redeem(&client, &code, &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_client_or_grant_type_is_told_so() {
    let world = World::new();
    let client = world.register().await;
    assert_error(&world.redeem("mcp-gone", "code", &[]).await, 401, "invalid_client", "client_unknown");
    let other =
        world.post("/token", &Jar::default(), &[("grant_type", "password"), ("client_id", &client)]).await;
    assert_error(&other, 400, "unsupported_grant_type", "grant_type");
    let none = world.post("/token", &Jar::default(), &[("client_id", &client)]).await;
    assert_error(&none, 400, "invalid_request", "grant_type_missing");
    let nobody = world.post("/token", &Jar::default(), &[("grant_type", "refresh_token")]).await;
    assert_error(&nobody, 400, "invalid_request", "client_id_missing");
    let empty = world.send(http::Method::POST, "/token", http::HeaderMap::new(), "").await;
    assert_error(&empty, 415, "invalid_request", "media_type");
}

#[tokio::test]
async fn a_client_in_use_is_kept_and_a_forgotten_one_registers_again() {
    let world = World::new();
    let day = Duration::from_secs(24 * 60 * 60);
    let (used, unused) = (world.register().await, world.register().await);
    for days in [0, 60, 60] {
        world.clock.advance(day * days);
        let code = world.code(&used).await;
        assert_eq!(world.redeem(&used, &code, &[]).await.status(), StatusCode::OK);
    }
    let page = world.get(&authorize_url(&unused, &[]), &mut Jar::default()).await;
    super::answers::assert_page(&page, 400, "client_unknown");
}

#[tokio::test]
async fn the_registered_query_stays_in_the_redirect() {
    let world = World::new();
    let uri = "http://localhost:3118/callback?tenant=a%20b";
    let registered = json(&world.register_with(serde_json::json!({ "redirect_uris": [uri] })).await);
    let client = registered["client_id"].as_str().unwrap();
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(client, &[("redirect_uri", uri)]), &mut jar).await;
    let onward = location(&world.decide(&page, &jar, "approve").await);
    let state = query(&onward)["state"].clone();
    let back = world.get(&format!("/auth/callback?code=cognito-code&state={state}"), &mut jar).await;
    assert!(location(&back).as_str().starts_with(&format!("{uri}&code=")));
}
