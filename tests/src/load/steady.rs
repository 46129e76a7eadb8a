//! So many requests a second, each pursued as far as the protocol allows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    client::{Era, SignedIn},
    process::PATIENCE,
    trouble::{Outcome, While},
};

/// Of so many requests, one calls a tool that asks Plane; the others list the tools.
const TOOL_CALLS: u64 = 10;

/// Requests under way at once, each of a worker of its own.
const WORKERS: u32 = 40;

/// Sessions that ask at a steady rate.
///
/// What the protocol lets succeed: an answer 503 or 429 with `Retry-After` says that nothing was done and that the same
/// request may come again, so that one which succeeds then is not lost. Everything else that is not the result is a loss:
/// another status, an error of JSON-RPC or of the tool, and no answer, for the protocol does not let a POST be repeated of
/// which nobody knows what became.
#[derive(Debug)]
pub struct Steady {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    workers: Vec<JoinHandle<()>>,
    began: Instant,
}

/// What a steady load has met.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Requests answered with their result.
    pub served: u64,
    /// Of these, how many were told to come again at first.
    pub retried: u64,
    /// Of these, how many were tool calls.
    pub tool_calls: u64,
    /// What became of those that were lost.
    pub lost: Vec<String>,
    /// The longest time to the result, in milliseconds.
    pub longest_ms: u128,
    /// How long it has been going on.
    pub elapsed: Duration,
}

impl Steady {
    /// Lets the sessions ask `rate` times a second, all together; less where the machine is too slow for it.
    #[must_use]
    pub fn start(sessions: &[SignedIn], rate: u32) -> Self {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Seen>>::default());
        let pause = Duration::from_secs(1) * WORKERS / rate.max(1);
        let workers = sessions.iter().cycle().zip(0..WORKERS).map(|(session, number)| {
            let worker = Worker { session: session.clone(), seen: Arc::clone(&seen) };
            tokio::spawn(worker.work(u64::from(number), pause, Arc::clone(&stop)))
        });
        Self { workers: workers.collect(), stop, seen, began: Instant::now() }
    }

    /// What it has met so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { elapsed: self.began.elapsed(), ..locked(&self.seen).clone() }
    }

    /// Ends it, when the requests under way are answered.
    ///
    /// # Errors
    /// When a worker panicked.
    pub async fn stop(self) -> Outcome<Seen> {
        let elapsed = self.began.elapsed();
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.while_doing("end a load")?;
        }
        Ok(Seen { elapsed, ..locked(&self.seen).clone() })
    }
}

impl Seen {
    /// Requests answered each second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.served * 1000 / u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// What came after `earlier`, for a report of one part of the run.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Value {
        let mut lost: BTreeMap<&str, usize> = BTreeMap::new();
        for what in self.lost.iter().skip(earlier.lost.len()) {
            *lost.entry(what).or_default() += 1;
        }
        json!({
            "seconds": (self.elapsed.saturating_sub(earlier.elapsed)).as_secs_f64(),
            "served": self.served - earlier.served,
            "retried": self.retried - earlier.retried,
            "lost": lost,
        })
    }
}

struct Worker {
    session: SignedIn,
    seen: Arc<Mutex<Seen>>,
}

impl Worker {
    async fn work(self, number: u64, pause: Duration, stop: Arc<AtomicBool>) {
        // Spread over the pause, and not made up for when late.
        sleep(pause * u32::try_from(number).unwrap_or_default() / WORKERS).await;
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in number.. {
            ticks.tick().await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            self.request(turn % TOOL_CALLS == 0).await;
        }
    }

    /// One request, as often as it is told to come again.
    async fn request(&self, is_tool_call: bool) {
        let (began, mut retried) = (Instant::now(), false);
        let met = loop {
            match self.attempt(is_tool_call).await {
                Attempt::Again(after) if began.elapsed() < PATIENCE => {
                    retried = true;
                    sleep(after).await;
                }
                Attempt::Again(_) => break Err("told to come again until the patience ran out".to_owned()),
                Attempt::Served => break Ok(()),
                Attempt::Lost(why) => break Err(why),
            }
        };
        let mut seen = locked(&self.seen);
        seen.longest_ms = seen.longest_ms.max(began.elapsed().as_millis());
        match met {
            Ok(()) => {
                seen.served += 1;
                seen.retried += u64::from(retried);
                seen.tool_calls += u64::from(is_tool_call);
            }
            Err(why) => seen.lost.push(why),
        }
    }

    async fn attempt(&self, is_tool_call: bool) -> Attempt {
        let (method, params) = match is_tool_call {
            true => ("tools/call", json!({ "name": "get_me", "arguments": {} })),
            false => ("tools/list", Value::Null),
        };
        let client = &self.session.client;
        let request = client.rpc(Era::Modern, &self.session.tokens.access, method, &params);
        let request = match request {
            Ok(request) => client.send(request).await,
            Err(trouble) => Err(trouble),
        };
        let answer = match request {
            Ok(answer) => answer,
            Err(trouble) => return Attempt::Lost(format!("{method}: no answer: {trouble}")),
        };
        let again = answer.header("retry-after").parse().ok().map(Duration::from_secs);
        match (answer.status, again) {
            (503 | 429, Some(after)) => Attempt::Again(after),
            (200, _) if is_result(&answer.json) => Attempt::Served,
            (status, _) => Attempt::Lost(format!(
                "{method}: {status} {}",
                answer.text.chars().take(300).collect::<String>()
            )),
        }
    }
}

fn is_result(answer: &Value) -> bool {
    answer.get("result").is_some_and(|result| result.get("isError").and_then(Value::as_bool) != Some(true))
}

enum Attempt {
    Served,
    Again(Duration),
    Lost(String),
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
