//! What is remembered of sessions, and what is not.

use futures_util::TryStreamExt;

use super::*;
use crate::store::{Store, Walk};
use crate::vault::history::{Archive, Remembered, SESSIONS, Stored};
use crate::vault::tests::flaky::Outage;

const DAYS: u64 = 24 * HOUR;

fn remembering() -> World {
    let mut world = World::new();
    world.policy.remember_for = Duration::from_secs(30 * DAYS);
    world
}

fn archive(world: &World, keys: &Arc<KeyRing>) -> Archive {
    Archive::new(Arc::clone(&world.store) as Arc<dyn Store>, Arc::clone(keys))
}

async fn about(world: &World, who: &str) -> Vec<Remembered> {
    archive(world, &world.keys).about(who).await.unwrap()
}

async fn names(world: &World) -> Vec<String> {
    world.store.memory.names("").try_collect().await.unwrap()
}

fn ring(ids: &[&str]) -> Arc<KeyRing> {
    let lines: Vec<String> = ids.iter().map(|id| format!("{id}:{id}{}=", "A".repeat(42))).collect();
    Arc::new(KeyRing::parse(&Secret::new(lines.join("\n"))).unwrap())
}

#[tokio::test]
async fn a_session_is_found_by_user_name_by_sub_and_by_its_id() {
    let world = remembering();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    for who in ["alice", "sub-alice", sid.as_str()] {
        let [known] = &about(&world, who).await[..] else { panic!("one session of {who}") };
        let story = known.story.as_ref().unwrap();
        assert_eq!((&story.sid, story.opened, story.redeemed), (&sid, NOW, true));
        assert_eq!((story.refreshed, &known.ending, &known.stored), (None, &None, &Stored::Open));
    }
    for stranger in ["bob", "Alice", "sub-alic", world.session().sid.as_str()] {
        assert!(about(&world, stranger).await.is_empty(), "{stranger}");
    }
}

#[tokio::test]
async fn steps_and_ending_are_told_and_no_later_writer_undoes_the_ending() {
    let world = remembering();
    let vault = world.vault();
    let session = world.session();
    vault.create(&session).await.unwrap();
    assert!(!about(&world, "alice").await[0].story.as_ref().unwrap().redeemed);
    vault.keep(&session.sid).await.unwrap();
    world.until_left(60);
    vault.fresh(&session.sid).await.unwrap();
    let refreshed = about(&world, "alice").await[0].story.clone().unwrap().refreshed;
    assert_eq!(refreshed, Some(world.clock.unix()));
    world.pass(HOUR);
    world.cognito.mood(Mood::Refusing);
    assert!(matches!(vault.fresh(&session.sid).await, Err(VaultError::Ended)));
    vault.end(&session.sid, EndReason::SignedOut).await.unwrap();
    let known = &about(&world, "alice").await[0];
    let ending = known.ending.as_ref().unwrap();
    assert_eq!((ending.reason, ending.at), (EndReason::GrantRefused, world.clock.unix()));
    assert_eq!(known.story.as_ref().unwrap().refreshed, refreshed);
    assert_eq!(known.stored, Stored::Nothing);
}

#[tokio::test]
async fn nobody_is_named_in_the_store_and_no_token_is_remembered() {
    let world = remembering();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    let tokens = vault.open(&sid).await.unwrap().tokens.clone();
    vault.end(&sid, EndReason::SignedOut).await.unwrap();
    let names = names(&world).await;
    assert_eq!(names.len(), 4, "a story, an ending, and a list for each name: {names:?}");
    let secrets = [tokens.id.expose(), tokens.access.expose(), tokens.refresh.as_ref().unwrap().expose()];
    for name in names {
        let blob = world.store.memory.get(&name).await.unwrap().unwrap();
        let opened = world.keys.open(crate::keys::Purpose::History, name.as_bytes(), &blob).unwrap();
        let (sealed, plain) = (String::from_utf8_lossy(&blob), String::from_utf8_lossy(&opened.plain));
        assert!(!name.contains("alice") && !sealed.contains("alice"), "{name}");
        assert!(secrets.iter().all(|secret| !plain.contains(secret)), "{name}");
    }
}

