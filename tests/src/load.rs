//! Requests without a pause, as of agents at work, while a test does something to the servers under them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::{
    client::SignedIn,
    process::PATIENCE,
    trouble::{Outcome, Trouble, While},
};

mod steady;
pub use steady::{Seen, Steady};

/// Between two requests of one session, so that the machine has time for the servers too.
const BREATH: Duration = Duration::from_millis(20);

/// Sessions that ask one after the other until they are told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<Report>>,
}

/// What the load met.
#[derive(Debug, Default)]
pub struct Report {
    /// How many requests were answered with 200.
    pub served: usize,
    /// Every other answer: its status and body.
    pub refused: Vec<String>,
    /// How many requests got no answer, because there was no server to connect to or it went away.
    pub unanswered: usize,
    /// The longest wait for an answer.
    pub longest: Duration,
}

impl Load {
    /// Lets each of the sessions ask through its client.
    #[must_use]
    pub fn start(sessions: &[SignedIn]) -> Self {
        let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let tasks = sessions
            .iter()
            .map(|session| tokio::spawn(ask(session.clone(), Arc::clone(&stop), Arc::clone(&served))));
        Self { tasks: tasks.collect(), stop, served }
    }

    /// How many requests were answered with 200 so far.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until `count` more requests were answered with 200.
    ///
    /// # Errors
    /// When they were not within [`PATIENCE`].
    pub async fn wait_served(&self, count: usize) -> Outcome {
        let (started, wanted) = (Instant::now(), self.served() + count);
        while self.served() < wanted {
            if started.elapsed() > PATIENCE {
                return Err(Trouble::new(format!("{} of {wanted} requests served", self.served())));
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }

    /// Ends it, when the requests under way are answered.
    ///
    /// # Errors
    /// When a session's task panicked.
    pub async fn stop(self) -> Outcome<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for task in self.tasks {
            let report = task.await.while_doing("end a load")?;
            all.served += report.served;
            all.refused.extend(report.refused);
            all.unanswered += report.unanswered;
            all.longest = all.longest.max(report.longest);
        }
        Ok(all)
    }
}

async fn ask(session: SignedIn, stop: Arc<AtomicBool>, served: Arc<AtomicUsize>) -> Report {
    let mut report = Report::default();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        match session.client.probe(&session.tokens.access).await {
            Ok(answer) if answer.status == 200 => {
                report.served += 1;
                served.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => report.refused.push(format!("{} {}", answer.status, answer.text)),
            Err(_) => report.unanswered += 1,
        }
        report.longest = report.longest.max(asked.elapsed());
        tokio::time::sleep(BREATH).await;
    }
    report
}
