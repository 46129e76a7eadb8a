//! A rolling restart of every part under a steady load: no request is lost that the protocol lets succeed, and no session.
//!
//! Two of each part, as teams run them, and before them what spreads requests over both and tests their health: Traefik before
//! the proxies (with the shipped files), and a second Traefik in the place of a cluster's Services before the adapters and the
//! oauth2-proxies. Ours say that they are about to stop and serve until the tests have heard of it, so that nobody has to ask
//! again; an oauth2-proxy does not, and is asked again where it cannot be reached. Valkey is one: while it restarts, proxies answer 503 with
//! `Retry-After` where they need it, and the request comes again. What is left out is the Traefik that clients reach: when it
//! stops it closes their connections, and then HTTP itself does not say what became of a request that was just being sent.
//! Teams have a load balancer before theirs for that; nothing of ours could help.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stack::{
    chain::{Chain, Way},
    client::{Era, SignedIn},
    load::{Seen, Steady},
    oauth2_proxy::OAuth2Proxy,
    ports::free_port,
    process::PATIENCE,
    settings::{Settings, route},
    traefik::Traefik,
};

/// Requests a second that are wanted.
const RATE: u32 = 200;

/// Requests that each part of the run must have met, or nothing was under load.
const LEAST_SERVED: u64 = 20;

/// In answers that came by the changed configuration.
const TESTED: &str = "x-tested";

/// Sessions the load is of.
const SESSIONS: usize = 6;

/// How long the load goes on before, between and after the restarts: longer than a health check takes to see.
const BETWEEN: Duration = Duration::from_millis(1500);

/// Seconds that ours go on after they were told to stop: an interval of the health tests, what a test may take, and one more.
const SHUTDOWN_DELAY: i64 = 3;

/// A chain whose inner parts are spread over as well.
struct Cluster {
    chain: Chain,
    second_oauth2_proxy: OAuth2Proxy,
    _services: Traefik,
}

impl Cluster {
    async fn start() -> Self {
        let delayed = |settings: &mut Settings| settings.set("server.shutdown_delay_seconds", SHUTDOWN_DELAY);
        let chain = Chain::builder(Way::Behind).replicas(2).proxy(delayed).adapter(delayed);
        let mut chain = chain.start().await.unwrap();
        let second_oauth2_proxy = OAuth2Proxy::start(&chain.setup, |_| ()).await.unwrap();
        let port = free_port().unwrap();
        let services =
            Traefik::start(port, &services(&chain, &second_oauth2_proxy), |settings| settings).await.unwrap();
        let inside = format!("https://localhost:{port}");
        let ca = chain.authority.file().display().to_string();
        for number in 0..chain.proxies.len() {
            let (upstream, ca) = (format!("{inside}/mcp"), ca.clone());
            let change = move |settings: &mut Settings| {
                settings.remove("routes");
                settings.push("routes", route("/mcp", "mcp", &upstream));
                settings.set("upstream.ca_file", ca);
                // The load is of few sessions; their tokens are renewed all the time.
                settings.set("limits.requests_per_minute", 0);
                settings.set("vault.cache_seconds", 1);
            };
            chain.restart_proxy_with(number, change).await.unwrap();
        }
        let alone = format!("address: {}/oauth2/auth", chain.oauth2_proxy.url());
        assert!(chain.dynamic.contains(&alone), "{}", chain.dynamic);
        let both = format!("address: {inside}/oauth2/auth\n        tls: {{ca: \"{ca}\"}}");
        let tested = tested(&chain.dynamic);
        chain.traefik.change(&tested.replace(&alone, &both)).unwrap();
        // Traefik found them gone, and has taken the file.
        let client = chain.client("/mcp").unwrap();
        let waited = Instant::now();
        loop {
            let answer = client.load("/healthz").await.unwrap();
            if answer.status == 200 && answer.header(TESTED) == "yes" {
                break;
            }
            assert!(waited.elapsed() < PATIENCE, "no proxy is healthy to Traefik");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { chain, second_oauth2_proxy, _services: services }
    }
}

/// With a health test of the proxies, and a header that shows that it is in force.
fn tested(dynamic: &str) -> String {
    let next = "}}\n    oauth2-proxy: {loadBalancer";
    let test = format!(", healthCheck: {{path: /healthz, interval: 1s, timeout: 1s}}{next}");
    let shows = format!(
        "  middlewares:\n    tested: {{headers: {{customResponseHeaders: {{{TESTED}: \"yes\"}}}}}}\n"
    );
    let shown = "      middlewares: [tested]\n      service: edge\n";
    let changes =
        [("      service: edge\n", shown), ("  middlewares:\n", shows.as_str()), (next, test.as_str())];
    changes.iter().fold(dynamic.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    })
}

