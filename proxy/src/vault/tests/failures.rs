//! What is down, refused or wrong: what a session survives, and what it does not.

use std::sync::atomic::Ordering::SeqCst;

use super::flaky::Outage;
use super::*;

fn part<T>(outcome: Result<T, VaultError>) -> &'static str {
    match outcome {
        Err(VaultError::Unavailable { part, .. }) => part,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was available"),
    }
}

#[tokio::test]
async fn a_refused_grant_ends_the_session() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::Refusing);
    world.until_left(60);
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Ended)));
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Gone)));
    assert!(world.blob(&sid).await.is_none());
}

#[tokio::test]
async fn tokens_of_another_user_end_the_session_and_are_never_handed_out() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::OfAnother);
    world.until_left(60);
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Ended)));
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Gone)));
    world.wait_until(|world| *world.cognito.revoked.lock().unwrap() == ["refresh-0"]).await;
}

#[tokio::test]
async fn while_cognito_is_down_valid_tokens_are_used_up_and_then_nothing_is_lost() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::Down);
    world.until_left(60);
    assert_eq!(vault.fresh(&sid).await.unwrap().seconds_left(world.clock.unix()), 60);
    for _ in 0..10 {
        vault.fresh(&sid).await.unwrap();
    }
    assert_eq!(world.cognito.refreshes(), 1, "cognito is left alone for a while");
    world.until_left(6);
    assert!(vault.fresh(&sid).await.is_ok());
    assert_eq!(world.cognito.refreshes(), 2);
    world.until_left(5);
    assert_eq!(part(vault.fresh(&sid).await), "cognito");
    world.pass(24 * HOUR);
    assert_eq!(part(vault.fresh(&sid).await), "cognito");
    world.cognito.mood(Mood::Rotating);
    world.pass(2);
    assert_eq!(
        refresh_token(&vault.fresh(&sid).await.unwrap()),
        format!("refresh-{}", world.cognito.refreshes())
    );
}

#[tokio::test]
async fn a_cognito_that_never_answers_is_given_up() {
    let mut world = World::new();
    world.policy.ask_for = Duration::from_millis(50);
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(0);
    let _gate = world.cognito.hold();
    assert_eq!(part(vault.fresh(&sid).await), "cognito");
    assert!(world.store.get(&names::refresh_lock(sid.as_str())).await.unwrap().is_none(), "lock given back");
}

#[tokio::test]
async fn without_an_id_token_the_old_one_is_used_while_it_lasts() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::WithoutIdToken);
    world.until_left(60);
    let session = vault.fresh(&sid).await.unwrap();
    assert_eq!(session.tokens.access_expires, world.clock.unix() + HOUR);
    assert_eq!(session.tokens.id_expires, NOW + HOUR);
    world.until_left(0);
    assert_eq!(part(vault.fresh(&sid).await), "cognito");
    world.cognito.mood(Mood::Rotating);
    world.pass(2);
    assert_eq!(vault.fresh(&sid).await.unwrap().tokens.id_expires, world.clock.unix() + HOUR);
}

#[tokio::test]
async fn without_a_refresh_token_the_session_ends_with_its_tokens() {
    let world = World::new();
    let vault = world.vault();
    let mut session = world.session();
    session.tokens.refresh = None;
    vault.create(&session).await.unwrap();
    vault.keep(&session.sid).await.unwrap();
    world.until_left(60);
    assert!(vault.fresh(&session.sid).await.is_ok());
    world.until_left(5);
    assert!(matches!(vault.fresh(&session.sid).await, Err(VaultError::Ended)));
    assert!(matches!(vault.fresh(&session.sid).await, Err(VaultError::Gone)));
    assert_eq!(world.cognito.refreshes(), 0);
}

#[tokio::test]
async fn refreshed_tokens_whose_keys_cannot_be_had_are_kept_and_used_later() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    vault.fresh(&sid).await.unwrap();
    // Cognito has a new key, and its list of keys cannot be fetched.
    *world.cognito.kid.lock().unwrap() = "kid+/2=";
    world.cognito.keys_down.store(true, SeqCst);
    world.until_left(60);
    let held = vault.fresh(&sid).await.unwrap();
    assert_eq!(held.tokens.id_expires, NOW + HOUR, "nothing unverified is handed out");
    assert_eq!(refresh_token(&vault.open(&sid).await.unwrap()), "refresh-1", "the rotated token is stored");
    world.pass(61);
    assert_eq!(part(vault.fresh(&sid).await), "keys");
    world.cognito.keys_down.store(false, SeqCst);
    world.pass(30);
    let fresh = vault.fresh(&sid).await.unwrap();
    assert_eq!(fresh.tokens.id_expires, NOW + 2 * HOUR - 60);
    assert_eq!(world.cognito.refreshes(), 1, "cognito was asked once");
}

#[tokio::test]
async fn tokens_under_a_key_cognito_has_dropped_are_refreshed() {
    let world = World::new();
    let sid = world.signed_in(&world.vault()).await;
    *world.cognito.kid.lock().unwrap() = "kid+/2=";
    let vault = world.vault();
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
}

#[tokio::test]
async fn without_any_keys_a_session_is_unavailable_not_gone() {
    let world = World::new();
    let sid = world.signed_in(&world.vault()).await;
    world.cognito.keys_down.store(true, SeqCst);
    assert_eq!(part(world.vault().fresh(&sid).await), "keys");
    assert_eq!(world.cognito.refreshes(), 0);
}

