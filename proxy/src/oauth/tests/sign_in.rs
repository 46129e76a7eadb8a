use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};

use super::super::{Endpoint, OAuthRequest, OAuthSettings};
use super::answers::{assert_page, assert_redirected, location, query, transaction_in};
use super::doubles::Mood;
use super::world::{CALLBACK, ISSUER, Jar, World, authorize_url, route};
use crate::limits::ClientAddress;

async fn call_back(world: &World, query: &str, jar: &Jar) -> http::Response<bytes::Bytes> {
    world.get(&format!("/auth/callback?{query}"), &mut jar.clone()).await
}

#[tokio::test]
async fn a_sign_in_ends_at_the_client_with_code_state_and_issuer() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let state = world.consent(&client, &mut jar).await;
    assert!(state.len() >= 43 && !state.contains(['%', '{', '"']));
    let back = call_back(&world, &format!("code=cognito-code&state={state}"), &jar).await;
    let to = location(&back);
    assert!(to.as_str().starts_with(CALLBACK));
    let answered = query(&to);
    assert_eq!((answered["state"].as_str(), answered["iss"].as_str()), ("s-1", ISSUER));
    assert_eq!(answered.len(), 3);
    // Once only.
    let again = call_back(&world, &format!("code=cognito-code&state={state}"), &jar).await;
    assert_page(&again, 400, "state_unknown");
}

#[tokio::test]
async fn a_callback_in_another_cookie_jar_is_refused_and_uses_nothing_up() {
    let world = World::new();
    let client = world.register().await;
    let (mut jar, mut other) = (Jar::default(), Jar::default());
    let state = world.consent(&client, &mut jar).await;
    world.consent(&client, &mut other).await;
    let callback = format!("code=cognito-code&state={state}");
    assert_page(&call_back(&world, &callback, &other).await, 400, "browser_mismatch");
    assert_page(&call_back(&world, &callback, &Jar::default()).await, 400, "browser_mismatch");
    assert!(query(&location(&call_back(&world, &callback, &jar).await)).contains_key("code"));
}

#[tokio::test]
async fn a_callback_without_or_with_unknown_or_old_state_is_a_page() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let state = world.consent(&client, &mut jar).await;
    assert_page(&call_back(&world, "code=cognito-code", &jar).await, 400, "state_missing");
    assert_page(&call_back(&world, "code=cognito-code&state=made-up", &jar).await, 400, "state_unknown");
    let twice = format!("code=a&code=b&state={state}");
    assert_page(&call_back(&world, &twice, &jar).await, 400, "repeated_parameter");
    world.clock.advance(Duration::from_secs(601));
    let late = format!("code=cognito-code&state={state}");
    assert_page(&call_back(&world, &late, &jar).await, 400, "state_unknown");
}

#[tokio::test]
async fn cognitos_errors_reach_the_client_in_its_own_words() {
    let world = World::new();
    let client = world.register().await;
    for (error, told, why) in [
        ("access_denied", "access_denied", "cognito_denied"),
        ("temporarily_unavailable", "temporarily_unavailable", "cognito_error"),
        ("invalid_request&error_description=IdP+timed+out", "server_error", "cognito_error"),
        ("%0d%0aSet-Cookie:x", "server_error", "cognito_error"),
    ] {
        let mut jar = Jar::default();
        let state = world.consent(&client, &mut jar).await;
        let response = call_back(&world, &format!("error={error}&state={state}"), &jar).await;
        assert_redirected(&response, told, why);
    }
}

#[tokio::test]
async fn a_failed_exchange_goes_back_as_what_it_is() {
    let world = World::new();
    let client = world.register().await;
    for (mood, told, why) in [
        (Mood::Down, "temporarily_unavailable", "cognito_unavailable"),
        (Mood::Refusing, "server_error", "cognito_grant_refused"),
        (Mood::WithoutIdToken, "server_error", "id_token_missing"),
        (Mood::WithOtherNonce, "server_error", "token_nonce"),
    ] {
        let mut jar = Jar::default();
        world.cognito.is(Mood::Well);
        let state = world.consent(&client, &mut jar).await;
        world.cognito.is(mood);
        let response = call_back(&world, &format!("code=cognito-code&state={state}"), &jar).await;
        assert_redirected(&response, told, why);
    }
    tokio::task::yield_now().await;
    // Tokens that came to nothing are given back.
    assert_eq!(
        *world.cognito.revoked.lock().unwrap(),
        ["cognito-refresh-token:alice", "cognito-refresh-token:alice"]
    );
}

#[tokio::test]
async fn a_cognito_that_cannot_be_found_is_told_to_the_client() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let page = world.get(&super::world::authorize_url(&client, &[]), &mut jar).await;
    world.cognito.is(Mood::Down);
    let answer = world.decide(&page, &jar, "approve").await;
    assert_redirected(&answer, "temporarily_unavailable", "cognito_unavailable");
}

#[tokio::test]
async fn strangers_cannot_fill_the_store_with_sign_ins() {
    let mut few = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    few.sign_ins_per_minute = 3;
    let world = World::with(few);
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(&world.register().await, &[]), &mut jar).await;
    // One form can be sent as often as one likes, and each time is a sign-in that is kept.
    let form = format!("transaction={}&decision=approve", transaction_in(&page));
    let sent_from = async |address: String| {
        let mut headers = jar.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let client = ClientAddress::of_peer(address.parse().unwrap());
        let request =
            OAuthRequest { method: Method::POST, query: None, headers, body: form.clone().into(), client };
        let to = location(&world.oauth.answer(Endpoint::Consent, request).await);
        let error = query(&to).get("error").cloned();
        assert!(error.is_none() || error.as_deref() == Some("temporarily_unavailable"), "{to}");
        error.is_none()
    };
    for number in 0..9 {
        let passed = sent_from(format!("2001:db8:0:{number}::1")).await;
        assert_eq!(passed, number < 3, "{number}: one network, however many addresses");
    }
    let mut passed = 3;
    for network in 0..40 {
        for host in 1..=4 {
            passed += usize::from(sent_from(format!("203.0.{network}.{host}")).await);
        }
    }
    assert_eq!(passed, 30, "all networks together");
    world.clock.advance(Duration::from_secs(20));
    assert!(sent_from("198.51.100.1".to_owned()).await, "and later it goes on");
}
