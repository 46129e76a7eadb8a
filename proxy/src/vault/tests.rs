use std::time::Instant;

use service::Shutdown;

use self::world::{HOUR, Mood, NOW, World};
use super::*;
use crate::store::names;

mod failures;
mod flaky;
mod history;
mod index;
mod outages;
mod world;

fn refresh_token(session: &Session) -> &str {
    session.tokens.refresh.as_ref().unwrap().expose()
}

#[tokio::test]
async fn a_session_is_handed_out_as_it_was_created() {
    let world = World::new();
    let vault = world.vault();
    let created = world.session();
    vault.create(&created).await.unwrap();
    vault.keep(&created.sid).await.unwrap();
    let fresh = vault.fresh(&created.sid).await.unwrap();
    assert!(fresh.user == created.user && fresh.client == created.client && fresh.scopes == created.scopes);
    assert!(fresh.resource == created.resource && fresh.tokens.id == created.tokens.id);
    assert_eq!((fresh.created, fresh.ends), (created.created, created.ends));
    assert!(vault.open(&created.sid).await.unwrap().tokens.refresh == created.tokens.refresh);
    assert_eq!(world.cognito.refreshes(), 0);
}

#[tokio::test]
async fn an_unknown_session_is_gone() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.session().sid;
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Gone)));
    assert!(matches!(vault.open(&sid).await, Err(VaultError::Gone)));
    assert!(matches!(vault.keep(&sid).await, Err(VaultError::Gone)));
    vault.end(&sid, EndReason::SignedOut).await.unwrap();
}

#[tokio::test]
async fn nothing_of_a_session_can_be_read_in_the_store() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    let session = vault.open(&sid).await.unwrap();
    let blob = world.blob(&sid).await.unwrap();
    let text = String::from_utf8_lossy(&blob);
    for secret in [session.tokens.id.expose(), refresh_token(&session), "alice", "sub-alice"] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test]
