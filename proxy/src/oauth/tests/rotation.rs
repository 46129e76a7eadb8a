//! Keys are rotated by putting a new one in front: what was made before goes on, and a key that is missing loses nothing.

use std::time::Duration;

use futures_util::TryStreamExt;
use http::StatusCode;
use service::Secret;

use super::answers::{assert_error, location, pair, query};
use super::world::{Jar, World, authorize_url};
use crate::keys::KeyRing;
use crate::store::{Store, Walk};

/// Rings with the old key, with a new one before it, and with the new one only.
fn rings() -> [KeyRing; 3] {
    let (old, new) = (KeyRing::generate_line(), KeyRing::generate_line());
    let (old, new) = (old.expose(), new.expose());
    [old.to_owned(), format!("{new},{old}"), new.to_owned()]
        .map(|list| KeyRing::parse(&Secret::new(list)).unwrap())
}

#[tokio::test]
async fn everything_made_before_a_rotation_works_after_it() {
    let [old, both, _] = rings();
    let before = World::new().beside(old);
    let signed_in = before.signed_in().await;
    let code = before.code(&signed_in.client).await;
    let (mut jar, mut shown) = (Jar::default(), Jar::default());
    let state = before.consent(&signed_in.client, &mut jar).await;
    let page = before.get(&authorize_url(&signed_in.client, &[]), &mut shown).await;

    let after = before.beside(both);
    assert!(after.tokens.verify(&signed_in.access).is_ok());
    let answer = after.redeem(&signed_in.client, &code, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let back = after.get(&format!("/auth/callback?code=cognito-code&state={state}"), &mut jar).await;
    assert_eq!(back.status(), StatusCode::SEE_OTHER, "{back:?}");
    assert_eq!(after.decide(&page, &shown, "approve").await.status(), StatusCode::SEE_OTHER);

    let next = after.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_eq!(next.status(), StatusCode::OK);
    let repeated = before.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&repeated, 503, "temporarily_unavailable", "seal_unavailable");
    let repeated = after.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_eq!(pair(&next), pair(&repeated));
}

#[tokio::test]
async fn without_its_key_nothing_is_refused_and_nothing_lost() {
    let [old, both, new] = rings();
    let before = World::new().beside(old);
    let signed_in = before.signed_in().await;
    let code = before.code(&signed_in.client).await;

    let without = before.beside(new);
    let answer = without.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_error(&answer, 503, "temporarily_unavailable", "seal_unavailable");
    let answer = without.redeem(&signed_in.client, &code, &[]).await;
    assert_error(&answer, 503, "temporarily_unavailable", "seal_unavailable");
    // Who gives a token back must not believe that it was taken.
    for token in [&signed_in.access, &signed_in.refresh] {
        let form = [("client_id", signed_in.client.as_str()), ("token", token)];
        let answer = without.post("/revoke", &Jar::default(), &form).await;
        assert_error(&answer, 503, "temporarily_unavailable", "seal_unavailable");
    }

    let after = before.beside(both);
    assert_eq!(after.redeem(&signed_in.client, &code, &[]).await.status(), StatusCode::OK);
    let answer = after.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

/// Every record of approvals, and of their withdrawal, by the id of the key that sealed it.
async fn approvals_by_key(world: &World) -> Vec<String> {
    let names: Vec<String> = world.store.inner.names("").try_collect().await.unwrap();
    let mut found = Vec::new();
    for name in names.iter().filter(|name| name.starts_with("approvals:") || name.starts_with("withdrawn:")) {
        let blob = world.store.inner.get(name).await.unwrap().unwrap();
        found.push(KeyRing::sealed_with(&blob).unwrap().to_owned());
    }
    found
}

#[tokio::test]
async fn approvals_are_sealed_anew_when_they_are_looked_at_and_end_when_they_would_have() {
    let [old, both, _] = rings();
    let [old_id, new_id] = [&old, &both].map(|ring| ring.ids().remove(0));
    let before = World::new().beside(old);
    let given_back = before.signed_in().await;
    let (client, day) = (given_back.client, Duration::from_secs(24 * 60 * 60));
    let form = [("client_id", client.as_str()), ("token", given_back.refresh.as_str())];
    assert_eq!(before.post("/revoke", &Jar::default(), &form).await.status(), StatusCode::OK);
    before.clock.advance(day);
    let mut jar = Jar::default();
    before.code_of(&client, "alice", &mut jar).await;
    // Of two browsers, and the withdrawal.
    assert_eq!(approvals_by_key(&before).await, [old_id.as_str(); 3]);

    before.clock.advance(day * 9);
    let after = before.beside(both);
    let onward = after.get(&authorize_url(&client, &[("prompt", "")]), &mut jar).await;
    let state = query(&location(&onward))["state"].clone();
    let back = after.get(&format!("/auth/callback?code=cognito-code:alice&state={state}"), &mut jar).await;
    assert!(query(&location(&back)).contains_key("code"), "not asked again: {back:?}");
    let mut sealed = approvals_by_key(&after).await;
    sealed.sort_by_key(|id| *id == new_id);
    assert_eq!(sealed, [old_id.as_str(), &new_id, &new_id], "the other browser's was not looked at");
    after.clock.advance(day * 20);
    assert_eq!(approvals_by_key(&after).await, [new_id.as_str()], "the withdrawal is over, the approval not");
    after.clock.advance(day);
    assert!(approvals_by_key(&after).await.is_empty());
}
