//! What the chart tells Kubernetes about the starting and ending of pods, read from what Helm renders.

use std::{path::Path, process::Command, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use stack::process::tool;

/// One Deployment.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// How many pods there are to be.
    pub(super) replicas: usize,
    /// How many more there may be during a rollout.
    pub(super) surge: usize,
    /// How many of them need not serve during a rollout.
    pub(super) unavailable: usize,
    /// Asked until it succeeds, before the other.
    pub(super) startup: Probe,
    /// Whether the pod is an endpoint.
    pub(super) readiness: Probe,
    /// How long a pod that is to end goes on before it is told.
    pub(super) pre_stop: Duration,
    /// How long a pod may take to end, all in all.
    pub(super) grace: Duration,
}

/// A probe over HTTP, with the defaults of Kubernetes.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    /// What is asked.
    pub(super) path: String,
    /// How often.
    pub(super) period: Duration,
    /// How long an answer may take.
    pub(super) timeout: Duration,
    /// How many failures in a row count.
    pub(super) failures: u32,
}

/// The objects of `helm template` for a scenario of `helm/mcp-edge/ci`.
pub(super) fn rendered(scenario: &str) -> Vec<Value> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/mcp-edge");
    let helm = tool("helm", "HELM").unwrap();
    let mut command = Command::new(helm);
    command.args(["template", "edge", "--kube-version", "1.30.0", "--values"]);
    command.arg(chart.join(format!("ci/{scenario}-values.yaml"))).arg(&chart);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let documents = serde_norway::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

impl Workload {
    /// The Deployment of a part, whose first container is the part.
    pub(super) fn of(objects: &[Value], part: &str) -> Self {
        let wanted = |object: &&Value| {
            object["kind"] == "Deployment"
                && object["metadata"]["labels"]["app.kubernetes.io/component"] == part
        };
        let spec = &objects.iter().find(wanted).unwrap()["spec"];
        let (pod, rolling) = (&spec["template"]["spec"], &spec["strategy"]["rollingUpdate"]);
        let container = &pod["containers"][0];
        assert_eq!(container["name"], part);
        let stop = container["lifecycle"]["preStop"].as_object();
        assert!(stop.is_none_or(|stop| stop.keys().all(|key| key == "sleep")), "{stop:?} is not played");
        Self {
            replicas: number(&spec["replicas"], 1).try_into().unwrap(),
            surge: number(&rolling["maxSurge"], 1).try_into().unwrap(),
            unavailable: number(&rolling["maxUnavailable"], 0).try_into().unwrap(),
            startup: Probe::of(&container["startupProbe"]),
            readiness: Probe::of(&container["readinessProbe"]),
            pre_stop: seconds(&container["lifecycle"]["preStop"]["sleep"]["seconds"], 0),
            grace: seconds(&pod["terminationGracePeriodSeconds"], 30),
        }
    }

    /// For the report.
    pub(super) fn summary(&self) -> Value {
        json!({
            "replicas": self.replicas,
            "max_surge": self.surge,
            "max_unavailable": self.unavailable,
            "startup_period_seconds": self.startup.period.as_secs(),
            "readiness_period_seconds": self.readiness.period.as_secs(),
            "readiness_failure_threshold": self.readiness.failures,
            "pre_stop_seconds": self.pre_stop.as_secs(),
            "termination_grace_period_seconds": self.grace.as_secs(),
        })
    }
}

impl Probe {
    fn of(probe: &Value) -> Self {
        assert_eq!(probe["initialDelaySeconds"], Value::Null, "not played");
        assert_eq!(probe["successThreshold"], Value::Null, "not played");
        Self {
            path: probe["httpGet"]["path"].as_str().unwrap().to_owned(),
            period: seconds(&probe["periodSeconds"], 10),
            timeout: seconds(&probe["timeoutSeconds"], 1),
            failures: number(&probe["failureThreshold"], 3).try_into().unwrap(),
        }
    }
}

fn number(value: &Value, default: u64) -> u64 {
    if value.is_null() { default } else { value.as_u64().unwrap() }
}

fn seconds(value: &Value, default: u64) -> Duration {
    Duration::from_secs(number(value, default))
}
