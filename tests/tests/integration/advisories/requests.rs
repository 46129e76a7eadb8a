//! The advisories about requests that come with a token, or should.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{
    client::{Era, McpClient, SignedIn},
    stack::Stack,
};

async fn email_of(session: &SignedIn) -> Value {
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap()["email"].clone()
}

/// Kuadrant's gateway: one internal header, and the token was not looked at.
#[tokio::test]
async fn ghsa_g53w_w6mj_hrpp_no_header_stands_in_for_a_token() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let names = [
        "router-key",
        "x-internal-key",
        "mcp-init-host",
        "x-mcp-authorized",
        "x-mcp-servername",
        "x-auth-request-email",
        "x-auth-request-user",
        "x-forwarded-user",
        "x-api-key",
        "x-original-authorization",
        "proxy-authorization",
        "x-forwarded-authorization",
        "cookie",
        "x-http-method-override",
        "x-skip-auth",
    ];
    for path in ["/echo", "/echo-mcp"] {
        let client = stack.client(path).unwrap();
        let mut request = client.rpc(Era::Modern, "", "tools/list", &Value::Null).unwrap();
        for name in names {
            request = request.header(name, "true");
        }
        assert_eq!(client.send(request).await.unwrap().status, 401, "{path}");
    }
    assert!(stack.echo.seen().is_empty());
}

/// Also CVE-2026-32211 (Azure MCP) and Kong 3.13: one transport, or what was no MCP, went by the gate.
#[tokio::test]
async fn cve_2026_7663_one_gate_for_all_methods_paths_and_transports() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let client = stack.client("/echo").unwrap();
    for path in [
        "/echo",
        "/echo/sse",
        "/echo/messages",
        "/echo-mcp",
        "/echo-mcp/sse",
        "/mcp",
        "/mcp/ws",
        "/api-key/mcp",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            for accept in ["application/json", "text/event-stream"] {
                let url = client.endpoint().join(path).unwrap();
                let request = client.request(method, &url).unwrap().header("accept", accept);
                let answer = client.send(request).await.unwrap();
                assert!([401, 404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
            }
        }
    }
    assert!(stack.echo.seen().is_empty() && stack.plane.requests().is_empty());
}

/// mcpproxy-go 0.64.0: an open or lesser door showed what the other one hid.
#[tokio::test]
async fn mcpproxy_go_0_64_0_no_door_shows_a_secret() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let key = stack.surroundings.vault_keys.split_once(':').unwrap().1.to_owned();
    let secrets = [key, stack.cognito.client_secret.clone().unwrap()];
    let paths = [
        "/",
        "/healthz",
        "/info",
        "/status",
        "/config",
        "/debug",
        "/metrics",
        "/readyz",
        "/livez",
        "/mcp/info",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/mcp",
        "/token",
    ];
    for path in paths {
        let url = session.client.endpoint().join(path).unwrap();
        for bearer in ["", session.tokens.access.as_str()] {
            let request = session.client.request("GET", &url).unwrap().bearer_auth(bearer);
            let answer = session.client.send(request).await.unwrap();
            let everything = format!("{:?} {}", answer.headers, answer.text);
            assert!(secrets.iter().all(|secret| !everything.contains(secret)), "{path}: {everything}");
        }
    }
    for path in ["/metrics", "/readyz", "/livez"] {
        let shown = stack.proxies[0].program.admin(path).await.unwrap().1;
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{path}: {shown}");
    }
}

/// Cloudflare's sample: the provider's tokens reached the browser and the client.
#[tokio::test]
async fn cloudflare_ai_51_the_provider_s_tokens_never_leave_for_browser_or_client() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    let callback = browser.sign_in(&authorization.url, &stack.person("alice")).await.unwrap();
    let names: Vec<_> = callback.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert!(names.iter().all(|name| ["code", "state", "iss"].contains(&name.as_str())), "{names:?}");
    let tokens = client.redeem(&found, &client_id, &authorization, &callback).await.unwrap();
    let received = [callback.url.to_string(), tokens.access.clone(), tokens.refresh.clone()];
    // What the upstreams saw is what must not have been seen here.
    client.probe(&tokens.access).await.unwrap().expect_status(200).unwrap();
    let session = SignedIn { client, discovery: found, client_id, tokens };
    email_of(&session).await;
    for request in stack.plane.front_requests() {
        let bearer =
            request.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
        assert!(received.iter().all(|text| !text.contains(&bearer)));
    }
}

/// The sign-in of a user with a client that is registered already.
async fn with_client(stack: &Stack, client: &McpClient, client_id: &str, user: &str) -> SignedIn {
    let discovery = client.discover().await.unwrap();
    let authorization = client.authorization(&discovery, client_id).unwrap();
    let browser = stack.browser().unwrap();
    let callback = browser.sign_in(&authorization.url, &stack.person(user)).await.unwrap();
    let tokens = client.redeem(&discovery, client_id, &authorization, &callback).await.unwrap();
    SignedIn { client: client.clone(), discovery, client_id: client_id.to_owned(), tokens }
}

