//! Too much, too large, too slow: refused with a status that says so, and others are served meanwhile.

use std::{io::Write, net::SocketAddr, time::Duration};

use futures_util::future::{join_all, select_all};
use serde_json::{Value, json};
use stack::{
    client::{Era, McpClient},
    process::PATIENCE,
    settings::Settings,
    stack::{Stack, Store},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::tls;

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let stack = Stack::builder().proxy_setting("limits.body_bytes", 2000).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let client = &session.client;
    let bearer = &session.tokens.access;
    let large = json!({ "name": "get_me", "arguments": { "padding": "x".repeat(4000) } });
    let request = client.rpc(Era::Modern, bearer, "tools/call", &large).unwrap();
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert!(
        answer.json["reason"] == "body_too_large" || answer.text.contains("body_too_large"),
        "{}",
        answer.text
    );

    // Without a length known beforehand.
    let chunks = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let request = client.request("POST", client.endpoint()).unwrap().bearer_auth(bearer);
    let request = request.header("content-type", "application/json").body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(client.send(request).await.unwrap().status, 413);
    assert_eq!(client.probe(bearer).await.unwrap().status, 200);
}

#[tokio::test]
async fn headers_that_are_too_large_or_too_many_are_431() {
    let stack = Stack::builder()
        .proxy_setting("limits.header_bytes", 16384)
        .proxy_setting("limits.headers", 50)
        .start()
        .await
        .unwrap();
    let client = stack.client("/mcp").unwrap();
    let large = client.rpc(Era::Modern, "x", "tools/list", &Value::Null).unwrap();
    assert_eq!(client.send(large.header("x-large", "y".repeat(30_000))).await.unwrap().status, 431);
    let mut many = client.rpc(Era::Modern, "x", "tools/list", &Value::Null).unwrap();
    for number in 0..60 {
        many = many.header(format!("x-{number}"), "y");
    }
    assert_eq!(client.send(many).await.unwrap().status, 431);
    assert_eq!(client.load("/healthz").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_head_that_never_ends_is_cut() {
    let stack = Stack::builder().proxy_setting("limits.header_timeout_seconds", 1).start().await.unwrap();
    let mut connection = tls::connect(&stack, tls::Wanted::default()).await.unwrap();
    let cut = tokio::task::spawn_blocking(move || {
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
        connection.flush().unwrap();
        tls::read_to_end(&mut connection)
    });
    let answer = timeout(Duration::from_secs(20), cut).await.unwrap().unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn requests_beyond_the_rate_are_429_with_retry_after() {
    let stack = Stack::builder().proxy_setting("limits.requests_per_minute", 2).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let mut limited = None;
    for _ in 0..200 {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status != 200 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.unwrap();
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").parse::<u32>().is_ok());
    // MCP's JSON schema has no null id: an error about a message that nobody read has none.
    assert_eq!((&limited.json["jsonrpc"], limited.json.get("id")), (&"2.0".into(), None), "{}", limited.text);
    let other = stack.sign_in("bob").await.unwrap();
    assert_eq!(
        other.client.probe(&other.tokens.access).await.unwrap().status,
        200,
        "others are not concerned"
    );
}

#[tokio::test]
async fn bad_input_keeps_the_connection_and_never_panics() {
    let mut stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let client = &session.client;
    let post = || client.request("POST", client.endpoint()).unwrap().bearer_auth(&session.tokens.access);
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"jsonrpc\":\"2.0\"}",
        "\u{0}",
        "[{\"jsonrpc\":\"2.0\",\"id\":1}]",
    ];
    for body in bodies {
        let request = post().header("content-type", "application/json").body(body);
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text);
    }
    let answer = client.send(post().header("content-type", "text/plain").body("hello")).await.unwrap();
    assert_eq!(answer.status, 415, "{}", answer.text);
    for path in ["/nowhere", "/mcp/../healthz%2e", "/%00", "//mcp", "/mcp%2f"] {
        let answer = client.load(&format!("{}{path}", stack.origin())).await.unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
    assert_eq!(client.probe(&session.tokens.access).await.unwrap().status, 200);
    assert!(!stack.logs().contains("panicked"));
    assert!(stack.proxy().unwrap().program.process().is_running());
}

/// The status of a token request that is refused for its content, from whom `X-Forwarded-For` names.
async fn asked_for(client: &McpClient, origin: &str, forwarded_for: &str) -> u16 {
    let url = format!("{origin}/token").parse().unwrap();
    let request = client.request("POST", &url).unwrap().header("x-forwarded-for", forwarded_for);
    client.send(request.form(&[("grant_type", "none")])).await.unwrap().status
}

#[tokio::test]
async fn users_behind_a_trusted_proxy_have_limits_of_their_own() {
    let stack = Stack::builder()
        .echo_routes()
        .proxy_setting("server.trusted_proxies", vec!["127.0.0.1", "10.0.0.0/8"])
        .start()
        .await
        .unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let (client, origin) = (&session.client, stack.origin());
    // One at once and the next half a minute later, which would be too few for a sign-in.
    let few = |settings: &mut Settings| settings.set("limits.oauth_requests_per_minute", 2);
    stack.proxies[0].program.reload(few, "taken").await.unwrap();
    assert_ne!(asked_for(client, origin, "203.0.113.1").await, 429);
    for one_of_many in ["203.0.113.1", "198.51.100.1, 203.0.113.1", "203.0.113.1:4711, 10.0.0.1"] {
        assert_eq!(asked_for(client, origin, one_of_many).await, 429, "{one_of_many}");
    }
    assert_ne!(asked_for(client, origin, "203.0.113.2").await, 429, "another user");

    let request = client.request("GET", client.endpoint()).unwrap().bearer_auth(&session.tokens.access);
    let request = request.header("x-forwarded-for", "198.51.100.1, 203.0.113.3, 10.0.0.1");
    assert_eq!(client.send(request).await.unwrap().status, 200);
    assert_eq!(stack.echo.last().unwrap().values("x-forwarded-for"), ["203.0.113.3"]);
    let logged = async {
        while !stack.logs().contains("203.0.113.3") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), logged).await.expect("the client's address in the log");
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_choose_its_address() {
    let stack = Stack::builder()
        .proxy_setting("server.trusted_proxies", vec!["10.0.0.0/8"])
        .proxy_setting("limits.oauth_requests_per_minute", 20)
        .start()
        .await
        .unwrap();
    let client = stack.client("/mcp").unwrap();
    let mut passed = 0;
    for number in 0..30 {
        let chosen = format!("203.0.113.{number}");
        passed += usize::from(asked_for(&client, stack.origin(), &chosen).await != 429);
    }
    assert!((10..30).contains(&passed), "{passed}");
}

#[tokio::test]
async fn replicas_count_the_oauth_endpoints_together_and_go_on_without_valkey() {
    let builder = Stack::builder().store(Store::Valkey).proxies(2);
    let mut stack = builder.proxy_setting("limits.oauth_requests_per_minute", 20).start().await.unwrap();
    let one = stack.client("/mcp").unwrap();
    let two = one.through(&stack.proxies[1].origin).unwrap();
    let origin = stack.origin().to_owned();
    let mut passed = 0;
    for number in 0..40 {
        let client = if number % 2 == 0 { &one } else { &two };
        passed += usize::from(asked_for(client, &origin, "203.0.113.1").await != 429);
    }
    // Ten at once, and one more every three seconds; if each counted for itself, there would be twenty.
    assert!((10..16).contains(&passed), "{passed}");

    stack.valkey.as_mut().unwrap().stop();
    // Each has let at most ten pass itself.
    let mut alone = Vec::new();
    for _ in 0..20 {
        alone.push(asked_for(&two, &origin, "203.0.113.1").await);
    }
    assert!(alone.contains(&429) && alone.iter().any(|status| *status != 429), "{alone:?}");
    assert!(alone.iter().all(|status| *status != 500), "{alone:?}");
}

/// A TCP connection to the first proxy from an address of ours, `127.0.0.HOST`.
async fn connect_from(stack: &Stack, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
    socket.connect(stack.proxies[0].program.public()).await.unwrap()
}

/// Whether the proxy closes all of them before a byte was sent.
async fn are_closed(connections: &mut [TcpStream]) -> bool {
    let ends =
        connections.iter_mut().map(|tcp| async { matches!(tcp.read(&mut [0; 1]).await, Ok(0) | Err(_)) });
    timeout(PATIENCE, join_all(ends)).await.is_ok_and(|ends| ends.iter().all(|end| *end))
}

/// Whether the proxy keeps all of them for a moment, which is shorter than it waits for a handshake.
async fn are_kept(connections: &mut [TcpStream]) -> bool {
    let first_end = select_all(connections.iter_mut().map(|tcp| Box::pin(tcp.read_u8())));
    timeout(Duration::from_millis(500), first_end).await.is_err()
}

async fn metric(stack: &Stack, name: &str) -> u64 {
    let (_, text) = stack.proxies[0].program.admin("/metrics").await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Waits until the proxy has so many connections of clients.
async fn open_are(stack: &Stack, count: u64) {
    let waited = async {
        while metric(stack, "proxy_open_connections{listener=\"public\"}").await != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap();
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let builder = Stack::builder().proxy_setting("limits.connections_per_address", 3);
    let stack = builder.proxy_setting("limits.header_timeout_seconds", 60).start().await.unwrap();
    let connect = |count| join_all((0..count).map(|_| connect_from(&stack, 2)));
    let mut greedy = connect(3).await;
    // The threads of the proxy accept each for itself, so that later ones could be let in first.
    open_are(&stack, 3).await;
    let mut more = connect(20).await;
    assert!(are_closed(&mut more).await, "closed before TLS");
    let refused = "proxy_connections_refused_total{reason=\"address\"}";
    assert_eq!(metric(&stack, refused).await, 20);
    assert!(are_kept(&mut greedy).await);
    // From another address a whole sign-in works.
    let session = stack.sign_in("alice").await.unwrap();
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 200);
    drop((greedy, more));
    let mut again = connect(1).await;
    while !are_kept(&mut again).await {
        again = connect(1).await;
    }

    // A proxy that is trusted carries everybody.
    let change = |settings: &mut Settings| settings.set("server.trusted_proxies", vec!["127.0.0.2"]);
    stack.proxies[0].program.reload(change, "taken").await.unwrap();
    let mut many = connect(10).await;
    assert!(are_kept(&mut many).await);
    drop((many, again, session));
    open_are(&stack, 0).await;
}
