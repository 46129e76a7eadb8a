use super::*;
use crate::store::memory::Memory;
use crate::store::valkey::Valkey;
use crate::store::valkey::server::Server;
use service::{ManualClock, SystemClock};
use std::time::Duration;

const BURST: u32 = 3;

/// A replica with a limit of three at once and one a minute.
fn replica(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> SharedLimiter {
    SharedLimiter::new("test", Rate::per_minute(1, BURST), Arc::clone(store), Arc::clone(clock))
}

async fn passed(limiters: &[&SharedLimiter], tries: usize, key: &str) -> usize {
    let mut passed = 0;
    for number in 0..tries {
        passed += usize::from(limiters[number % limiters.len()].check(key).await.is_ok());
    }
    passed
}

#[tokio::test]
async fn replicas_count_together() {
    let manual = ManualClock::at(1_800_000_000);
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let store: Arc<dyn Store> = Arc::new(Memory::new(Arc::clone(&clock), 1000));
    let (one, two) = (replica(&store, &clock), replica(&store, &clock));
    assert_eq!(passed(&[&one, &two], 10, "a").await, 3);
    assert_eq!(one.check("a").await, Err(RetryAfter(Duration::from_secs(60))));
    assert_eq!(
        two.check("a").await,
        Err(RetryAfter(Duration::from_secs(60))),
        "who is told the time can rely on it"
    );
    assert_eq!(passed(&[&one, &two], 10, "b").await, 3, "another key has its own count");
    manual.advance(Duration::from_secs(60));
    assert_eq!(passed(&[&two, &one], 10, "a").await, 1);
}

#[tokio::test]
async fn another_rate_goes_on_with_the_counts_of_all_replicas() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_800_000_000));
    let store: Arc<dyn Store> = Arc::new(Memory::new(Arc::clone(&clock), 1000));
    let (one, two) = (replica(&store, &clock), replica(&store, &clock));
    assert_eq!(passed(&[&one, &two], 10, "a").await, 3);
    let reloaded = one.at(Rate::per_minute(1, BURST));
    assert_eq!(passed(&[&reloaded], 10, "a").await, 0, "no new burst");
    // Three minutes are owed, and no more than one can be at four a minute.
    let looser = replica(&store, &clock).at(Rate::per_minute(4, 4));
    assert_eq!(looser.check("a").await, Err(RetryAfter(Duration::from_secs(15))));
}

#[tokio::test]
async fn no_rate_is_no_limit_and_asks_nobody() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store: Arc<dyn Store> = Arc::new(Memory::new(Arc::clone(&clock), 0));
    let limiter = SharedLimiter::new("test", Rate::per_minute(0, 0), store, clock);
    assert_eq!(passed(&[&limiter], 100, "a").await, 100);
    assert!(!limiter.alone.load(Ordering::Relaxed));
}

#[tokio::test]
async fn without_the_store_each_process_counts_for_itself_and_knows_what_it_has_counted() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut server = Server::start();
    let valkey: Arc<Valkey> = Arc::new(server.connect().await);
    let store: Arc<dyn Store> = Arc::clone(&valkey) as _;
    let (one, two) = (replica(&store, &clock), replica(&store, &clock));
    assert_eq!(passed(&[&one], 2, "a").await, 2);
    server.kill();
    while valkey.ping().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(passed(&[&one], 10, "a").await, 1, "two had passed before");
    assert_eq!(passed(&[&two], 10, "a").await, 3, "it has counted nothing yet");
    server.revive();
    while valkey.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(passed(&[&one, &two], 10, "b").await, 3, "together again");
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for_long() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let server = Server::start();
    let store: Arc<dyn Store> = Arc::new(server.connect().await);
    let limiter = replica(&store, &clock);
    assert_eq!(limiter.check("a").await, Ok(()));
    server.freeze();
    let asked = std::time::Instant::now();
    assert_eq!(limiter.check("a").await, Ok(()));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    server.thaw();
}

#[tokio::test]
async fn who_does_not_wait_for_the_store_has_used_the_limit_up_all_the_same() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let server = Server::start();
    let store: Arc<dyn Store> = Arc::new(server.connect().await);
    let limiter = replica(&store, &clock);
    server.freeze();
    let mut asked = 0;
    for _ in 0..10 {
        let mut check = Box::pin(limiter.check("a"));
        asked += u32::from(futures_util::poll!(&mut check).is_pending());
    }
    assert_eq!(asked, BURST);
    server.thaw();
}

#[tokio::test]
async fn what_the_store_refuses_is_not_counted_here_either() {
    let manual = ManualClock::at(1_800_000_000);
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let store: Arc<dyn Store> = Arc::new(Memory::new(Arc::clone(&clock), 1000));
    let (one, two) = (replica(&store, &clock), replica(&store, &clock));
    assert_eq!(passed(&[&one], 3, "a").await, 3);
    for _ in 0..10 {
        assert_eq!(two.check("a").await, Err(RetryAfter(Duration::from_secs(60))));
    }
    manual.advance(Duration::from_secs(60));
    assert_eq!(two.check("a").await, Ok(()));
}
