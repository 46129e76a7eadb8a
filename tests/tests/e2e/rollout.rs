//! `helm upgrade` under a steady load: both Deployments of the chart are rolled at once, and no request is lost.
//!
//! The programs are real, and Traefik before the proxies. A cluster is played by what the rendered chart says: how often pods
//! are asked and when they are endpoints, in which order old and new ones go and come, and how one is ended. Endpoints are
//! known a second late; Traefik takes changes when it likes. Nobody asks twice, as nobody does there by default.

mod controllers;
mod network;
mod workload;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use controllers::{Pod, roll_out};
use network::ClusterAddress;
use serde_json::{Value, json};
use stack::{
    chain::{Chain, Way},
    client::{Era, SignedIn},
    load::Steady,
    ports::free_port,
    program::{Kind, Program},
    proxy::Proxy,
    settings::{Settings, route},
};
use workload::{Workload, rendered};

/// Requests a second that are wanted.
const RATE: u32 = 150;

/// Requests that the upgrade must have met, or nothing was under load.
const LEAST_SERVED: u64 = 200;

/// Sessions the load is of.
const SESSIONS: usize = 6;

/// How long the load goes on before and after the upgrade.
const AROUND: Duration = Duration::from_secs(2);

/// A chain of two proxies and two adapters, with the Service of the adapters between them.
struct Cluster {
    chain: Chain,
    adapters: ClusterAddress,
    programs: Vec<Program>,
}

impl Cluster {
    async fn start(proxy: &Workload, adapter: &Workload) -> Self {
        assert_eq!(proxy.replicas, adapter.replicas);
        let mut chain = Chain::builder(Way::Behind).replicas(proxy.replicas).start().await.unwrap();
        let ready = chain.adapters.iter().map(|adapter| adapter.program.public()).collect();
        let adapters = ClusterAddress::start(ready).await;
        let upstream = format!("http://{}/mcp", adapters.address);
        for number in 0..chain.proxies.len() {
            let upstream = upstream.clone();
            let change = move |settings: &mut Settings| {
                settings.remove("routes");
                settings.push("routes", route("/mcp", "mcp", &upstream));
                // The chart leaves it to the program.
                settings.remove("server.drain_seconds");
                // The load is of few sessions.
                settings.set("limits.requests_per_minute", 0);
            };
            chain.restart_proxy_with(number, change).await.unwrap();
        }
        Self { chain, adapters, programs: Vec::new() }
    }
}

fn write(report: &Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rollout.json"), format!("{report:#}\n")).unwrap();
}

/// Both rollouts, as one upgrade of the release starts them.
async fn upgrade(cluster: &mut Cluster, proxy: &Workload, adapter: &Workload) -> Value {
    let chain = &mut cluster.chain;
    let (traefik, inside) = (network::traefik(chain), cluster.adapters.endpoints());
    let settings = chain.proxies[0].settings.clone();
    let environment = chain.environment.clone();
    let new_proxy = async || {
        let mut settings = settings.clone();
        settings.set("server.listen", format!("127.0.0.1:{}", free_port().unwrap()));
        Program::start_unready(Kind::Proxy, &settings, &environment).await.unwrap()
    };
    let inner = chain.adapters[0].settings.clone();
    let none = BTreeMap::new();
    let new_adapter = async || Program::start_unready(Kind::Adapter, &inner, &none).await.unwrap();
    let old_proxies = chain.proxies.drain(..).map(|Proxy { program, .. }| Pod::old(program)).collect();
    let old_adapters = chain.adapters.drain(..).map(|adapter| Pod::old(adapter.program)).collect();
    let ((proxies, of_proxies), (adapters, of_adapters)) = tokio::join!(
        roll_out(proxy, old_proxies, &traefik, new_proxy),
        roll_out(adapter, old_adapters, &inside, new_adapter),
    );
    // They go on serving until the test ends.
    cluster.programs.extend(proxies.into_iter().chain(adapters));
    json!({ "proxy": of_proxies, "adapter": of_adapters })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_the_chart_loses_no_request_and_no_session() {
    let objects = rendered("smallest");
    let (proxy, adapter) = (Workload::of(&objects, "proxy"), Workload::of(&objects, "adapter"));
    let mut cluster = Cluster::start(&proxy, &adapter).await;
    let mut sessions: Vec<SignedIn> = Vec::new();
    for number in 0..SESSIONS {
        let user = if number % 2 == 0 { "alice" } else { "bob" };
        sessions.push(cluster.chain.sign_in(user).await.unwrap());
    }
    for session in &sessions {
        session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    }
    let load = Steady::start(&sessions, RATE);
    tokio::time::sleep(AROUND).await;
    let before = load.seen();
    let pods = upgrade(&mut cluster, &proxy, &adapter).await;
    let during = load.seen().since(&before);
    tokio::time::sleep(AROUND).await;
    let all = load.stop().await.unwrap();

    let summary = json!({
        "proxy": proxy.summary(),
        "adapter": adapter.summary(),
        "endpoints_known_late_by_ms": u64::try_from(network::LATE.as_millis()).unwrap(),
        "pods": pods,
        "rate_wanted": RATE,
        "rate_reached": all.rate(),
        "served": all.served,
        "retried": all.retried,
        "lost": all.lost.len(),
        "longest_ms": u64::try_from(all.longest_ms).unwrap(),
        "during_the_upgrade": during,
    });
    write(&summary);
    assert!(all.lost.is_empty(), "{summary:#}");
    assert_eq!(all.retried, 0, "{summary:#}");
    assert!(summary["during_the_upgrade"]["served"].as_u64() >= Some(LEAST_SERVED), "{summary:#}");
    let ended = pods.as_object().unwrap().values().flat_map(|pods| pods.as_array().unwrap());
    let ended: Vec<&Value> = ended.filter(|pod| pod["killed"].is_boolean()).collect();
    assert_eq!(ended.len(), proxy.replicas + adapter.replicas);
    assert!(ended.iter().all(|pod| pod["killed"] == false && pod["succeeded"] == true), "{summary:#}");
    for mut session in sessions {
        session.refresh().await.unwrap();
        session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    }
}
