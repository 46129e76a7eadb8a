//! A store that is away or takes no writes in the middle of refreshes, at a Cognito whose refresh tokens are good once: as
//! long as the replica lives that was told the newest one, no session ends without it.

use std::sync::atomic::Ordering::SeqCst;

use super::flaky::Outage;
use super::*;

/// How often a session falls due in one run of the property.
const ROUNDS: u64 = 6;
/// How many runs there are, all at once.
const RUNS: u64 = 32;

/// A vault in which everything takes a hundredth of the time.
fn hasty() -> World {
    let mut world = World::new();
    world.policy = VaultPolicy {
        lock_for: Duration::from_millis(100),
        // But nobody loses patience because the machine is busy.
        wait_for: Duration::from_secs(5),
        ask_for: Duration::from_millis(200),
        write_for: Duration::from_secs(10),
        write_pause: Duration::from_millis(8),
        hold_back: Duration::from_millis(60),
        patience: Duration::from_millis(30),
        ..world.policy
    };
    world
}

/// Two replicas with a session that must be refreshed; the first has begun to, and waits for Cognito at the gate.
async fn under_way(world: &World) -> ([Arc<Vault>; 2], SessionId) {
    let replicas = [world.vault(), world.vault()];
    let sid = world.signed_in(&replicas[0]).await;
    world.until_left(0);
    world.cognito.hold();
    let (asking, asked) = (Arc::clone(&replicas[0]), sid.clone());
    tokio::spawn(async move { asking.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refreshes() == 1).await;
    (replicas, sid)
}

#[tokio::test]
async fn a_replica_whose_lock_ran_out_before_it_could_store_the_new_token_loses_no_session() {
    let mut world = hasty();
    (world.policy.lock_for, world.policy.hold_back) = (Duration::from_secs(60), Duration::from_millis(500));
    let ([one, two], sid) = under_way(&world).await;
    world.store.fails(Outage::Sessions);
    world.cognito.let_go();
    world.wait_until(|world| world.store.failed.load(SeqCst) > 0).await;
    world.clock.advance(world.policy.lock_for);
    let (asking, asked) = (Arc::clone(&two), sid.clone());
    let second = tokio::spawn(async move { asking.fresh(&asked).await });
    world.wait_until(|world| world.cognito.refused.load(SeqCst) == 1).await;
    world.store.fails(Outage::None);
    assert_eq!(refresh_token(&second.await.unwrap().unwrap()), "refresh-1");
    assert_eq!(refresh_token(&one.fresh(&sid).await.unwrap()), "refresh-1");
    assert_eq!(world.cognito.refreshes(), 2, "the second adopted what the first was told");
}

#[tokio::test]
async fn a_wait_in_which_the_store_failed_again_ends_no_session() {
    let mut world = hasty();
    world.policy.hold_back = Duration::from_secs(3);
    let ([one, two], sid) = under_way(&world).await;
    world.store.fails(Outage::Writes);
    world.cognito.let_go();
    world.wait_until(|world| world.store.failed.load(SeqCst) > 8).await;
    world.clock.advance(world.policy.lock_for);
    world.store.fails(Outage::Swaps);
    let asked = Instant::now();
    let (asking, second) = (Arc::clone(&two), sid.clone());
    let second = tokio::spawn(async move { asking.flight(&second).await });
    world.wait_until(|world| world.cognito.refused.load(SeqCst) == 1).await;
    // Nothing can be concluded from a record that nobody could have changed.
    let answer = second.await.unwrap();
    assert!(matches!(answer, Err(VaultError::Unavailable { .. })));
    assert!(asked.elapsed() < world.policy.hold_back, "the next turn begins anew");
    world.store.fails(Outage::None);
    one.landed().await;
    world.pass(2);
    assert_eq!(refresh_token(&two.fresh(&sid).await.unwrap()), "refresh-1");
}

#[tokio::test]
async fn a_session_whose_newest_token_died_with_its_replica_ends() {
    let world = hasty();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    *world.cognito.good.lock().unwrap() = "refresh-of-the-dead".to_owned();
    world.until_left(0);
    let asked = Instant::now();
    assert!(matches!(vault.fresh(&sid).await, Err(VaultError::Ended)));
    assert!(asked.elapsed() >= world.policy.hold_back);
    assert!(world.blob(&sid).await.is_none());
}

#[tokio::test]
async fn a_stop_waits_until_the_new_refresh_token_is_stored() {
    let world = hasty();
    let ([one, two], sid) = under_way(&world).await;
    world.store.fails(Outage::All);
    world.cognito.let_go();
    let landing = Arc::clone(&one);
    let stop = tokio::spawn(async move { landing.landed().await });
    tokio::time::sleep(world.policy.ask_for * 2).await;
    assert!(!stop.is_finished(), "it has the only good refresh token and gave it up");
    world.store.fails(Outage::None);
    stop.await.unwrap();
    assert_eq!(refresh_token(&two.open(&sid).await.unwrap()), "refresh-1");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut world = hasty();
    world.policy.write_for = Duration::from_millis(200);
    let ([one, _], _) = under_way(&world).await;
    world.store.fails(Outage::All);
    world.cognito.let_go();
    let began = Instant::now();
    one.landed().await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_session_that_can_be_used_is_while_its_refresh_waits_for_a_store_that_takes_no_writes() {
    let world = hasty();
    let vault = world.vault();
    let sid = world.signed_in(&vault).await;
    world.until_left(60);
    world.store.fails(Outage::Swaps);
    for _ in 0..4 {
        // Longer than what was opened is remembered.
        assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-0");
        world.pass(10);
    }
    assert_eq!(world.cognito.refreshes(), 1, "all the while one flight tries to store what came");
    world.store.fails(Outage::None);
    vault.landed().await;
    assert_eq!(refresh_token(&vault.fresh(&sid).await.unwrap()), "refresh-1");
}

/// A small generator (xorshift64*), so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    /// At most `longest`, often nothing.
    fn time(&mut self, longest: Duration) -> Duration {
        longest * u32::try_from(self.below(16).saturating_sub(4)).unwrap() / 12
    }

    async fn pause(&mut self, world: &World, longest: Duration) {
        let time = self.time(longest);
        tokio::time::sleep(time).await;
        world.clock.advance(time);
    }
}

/// Says how often a spent refresh token was refused.
async fn one_run(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut world = hasty();
    world.policy.wait_for = Duration::from_millis(150);
    let replicas = [world.vault(), world.vault(), world.vault()];
    let sid = world.signed_in(&replicas[0]).await;
    for round in 0..ROUNDS {
        world.pass(HOUR);
        let mut asked = Vec::new();
        for _ in 0..=dice.below(2) {
            // From some operation on, in the middle of whatever is done then, and for longer than a lock lasts or not.
            let kinds = [Outage::Writes, Outage::All, Outage::Swaps, Outage::Sessions];
            let what = kinds[usize::try_from(dice.below(4)).unwrap()];
            world.store.fails_after(usize::try_from(dice.below(14)).unwrap(), what);
            for _ in 0..4 {
                let (vault, sid) =
                    (Arc::clone(&replicas[usize::try_from(dice.below(3)).unwrap()]), sid.clone());
                asked.push(tokio::spawn(async move { vault.fresh(&sid).await }));
                dice.pause(&world, world.policy.lock_for).await;
            }
            world.store.fails(Outage::None);
            world.store.lost_answers.store(usize::try_from(dice.below(2)).unwrap(), SeqCst);
            dice.pause(&world, world.policy.lock_for).await;
        }
        for answer in asked {
            let over = matches!(answer.await.unwrap(), Err(VaultError::Gone | VaultError::Ended));
            assert!(!over, "seed {seed}, round {round}: a session ended");
        }
        for vault in &replicas {
            vault.landed().await;
        }
        // All is well again; whatever was begun is done.
        world.pass(3);
        for vault in &replicas {
            let mut answer = vault.fresh(&sid).await;
            for _ in 0..100 {
                let Err(VaultError::Unavailable { .. }) = answer else { break };
                world.pass(3);
                answer = vault.fresh(&sid).await;
            }
            let session = answer.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error:?}"));
            assert!(session.seconds_left(world.clock.unix()) > LAST_SECONDS);
        }
        let stored = world.vault().open(&sid).await.unwrap();
        assert_eq!(refresh_token(&stored), *world.cognito.good.lock().unwrap(), "seed {seed}, round {round}");
    }
    world.cognito.refused.load(SeqCst)
}

#[tokio::test]
async fn no_session_loses_its_newest_refresh_token_however_the_store_fails() {
    let refused = futures_util::future::join_all((1..=RUNS).map(|seed| one_run(seed * 0x9e37))).await;
    let hit = refused.iter().filter(|&&count| count > 0).count();
    assert!(hit > 2, "in {hit} runs of {RUNS} a replica came with a spent token: too few");
}
