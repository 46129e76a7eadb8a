//! What every store must do, told once and run against each of them: in memory, and real servers in each topology.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use service::ManualClock;

use super::memory::Memory;
use super::valkey::Valkey;
use super::valkey::server::Server;
use super::valkey::topology::{Cluster, Guarded, Sentinels};
use super::{Store, Walk};

const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(60);

/// A store under test, with what keeps it alive and a way to let time pass.
struct Subject {
    store: Arc<dyn Walk>,
    clock: Option<ManualClock>,
    _server: Option<Server>,
}

impl Subject {
    async fn memory() -> Self {
        let clock = ManualClock::at(1_800_000_000);
        let store = Arc::new(Memory::new(Arc::new(clock.clone()), 10_000));
        Self { store, clock: Some(clock), _server: None }
    }

    async fn valkey() -> Self {
        let server = Server::start();
        Self { store: Arc::new(server.connect().await), clock: None, _server: Some(server) }
    }

    /// A store on servers that somebody else keeps.
    fn on(valkey: Valkey) -> Self {
        Self { store: Arc::new(valkey), clock: None, _server: None }
    }

    /// Lets `SHORT` pass: on our clock, or on that of the server, which cannot be set.
    async fn outlive(&self, key: &str) {
        match &self.clock {
            Some(clock) => clock.advance(SHORT),
            None => {
                for _ in 0..200 {
                    if self.store.get(key).await.unwrap().is_none() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn a_record_is_read_back_until_it_is_replaced_or_deleted(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.get("a").await.unwrap(), None);
    let binary = Bytes::from_static(&[0, 255, b'\r', b'\n', 0]);
    store.put("a", binary.clone(), MINUTE).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(binary));
    store.put("a", bytes("two"), MINUTE).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(bytes("two")));
    assert!(store.delete("a").await.unwrap());
    assert!(!store.delete("a").await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), None);
}

async fn an_empty_value_is_a_record(subject: Subject) {
    let store = &subject.store;
    store.put("a", Bytes::new(), MINUTE).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(Bytes::new()));
    assert!(!store.put_new("a", bytes("x"), MINUTE).await.unwrap());
    assert!(store.swap("a", b"", bytes("x"), MINUTE).await.unwrap());
    store.put("b", Bytes::new(), MINUTE).await.unwrap();
    assert_eq!(store.take("b").await.unwrap(), Some(Bytes::new()));
}

async fn a_large_record_is_kept_whole(subject: Subject) {
    let large = Bytes::from(vec![7; 300_000]);
    subject.store.put("a", large.clone(), MINUTE).await.unwrap();
    assert_eq!(subject.store.get("a").await.unwrap(), Some(large));
}

async fn a_record_is_gone_when_its_time_is_over(subject: Subject) {
    let store = &subject.store;
    store.put("a", bytes("x"), SHORT).await.unwrap();
    subject.outlive("a").await;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.take("a").await.unwrap(), None);
    assert!(!store.delete("a").await.unwrap());
    assert!(!store.expire("a", MINUTE).await.unwrap());
    assert!(!store.swap("a", b"x", bytes("y"), MINUTE).await.unwrap());
    assert!(store.put_new("a", bytes("y"), MINUTE).await.unwrap());
}

async fn a_record_without_time_to_live_is_gone_at_once(subject: Subject) {
    let store = &subject.store;
    store.put("a", bytes("x"), Duration::ZERO).await.unwrap();
    subject.outlive("a").await;
    assert_eq!(store.get("a").await.unwrap(), None);
    store.put("a", bytes("x"), MINUTE).await.unwrap();
    assert!(store.expire("a", Duration::ZERO).await.unwrap());
    subject.outlive("a").await;
    assert_eq!(store.get("a").await.unwrap(), None);
}

async fn expire_and_put_give_a_record_new_time(subject: Subject) {
    let store = &subject.store;
    for key in ["kept", "put", "swapped", "mark"] {
        store.put(key, bytes("x"), SHORT).await.unwrap();
    }
    assert!(store.expire("kept", MINUTE).await.unwrap());
    store.put("put", bytes("x"), MINUTE).await.unwrap();
    assert!(store.swap("swapped", b"x", bytes("x"), MINUTE).await.unwrap());
    assert!(!store.expire("missing", MINUTE).await.unwrap());
    subject.outlive("mark").await;
    for key in ["kept", "put", "swapped"] {
        assert_eq!(store.get(key).await.unwrap(), Some(bytes("x")), "{key}");
    }
    assert!(store.expire("kept", SHORT).await.unwrap());
    subject.outlive("kept").await;
    assert_eq!(store.get("kept").await.unwrap(), None);
}

