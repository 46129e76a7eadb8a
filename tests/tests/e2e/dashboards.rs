//! The chart's dashboards and alerts against a real Prometheus that scrapes our programs during a short load: every query is
//! taken, finds data where there must be some, and selects what the programs really tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stack::{
    client::SignedIn,
    cognito::{Fault as CognitoFault, Faults},
    plane::{Fault as PlaneFault, PlaneAuth},
    process::tool,
    prometheus::{Api, Job, Prometheus},
    stack::{Stack, Store},
};

mod queries;
mod strangers;

use queries::{Query, of_dashboards, of_rules};

const NAMESPACE: &str = "edge";
const PROXY: &str = "edge-mcp-edge-proxy-admin";
const ADAPTER: &str = "edge-mcp-edge-adapter-admin";

/// Panels that show nothing after a load, and why.
const EMPTY: [(&str, &str); 1] = [("edge: Firing", "no alert fires within the minute of a load")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rules that the chart renders for a release called as above, as a file for Prometheus.
fn rendered_rules() -> String {
    let chart = root().join("helm/mcp-edge");
    let values = chart.join("ci/smallest-values.yaml");
    let mut helm = Command::new(tool("helm", "HELM").unwrap());
    helm.arg("template").arg(NAMESPACE).arg(&chart).arg("--values").arg(values).args([
        "--namespace",
        NAMESPACE,
        "--kube-version=1.30.0",
        "--set=prometheusRule.enabled=true",
        "--show-only=templates/prometheusrule.yaml",
    ]);
    let done = helm.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let object: Value = serde_norway::from_slice(&done.stdout).unwrap();
    serde_norway::to_string(&object["spec"]).unwrap()
}

/// Two proxies, with everything that is measured in use: Valkey, refreshes all the time, keys made at Plane.
async fn stack() -> Stack {
    let builder = Stack::builder()
        .store(Store::Valkey)
        .proxies(2)
        .plane(|plane| {
            plane.auth = PlaneAuth::Keyed;
            plane.requests_per_minute = 6000;
        })
        .adapter_setting("plane.requests_per_minute", 6000)
        .echo_routes();
    let short = |cognito: &mut stack::cognito::CognitoOptions| {
        // Less than the two minutes that must be left: what is not in memory is refreshed.
        cognito.behaviour.id_token_lifetime = Duration::from_secs(100);
        cognito.behaviour.access_token_lifetime = Duration::from_secs(100);
    };
    let mut builder = builder.cognito(short).proxy_setting("vault.cache_seconds", 1);
    // All come from one address.
    for rate in [
        "requests_per_minute",
        "oauth_requests_per_minute",
        "registrations_per_minute",
        "registrations_per_hour",
    ] {
        builder = builder.proxy_setting(&format!("limits.{rate}"), 60_000);
    }
    builder.start().await.unwrap()
}

async fn watched(stack: &Stack, rules: &str) -> Prometheus {
    let admin = |program: &stack::program::Program| program.listener("admin").unwrap();
    let jobs = [
        Job { name: PROXY, targets: stack.proxies.iter().map(|proxy| admin(&proxy.program)).collect() },
        Job { name: ADAPTER, targets: vec![admin(&stack.adapter.program)] },
    ];
    let mut prometheus = Prometheus::start(NAMESPACE, &jobs, rules).await.unwrap();
    prometheus.wait_for("sum(up) == 3").await.unwrap();
    prometheus
}

/// What went wrong behind us must be seen too: Valkey, Cognito, an upstream and Plane fail, one after the other.
async fn trouble(stack: &mut Stack, prometheus: &mut Prometheus, session: &SignedIn) {
    let mut valkey = stack.valkey.take().unwrap();
    valkey.stop();
    let failing = r#"sum(rate(proxy_valkey_calls_total{result=~"error|timeout"}[30s])) > 0"#;
    strangers::until(prometheus, failing, async || _ = session.client.probe(&session.tokens.access).await)
        .await;
    valkey.start_again().await.unwrap();
    stack.valkey = Some(valkey);
    for proxy in &mut stack.proxies {
        proxy.program.wait_ready().await.unwrap();
    }

    let away = Faults { token: Some(CognitoFault::Status(500, String::new())), ..Faults::default() };
    stack.cognito.set_faults(away);
    let failing = r#"sum(rate(proxy_cognito_calls_total{result!~"ok|refused"}[30s])) > 0"#;
    strangers::until(prometheus, failing, async || _ = session.client.probe(&session.tokens.access).await)
        .await;
    stack.cognito.set_faults(Faults::default());

    let session_there = stack.sign_in_at("/echo", "bob").await.unwrap();
    let failing = r#"sum(rate(proxy_requests_total{reason="upstream_error"}[30s])) > 0"#;
    strangers::until(prometheus, failing, async || {
        let client = &session_there.client;
        let url = client.endpoint().join("/echo/status/503").unwrap();
        let request = client.request("GET", &url).unwrap().bearer_auth(&session_there.tokens.access);
        assert_eq!(client.send(request).await.unwrap().status, 503);
    })
    .await;

    let failing = r#"sum(rate(adapter_plane_requests_total{outcome="unavailable"}[30s])) > 0"#;
    strangers::until(prometheus, failing, async || {
        stack.plane.fault_next(PlaneFault::Status(502));
        _ = strangers::call(session, "list_projects", &json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn every_query_of_dashboards_and_alerts_is_taken_and_finds_what_the_programs_tell() {
    let began = Instant::now();
    let rules = rendered_rules();
    let mut stack = stack().await;
    let mut prometheus = watched(&stack, &rules).await;
    let session = stack.sign_in("alice").await.unwrap();
    // As long as a few windows of a rate.
    strangers::load(&stack, &mut prometheus, "min(count_over_time(up[1m])) >= 15").await;
    let quiet = prometheus.api.query("ALERTS").await.unwrap();
    assert!(quiet.iter().all(|(labels, _)| labels["alertstate"] != "firing"), "{quiet:?}");
    trouble(&mut stack, &mut prometheus, &session).await;

    let (panels, alerts) = (of_dashboards(), of_rules(&rules));
    let api = &prometheus.api;
    let mut found = BTreeMap::new();
    for query in panels.iter().chain(&alerts) {
        let series = api.query(&query.expression).await.unwrap().len();
        *found.entry(query.asked_by.clone()).or_insert(0) += series;
    }
    report(&prometheus, &panels, &alerts, &found, began).await;

    let empty: Vec<_> = panels.iter().map(|query| &query.asked_by).filter(|name| found[*name] == 0).collect();
    let expected: Vec<_> = EMPTY.iter().map(|(name, _)| *name).collect();
    assert_eq!(empty, expected, "panels without data");
    for query in alerts.iter().filter(|query| query.asked_by.contains(':')) {
        assert!(found[&query.asked_by] > 0, "{} records nothing", query.asked_by);
    }
    healthy_rules(api, alerts.len()).await;
    let mut unknown = BTreeSet::new();
    for query in panels.iter().chain(&alerts) {
        unknown.extend(query.selects_nothing(api).await);
    }
    assert_eq!(unknown, BTreeSet::new(), "metrics, labels and their values that no program tells");
}

/// Prometheus itself evaluates every rule without an error.
async fn healthy_rules(api: &Api, count: usize) {
    let groups = api.ask("rules", &[]).await.unwrap()["groups"].as_array().unwrap().clone();
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert_eq!(rules.len(), count);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

async fn report(
    prometheus: &Prometheus,
    panels: &[Query],
    alerts: &[Query],
    found: &BTreeMap<String, usize>,
    began: Instant,
) {
    let version = prometheus.api.ask("status/buildinfo", &[]).await.unwrap()["version"].clone();
    let told = |queries: &[Query]| {
        let one = |query: &Query| json!({ "of": query.asked_by, "query": query.expression, "series": found[&query.asked_by] });
        queries.iter().map(one).collect::<Vec<_>>()
    };
    let empty: BTreeMap<_, _> = EMPTY.into_iter().collect();
    let told = json!({
        "prometheus": version,
        "panels": told(panels),
        "rules": told(alerts),
        "empty": empty,
        "seconds": began.elapsed().as_secs(),
    });
    let folder = root().join("target/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("dashboards.json"), format!("{told:#}\n")).unwrap();
}
