use super::super::super::session::Session;
use super::*;
use crate::caller::{Credential, Origin};

/// When the ID tokens of these tests were made; they last an hour.
const START: u64 = 1_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds)
}

fn identity(user: &str, made: u64) -> Identity {
    Identity {
        issuer: "https://issuer.example".into(),
        subject: user.into(),
        username: user.into(),
        email: None,
        id_token: Secret::new(format!("{user}-{made}")),
        expires: START + made + 3600,
    }
}

fn visit(user: &str, made: u64) -> Visit {
    let identity = identity(user, made);
    let account = Credential::Identity(identity.clone()).account();
    Visit { account, identity, session: Arc::new(Session::new()), origin: Origin::default() }
}

fn key(ends: SystemTime) -> Minted {
    let id = Uuid::parse("15f12471-5b69-4986-a1d0-28514585a178").unwrap();
    Minted { id, secret: Secret::new("plane_api_1"), ends }
}

/// A ring with one key of alice, who signed in and called at the start.
fn ring() -> Ring {
    let ring = Ring::default();
    let slot = ring.slot(&visit("alice", 0), at(0));
    slot.store(Ok(key(at(8 * 3600))), at(0)).unwrap();
    ring
}

#[test]
fn a_key_is_its_users_alone() {
    let ring = ring();
    assert!(ring.slot(&visit("alice", 0), at(1)).key(at(1)).is_some());
    assert!(ring.slot(&visit("bob", 0), at(1)).key(at(1)).is_none());
}

#[test]
fn a_key_goes_in_the_last_minute_of_the_newest_token() {
    let ring = ring();
    assert!(ring.ended(at(1799)).is_empty());
    let account = visit("alice", 0).account;
    ring.note(account, &identity("alice", 1700), at(1800));
    // An older token of another client changes nothing.
    ring.note(account, &identity("alice", 100), at(3550));
    assert!(ring.ended(at(3595)).is_empty(), "there is a newer token");
    ring.note(account, &identity("alice", 1700), at(5230));
    assert!(ring.ended(at(5239)).is_empty());
    let [taken] = ring.ended(at(5240)).try_into().unwrap();
    assert_eq!(taken.visit.identity.id_token.expose(), "alice-1700");
    assert!(ring.slots().is_empty(), "nothing is remembered of who is gone");
}

#[test]
fn a_user_who_calls_keeps_the_key_until_the_last_moment() {
    let ring = ring();
    let account = visit("alice", 0).account;
    for second in [3541, 3560, 3589] {
        ring.note(account, &identity("alice", 0), at(second));
        assert!(ring.ended(at(second)).is_empty());
    }
    assert_eq!(ring.ended(at(3590)).len(), 1);
}

#[test]
fn a_key_nobody_uses_goes_after_half_an_hour() {
    let ring = ring();
    assert!(ring.ended(at(1799)).is_empty());
    assert_eq!(ring.ended(at(1800)).len(), 1);
}

#[test]
fn a_key_near_its_end_is_not_used() {
    let ring = Ring::default();
    let slot = ring.slot(&visit("alice", 0), at(0));
    slot.store(Ok(key(at(3600))), at(0)).unwrap();
    assert!(slot.key(at(3299)).is_some());
    assert!(slot.key(at(3300)).is_none());
    assert!(slot.take().is_some(), "the old one is there to be deleted");
}

#[test]
fn a_failure_is_told_for_a_moment_and_then_forgotten() {
    let ring = Ring::default();
    let slot = ring.slot(&visit("alice", 0), at(0));
    assert!(slot.store(Err(PlaneError::TimedOut), at(0)).is_err());
    assert!(matches!(slot.key(at(4)), Some(Err(PlaneError::TimedOut))));
    assert!(slot.key(at(5)).is_none());
    drop(slot);
    ring.ended(at(5));
    assert!(ring.slots().is_empty());
}

#[test]
fn a_refused_key_is_dropped_but_never_its_successor() {
    let ring = Ring::default();
    let (visit, now) = (visit("alice", 0), at(0));
    let slot = ring.slot(&visit, now);
    let old = slot.store(Ok(key(at(8 * 3600))), now).unwrap();
    ring.discard(visit.account, &old);
    assert!(slot.key(now).is_none());
    slot.store(Ok(key(at(8 * 3600))), now).unwrap();
    ring.discard(visit.account, &old);
    assert!(slot.key(now).is_some());
}

#[test]
fn a_slot_in_use_is_not_pruned() {
    let ring = Ring::default();
    let slot = ring.slot(&visit("alice", 0), at(0));
    ring.ended(at(100));
    slot.store(Ok(key(at(8 * 3600))), at(100)).unwrap();
    assert_eq!(ring.all().len(), 1);
}

#[test]
fn no_key_is_ever_printed() {
    assert!(!format!("{:?}", ring()).contains("plane_api_1"));
}