/// Gravitee kept tokens by client and not by user.
#[tokio::test]
async fn gravitee_aiam_329_two_users_of_one_client_never_get_each_other_s_token() {
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let client_id = client.register_publicly(&client.discover().await.unwrap()).await.unwrap();
    let alice = with_client(&stack, &client, &client_id, "alice").await;
    let bob = with_client(&stack, &client, &client_id, "bob").await;
    let calls = (0..16).map(|number| if number % 2 == 0 { &alice } else { &bob }).map(email_of);
    for (number, email) in join_all(calls).await.into_iter().enumerate() {
        assert_eq!(email, if number % 2 == 0 { "alice@example.com" } else { "bob@example.com" });
    }
}

/// Also GHSA-345p-7cg4-v4c7: one transport for all, and replies found by the id that clients choose.
#[tokio::test]
async fn cve_2026_25536_equal_ids_of_two_users_at_once_get_their_own_replies() {
    let stack = Stack::start().await.unwrap();
    let (alice, bob) = (stack.sign_in("alice").await.unwrap(), stack.sign_in("bob").await.unwrap());
    let calls = (0..32).map(|number| {
        let (alice, bob) = (&alice, &bob);
        async move {
            let (session, email) = match number % 2 {
                0 => (alice, "alice@example.com"),
                _ => (bob, "bob@example.com"),
            };
            let params = json!({ "name": "get_me", "arguments": {} });
            let request =
                session.client.rpc(Era::Modern, &session.tokens.access, "tools/call", &params).unwrap();
            let answer = session.client.send(request).await.unwrap().expect_status(200).unwrap();
            assert_eq!(answer.json["id"], 1);
            assert!(answer.text.contains(email), "{}", answer.text);
        }
    });
    join_all(calls).await;
}

/// Also CVE-2026-42559 (RUSTSEC-2026-0189): by default no name but our own, and no page of another origin.
#[tokio::test]
async fn cve_2025_66416_a_rebound_name_is_refused_at_proxy_and_adapter() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let bearer = session.tokens.access.as_str();
    for (header, value) in [("host", "rebound.example"), ("origin", "http://rebound.example")] {
        let request = session.client.rpc(Era::Modern, bearer, "tools/list", &Value::Null).unwrap();
        let answer = session.client.send(request.header(header, value)).await;
        let status = answer.map_or(400, |answer| answer.status);
        assert!([400, 403, 421].contains(&status), "{header}: {status}");
    }
    let adapter = McpClient::new(&stack.adapter.endpoint, &stack.authority.pem()).unwrap();
    let reached = stack.plane.requests().len();
    for (header, value) in [("host", "rebound.example"), ("origin", "http://rebound.example")] {
        let request = adapter.rpc(Era::Modern, "", "tools/list", &Value::Null).unwrap().header(header, value);
        let status = adapter.send(request).await.unwrap().status;
        assert!((400..500).contains(&status), "{header}: {status}");
    }
    assert_eq!(stack.plane.requests().len(), reached);
}

/// The same for WebSockets, of which there are none.
#[tokio::test]
async fn cve_2026_59950_nothing_is_upgraded_to_a_web_socket() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    for bearer in ["x", session.tokens.access.as_str()] {
        let request = session.client.request("GET", session.client.endpoint()).unwrap().bearer_auth(bearer);
        let request = request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_ne!(session.client.send(request).await.unwrap().status, 101);
    }
    assert!(
        stack.echo.seen().iter().all(|seen| seen.values("upgrade").is_empty()),
        "{:?}",
        stack.echo.seen()
    );
}

/// A session of the transport was whoever knew its id.
#[tokio::test]
async fn cve_2026_52869_the_id_of_another_s_session_makes_nobody_that_other() {
    let stack = Stack::start().await.unwrap();
    let (alice, bob) = (stack.sign_in("alice").await.unwrap(), stack.sign_in("bob").await.unwrap());
    let claims = alice.tokens.access.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let sid = serde_json::from_slice::<Value>(&claims).unwrap()["sid"].as_str().unwrap().to_owned();
    alice.initialize().await.unwrap();
    for era in [Era::Modern, Era::Legacy] {
        let params = json!({ "name": "get_me", "arguments": {} });
        let request = bob.client.rpc(era, &bob.tokens.access, "tools/call", &params).unwrap();
        let answer = bob.client.send(request.header("mcp-session-id", &sid)).await.unwrap();
        assert!(!answer.text.contains("alice"), "{}", answer.text);
        let request = bob.client.rpc(era, "", "tools/call", &params).unwrap();
        let answer = bob.client.send(request.header("mcp-session-id", &sid)).await.unwrap();
        assert_eq!(answer.status, 401, "an id is no credential");
    }
}