async fn put_new_leaves_what_is_there(subject: Subject) {
    let store = &subject.store;
    assert!(store.put_new("a", bytes("one"), MINUTE).await.unwrap());
    assert!(!store.put_new("a", bytes("two"), MINUTE).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), Some(bytes("one")));
}

async fn of_many_put_new_exactly_one_wins(subject: Subject) {
    let tries = (0..32).map(|_| subject.store.put_new("lock", bytes("x"), MINUTE));
    let won = futures_util::future::join_all(tries).await;
    assert_eq!(won.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
}

async fn of_many_takers_exactly_one_gets_the_record(subject: Subject) {
    subject.store.put("code", bytes("x"), MINUTE).await.unwrap();
    let takers = (0..32).map(|_| subject.store.take("code"));
    let taken = futures_util::future::join_all(takers).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
    assert_eq!(subject.store.get("code").await.unwrap(), None);
}

async fn swap_replaces_only_what_it_expects(subject: Subject) {
    let store = &subject.store;
    assert!(!store.swap("a", b"", bytes("x"), MINUTE).await.unwrap(), "no record is not an empty one");
    assert_eq!(store.get("a").await.unwrap(), None);
    store.put("a", bytes("one"), MINUTE).await.unwrap();
    assert!(!store.swap("a", b"other", bytes("two"), MINUTE).await.unwrap());
    assert!(store.swap("a", b"one", bytes("two"), MINUTE).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), Some(bytes("two")));
    let swaps = (0..32).map(|_| store.swap("a", b"two", bytes("three"), MINUTE));
    let swapped = futures_util::future::join_all(swaps).await;
    assert_eq!(swapped.into_iter().filter(|swapped| *swapped.as_ref().unwrap()).count(), 1);
}

async fn delete_if_deletes_only_what_it_expects(subject: Subject) {
    let store = &subject.store;
    assert!(!store.delete_if("lock", b"mine").await.unwrap());
    store.put("lock", bytes("theirs"), MINUTE).await.unwrap();
    assert!(!store.delete_if("lock", b"mine").await.unwrap());
    assert_eq!(store.get("lock").await.unwrap(), Some(bytes("theirs")));
    assert!(store.delete_if("lock", b"theirs").await.unwrap());
    assert_eq!(store.get("lock").await.unwrap(), None);
}

async fn every_subscriber_of_a_channel_hears_what_is_published_on_it(subject: Subject) {
    let store = &subject.store;
    store.publish("ended", bytes("nobody listens")).await.unwrap();
    let mut one = store.subscribe("ended").await.unwrap();
    let mut two = store.subscribe("ended").await.unwrap();
    let mut other = store.subscribe("other").await.unwrap();
    for text in ["a", "b"] {
        store.publish("ended", bytes(text)).await.unwrap();
    }
    store.publish("other", bytes("c")).await.unwrap();
    // Between the nodes of a cluster a message may be on its way when somebody subscribes: that one may still be heard.
    let early = bytes("nobody listens");
    for stream in [&mut one, &mut two] {
        let first = stream.next().await;
        let first = if first.as_ref() == Some(&early) { stream.next().await } else { first };
        assert_eq!(first, Some(bytes("a")));
        assert_eq!(stream.next().await, Some(bytes("b")));
    }
    assert_eq!(other.next().await, Some(bytes("c")));
}

async fn a_walk_tells_every_name_with_the_prefix(subject: Subject) {
    let store = &subject.store;
    assert!(store.names("").next().await.is_none());
    let there: BTreeSet<String> = (0..1_500).map(|number| format!("session:{number}")).collect();
    for name in there.iter().map(String::as_str).chain(["sessions", "grant:1", "session"]) {
        store.put(name, bytes("x"), MINUTE).await.unwrap();
    }
    let told: BTreeSet<String> = store.names("session:").try_collect().await.unwrap();
    assert_eq!(told, there);
    assert!(store.names("s*").next().await.is_none(), "a prefix is no pattern");
    let all: BTreeSet<String> = store.names("").try_collect().await.unwrap();
    assert_eq!(all.len(), there.len() + 3);
}

async fn uses_pass_up_to_the_tolerance_and_the_next_is_told_when(subject: Subject) {
    let store = &subject.store;
    let (interval, tolerance) = (MINUTE, 2 * MINUTE);
    for number in 0..3 {
        assert_eq!(store.allow("a", interval, tolerance).await.unwrap(), None, "{number}");
    }
    for _ in 0..3 {
        // A refused use does not count. On a server some time has passed since.
        let wait = store.allow("a", interval, tolerance).await.unwrap().unwrap();
        assert!(wait <= MINUTE && wait > MINUTE / 2, "{wait:?}");
    }
    assert_eq!(store.allow("b", interval, tolerance).await.unwrap(), None, "another key has its own count");
    let tries = (0..32).map(|_| store.allow("c", interval, tolerance));
    let tried = futures_util::future::join_all(tries).await;
    assert_eq!(tried.into_iter().filter(|tried| tried.as_ref().unwrap().is_none()).count(), 3);
}