/// What stands for a cluster's Services: the adapters, and the oauth2-proxies.
fn services(chain: &Chain, second: &OAuth2Proxy) -> String {
    let certificate = chain.authority.issue("services").unwrap();
    let servers = |urls: &[String]| {
        let servers: Vec<String> = urls.iter().map(|url| format!("{{url: \"{url}\"}}")).collect();
        servers.join(", ")
    };
    let adapters: Vec<String> =
        chain.adapters.iter().map(|adapter| format!("http://{}", adapter.program.public())).collect();
    let oauth2_proxies = [chain.oauth2_proxy.url(), second.url()];
    format!(
        "http:
  routers:
    adapter: {{rule: \"PathPrefix(`/mcp`)\", entryPoints: [websecure], service: adapter}}
    oauth2: {{rule: \"PathPrefix(`/`)\", entryPoints: [websecure], middlewares: [again], service: oauth2}}
  middlewares:
    again: {{retry: {{attempts: 8, initialInterval: 50ms}}}}
  services:
    adapter: {{loadBalancer: {{servers: [{}], healthCheck: {{path: /healthz, interval: 1s, timeout: 1s}}}}}}
    oauth2: {{loadBalancer: {{servers: [{}], healthCheck: {{path: /ping, interval: 1s, timeout: 1s}}}}}}
tls: {{certificates: [{{certFile: \"{}\", keyFile: \"{}\"}}]}}
",
        servers(&adapters),
        servers(&oauth2_proxies),
        certificate.cert_file.display(),
        certificate.key_file.display(),
    )
}

/// Runs the load for a while and adds what it met to the report.
async fn note(load: &Steady, part: &str, before: &mut Seen, report: &mut Vec<Value>) {
    tokio::time::sleep(BETWEEN).await;
    let now = load.seen();
    report.push(json!({ "restarted": part, "met": now.since(before) }));
    *before = now;
}

fn write(report: &Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rolling.json"), format!("{report:#}\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_every_part_loses_no_request_and_no_session() {
    let mut cluster = Cluster::start().await;
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let user = if number % 2 == 0 { "alice" } else { "bob" };
        sessions.push((user, cluster.chain.sign_in(user).await.unwrap()));
    }
    for (_, session) in &sessions {
        session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    }
    let asking: Vec<SignedIn> = sessions.iter().map(|(_, session)| session.clone()).collect();
    let load = Steady::start(&asking, RATE);
    let (mut before, mut report) = (Seen::default(), Vec::new());
    note(&load, "nothing", &mut before, &mut report).await;
    for number in 0..2 {
        cluster.chain.restart_proxy(number).await.unwrap();
        note(&load, "a proxy", &mut before, &mut report).await;
    }
    for number in 0..2 {
        cluster.chain.restart_adapter(number).await.unwrap();
        note(&load, "an adapter", &mut before, &mut report).await;
    }
    cluster.chain.oauth2_proxy.restart().await.unwrap();
    note(&load, "an oauth2-proxy", &mut before, &mut report).await;
    cluster.second_oauth2_proxy.restart().await.unwrap();
    note(&load, "an oauth2-proxy", &mut before, &mut report).await;
    cluster.chain.valkey.stop();
    // Longer than the proxies remember.
    tokio::time::sleep(BETWEEN).await;
    cluster.chain.valkey.start_again().await.unwrap();
    note(&load, "Valkey", &mut before, &mut report).await;
    let all = load.stop().await.unwrap();

    let summary = json!({
        "rate_wanted": RATE,
        "rate_reached": all.rate(),
        "served": all.served,
        "tool_calls": all.tool_calls,
        "retried": all.retried,
        "lost": all.lost.len(),
        "longest_ms": u64::try_from(all.longest_ms).unwrap(),
        "sessions": SESSIONS,
        "parts": report,
    });
    write(&summary);
    assert!(all.lost.is_empty(), "{summary:#}");
    let parts = summary["parts"].as_array().unwrap();
    assert!(parts.iter().all(|part| part["met"]["served"].as_u64() >= Some(LEAST_SERVED)), "{summary:#}");
    for (user, mut session) in sessions {
        session.refresh().await.unwrap();
        let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
        assert_eq!(me["email"], format!("{user}@example.com"));
    }
}
