//! A store that dies between any two steps: the client hears 503 and nothing else, and the same request works afterwards.
//! A client that hangs up between any two: nothing is left behind half done.

use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use futures_util::poll;
use http::{Response, StatusCode};

use super::answers::{assert_error, json};
use super::world::{Jar, World};

/// Every operation any request needs and more, not carried out and carried out without an answer.
fn moments() -> impl Iterator<Item = (usize, bool)> {
    (1..20).flat_map(|operation| [(operation, false), (operation, true)])
}

fn failed(answer: &Response<Bytes>, moment: (usize, bool)) -> bool {
    if answer.status() == StatusCode::OK {
        return false;
    }
    assert_eq!(json(answer)["error"], "temporarily_unavailable", "{moment:?}");
    assert_error(answer, 503, "temporarily_unavailable", "store_unavailable");
    assert_eq!(answer.headers()["retry-after"], "5");
    true
}

#[tokio::test]
async fn a_redemption_that_the_store_interrupts_can_be_repeated() {
    let (mut interrupted, mut in_doubt) = (0, Vec::new());
    for moment in moments() {
        let world = World::new();
        let client = world.register().await;
        let code = world.code(&client).await;
        world.store.stop_at(moment.0, moment.1);
        let answer = world.redeem(&client, &code, &[]).await;
        world.store.start();
        if failed(&answer, moment) {
            interrupted += 1;
            let again = world.redeem(&client, &code, &[]).await;
            if super::answers::reason(&again) == "code_reused" {
                // The one moment in which nobody can tell a repetition from a theft: the code was spent, unanswered.
                in_doubt.push(moment);
                continue;
            }
            assert_eq!(again.status(), StatusCode::OK, "{moment:?}: {again:?}");
        }
    }
    assert!(interrupted > 6, "{interrupted}");
    assert!(matches!(*in_doubt, [(_, true)]), "{in_doubt:?}");
}

// Paused: who waits for a store that has died is not waited for.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_the_store_interrupts_can_be_repeated() {
    let mut interrupted = 0;
    for moment in moments() {
        let world = World::new();
        let signed_in = world.signed_in().await;
        // Cognito's tokens are to be refreshed as well.
        world.clock.advance(std::time::Duration::from_secs(3600));
        world.store.stop_at(moment.0, moment.1);
        let answer = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
        world.store.start();
        world.clock.advance(std::time::Duration::from_secs(26));
        if failed(&answer, moment) {
            interrupted += 1;
            let again = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
            assert_eq!(again.status(), StatusCode::OK, "{moment:?}: {again:?}");
        }
    }
    assert!(interrupted > 6, "{interrupted}");
}

#[tokio::test]
async fn a_revocation_that_the_store_interrupts_can_be_repeated() {
    let mut interrupted = 0;
    for moment in moments() {
        let world = World::new();
        let signed_in = world.signed_in().await;
        let form = [("client_id", signed_in.client.as_str()), ("token", signed_in.refresh.as_str())];
        world.store.stop_at(moment.0, moment.1);
        let answer = world.post("/revoke", &Jar::default(), &form).await;
        world.store.start();
        if failed(&answer, moment) {
            interrupted += 1;
            let again = world.post("/revoke", &Jar::default(), &form).await;
            assert_eq!(again.status(), StatusCode::OK, "{moment:?}");
        }
        let answer = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
        assert_eq!(
            (answer.status(), &json(&answer)["error"]),
            (StatusCode::BAD_REQUEST, &"invalid_grant".into())
        );
    }
    assert!(interrupted > 2, "{interrupted}");
}

/// Carries a request on for `steps` steps, then hangs up; says whether it was done by then.
async fn hung_up(steps: usize, request: impl Future<Output = Response<Bytes>>) -> bool {
    let mut request = std::pin::pin!(request);
    for _ in 0..steps {
        if poll!(request.as_mut()).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Lets everything that was begun come to its end.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_browser_that_hangs_up_during_the_callback_leaves_nothing_at_cognito() {
    let mut given_back = 0;
    for steps in 0..60 {
        let world = World::new();
        let client = world.register().await;
        let mut jar = Jar::default();
        let state = world.consent(&client, &mut jar).await;
        let callback = format!("/auth/callback?code=cognito-code&state={state}");
        let done = hung_up(steps, world.get(&callback, &mut jar)).await;
        settle().await;
        let begun = world.cognito.exchanged.load(SeqCst) == 1;
        let revoked = world.cognito.revoked.lock().unwrap().len();
        assert_eq!(revoked, usize::from(begun && !done), "{steps} steps");
        given_back += revoked;
    }
    assert!(given_back > 2, "{given_back}");
}

#[tokio::test]
async fn a_client_that_hangs_up_during_a_revocation_has_revoked_or_not_begun() {
    let mut ended = 0;
    for steps in 0..60 {
        let world = World::new();
        let signed_in = world.signed_in().await;
        let sid = world.tokens.verify(&signed_in.access).unwrap().sid;
        let form = [("client_id", signed_in.client.as_str()), ("token", signed_in.refresh.as_str())];
        let done = hung_up(steps, world.post("/revoke", &Jar::default(), &form)).await;
        settle().await;
        let revoked = world.cognito.revoked.lock().unwrap().len();
        let is_open = world.vault.open(&sid).await.is_ok();
        assert_eq!((revoked, done && is_open), (usize::from(!is_open), false), "{steps} steps");
        ended += usize::from(!done && !is_open);
    }
    assert!(ended > 2, "{ended}");
}
