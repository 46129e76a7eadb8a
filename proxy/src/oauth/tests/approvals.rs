//! Remembered approvals: who is asked again, and who is not.

use std::time::Duration;

use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::super::OAuthSettings;
use super::super::opaque::fingerprint;
use super::answers::{assert_error, assert_page, assert_redirected, json, location, query, text};
use super::world::{CALLBACK, ISSUER, Jar, World, authorize_url, route};
use crate::store::{Store, names};
use crate::terms::Scopes;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Without this, the request of the tests insists on the page.
const ANY_PROMPT: (&str, &str) = ("prompt", "");

/// As far as the client, asked for consent on the way; the browser is left in the jar.
async fn approve(world: &World, client: &str, jar: &mut Jar) -> Response<bytes::Bytes> {
    let page = world.get(&authorize_url(client, &[]), jar).await;
    let onward = world.decide(&page, jar, "approve").await;
    come_back(world, &onward, jar).await
}

/// What Cognito sends the browser back to, with alice signed in.
async fn come_back(world: &World, onward: &Response<bytes::Bytes>, jar: &mut Jar) -> Response<bytes::Bytes> {
    come_back_as("alice", world, onward, jar).await
}

async fn come_back_as(
    user: &str,
    world: &World,
    onward: &Response<bytes::Bytes>,
    jar: &mut Jar,
) -> Response<bytes::Bytes> {
    let state = query(&location(onward))["state"].clone();
    world.get(&format!("/auth/callback?code=cognito-code:{user}&state={state}"), jar).await
}

async fn approved_world() -> (World, String, Jar) {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let back = approve(&world, &client, &mut jar).await;
    // A client that never redeems a code is soon forgotten.
    let redeemed = world.redeem(&client, &query(&location(&back))["code"], &[]).await;
    assert_eq!(redeemed.status(), StatusCode::OK, "{redeemed:?}");
    (world, client, jar)
}

fn is_onward(response: &Response<bytes::Bytes>) -> bool {
    response.status() == StatusCode::SEE_OTHER && location(response).host_str() == Some("auth.example")
}

fn is_asked(response: &Response<bytes::Bytes>) -> bool {
    response.status() == StatusCode::OK && text(response).contains("value=\"approve\"")
}

#[tokio::test]
async fn who_approved_a_client_is_not_asked_the_same_again() {
    let (world, client, mut jar) = approved_world().await;
    for changes in [
        &[ANY_PROMPT][..],
        &[ANY_PROMPT, ("scope", "plane:read")],
        &[ANY_PROMPT, ("redirect_uri", "http://localhost:50999/callback")],
    ] {
        let onward = world.get(&authorize_url(&client, changes), &mut jar).await;
        assert!(is_onward(&onward), "{changes:?}: {onward:?}");
        assert!(query(&location(&come_back(&world, &onward, &mut jar).await)).contains_key("code"));
    }
}

#[tokio::test]
async fn another_browser_client_redirect_resource_or_a_wider_scope_is_asked_for() {
    let mut settings = OAuthSettings::new(ISSUER, vec![route("/mcp"), route("/other")]);
    settings.resources[1].scopes = Scopes::parse("plane:read plane:write").unwrap();
    settings.resources[0].scopes = settings.resources[1].scopes.clone();
    let world = World::with(settings);
    let two = json!({
        "redirect_uris": [CALLBACK, "http://127.0.0.1:3118/callback", "https://claude.ai/api/mcp/auth_callback"],
        "token_endpoint_auth_method": "none",
    });
    let client = json(&world.register_with(two).await)["client_id"].as_str().unwrap().to_owned();
    let mut jar = Jar::default();
    let narrow = [("scope", "plane:read")];
    let page = world.get(&authorize_url(&client, &narrow), &mut jar).await;
    let onward = world.decide(&page, &jar, "approve").await;
    come_back(&world, &onward, &mut jar).await;
    assert!(is_onward(&world.get(&authorize_url(&client, &[ANY_PROMPT, narrow[0]]), &mut jar).await));

    let stranger = world.register().await;
    for (client, changes) in [
        (&stranger, &[ANY_PROMPT, narrow[0]][..]),
        (&client, &[ANY_PROMPT, ("scope", "plane:read plane:write")]),
        (&client, &[ANY_PROMPT, narrow[0], ("redirect_uri", "http://127.0.0.1:3118/callback")]),
        (&client, &[ANY_PROMPT, narrow[0], ("redirect_uri", "https://claude.ai/api/mcp/auth_callback")]),
        (&client, &[ANY_PROMPT, narrow[0], ("resource", "https://edge.example/other")]),
    ] {
        let response = world.get(&authorize_url(client, changes), &mut jar).await;
        assert!(is_asked(&response), "{changes:?}: {response:?}");
    }
    let elsewhere = world.get(&authorize_url(&client, &[ANY_PROMPT, narrow[0]]), &mut Jar::default()).await;
    assert!(is_asked(&elsewhere));
}