async fn a_session_whose_code_nobody_redeems_lives_a_quarter_of_an_hour() {
    let world = World::new();
    let vault = world.vault();
    let (left, kept) = (world.session(), world.session());
    vault.create(&left).await.unwrap();
    vault.create(&kept).await.unwrap();
    vault.keep(&kept.sid).await.unwrap();
    world.pass(15 * 60);
    assert!(matches!(vault.fresh(&left.sid).await, Err(VaultError::Gone)));
    assert!(vault.fresh(&kept.sid).await.is_ok());
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_end_although_it_is_in_use() {
    let world = World::new();
    let vault = world.vault();
    let session = Session { ends: NOW + 600, ..world.session() };
    vault.create(&session).await.unwrap();
    vault.keep(&session.sid).await.unwrap();
    world.pass(599);
    assert!(vault.fresh(&session.sid).await.is_ok());
    world.pass(1);
    assert!(matches!(vault.fresh(&session.sid).await, Err(VaultError::Gone)));
}

#[tokio::test]
async fn sixty_four_requests_share_one_refresh() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(119);
    let requests = (0..64).map(|_| vault.fresh(&sid));
    let answers = futures_util::future::join_all(requests).await;
    for answer in answers {
        let session = answer.unwrap();
        assert_eq!(session.tokens.id_expires, world.clock.unix() + HOUR);
        assert_eq!(refresh_token(&session), "refresh-1");
    }
    assert_eq!(world.cognito.refreshes(), 1);
    vault.fresh(&sid).await.unwrap();
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn two_replicas_refresh_once_though_the_old_refresh_token_dies_at_once() {
    let world = World::new();
    let (one, two) = (world.vault(), world.vault());
    let sid = world.signed_in(&one).await;
    world.until_left(60);
    let gate = world.cognito.hold();
    let (one_sid, two_sid) = (sid.clone(), sid.clone());
    let first = tokio::spawn(async move { one.fresh(&one_sid).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    let second = tokio::spawn(async move { two.fresh(&two_sid).await });
    tokio::task::yield_now().await;
    gate.notify_one();
    for session in [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()] {
        assert_eq!(session.tokens.id_expires, world.clock.unix() + HOUR);
        assert_eq!(refresh_token(&session), "refresh-1");
    }
    assert_eq!(world.cognito.refreshes(), 1);
    assert!(world.store.get(&names::refresh_lock(sid.as_str())).await.unwrap().is_none(), "lock given back");
}

#[tokio::test]
async fn a_replica_with_old_tokens_in_its_cache_adopts_what_another_has_refreshed() {
    let world = World::new();
    let (one, two) = (world.vault(), world.vault());
    let sid = world.signed_in(&one).await;
    world.until_left(119);
    one.fresh(&sid).await.unwrap();
    assert_eq!(two.fresh(&sid).await.unwrap().tokens.id_expires, world.clock.unix() + HOUR);
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.cognito.mood(Mood::Keeping);
    for refresh in 1..=3 {
        world.pass(HOUR - 60);
        assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-0");
        assert_eq!(world.cognito.refreshes(), refresh);
    }
}

#[tokio::test]
async fn a_refresh_brings_the_groups_of_today() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    *world.cognito.groups.lock().unwrap() = vec!["ops", "eng"];
    world.until_left(60);
    assert_eq!(vault.fresh(&sid).await.unwrap().user.groups, ["ops", "eng"]);
}

#[tokio::test]
async fn the_refresh_goes_on_when_the_caller_hangs_up() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(0);
    let gate = world.cognito.hold();
    let (impatient, asked) = (Arc::clone(&vault), sid.clone());
    let caller = tokio::spawn(async move { impatient.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    caller.abort();
    assert!(caller.await.is_err());
    gate.notify_one();
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn an_ended_session_is_gone_here_at_once_and_elsewhere_when_the_message_comes() {
    let world = World::new();
    let (one, two) = (world.vault(), world.vault());
    let sid = world.signed_in(&one).await;
    let shutdown = Shutdown::manual();
    let listening = tokio::spawn(Arc::clone(&two).listen(shutdown.clone()));
    // The message must not come before the subscription.
    tokio::task::yield_now().await;
    one.fresh(&sid).await.unwrap();
    two.fresh(&sid).await.unwrap();
    one.end(&sid, EndReason::SignedOut).await.unwrap();
    assert!(matches!(one.fresh(&sid).await, Err(VaultError::Gone)));
    world.wait_until(|_| two.cache.session(&sid).is_none()).await;
    assert!(matches!(two.fresh(&sid).await, Err(VaultError::Gone)));
    world.wait_until(|world| *world.cognito.revoked.lock().unwrap() == ["refresh-0"]).await;
    shutdown.trigger();
    listening.await.unwrap();
}

#[tokio::test]
async fn without_the_message_an_ended_session_is_used_for_ten_seconds_at_most() {
    let world = World::new();
    let (one, two) = (world.vault(), world.vault());
    let sid = world.signed_in(&one).await;
    two.fresh(&sid).await.unwrap();
    one.end(&sid, EndReason::RefreshTokenReused).await.unwrap();
    world.pass(9);
    assert!(two.fresh(&sid).await.is_ok());
    world.pass(1);
    assert!(matches!(two.fresh(&sid).await, Err(VaultError::Gone)));
}

#[tokio::test]
async fn a_session_ended_during_its_refresh_stays_ended() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(60);
    let gate = world.cognito.hold();
    let (asking, asked) = (Arc::clone(&vault), sid.clone());
    let caller = tokio::spawn(async move { asking.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    vault.end(&sid, EndReason::SignedOut).await.unwrap();
    gate.notify_one();
    assert!(matches!(caller.await.unwrap(), Err(VaultError::Gone)));
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Gone)));
    assert!(world.blob(&sid).await.is_none());
    // Both the token that was stored and the one that came too late are worth nothing now.
    world.wait_until(|world| world.cognito.revoked.lock().unwrap().len() == 2).await;
    assert_eq!(*world.cognito.revoked.lock().unwrap(), ["refresh-0", "refresh-1"]);
}

#[tokio::test]
async fn a_record_under_an_old_key_is_sealed_anew_when_it_is_used() {
    let world = World::new();
    let line = |id: &str, letter: &str| format!("{id}:{}", letter.repeat(43));
    let ring = |list: &str| Arc::new(KeyRing::parse(&Secret::new(list)).unwrap());
    let (old, new) = (line("old", "A"), line("new", "E"));
    let sid = world.signed_in(&world.vault_with(ring(&old))).await;
    let before = world.blob(&sid).await.unwrap();
    world.vault_with(ring(&format!("{new}\n{old}"))).fresh(&sid).await.unwrap();
    assert_ne!(world.blob(&sid).await.unwrap(), before);
    assert!(world.vault_with(ring(&new)).fresh(&sid).await.is_ok(), "the old key may go");
    world.pass(24 * HOUR);
    assert!(world.vault_with(ring(&new)).open(&sid).await.is_ok(), "it keeps its time to live");
}

#[tokio::test]
async fn a_request_with_valid_tokens_does_not_wait_for_a_slow_cognito() {
    let mut world = World::new();
    world.policy.patience = Duration::from_millis(50);
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(125);
    vault.fresh(&sid).await.unwrap();
    world.pass(9);
    let gate = world.cognito.hold();
    let asked = Instant::now();
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-0");
    assert!(asked.elapsed() < Duration::from_secs(3));
    gate.notify_one();
    world
        .wait_until(|_| {
            vault.cache.session(&sid).is_some_and(|session| refresh_token(&session) == "refresh-1")
        })
        .await;
    assert_eq!(world.cognito.refreshes(), 1);
}

#[tokio::test]
async fn tokens_shorter_than_the_margin_are_not_refreshed_with_every_request() {
    let mut world = World::new();
    world.policy.refresh_before = Duration::from_secs(2 * HOUR);
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    for _ in 0..10 {
        vault.fresh(&sid).await.unwrap();
    }
    assert_eq!(world.cognito.refreshes(), 1);
}
