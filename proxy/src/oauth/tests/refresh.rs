use std::time::Duration;

use http::StatusCode;

use super::answers::{assert_error, json, pair};
use super::doubles::Mood;
use super::world::World;

#[tokio::test]
async fn each_refresh_gives_the_next_token() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let sid = world.tokens.verify(&signed_in.access).unwrap().sid;
    let mut token = signed_in.refresh.clone();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(1800));
        let answer = world.refresh(&signed_in.client, &token, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let (access, next) = pair(&answer);
        assert_ne!(next, token);
        assert_eq!(world.tokens.verify(&access).unwrap().sid, sid);
        token = next;
    }
    assert!(token.starts_with(&format!("mer.{sid}.")));
}

#[tokio::test]
async fn parallel_and_repeated_refreshes_get_the_same_answer_for_a_minute() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let refresh = || world.refresh(&signed_in.client, &signed_in.refresh, &[]);
    let (one, two, three) = tokio::join!(refresh(), refresh(), refresh());
    assert_eq!(one.status(), StatusCode::OK);
    assert_eq!((one.body(), one.body()), (two.body(), three.body()));
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(refresh().await.body(), one.body());
    // And the family goes on.
    let next = world.refresh(&signed_in.client, &pair(&one).1, &[]).await;
    assert_eq!(next.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_late_replay_ends_the_session() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let sid = world.tokens.verify(&signed_in.access).unwrap().sid;
    let (_, next) = pair(&world.refresh(&signed_in.client, &signed_in.refresh, &[]).await);
    world.clock.advance(Duration::from_secs(61));
    let replay = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&replay, 400, "invalid_grant", "refresh_token_reused");
    assert!(world.vault.open(&sid).await.is_err());
    let owner = world.refresh(&signed_in.client, &next, &[]).await;
    assert_error(&owner, 400, "invalid_grant", "refresh_token_unknown");
}

#[tokio::test]
async fn an_older_token_of_the_family_ends_it_and_a_made_up_one_does_not() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let (_, second) = pair(&world.refresh(&signed_in.client, &signed_in.refresh, &[]).await);
    let (_, third) = pair(&world.refresh(&signed_in.client, &second, &[]).await);
    let (prefix, _) = third.rsplit_once('.').unwrap();
    let made_up = format!("{prefix}.{}", "A".repeat(43));
    for token in [made_up.as_str(), "mer.x.y", "garbage", third.trim_end_matches(|_: char| true)] {
        let answer = world.refresh(&signed_in.client, token, &[]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{token}");
    }
    let (_, fourth) = pair(&world.refresh(&signed_in.client, &third, &[]).await);
    let oldest = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&oldest, 400, "invalid_grant", "refresh_token_reused");
    let owner = world.refresh(&signed_in.client, &fourth, &[]).await;
    assert_error(&owner, 400, "invalid_grant", "refresh_token_unknown");
}

#[tokio::test]
async fn another_client_can_do_nothing_with_the_token() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let other = world.register().await;
    let answer = world.refresh(&other, &signed_in.refresh, &[]).await;
    assert_error(&answer, 400, "invalid_grant", "refresh_token_of_other_client");
    assert_eq!(world.refresh(&signed_in.client, &signed_in.refresh, &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn scopes_can_be_narrowed_and_neither_widened_nor_moved_to_another_resource() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let wider = world.refresh(&signed_in.client, &signed_in.refresh, &[("scope", "plane:read admin")]).await;
    assert_error(&wider, 400, "invalid_scope", "scope_widened");
    let moved =
        world.refresh(&signed_in.client, &signed_in.refresh, &[("resource", "https://other.example/")]).await;
    assert_error(&moved, 400, "invalid_target", "resource_unknown");
    let narrower = world.refresh(&signed_in.client, &signed_in.refresh, &[("scope", "plane:read")]).await;
    assert_eq!(json(&narrower)["scope"], "plane:read");
    // The grant itself keeps what was granted.
    let whole = world.refresh(&signed_in.client, &pair(&narrower).1, &[]).await;
    assert_eq!(json(&whole)["scope"], "plane:read offline_access");
}

#[tokio::test]
async fn a_sign_in_that_cognito_ended_ends_the_refresh() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    world.clock.advance(Duration::from_secs(3590));
    world.cognito.is(Mood::Refusing);
    let answer = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&answer, 400, "invalid_grant", "session_ended");
}

#[tokio::test]
async fn an_unused_refresh_token_is_forgotten_with_its_session() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    world.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    let answer = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&answer, 400, "invalid_grant", "refresh_token_unknown");
}
