//! Whatever does not answer is our fault: 503 or `temporarily_unavailable`, and afterwards nothing is lost.

use std::time::Duration;

use http::StatusCode;

use super::answers::{assert_error, assert_page, assert_redirected};
use super::doubles::Mood;
use super::world::{CALLBACK, Jar, World, authorize_url};

#[tokio::test]
async fn without_the_store_machine_endpoints_say_503_and_lose_nothing() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let code = world.code(&signed_in.client).await;
    world.store.stop();
    for answer in [
        world.redeem(&signed_in.client, &code, &[]).await,
        world.refresh(&signed_in.client, &signed_in.refresh, &[]).await,
        world
            .post(
                "/revoke",
                &Jar::default(),
                &[("client_id", &signed_in.client), ("token", &signed_in.refresh)],
            )
            .await,
        world.register_with(serde_json::json!({ "redirect_uris": [CALLBACK] })).await,
    ] {
        assert_error(&answer, 503, "temporarily_unavailable", "store_unavailable");
        assert_eq!(answer.headers()["retry-after"], "5");
    }
    world.store.start();
    assert_eq!(world.redeem(&signed_in.client, &code, &[]).await.status(), StatusCode::OK);
    assert_eq!(world.refresh(&signed_in.client, &signed_in.refresh, &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_the_store_the_browser_hears_it_and_can_go_on_later() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    world.store.stop();
    let answer = world.decide(&page, &jar, "approve").await;
    assert_redirected(&answer, "temporarily_unavailable", "store_unavailable");
    world.store.start();
    let state = world.consent(&client, &mut jar).await;
    let callback = format!("/auth/callback?code=cognito-code&state={state}");
    world.store.stop();
    // Where the client is stands in the store, so this is a page.
    let answer = world.get(&callback, &mut jar).await;
    assert_page(&answer, 503, "store_unavailable");
    assert_eq!(answer.headers()["retry-after"], "5");
    world.store.start();
    assert_eq!(world.get(&callback, &mut jar).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn without_cognito_a_refresh_waits_and_is_not_refused() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    world.cognito.is(Mood::Down);
    world.clock.advance(Duration::from_secs(3600));
    let answer = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&answer, 503, "temporarily_unavailable", "cognito_unavailable");
    world.cognito.is(Mood::Well);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.refresh(&signed_in.client, &signed_in.refresh, &[]).await.status(), StatusCode::OK);
}
