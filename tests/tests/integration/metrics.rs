//! Every figure moves when it should, and is there before it does.

mod declared;
mod left;
mod sessions;

use std::{collections::BTreeMap, io::Write, time::Duration};

use serde_json::json;
use stack::{
    client::Era,
    program::Program,
    scrape::Scrape,
    stack::{Stack, Store},
};

use crate::tls;

/// Waits until the sum of a metric's samples with these labels is one that `fits`.
async fn wait_until(program: &Program, name: &str, labels: &[(&str, &str)], fits: impl Fn(f64) -> bool) {
    let mut now = 0.0;
    for _ in 0..2000 {
        now = Scrape::of(program).await.unwrap().sum(name, labels);
        if fits(now) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name}{labels:?} is {now}");
}

#[tokio::test]
async fn a_request_is_counted_by_what_became_of_it() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let client = &session.client;
    let ask = async |path: &str, bearer: &str| {
        let request = client.request("GET", &client.endpoint().join(path).unwrap()).unwrap();
        client.send(request.bearer_auth(bearer)).await.unwrap().status
    };
    let good = &session.tokens.access;
    let statuses = [ask("/echo", good).await, ask("/echo/status/404", good).await];
    assert_eq!(statuses, [200, 404]);
    assert_eq!([ask("/echo/status/503", good).await, ask("/echo", "x").await], [503, 401]);
    assert_eq!(ask("/nowhere", good).await, 404);

    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    let requests = |labels: &[(&str, &str)]| scrape.sum("proxy_requests_total", labels);
    let echo = ("route", "/echo");
    assert_eq!(requests(&[echo, ("outcome", "ok"), ("status", "200")]), 1.0);
    assert_eq!(requests(&[echo, ("outcome", "ok"), ("status", "404")]), 1.0, "the upstream's own answer");
    assert_eq!(requests(&[echo, ("outcome", "failed"), ("reason", "upstream_error")]), 1.0);
    assert_eq!(requests(&[echo, ("outcome", "refused"), ("reason", "token_malformed")]), 1.0);
    assert_eq!(requests(&[("route", "none"), ("outcome", "refused"), ("reason", "no_route")]), 1.0);
    assert_eq!(scrape.sum("proxy_request_duration_seconds_count", &[echo]), requests(&[echo]));
    // The client has asked without a token before, to be told where to get one.
    assert_eq!(requests(&[echo, ("reason", "no_token")]), 1.0);
    assert_eq!(scrape.sum("proxy_upstream_duration_seconds_count", &[echo]), 3.0);
    let checks =
        |outcome| scrape.sum("proxy_token_checks_total", &[("kind", "access"), ("outcome", outcome)]);
    assert_eq!([checks("ok"), checks("token_malformed")], [3.0, 1.0]);
    assert_eq!(scrape.sum("proxy_requests_in_flight", &[]), 0.0);
    assert_eq!(scrape.sum("proxy_sign_ins_total", &[("outcome", "ok")]), 1.0);
    assert_eq!(scrape.sum("proxy_registrations_total", &[("outcome", "created")]), 1.0);
}

#[tokio::test]
async fn a_request_and_its_connection_are_seen_while_they_last_and_one_too_many_is_noticed() {
    let stack = Stack::builder().echo_routes().proxy_setting("limits.connections", 3).start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let (public, open) = ([("listener", "public")], "proxy_open_connections");
    assert_eq!(Scrape::of(program).await.unwrap().sum("proxy_connections_limit", &[]), 3.0);
    let url = session.client.endpoint().join("/echo/slow").unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    let running = tokio::spawn(request.body("x").send());
    wait_until(program, "proxy_requests_in_flight", &public, |now| now == 1.0).await;
    wait_until(program, open, &public, |now| now >= 1.0).await;

    let address = program.public();
    let mut idle: Vec<_> = (0..6).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    wait_until(program, "proxy_connections_refused_total", &[("reason", "limit")], |now| now >= 1.0).await;
    assert_eq!(Scrape::of(program).await.unwrap().sum(open, &public), 3.0);
    idle.clear();
    stack.echo.release();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    wait_until(program, "proxy_requests_in_flight", &public, |now| now == 0.0).await;
    drop((session, stack.browser()));
    wait_until(program, open, &public, |now| now <= 1.0).await;
}