async fn nobody_owes_more_than_a_looser_rate_lets_anybody_owe(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.allow("a", MINUTE, Duration::ZERO).await.unwrap(), None);
    assert!(store.allow("a", MINUTE, Duration::ZERO).await.unwrap().unwrap() > MINUTE / 2);
    let wait = store.allow("a", SHORT / 2, SHORT / 2).await.unwrap().unwrap();
    assert!(wait <= SHORT / 2, "{wait:?}");
    store.put("mark", bytes("x"), SHORT / 2).await.unwrap();
    subject.outlive("mark").await;
    assert_eq!(store.allow("a", SHORT / 2, SHORT / 2).await.unwrap(), None);
}

async fn time_that_passes_lets_uses_pass(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.allow("a", SHORT / 2, Duration::ZERO).await.unwrap(), None);
    // On a server the first use may be paid for by now already.
    let refused = store.allow("a", SHORT / 2, Duration::ZERO).await.unwrap();
    assert!(refused.is_none_or(|wait| wait <= SHORT), "{refused:?}");
    store.put("mark", bytes("x"), SHORT).await.unwrap();
    subject.outlive("mark").await;
    assert_eq!(store.allow("a", SHORT / 2, Duration::ZERO).await.unwrap(), None);
    assert_eq!(store.allow("b", MINUTE, Duration::ZERO).await.unwrap(), None);
    assert!(store.allow("b", MINUTE, Duration::ZERO).await.unwrap().is_some());
}

async fn a_store_that_is_there_answers_a_ping(subject: Subject) {
    subject.store.ping().await.unwrap();
}

macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        /// Runs every case, each on a store with a prefix of its own.
        async fn conforms(connect: impl AsyncFn(&str) -> Valkey) {
            $($case(Subject::on(connect(concat!("test:", stringify!($case), ":")).await)).await;)+
        }
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Subject::memory().await).await;
            })+
        }
        mod valkey {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Subject::valkey().await).await;
            })+
        }
    };
}

conformance!(
    a_record_is_read_back_until_it_is_replaced_or_deleted,
    an_empty_value_is_a_record,
    a_large_record_is_kept_whole,
    a_record_is_gone_when_its_time_is_over,
    a_record_without_time_to_live_is_gone_at_once,
    expire_and_put_give_a_record_new_time,
    put_new_leaves_what_is_there,
    of_many_put_new_exactly_one_wins,
    of_many_takers_exactly_one_gets_the_record,
    swap_replaces_only_what_it_expects,
    delete_if_deletes_only_what_it_expects,
    every_subscriber_of_a_channel_hears_what_is_published_on_it,
    a_walk_tells_every_name_with_the_prefix,
    uses_pass_up_to_the_tolerance_and_the_next_is_told_when,
    nobody_owes_more_than_a_looser_rate_lets_anybody_owe,
    time_that_passes_lets_uses_pass,
    a_store_that_is_there_answers_a_ping,
);

#[tokio::test]
async fn a_server_with_tls_and_an_acl_user_conforms() {
    let guarded = Guarded::start();
    conforms(async |prefix| guarded.connect(prefix).await).await;
}

#[tokio::test]
async fn a_primary_found_through_sentinels_conforms() {
    let sentinels = Sentinels::start().await;
    conforms(async |prefix| sentinels.connect(prefix).await).await;
}

#[tokio::test]
async fn a_cluster_of_three_conforms() {
    let cluster = Cluster::start().await;
    conforms(async |prefix| cluster.connect(prefix).await).await;
}

#[tokio::test]
async fn a_full_memory_refuses_new_records_and_still_replaces_old_ones() {
    let clock = ManualClock::at(1_800_000_000);
    let store = Memory::new(Arc::new(clock.clone()), 2);
    store.put("a", bytes("x"), SHORT).await.unwrap();
    store.put("b", bytes("x"), MINUTE).await.unwrap();
    assert!(store.put("c", bytes("x"), MINUTE).await.is_err());
    assert!(store.put_new("c", bytes("x"), MINUTE).await.is_err());
    store.put("b", bytes("y"), MINUTE).await.unwrap();
    clock.advance(SHORT);
    store.put("c", bytes("x"), MINUTE).await.unwrap();
}