#[tokio::test]
async fn a_store_that_is_down_is_unavailable_and_cached_sessions_go_on_for_a_while() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    vault.fresh(&sid).await.unwrap();
    world.store.fails(Outage::All);
    assert!(vault.fresh(&sid).await.is_ok());
    world.pass(10);
    assert_eq!(part(vault.fresh(&sid).await), "store");
    assert_eq!(part(vault.open(&sid).await), "store");
    assert_eq!(part(vault.end(&sid, EndReason::SignedOut).await), "store");
    world.store.fails(Outage::None);
    assert!(vault.fresh(&sid).await.is_ok());
}

#[tokio::test]
async fn a_refresh_survives_a_store_that_fails_for_a_moment() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(0);
    world.store.lost_swaps.store(2, SeqCst);
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
    world.pass(HOUR);
    world.store.lost_answers.store(1, SeqCst);
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-2");
    assert_eq!(refresh_token(&world.vault().fresh(&sid).await.unwrap()), "refresh-2");
    assert_eq!(world.cognito.refreshes(), 2);
}

/// With rotation and no grace, the refresh token that could not be stored is the only one that is good.
#[tokio::test]
async fn a_refresh_survives_a_store_that_dies_as_cognito_answers() {
    let mut world = World::new();
    (world.policy.patience, world.policy.wait_for) = (Duration::from_millis(20), Duration::from_millis(80));
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(0);
    let gate = world.cognito.hold();
    let (asking, asked) = (Arc::clone(&vault), sid.clone());
    let first = tokio::spawn(async move { asking.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    world.store.fails(Outage::All);
    gate.notify_one();
    assert_eq!(part(first.await.unwrap()), "store", "nobody waits for the store");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    world.store.fails(Outage::None);
    world.pass(2);
    vault.landed().await;
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn a_record_under_an_unknown_key_is_unavailable_and_left_alone() {
    let world = World::new();
    let sid = world.signed_in(&world.vault()).await;
    let before = world.blob(&sid).await.unwrap();
    let stranger = world.vault_with(Arc::new(KeyRing::ephemeral()));
    assert_eq!(part(stranger.fresh(&sid).await), "seal");
    assert_eq!(part(stranger.open(&sid).await), "seal");
    assert_eq!(world.blob(&sid).await.unwrap(), before);
    assert!(world.vault().fresh(&sid).await.is_ok());
    stranger.end(&sid, EndReason::SignedOut).await.unwrap();
    assert!(world.blob(&sid).await.is_none(), "whoever ends it need not read it");
}

#[tokio::test]
async fn a_record_moved_to_another_session_does_not_open() {
    let world = World::new();
    let vault = world.vault();
    let (one, two) = (world.signed_in(&vault).await, world.signed_in(&vault).await);
    let blob = world.blob(&one).await.unwrap();
    world.store.put(&names::session(two.as_str()), blob, Duration::from_secs(60)).await.unwrap();
    assert_eq!(part(vault.fresh(&two).await), "seal");
}

#[tokio::test]
async fn a_replica_that_died_in_its_turn_holds_up_the_others_for_a_while_only() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    let lock = names::refresh_lock(sid.as_str());
    world.until_left(0);
    world.store.put(&lock, Bytes::from_static(b"dead"), world.policy.lock_for).await.unwrap();
    assert_eq!(part(vault.fresh(&sid).await), "lock");
    assert_eq!(world.store.get(&lock).await.unwrap().unwrap(), "dead", "nobody gives back another's lock");
    world.clock.advance(world.policy.lock_for);
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
}

#[tokio::test]
async fn a_replica_that_died_in_its_turn_does_not_hold_up_who_still_has_valid_tokens() {
    let mut world = World::new();
    world.policy.patience = Duration::from_millis(50);
    world.policy.wait_for = Duration::from_secs(60);
    let (dead, vault) = (world.vault(), world.vault());
    let sid = world.signed_in(&dead).await;
    world.until_left(60);
    let lock = names::refresh_lock(sid.as_str());
    world.store.put(&lock, Bytes::from_static(b"dead"), world.policy.lock_for).await.unwrap();
    let asked = Instant::now();
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-0");
    assert!(asked.elapsed() < Duration::from_secs(20), "nothing was cached, and yet it waited for the turn");
}

#[tokio::test]
async fn a_turn_lasts_as_long_as_cognito_takes() {
    let mut world = World::new();
    world.policy.lock_for = Duration::from_millis(300);
    let (one, two) = (world.vault(), world.vault());
    let sid = world.signed_in(&one).await;
    world.until_left(0);
    let gate = world.cognito.hold();
    let (asking, asked) = (Arc::clone(&one), sid.clone());
    let first = tokio::spawn(async move { asking.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    for _ in 0..4 {
        // Longer than the lock is renewed after, shorter than it lasts.
        tokio::time::sleep(world.policy.lock_for / 2).await;
        world.clock.advance(world.policy.lock_for / 2);
    }
    assert_eq!(part(two.fresh(&sid).await), "lock");
    gate.notify_one();
    assert_eq!(refresh_token(&first.await.unwrap().unwrap()), "refresh-1");
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn a_failure_says_its_cause_and_no_token() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::Down);
    world.until_left(0);
    let error = vault.fresh(&sid).await.map(|_| ()).unwrap_err();
    let mut told = format!("{error:?}");
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        told.push_str(&format!(" / {error}"));
        cause = error.source();
    }
    assert!(told.ends_with("/ cognito unavailable / cognito unavailable / 503"), "{told}");
    assert!(!told.contains("refresh-0") && !told.contains("eyJ"), "{told}");
}