#[tokio::test]
async fn ghsa_c2jp_c369_7pvx_a_live_sign_in_at_cognito_approves_no_new_client() {
    let (world, _, mut jar) = approved_world().await;
    let metadata = json!({ "client_name": "Test <b>client</b>", "redirect_uris": [CALLBACK] });
    let attacker = json(&world.register_with(metadata).await)["client_id"].as_str().unwrap().to_owned();
    let response = world.get(&authorize_url(&attacker, &[ANY_PROMPT]), &mut jar).await;
    assert!(is_asked(&response), "same browser, same name, same redirect, but nobody approved this client");
}

#[tokio::test]
async fn cve_2026_27124_a_callback_without_a_consent_page_is_bound_to_its_browser_too() {
    let (world, client, mut jar) = approved_world().await;
    let mut victim = Jar::default();
    approve(&world, &client, &mut victim).await;
    let onward = world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await;
    for mut other in [victim, Jar::default()] {
        assert_page(&come_back(&world, &onward, &mut other).await, 400, "browser_mismatch");
    }
    assert!(query(&location(&come_back(&world, &onward, &mut jar).await)).contains_key("code"));
}

#[tokio::test]
async fn another_user_of_the_same_browser_is_asked_before_any_session_begins() {
    let (world, client, mut jar) = approved_world().await;
    let onward = world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await;
    let page = come_back_as("bob", &world, &onward, &mut jar).await;
    assert!(is_asked(&page) && text(&page).contains("<bdi>bob</bdi>"), "{}", text(&page));
    tokio::task::yield_now().await;
    assert_eq!(
        *world.cognito.revoked.lock().unwrap(),
        ["cognito-refresh-token:bob"],
        "nothing of bob's is kept"
    );
    // Having said yes, bob is somebody who approved it, beside alice.
    let onward = world.decide(&page, &jar, "approve").await;
    assert!(query(&location(&come_back_as("bob", &world, &onward, &mut jar).await)).contains_key("code"));
    for user in ["bob", "alice"] {
        let onward = world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await;
        assert!(query(&location(&come_back_as(user, &world, &onward, &mut jar).await)).contains_key("code"));
    }
}

#[tokio::test]
async fn an_approval_ends_after_thirty_days_with_a_no_and_with_a_revocation() {
    let (world, client, mut jar) = approved_world().await;
    let silent = authorize_url(&client, &[ANY_PROMPT]);
    world.clock.advance(29 * DAY);
    assert!(is_onward(&world.get(&silent, &mut jar).await));
    world.clock.advance(DAY);
    assert!(is_asked(&world.get(&silent, &mut jar).await));

    approve(&world, &client, &mut jar).await;
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    assert_redirected(&world.decide(&page, &jar, "deny").await, "access_denied", "consent_denied");
    assert!(is_asked(&world.get(&silent, &mut jar).await));

    let back = approve(&world, &client, &mut jar).await;
    let tokens = json(&world.redeem(&client, &query(&location(&back))["code"], &[]).await);
    // On its way when the session is given back.
    let under_way = world.get(&silent, &mut jar).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    let revoked = world.post("/revoke", &Jar::default(), &[("token", token), ("client_id", &client)]).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    assert!(is_asked(&come_back(&world, &under_way, &mut jar).await));
    world.clock.advance(Duration::from_secs(1));
    approve(&world, &client, &mut jar).await;
    let onward = world.get(&silent, &mut jar).await;
    assert!(query(&location(&come_back(&world, &onward, &mut jar).await)).contains_key("code"));
}

