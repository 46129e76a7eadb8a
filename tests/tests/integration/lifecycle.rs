//! Starting, being looked after, and stopping.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::{
    client::Era,
    cognito::{Fault, Faults},
    stack::{Stack, Store},
};

#[tokio::test]
async fn a_stop_finishes_what_runs_and_takes_nothing_new() {
    let mut stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let url = session.client.endpoint().join("/echo/slow").unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    let running = tokio::spawn(request.body("x").send());
    stack.echo.wait_seen(1).await.unwrap();

    let address = stack.proxies[0].program.public();
    let program = &mut stack.proxies[0].program;
    program.signal("TERM").unwrap();
    let started = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(20), "still accepts connections");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(program.process().is_running(), "a request is still running");
    stack.echo.release();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    let status = stack.proxies[0].program.process().wait_ended().await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_stop_with_a_delay_says_so_first_and_serves_what_still_comes() {
    let delay = "server.shutdown_delay_seconds";
    let builder = Stack::builder().proxy_setting(delay, 6).adapter_setting(delay, 8);
    let mut stack = builder.start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let told = Instant::now();
    for program in [&stack.proxies[0].program, &stack.adapter.program] {
        assert_eq!(program.admin("/readyz").await.unwrap().0, 200);
        program.signal("TERM").unwrap();
    }
    // Whoever spreads requests finds out, on the admin port or on that of clients.
    let adapter = format!("http://{}/healthz", stack.adapter.program.public());
    for program in [&stack.proxies[0].program, &stack.adapter.program] {
        while program.admin("/readyz").await.unwrap().0 != 503 {
            assert!(told.elapsed() < Duration::from_secs(5), "is still ready");
        }
        assert_eq!(program.admin("/livez").await.unwrap().0, 200);
    }
    let health = session.client.load("/healthz").await.unwrap();
    assert_eq!((health.status, health.json["reason"].as_str()), (503, Some("stopping")), "{}", health.text);
    let health = reqwest::get(&adapter).await.unwrap();
    assert_eq!(health.status(), 503);
    // What comes nevertheless is served, over new connections too.
    for _ in 0..10 {
        let client = session.client.through(&stack.proxies[0].origin).unwrap();
        client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let proxy = stack.proxies[0].program.process();
    assert_eq!(proxy.wait_ended().await.unwrap().code(), Some(0));
    assert!(told.elapsed() >= Duration::from_secs(6), "served for as long as it was to");
    let adapter = stack.adapter.program.process();
    assert_eq!(adapter.wait_ended().await.unwrap().code(), Some(0));
    assert!(told.elapsed() >= Duration::from_secs(8), "served for as long as it was to");
}

#[tokio::test]
async fn whoever_asks_twice_does_not_wait_for_the_delay() {
    let delay = "server.shutdown_delay_seconds";
    let mut stack =
        Stack::builder().proxy_setting(delay, 600).adapter_setting(delay, 600).start().await.unwrap();
    let programs = [&mut stack.proxies[0].program, &mut stack.adapter.program];
    for program in programs {
        program.signal("TERM").unwrap();
        while program.admin("/readyz").await.unwrap().0 != 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        program.signal("INT").unwrap();
        assert_eq!(program.process().wait_ended().await.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn a_stop_waits_only_so_long() {
    let mut stack =
        Stack::builder().echo_routes().proxy_setting("server.drain_seconds", 1).start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let url = session.client.endpoint().join("/echo/slow").unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    let running = tokio::spawn(request.body("x").send());
    stack.echo.wait_seen(1).await.unwrap();
    stack.proxies[0].program.signal("TERM").unwrap();
    stack.proxies[0].program.process().wait_ended().await.unwrap();
    assert!(running.await.unwrap().is_err(), "the request was cut");
}

#[tokio::test]
async fn a_stop_while_valkey_takes_no_writes_waits_until_the_new_refresh_token_is_stored() {
    let builder = Stack::builder().store(Store::Valkey).proxies(2).proxy_setting("server.drain_seconds", 0);
    // Always due, and each refresh token good once.
    let builder = builder.proxy_setting("cognito.timeout_seconds", 1).cognito(|options| {
        options.behaviour.id_token_lifetime = Duration::from_secs(100);
        options.behaviour.rotation = Some(Duration::ZERO);
    });
    let mut stack = builder.start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let elsewhere = session.client.through(&stack.proxies[1].origin).unwrap();
    let late = Fault::LateAnswer(Duration::from_millis(200));
    stack.cognito.set_faults(Faults { token: Some(late), ..Faults::default() });
    let cut = session.clone();
    let cut = tokio::spawn(async move { cut.client.probe(&cut.tokens.access).await });
    while stack.cognito.refreshes() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let valkey = stack.valkey.as_ref().unwrap();
    assert_eq!(valkey.command("CONFIG SET min-replicas-to-write 1").unwrap(), "+OK");
    stack.proxies[0].program.signal("TERM").unwrap();
    let refused_writes = || {
        let count = valkey.info("errorstat_NOREPLICAS").unwrap_or_default();
        count.strip_prefix("count=").and_then(|count| count.parse::<u32>().ok()).unwrap_or_default()
    };
    // So often takes longer than Cognito would have had to answer.
    let stopping = stack.proxies[0].program.process();
    stopping.wait_for("written to Valkey", async |_| (refused_writes() >= 8).then_some(())).await.unwrap();
    assert_eq!(valkey.command("CONFIG SET min-replicas-to-write 0").unwrap(), "+OK");
    assert_eq!(stopping.wait_ended().await.unwrap().code(), Some(0));
    assert!(cut.await.unwrap().is_err(), "nothing was to be finished for clients");

    stack.cognito.set_faults(Faults::default());
    elsewhere.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
    let requests = stack.cognito.requests();
    let used = requests.iter().filter(|request| request.asks_for("refresh_token"));
    let used: Vec<_> = used.filter_map(|request| request.form_value("refresh_token")).collect();
    assert!(used.len() == 2 && used[0] != used[1], "the next refresh is with the token that was stored");
}

#[tokio::test]
async fn the_adapter_stops_on_sigterm() {
    let mut stack = Stack::start().await.unwrap();
    stack.adapter.program.signal("TERM").unwrap();
    assert_eq!(stack.adapter.program.process().wait_ended().await.unwrap().code(), Some(0));
    let session = stack.sign_in("alice").await.unwrap();
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(answer.status, 502, "an upstream that is away is not the client's fault: {}", answer.text);
}

#[tokio::test]
async fn admin_listeners_answer_and_the_public_one_only_healthz() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    session.client.probe(&session.tokens.access).await.unwrap();
    for program in [&stack.proxies[0].program, &stack.adapter.program] {
        assert_eq!(program.admin("/livez").await.unwrap().0, 200);
        let (status, checks) = program.admin("/readyz").await.unwrap();
        assert_eq!(status, 200);
        assert!(serde_json::from_str::<Value>(&checks).unwrap()["checks"].is_object(), "{checks}");
        let (status, metrics) = program.admin("/metrics").await.unwrap();
        assert_eq!(status, 200);
        assert!(metrics.contains("# TYPE") && metrics.contains("requests_total"), "{metrics}");
        assert!(!metrics.contains("alice"), "{metrics}");
    }
    assert_eq!(session.client.load("/healthz").await.unwrap().status, 200);
    for path in ["/metrics", "/readyz", "/livez"] {
        assert_eq!(session.client.load(path).await.unwrap().status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_master_switch_works_without_a_restart() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let proxy = &stack.proxies[0];
    let mut off = proxy.settings.clone();
    off.set("mcp.enabled", false);
    for (settings, expected) in [(&off, 503), (&proxy.settings, 200)] {
        proxy.program.rewrite(settings).unwrap();
        proxy.program.signal("HUP").unwrap();
        let started = Instant::now();
        let answer = loop {
            let answer = session.client.probe(&session.tokens.access).await.unwrap();
            if answer.status == expected {
                break answer;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "still {}", answer.status);
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        if expected == 503 {
            assert!(answer.text.contains("switched off"), "{}", answer.text);
            assert!(answer.header("retry-after").parse::<u32>().is_ok());
            assert_eq!(session.client.load("/healthz").await.unwrap().status, 200);
        }
    }
}

#[tokio::test]
async fn the_master_switch_has_its_old_name_in_the_environment() {
    let stack = Stack::start().await.unwrap();
    let mut environment = stack.environment();
    environment.insert("ENABLE_AI_MCP_RUNTIME".to_owned(), "false".to_owned());
    let mut settings = stack.proxies[0].settings.clone();
    settings.set("server.listen", "127.0.0.1:0");
    let second = stack::proxy::Proxy::start(settings, &environment).await.unwrap();
    let client = stack.client("/mcp").unwrap().through(&second.origin).unwrap();
    let request = client.rpc(Era::Modern, "", "tools/list", &json!({})).unwrap();
    assert_eq!(client.send(request).await.unwrap().status, 503);
}
