//! What is declared: named as Prometheus wants it, written down, and there from the start.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;
use service::{Clock, SystemClock};
use stack::{
    client::Era,
    process::tool,
    scrape::{Family, Scrape},
    stack::{Stack, Store},
};

/// What `promtool check metrics` has to say.
fn promtool(metrics: &str) -> String {
    let promtool = tool("promtool", "PROMTOOL").unwrap();
    let mut checking = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = checking.stdin.take().unwrap();
    input.write_all(metrics.as_bytes()).unwrap();
    drop(input);
    let said = checking.wait_with_output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// The rows of the tables in `docs/metrics.md`: `| name | type | labels | … |`, each in code quotes or none.
fn documented() -> BTreeMap<String, Family> {
    let text = include_str!("../../../../docs/metrics.md");
    let row = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [_, name, kind, labels, ..] = cells.as_slice() else { return None };
        let known = ["proxy_", "adapter_", "process_"].iter().any(|prefix| name.starts_with(prefix));
        let mut labels: Vec<_> =
            labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        labels.sort();
        known.then(|| (name.clone(), Family { kind: kind.clone(), labels }))
    };
    let rows: Vec<_> = text.lines().filter_map(row).collect();
    let all: BTreeMap<_, _> = rows.iter().cloned().collect();
    assert_eq!(all.len(), rows.len(), "a metric stands there twice");
    all
}

#[tokio::test]
async fn every_metric_is_written_down_and_promtool_has_nothing_to_say() {
    let stack = Stack::builder().store(Store::Valkey).echo_routes().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    let mut there = BTreeMap::new();
    for program in [&stack.proxies[0].program, &stack.adapter.program] {
        let scrape = Scrape::of(program).await.unwrap();
        assert_eq!(promtool(&scrape.text), "");
        there.extend(scrape.families());
    }
    let written = documented();
    let missing: Vec<_> = there.keys().filter(|name| !written.contains_key(*name)).collect();
    let gone: Vec<_> = written.keys().filter(|name| !there.contains_key(*name)).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/metrics.md: {missing:?}; not there: {gone:?}"
    );
    for (name, family) in there {
        assert_eq!(written[&name], family, "{name}");
    }
    assert!(promtool("# HELP x_count y\n# TYPE x_count counter\nx_count 1\n").contains("_total"));
}

#[tokio::test]
async fn what_alerts_look_at_is_0_from_the_start_and_times_are_those_of_now() {
    let stack = Stack::builder().store(Store::Valkey).echo_routes().start().await.unwrap();
    let proxy = Scrape::of(&stack.proxies[0].program).await.unwrap();
    for (name, label, values) in [
        ("proxy_refreshes_total", "outcome", &["refreshed", "adopted", "refused", "unavailable"][..]),
        ("proxy_sessions_ended_total", "reason", &["signed_out", "grant_refused", "no_refresh_token"]),
        ("proxy_registrations_total", "outcome", &["created", "refused", "rate_limited", "failed"]),
        ("proxy_sign_ins_total", "outcome", &["ok", "left", "cognito_unavailable", "cognito_misconfigured"]),
        ("proxy_rate_limited_total", "limit", &["session", "address", "registrations", "sign_ins"]),
        ("proxy_connections_refused_total", "reason", &["limit", "address"]),
        ("proxy_config_reloads_total", "outcome", &["taken", "refused"]),
        ("proxy_valkey_calls_total", "result", &["error", "timeout", "given_up"]),
        ("proxy_cognito_calls_total", "result", &["refused", "misconfigured", "unavailable"]),
        ("proxy_cache_requests_total", "cache", &["sessions"]),
        ("proxy_requests_total", "route", &["/mcp", "/echo", "oauth_token"]),
        (
            "proxy_requests_total",
            "reason",
            &["upstream_failed", "upstream_timeout", "store", "cognito", "keys"],
        ),
        ("proxy_requests_total", "outcome", &["left"]),
        ("proxy_requests_in_flight", "listener", &["public", "forward_auth"]),
        ("proxy_token_checks_total", "kind", &["access", "cognito", "api_key"]),
    ] {
        for value in values {
            assert_eq!(proxy.find(name, &[(label, *value)]), Some(0.0), "{name} {value}");
        }
    }
    let adapter = Scrape::of(&stack.adapter.program).await.unwrap();
    for (name, label, values) in [
        ("adapter_plane_budget_refused_total", "budget", &["session", "key"][..]),
        ("adapter_plane_keys_total", "event", &["minted", "refused", "revoked", "not_revoked"]),
        ("adapter_plane_requests_total", "outcome", &["ok", "left", "unreachable", "timed_out"]),
        ("adapter_plane_requests_total", "outcome", &["unavailable", "rate_limited"]),
        ("adapter_requests_total", "outcome", &["ok", "left", "internal", "panicked"]),
        ("adapter_tool_calls_total", "outcome", &["ok", "left", "plane.unavailable"]),
        ("adapter_tool_calls_total", "outcome", &["plane.rate_limited"]),
        ("adapter_token_checks_total", "outcome", &["ok", "token_expired", "keys_unavailable"]),
        ("adapter_cache_requests_total", "cache", &["answers", "sessions", "keys"]),
        ("adapter_connections_refused_total", "reason", &["limit"]),
        ("adapter_config_reloads_total", "outcome", &["taken", "refused"]),
    ] {
        for value in values {
            assert_eq!(adapter.find(name, &[(label, *value)]), Some(0.0), "{name} {value}");
        }
    }
    let now = f64::from(u32::try_from(SystemClock.unix()).unwrap());
    let issuer = [("issuer", stack.cognito.issuer_url())];
    for fetched in [
        proxy.sum("proxy_jwks_fetched_timestamp_seconds", &issuer),
        adapter.sum("adapter_jwks_fetched_timestamp_seconds", &issuer),
    ] {
        assert!((now - 60.0..=now).contains(&fetched), "{fetched} at {now}");
    }
    let ends = proxy.sum("proxy_certificate_not_after_timestamp_seconds", &[]);
    assert!(ends > now, "{ends} at {now}");
    assert_eq!(proxy.sum("proxy_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(adapter.sum("adapter_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
}
