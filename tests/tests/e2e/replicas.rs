//! Two proxies and two adapters behind Traefik, on one Valkey: whichever a request reaches, it is the same edge.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{
    chain::{Chain, Way},
    client::Era,
    program::Program,
};

/// Gives each step of a sign-in to one proxy, and the next to the other: `authorize`, the consent page and the token endpoint
/// to the last one, registration, the way back from the provider and revocation to the first. MCP requests go to both in turn.
fn steps_apart(dynamic: String) -> String {
    let last = "Path(`/authorize`) || Path(`/consent`) || Path(`/token`)";
    let first = "Path(`/register`) || PathPrefix(`/auth/`) || Path(`/revoke`)";
    apart(&dynamic, first, last)
}

/// The same with the proxies exchanged, and the consent page apart from `authorize`.
fn steps_apart_otherwise(dynamic: String) -> String {
    let last = "Path(`/consent`) || Path(`/register`) || Path(`/revoke`)";
    let first = "Path(`/authorize`) || PathPrefix(`/auth/`) || Path(`/token`)";
    apart(&dynamic, first, last)
}

fn apart(dynamic: &str, first: &str, last: &str) -> String {
    let edge = dynamic.lines().find(|line| line.trim_start().starts_with("edge: {loadBalancer")).unwrap();
    let servers: Vec<&str> = edge.split('"').filter(|part| part.starts_with("http://")).collect();
    let [one, other] = servers[..] else { panic!("not two proxies: {edge}") };
    let router = |name: &str, paths: &str| {
        format!(
            "    {name}: {{rule: \"{paths}\", priority: 1000, entryPoints: [websecure], service: {name}}}\n"
        )
    };
    let service =
        |name: &str, url: &str| format!("    {name}: {{loadBalancer: {{servers: [{{url: \"{url}\"}}]}}}}\n");
    dynamic
        .replacen(
            "  routers:\n",
            &format!("  routers:\n{}{}", router("first", first), router("last", last)),
            1,
        )
        .replacen(
            "  services:\n",
            &format!("  services:\n{}{}", service("first", one), service("last", other)),
            1,
        )
}

/// What a program has counted under a metric with such a label.
async fn counted(program: &Program, metric: &str, label: &str) -> u64 {
    let (_, metrics) = program.admin("/metrics").await.unwrap();
    let lines = metrics.lines().filter(|line| line.starts_with(metric) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn both_are_one_edge(change: fn(String) -> String) {
    let chain = Chain::builder(Way::Behind).replicas(2).traefik(change).start().await.unwrap();
    let mut session = chain.sign_in("alice").await.unwrap();
    for era in [Era::Modern, Era::Legacy].repeat(4) {
        let me = session.tool(era, "get_me", &json!({})).await.unwrap();
        assert_eq!(me["email"], "alice@example.com");
    }
    for (proxy, adapter) in chain.proxies.iter().zip(&chain.adapters) {
        let (by_proxy, by_adapter) = (
            counted(&proxy.program, "proxy_requests_total{", "status=\"200\"").await,
            counted(&adapter.program, "adapter_tool_calls_total{", "tool=\"get_me\"").await,
        );
        assert!(by_proxy >= 4 && by_adapter >= 4, "{by_proxy} by a proxy, {by_adapter} by its adapter");
    }

    let old = session.clone();
    session.refresh().await.unwrap();
    for _ in 0..4 {
        assert_eq!(
            session.tool(Era::Modern, "get_me", &json!({})).await.unwrap()["email"],
            "alice@example.com"
        );
    }
    // The one it replaced, at whichever proxy, is not good a second time for somebody who has not the new one.
    assert_ne!(old.tokens.refresh, session.tokens.refresh);

    session.revoke().await.unwrap().expect_status(200).unwrap();
    let revoked = Instant::now();
    // Both in turn: as often as there are proxies in a row.
    let mut refused = 0;
    while refused < 4 {
        let sent = revoked.elapsed();
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        refused = if answer.status == 401 { refused + 1 } else { 0 };
        assert!(refused > 0 || sent < Duration::from_secs(1), "still {} {sent:?} later", answer.status);
    }
    assert_eq!(session.try_refresh().await.unwrap().json["error"], "invalid_grant");
    assert_eq!(chain.plane.users_seen(), ["alice@example.com"]);
}

#[tokio::test]
async fn a_sign_in_goes_back_and_forth_between_the_replicas() {
    both_are_one_edge(steps_apart).await;
}

#[tokio::test]
async fn a_sign_in_goes_forth_and_back_between_the_replicas() {
    both_are_one_edge(steps_apart_otherwise).await;
}
