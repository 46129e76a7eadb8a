//! The configuration changes while the programs run: each live setting, nothing else, nothing by halves.

mod every_setting;

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn},
    program::Program,
    proxy::fresh_key,
    settings::{Settings, route},
    stack::Stack,
};
use tokio::time::timeout;

async fn status(session: &SignedIn) -> u16 {
    session.client.probe(&session.tokens.access).await.unwrap().status
}

/// The first `count` lines that say so, once they are there.
async fn wait_told(program: &Program, message: &str, count: usize) -> Vec<Value> {
    let waiting = async {
        while told(program, message).len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{message} is not told {count} times");
    told(program, message)
}

fn told(program: &Program, message: &str) -> Vec<Value> {
    let lines = program.log().lines();
    let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == message).collect()
}

#[tokio::test]
async fn a_stream_goes_on_by_the_rules_it_began_with() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let open = || {
        let url = session.client.endpoint().join("/echo/events").unwrap();
        session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access).send()
    };
    let response = open().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut events = response.bytes_stream();

    // Its route goes away, and it would be over every limit.
    let program = &stack.proxies[0].program;
    let only_mcp = route("/mcp", "mcp", &stack.adapter.endpoint);
    let change = |settings: &mut Settings| {
        settings.set("routes", vec![toml::Value::from(only_mcp)]);
        settings.set("mcp.enabled", false);
        settings.set("limits.requests_per_minute", 1);
        settings.set("limits.body_timeout_seconds", 1);
    };
    program.reload(change, "taken").await.unwrap();
    assert_eq!(open().await.unwrap().status(), 404);
    for event in ["one", "two"] {
        stack.echo.emit(event).await.unwrap();
        let chunk = timeout(Duration::from_secs(20), events.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(chunk, format!("data: {event}\n\n").as_bytes());
        // Longer than the new rules let a part of a body take.
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    stack.echo.emit("end").await.unwrap();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn of_a_good_change_and_a_bad_one_neither_is_taken_and_all_that_is_wrong_is_told() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let change = |settings: &mut Settings| {
        settings.set("mcp.enabled", false);
        settings.set("server.trusted_proxies", vec!["0.0.0.0/0"]);
        settings.set("limits.body_timeout_seconds", 0);
        settings.set("limits.colour", "blue");
    };
    program.reload(change, "refused").await.unwrap();
    assert_eq!(status(&session).await, 200);
    let told = wait_told(program, "new configuration refused, the old one stays", 3).await;
    let keys: Vec<_> = told.iter().filter_map(|event| event["key"].as_str()).collect();
    for key in ["server.trusted_proxies[0]", "limits.body_timeout_seconds", "limits.colour"] {
        assert!(keys.contains(&key), "{key}: {told:?}");
    }
    // Without what is wrong the rest is taken.
    let repair = |settings: &mut Settings| {
        settings.remove("limits");
        settings.set("server.trusted_proxies", Vec::<String>::new());
    };
    program.reload(repair, "taken").await.unwrap();
    assert_eq!(status(&session).await, 503);
}

#[tokio::test]
async fn what_is_no_configuration_ends_nothing_and_changes_nothing() {
    let mut stack = Stack::builder().proxy_setting("limits.body_bytes", 2000).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let (good, path) = (program.settings().unwrap(), program.config().to_owned());
    let text = good.text();
    let half = text.split_at(text.len() / 2).0;
    let (good, mut refused) = (&good, 0);
    for bad in [b"".as_slice(), half.as_bytes(), b"\0\xff\xfe\x7fELF", "[limits]\n".as_bytes()] {
        fs::write(&path, bad).unwrap();
        refused += 1;
        program.signal("HUP").unwrap();
        program.wait_reloads("refused", refused).await.unwrap();
    }
    fs::remove_file(&path).unwrap();
    for make in [|_: &_| {}, |path: &_| fs::create_dir(path).unwrap()] {
        make(&path);
        refused += 1;
        program.signal("HUP").unwrap();
        program.wait_reloads("refused", refused).await.unwrap();
    }
    let large = json!({ "name": "get_me", "arguments": { "padding": "x".repeat(4000) } });
    let request = session.client.rpc(Era::Modern, &session.tokens.access, "tools/call", &large).unwrap();
    assert_eq!(session.client.send(request).await.unwrap().status, 413, "not the default");
    fs::remove_dir(&path).unwrap();
    // Counted before: what is there now is taken as soon as it is seen.
    let taken = program.reloads("taken").await.unwrap();
    program.rewrite(good).unwrap();
    program.wait_reloads("taken", taken + 1).await.unwrap();
    assert!(stack.proxy().unwrap().program.process().is_running());
}

#[tokio::test]
async fn many_signals_without_a_change_cost_nothing() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let began = Instant::now();
    for _ in 0..50 {
        program.signal("HUP").unwrap();
    }
    program.wait_reloads("taken", 1).await.unwrap();
    // In the memory of this one process, so that it did not restart either.
    assert_eq!(status(&session).await, 200);
    // The signals of 200 ms are one wish, however long all of them take to send.
    let (taken, took) = (program.reloads("taken").await.unwrap(), began.elapsed());
    assert!(u128::from(taken) <= took.as_millis() / 200 + 1, "{taken} in {took:?}");
    assert_eq!(program.reloads("refused").await.unwrap(), 0);
    assert!(told(program, "configuration reloaded").iter().all(|event| event["changed"] == ""));
}