#[tokio::test]
async fn of_each_person_the_latest_ten_are_remembered() {
    let world = remembering();
    let vault = world.vault();
    let mut sids = Vec::new();
    for _ in 0..SESSIONS + 3 {
        world.pass(60);
        let sid = world.signed_in(&vault).await;
        vault.end(&sid, EndReason::SignedOut).await.unwrap();
        sids.push(sid);
    }
    let told: Vec<SessionId> =
        about(&world, "alice").await.into_iter().map(|known| known.story.unwrap().sid).collect();
    let latest: Vec<SessionId> = sids.iter().rev().take(SESSIONS).cloned().collect();
    assert_eq!(told, latest);
    assert_eq!(names(&world).await.len(), 2 * SESSIONS + 2);
    assert!(about(&world, sids[0].as_str()).await.is_empty(), "the oldest is forgotten altogether");
}

#[tokio::test]
async fn the_refreshes_of_many_sessions_push_out_no_ending() {
    let world = remembering();
    let vault = world.vault();
    let mut sids = Vec::new();
    for _ in 0..=SESSIONS {
        sids.push(world.signed_in(&vault).await);
    }
    let ended = sids.pop().unwrap();
    vault.end(&ended, EndReason::SignedOut).await.unwrap();
    world.until_left(60);
    let token = world.cognito.good.lock().unwrap().clone();
    for sid in &sids {
        // All signed in with the same refresh token, which is good once.
        token.clone_into(&mut world.cognito.good.lock().unwrap());
        vault.fresh(sid).await.unwrap();
    }
    assert!(about(&world, "alice").await.iter().any(|known| known.ending.is_some()));
}

#[tokio::test]
async fn it_is_forgotten_after_its_time() {
    let world = remembering();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    vault.end(&sid, EndReason::SignedOut).await.unwrap();
    world.pass(30 * DAYS - 1);
    assert!(about(&world, "alice").await[0].ending.is_some());
    world.pass(30 * DAYS + 2);
    assert!(about(&world, "alice").await.is_empty());
    assert_eq!(names(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_remembered_where_nobody_could_read_it() {
    let world = World::new();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    assert_eq!(names(&world).await, [format!("session:{sid}")]);
    vault.end(&sid, EndReason::SignedOut).await.unwrap();
    assert_eq!(names(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_was_replaced_still_finds_and_opens_until_it_is_dropped() {
    let world = remembering();
    let old = world.vault_with(ring(&["a"]));
    let (ended, live) = (world.signed_in(&old).await, world.signed_in(&old).await);
    old.end(&ended, EndReason::SignedOut).await.unwrap();
    let both = ring(&["b", "a"]);
    let new = world.vault_with(Arc::clone(&both));
    world.pass(60);
    let later = world.signed_in(&new).await;
    let told = archive(&world, &both).about("alice").await.unwrap();
    assert_eq!(told.len(), 3);
    assert!(told.iter().any(|known| known.ending.is_some()));
    // A refresh moves what is told of a session to the current key.
    world.until_left(60);
    new.fresh(&live).await.unwrap();
    let told = archive(&world, &ring(&["b"])).about("alice").await.unwrap();
    let sids: Vec<&SessionId> = told.iter().map(|known| &known.story.as_ref().unwrap().sid).collect();
    assert_eq!(sids, [&later, &live]);
    // Whose session it is that a missing key holds, is still told by its id.
    let told = archive(&world, &ring(&["b"])).about(ended.as_str()).await.unwrap();
    assert!(told.is_empty(), "all of it was sealed with the old key, and nothing of the session is left");
}

#[tokio::test]
async fn a_store_that_takes_no_notes_fails_no_session() {
    let world = remembering();
    let vault = world.vault();
    let session = world.session();
    // The session itself gets through, nothing after it.
    world.store.fails_after(1, Outage::All);
    vault.create(&session).await.unwrap();
    world.store.fails(Outage::None);
    vault.keep(&session.sid).await.unwrap();
    world.store.fails_after(1, Outage::All);
    vault.end(&session.sid, EndReason::SignedOut).await.unwrap();
    world.store.fails(Outage::None);
    let known = &about(&world, "alice").await[0];
    assert!(known.ending.is_none() && known.stored == Stored::Nothing);
}