#[tokio::test]
async fn what_traefik_asks_and_its_connection_are_seen_while_they_last() {
    let builder = Stack::builder().store(Store::Valkey).proxy_setting("forward_auth.listen", "127.0.0.1:0");
    let builder = builder.proxy_setting("vault.cache_seconds", 0).proxy_setting("valkey.timeout_seconds", 30);
    let stack =
        builder.proxy_setting("forward_auth.trusted_proxies", vec!["127.0.0.1"]).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let (program, valkey) = (&stack.proxies[0].program, stack.valkey.as_ref().unwrap());
    let (asking, in_flight) = ([("listener", "forward_auth")], "proxy_requests_in_flight");
    let traefik = reqwest::Client::new();
    let ask = traefik
        .get(format!("http://{}/forward-auth", program.listener("forward_auth").unwrap()))
        .bearer_auth(&session.tokens.access)
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", program.public().to_string())
        .header("x-forwarded-uri", "/mcp");
    valkey.freeze(true).unwrap();
    let running = tokio::spawn(ask.send());
    wait_until(program, in_flight, &asking, |now| now == 1.0).await;
    let scrape = Scrape::of(program).await.unwrap();
    assert_eq!(scrape.sum("proxy_open_connections", &asking), 1.0);
    assert_eq!(scrape.sum(in_flight, &[("listener", "public")]), 0.0);
    valkey.freeze(false).unwrap();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    wait_until(program, in_flight, &asking, |now| now == 0.0).await;
    drop(traefik);
    wait_until(program, "proxy_open_connections", &asking, |now| now == 0.0).await;
}

#[tokio::test]
async fn what_is_over_a_limit_is_counted_by_the_limit() {
    let builder = Stack::builder().proxy_setting("limits.requests_per_minute", 4);
    let builder = builder.proxy_setting("limits.registrations_per_minute", 4);
    let stack = builder.proxy_setting("limits.oauth_requests_per_minute", 40).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    while session.client.probe(&session.tokens.access).await.unwrap().status != 429 {}
    let found = session.client.discover().await.unwrap();
    let metadata = json!({ "client_name": "x", "redirect_uris": ["http://127.0.0.1:9/callback"] });
    while session.client.register(&found, &metadata).await.unwrap().status != 429 {}
    let refused = json!({ "client_name": "x", "redirect_uris": ["https://evil.example/"] });
    while session.client.register(&found, &refused).await.unwrap().status != 429 {}

    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    let limited = |limit| scrape.sum("proxy_rate_limited_total", &[("limit", limit)]);
    assert_eq!([limited("session"), limited("registrations"), limited("address")], [1.0, 1.0, 1.0]);
    let registered = |outcome| scrape.sum("proxy_registrations_total", &[("outcome", outcome)]);
    // Half of them may be of one network. Whom the limit on addresses stops has not asked to register.
    assert_eq!([registered("created"), registered("rate_limited")], [2.0, 1.0]);
    assert!(registered("refused") >= 1.0);
}

#[tokio::test]
async fn a_valkey_that_is_gone_is_an_error_and_one_that_is_silent_a_timeout() {
    let mut stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let calls = |scrape: &Scrape, result| scrape.sum("proxy_valkey_calls_total", &[("result", result)]);
    let before = Scrape::of(&stack.proxies[0].program).await.unwrap();
    assert!(calls(&before, "ok") > 5.0);
    assert_eq!([calls(&before, "error"), calls(&before, "timeout")], [0.0, 0.0]);
    let duration = |scrape: &Scrape| scrape.sum("proxy_valkey_call_duration_seconds_count", &[]);
    assert_eq!(duration(&before), calls(&before, "ok"));

    stack.valkey.as_ref().unwrap().freeze(true).unwrap();
    session.try_refresh().await.unwrap().expect_status(503).unwrap();
    let silent = Scrape::of(&stack.proxies[0].program).await.unwrap();
    assert!(calls(&silent, "timeout") >= 1.0);
    let rate = [("operation", "allow"), ("result", "timeout")];
    assert!(silent.sum("proxy_valkey_calls_total", &rate) >= 1.0, "it is not waited for as long as others");
    assert_eq!(calls(&silent, "given_up"), 0.0);
    stack.valkey.as_mut().unwrap().stop();
    session.try_refresh().await.unwrap().expect_status(503).unwrap();
    let gone = Scrape::of(&stack.proxies[0].program).await.unwrap();
    assert!(calls(&gone, "error") >= 1.0);
    let failed = [("route", "oauth_token"), ("outcome", "failed"), ("reason", "store_unavailable")];
    assert_eq!(gone.sum("proxy_requests_total", &failed), 2.0);
}