#[tokio::test]
async fn a_config_map_that_is_swapped_is_read_without_a_signal() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let mut settings = program.settings().unwrap();
    for (number, enabled) in [(1, false), (2, true)] {
        settings.set("mcp.enabled", enabled);
        program.mount(&settings).unwrap();
        program.wait_reloads("taken", number).await.unwrap();
        assert_eq!(status(&session).await, if enabled { 200 } else { 503 });
    }
}

#[tokio::test]
async fn limits_keep_their_counts() {
    let builder = Stack::builder().proxy_setting("limits.requests_per_minute", 4);
    let stack = builder.proxy_setting("limits.registrations_per_minute", 4).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let register = || session.client.register_publicly(&session.discovery);
    assert_eq!(status(&session).await, 200);
    assert_eq!(status(&session).await, 429);
    register().await.unwrap();
    assert!(register().await.is_err(), "two for one network");
    let program = &stack.proxies[0].program;
    let tighter = |settings: &mut Settings| settings.set("limits.requests_per_minute", 3);
    for change in [|settings: &mut Settings| settings.set("log.filter", "info,proxy=debug"), tighter] {
        program.reload(change, "taken").await.unwrap();
        assert_eq!(status(&session).await, 429, "no new burst");
        assert!(register().await.is_err());
    }
    let looser = |settings: &mut Settings| settings.set("limits.requests_per_minute", 6000);
    program.reload(looser, "taken").await.unwrap();
    assert_eq!(status(&session).await, 200);
}

#[tokio::test]
async fn what_waits_for_a_restart_is_named_and_mixes_with_nothing_that_does_not() {
    let stack = Stack::start().await.unwrap();
    let program = &stack.proxies[0].program;
    let change = |settings: &mut Settings| {
        settings.set("server.public_url", "https://elsewhere.example");
        settings.set("cognito.timeout_seconds", 7);
        let mut mcp = route("/mcp", "mcp", &stack.adapter.endpoint);
        mcp.insert("name".to_owned(), "Planes".into());
        settings.set("routes", vec![toml::Value::from(mcp)]);
    };
    program.reload(change, "taken").await.unwrap();
    let waiting = wait_told(program, "changed settings wait for a restart", 1).await;
    assert_eq!(waiting[0]["keys"], "cognito.timeout_seconds server.public_url");
    // A route is known by the public URL.
    let found = stack.client("/mcp").unwrap().discover().await.unwrap();
    assert_eq!(found.resource["resource_name"], "Planes");
    assert_eq!(found.resource["authorization_servers"], json!([stack.origin()]));
    // Good only together with what waits: refused, and the proxy stays as it is.
    let change = |settings: &mut Settings| {
        settings.set("forward_auth.listen", "127.0.0.1:0");
        settings.set("forward_auth.trusted_proxies", vec!["127.0.0.1"]);
    };
    program.reload(change, "refused").await.unwrap();
    let refused = wait_told(program, "new configuration refused, the old one stays", 1).await;
    assert!(refused[0]["problem"].as_str().unwrap().contains("wait for a restart"), "{refused:?}");
}

#[tokio::test]
async fn a_key_file_that_would_lose_sessions_is_refused() {
    let mut stack = Stack::start().await.unwrap();
    let keys = every_setting::KeyFile::start(&mut stack).await;
    let session = stack.sign_in("alice").await.unwrap();
    let program = &stack.proxies[0].program;
    let (first, second, unknown) = (&keys.lines[0], &keys.lines[1], fresh_key("unknown").unwrap());
    let cases = [
        (second.clone(), "no longer lists"),
        (format!("{unknown}\n{first}\n{second}"), "which is new"),
        (format!("{first}\n{}", fresh_key("second").unwrap()), "another key under the id"),
        ("nonsense".to_owned(), "id:base64"),
    ];
    for (number, (text, why)) in (1..).zip(cases) {
        keys.write(&text);
        program.wait_reloads("refused", number).await.unwrap();
        let count = usize::try_from(number).unwrap();
        let refused = wait_told(program, "new configuration refused, the old one stays", count).await;
        let problem = refused[count - 1]["problem"].as_str().unwrap();
        assert!(problem.contains(why), "{why}: {refused:?}");
        assert!(!problem.contains(first.split_once(':').unwrap().1));
        assert_eq!(status(&session).await, 200);
    }
}

#[tokio::test]
async fn the_adapter_s_hosts_origins_and_body_limit_change_at_once() {
    let stack = Stack::start().await.unwrap();
    let program = &stack.adapter.program;
    let asked = async |name: &'static str, value: &'static str, body: usize| {
        let request = reqwest::Client::builder().no_proxy().build().unwrap().post(&stack.adapter.endpoint);
        let request = request.header(name, value).header("content-type", "application/json");
        request.body("x".repeat(body)).send().await.unwrap().status().as_u16()
    };
    let seen = async || {
        let host = asked("host", "adapter.internal", 10).await;
        let origin = asked("origin", "https://app.example.com", 10).await;
        (host, origin, asked("x-api-key", "plane_api_0123456789", 5000).await)
    };
    // Refused for their host and origin; for want of a token; for what is no JSON.
    assert_eq!(seen().await, (403, 403, 400));
    let change = |settings: &mut Settings| {
        settings.set("server.allowed_hosts", vec!["adapter.internal"]);
        settings.set("server.allowed_origins", vec!["https://app.example.com"]);
        settings.set("mcp.body_bytes", 2000);
    };
    program.reload(change, "taken").await.unwrap();
    assert_eq!(seen().await, (401, 401, 413));
}
