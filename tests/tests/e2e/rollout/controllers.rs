//! Plays the Deployment controller, the kubelet and the endpoint controller for one Deployment of real programs.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stack::program::Program;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    network::Endpoints,
    workload::{Probe, Workload},
};

/// How often the controllers look.
const TICK: Duration = Duration::from_millis(20);

/// What the kubelet gives a pod whose time is over before it was told to end.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A pod of a Deployment.
#[derive(Debug)]
pub(super) struct Pod {
    program: Program,
    is_new: bool,
    created: Instant,
    started: bool,
    ready: bool,
    failures: u32,
    asked: Option<Instant>,
    ready_after: Option<Duration>,
}

impl Pod {
    /// One that is ready, and to be replaced.
    pub(super) fn old(program: Program) -> Self {
        let now = Instant::now();
        Self {
            program,
            is_new: false,
            created: now,
            started: true,
            ready: true,
            failures: 0,
            asked: None,
            ready_after: None,
        }
    }

    fn new(program: Program, created: Instant) -> Self {
        Self { is_new: true, created, started: false, ready: false, ..Self::old(program) }
    }

    /// Asks its probe when it is time to; true when its readiness changed.
    async fn probe(&mut self, workload: &Workload) -> bool {
        let probe = if self.started { &workload.readiness } else { &workload.startup };
        if self.asked.is_some_and(|asked| asked.elapsed() < probe.period) {
            return false;
        }
        self.asked = Some(Instant::now());
        let succeeded = succeeds(&self.program, probe).await;
        self.failures = if succeeded { 0 } else { self.failures + 1 };
        if !self.started {
            assert!(self.failures < probe.failures, "the kubelet would start it again");
            self.started = succeeded;
            // The other probe is asked at once then.
            self.asked = if succeeded { None } else { self.asked };
            return false;
        }
        let ready = succeeded || (self.ready && self.failures < probe.failures);
        let changed = ready != self.ready;
        self.ready = ready;
        if changed && self.ready_after.is_none() {
            self.ready_after = Some(self.created.elapsed());
        }
        changed
    }
}

async fn succeeds(program: &Program, probe: &Probe) -> bool {
    let answer = timeout(probe.timeout, program.admin(&probe.path)).await;
    matches!(answer, Ok(Ok((200..=399, _))))
}

/// Replaces every old pod by the rules of the Deployment; gives the new ones, and what became of each for the report.
pub(super) async fn roll_out(
    workload: &Workload,
    mut pods: Vec<Pod>,
    endpoints: &Endpoints,
    mut create: impl AsyncFnMut() -> Program,
) -> (Vec<Program>, Vec<Value>) {
    assert_eq!(pods.len(), workload.replicas);
    let (mut ending, mut report) = (JoinSet::new(), Vec::new());
    loop {
        let mut changed = false;
        for pod in &mut pods {
            changed |= pod.probe(workload).await;
        }
        let fresh = pods.iter().filter(|pod| pod.is_new).count();
        if fresh < workload.replicas && pods.len() < workload.replicas + workload.surge {
            let created = Instant::now();
            pods.push(Pod::new(create().await, created));
        }
        // Pods that are ending count neither as there nor as serving.
        let serving = pods.iter().filter(|pod| pod.ready).count();
        let spare = serving > workload.replicas - workload.unavailable;
        let replaced = pods.iter().position(|pod| !pod.is_new).filter(|_| spare);
        if let Some(old) = replaced {
            ending.spawn(end(pods.remove(old).program, workload.clone()));
            changed = true;
        }
        if changed {
            let ready: Vec<SocketAddr> =
                pods.iter().filter(|pod| pod.ready).map(|pod| pod.program.public()).collect();
            assert!(ready.len() >= workload.replicas - workload.unavailable, "{ready:?}");
            endpoints.set(ready);
        }
        while let Some(ended) = ending.try_join_next() {
            report.push(ended.unwrap());
        }
        if pods.iter().all(|pod| pod.is_new && pod.ready) && ending.is_empty() {
            break;
        }
        sleep(TICK).await;
    }
    report.extend(pods.iter().map(|pod| json!({ "new_pod_ready_after_ms": pod.ready_after.map(millis) })));
    (pods.into_iter().map(|pod| pod.program).collect(), report)
}

/// What the kubelet does to a pod that was deleted: the hook, the signal, and the end of its patience.
async fn end(mut program: Program, workload: Workload) -> Value {
    let deleted = Instant::now();
    sleep(workload.pre_stop.min(workload.grace)).await;
    let told = deleted.elapsed();
    program.signal("TERM").unwrap();
    let left = workload.grace.saturating_sub(told);
    let left = if left.is_zero() { LEAST_GRACE } else { left };
    let ended = program.process().wait_ended_within(left).await;
    if ended.is_err() {
        program.process().kill();
    }
    json!({
        "old_pod_told_after_ms": millis(told),
        "ended_after_ms": millis(deleted.elapsed()),
        "killed": ended.is_err(),
        "succeeded": ended.is_ok_and(|status| status.success()),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