#[tokio::test]
async fn what_plane_is_asked_is_counted_and_what_it_is_spared() {
    let builder = Stack::builder().adapter_setting("plane.requests_per_minute", 4);
    let stack = builder.start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    let first = Scrape::of(&stack.adapter.program).await.unwrap();
    let asked = first.sum("adapter_plane_requests_total", &[("outcome", "ok")]);
    assert!(asked >= 1.0);
    assert_eq!(first.sum("adapter_plane_request_duration_seconds_count", &[]), asked);
    assert!(first.sum("adapter_plane_budget_used_ratio_count", &[]) >= asked);
    assert!(first.sum("adapter_plane_budget_used_ratio_bucket", &[("le", "0.25")]) >= 1.0, "one of four");
    assert_eq!(first.sum("adapter_tool_calls_total", &[("tool", "get_me"), ("outcome", "ok")]), 1.0);
    assert_eq!(first.sum("adapter_tool_call_duration_seconds_count", &[("tool", "get_me")]), 1.0);
    assert_eq!(first.sum("adapter_cache_requests_total", &[("cache", "sessions"), ("result", "miss")]), 1.0);
    assert_eq!(first.sum("adapter_token_checks_total", &[("outcome", "ok")]), 1.0);

    // Names are kept for a minute.
    let mut refused = 0.0;
    for _ in 0..6 {
        let _ = session.tool(Era::Modern, "list_states", &json!({ "project": "ENG" })).await;
        let _ = session.tool(Era::Modern, "get_me", &json!({})).await;
        let scrape = Scrape::of(&stack.adapter.program).await.unwrap();
        refused = scrape.sum("adapter_plane_budget_refused_total", &[("budget", "session")]);
    }
    assert!(refused >= 1.0);
    let then = Scrape::of(&stack.adapter.program).await.unwrap();
    let limited = [("tool", "get_me"), ("outcome", "plane.rate_limited")];
    assert!(then.sum("adapter_tool_calls_total", &limited) >= 1.0);
    assert!(then.sum("adapter_plane_requests_total", &[("outcome", "rate_limited")]) >= 1.0);
    assert!(then.sum("adapter_cache_requests_total", &[("cache", "answers"), ("result", "hit")]) >= 1.0);
    assert_eq!(then.sum("adapter_requests_in_flight", &[]), 0.0);
    assert!(then.sum("adapter_open_connections", &[]) >= 1.0, "of the proxy's pool");
    assert_eq!(then.sum("adapter_connections_limit", &[]), 10_000.0);
    assert_eq!(
        then.sum("adapter_requests_total", &[("outcome", "ok")]),
        then.sum("adapter_token_checks_total", &[])
    );
}

#[tokio::test]
async fn a_refused_configuration_is_seen_until_a_good_one_is_taken() {
    let stack = Stack::start().await.unwrap();
    for (program, prefix) in [(&stack.proxies[0].program, "proxy"), (&stack.adapter.program, "adapter")] {
        let successful = format!("{prefix}_config_last_reload_successful");
        assert_eq!(Scrape::of(program).await.unwrap().sum(&successful, &[]), 1.0);
        let good = program.settings().unwrap();
        let mut bad = good.clone();
        bad.set("mcp.enabled", "perhaps");
        program.rewrite(&bad).unwrap();
        wait_until(program, &successful, &[], |now| now == 0.0).await;
        let mut off = good;
        off.set("mcp.enabled", false);
        program.rewrite(&off).unwrap();
        wait_until(program, &successful, &[], |now| now == 1.0).await;
        let scrape = Scrape::of(program).await.unwrap();
        assert_eq!(scrape.sum(&format!("{prefix}_mcp_enabled"), &[]), 0.0);
        let reloads = format!("{prefix}_config_reloads_total");
        let counted: BTreeMap<_, _> = ["taken", "refused"]
            .map(|outcome| (outcome, scrape.sum(&reloads, &[("outcome", outcome)])))
            .into();
        assert!(counted["taken"] >= 1.0 && counted["refused"] >= 1.0, "{counted:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_a_connection_all_the_same() {
    let stack = Stack::start().await.unwrap();
    let program = &stack.proxies[0].program;
    let mut begun = std::net::TcpStream::connect(program.public()).unwrap();
    begun.write_all(&[0x16]).unwrap();
    let open = [("listener", "public")];
    wait_until(program, "proxy_open_connections", &open, |now| now >= 1.0).await;
    drop(begun);
    wait_until(program, "proxy_open_connections", &open, |now| now == 0.0).await;
    let connection = tls::connect(&stack, tls::Wanted::default()).await.unwrap();
    wait_until(program, "proxy_open_connections", &open, |now| now == 1.0).await;
    drop(connection);
}