#[tokio::test]
async fn a_web_page_that_opens_a_native_client_s_sign_in_gets_the_page() {
    let (world, client, mut jar) = approved_world().await;
    let silent = authorize_url(&client, &[ANY_PROMPT]);
    for (name, value, asked) in [
        ("sec-fetch-site", "cross-site", true),
        ("sec-fetch-site", "same-site", true),
        ("sec-fetch-site", "none", false),
        ("sec-purpose", "prefetch;prerender", true),
    ] {
        let mut headers = jar.headers();
        headers.insert(name, HeaderValue::from_static(value));
        let response = world.send(Method::GET, &silent, headers, "").await;
        assert_eq!(is_asked(&response), asked, "{name}: {value}");
    }
    let head = world.send(Method::HEAD, &silent, jar.headers(), "").await;
    assert_eq!(head.status(), StatusCode::OK, "who only looks changes nothing");
    assert!(is_asked(&world.get(&authorize_url(&client, &[]), &mut jar).await), "prompt=consent");
}

#[tokio::test]
async fn what_cannot_be_remembered_or_recalled_only_means_asking() {
    let mut settings = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    settings.remember_consent = false;
    let world = World::with(settings);
    let client = world.register().await;
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    assert!(page.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=3600;"));
    approve(&world, &client, &mut jar).await;
    assert!(is_asked(&world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await));

    let (world, client, mut jar) = approved_world().await;
    let cookie = jar.headers()["cookie"].to_str().unwrap().to_owned();
    let browser = cookie.split(['=', '.']).nth(1).unwrap();
    let key = names::approvals(&fingerprint(&format!("{browser}\n{client}")));
    assert!(world.store.get(&key).await.unwrap().is_some());
    world.store.put(&key, bytes::Bytes::from_static(b"not sealed by us"), DAY).await.unwrap();
    assert!(is_asked(&world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await));
    approve(&world, &client, &mut jar).await;
    assert!(is_onward(&world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await));
}

#[tokio::test]
async fn a_revocation_takes_the_approval_with_it_or_is_told_to_come_again() {
    let mut refused = 0;
    // Whichever operation of the store fails, and only that one.
    for operation in 1..20 {
        let world = World::new();
        let client = world.register().await;
        let mut jar = Jar::default();
        let back = approve(&world, &client, &mut jar).await;
        let tokens = json(&world.redeem(&client, &query(&location(&back))["code"], &[]).await);
        let token = tokens["refresh_token"].as_str().unwrap();
        let form = [("token", token), ("client_id", client.as_str())];
        world.store.stumble_at(operation);
        let mut revoked = world.post("/revoke", &Jar::default(), &form).await;
        world.store.start();
        if revoked.status() != StatusCode::OK {
            assert_error(&revoked, 503, "temporarily_unavailable", "store_unavailable");
            refused += 1;
            revoked = world.post("/revoke", &Jar::default(), &form).await;
        }
        assert_eq!(revoked.status(), StatusCode::OK, "operation {operation}");
        let onward = world.get(&authorize_url(&client, &[ANY_PROMPT]), &mut jar).await;
        assert!(is_asked(&come_back(&world, &onward, &mut jar).await), "operation {operation}");
    }
    assert!(refused > 3, "{refused}");
}

#[tokio::test]
async fn a_session_that_can_never_be_opened_again_can_still_be_given_back() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let key = names::session(world.tokens.verify(&signed_in.access).unwrap().sid.as_str());
    world.store.put(&key, bytes::Bytes::from_static(b"not sealed by us"), DAY).await.unwrap();
    let form = [("token", signed_in.refresh.as_str()), ("client_id", &signed_in.client)];
    assert_eq!(world.post("/revoke", &Jar::default(), &form).await.status(), StatusCode::OK);
    assert!(world.store.get(&key).await.unwrap().is_none());
}
