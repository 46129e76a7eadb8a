//! Keys are rotated by putting a new one in front: what was made before goes on, and a key that is missing loses nothing.

use http::StatusCode;
use service::Secret;

use super::answers::{assert_error, pair};
use super::world::{Jar, World, authorize_url};
use crate::keys::KeyRing;

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

    let after = before.beside(both);
    assert_eq!(after.redeem(&signed_in.client, &code, &[]).await.status(), StatusCode::OK);
    let answer = after.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}
