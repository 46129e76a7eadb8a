//! Who a request acts for is decided by its token alone: what a client says about itself never gets through.

use futures_util::future::join_all;
use serde_json::json;
use stack::{
    client::{Era, SignedIn},
    stack::Stack,
};

#[tokio::test]
async fn two_users_interleaved_never_see_each_other() {
    let stack = Stack::start().await.unwrap();
    let alice = stack.sign_in("alice").await.unwrap();
    let bob = stack.sign_in("bob").await.unwrap();
    for _ in 0..5 {
        let calls = (0..8).map(|number| {
            let (session, email) =
                if number % 2 == 0 { (&alice, "alice@example.com") } else { (&bob, "bob@example.com") };
            async move {
                let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
                assert_eq!(me["email"], email);
            }
        });
        join_all(calls).await;
    }
    let users = stack.plane.users_seen();
    assert_eq!(users.len(), 2, "{users:?}");
}

/// The names under which an upstream could read an identity, as servers fold them.
fn folded(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// A request to `target` with everything an attacker can think of beside a good token.
async fn attack(session: &SignedIn, target: &str, connection: &str) -> u16 {
    let url = session.client.endpoint().join(target).unwrap();
    let mut request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    let identity = [
        "X-Auth-Request-Email",
        "X_Auth_Request_Email",
        "X.Auth.Request.Email",
        "x-auth-request-user",
        "X-Auth-Request-Groups",
        "X-Auth-Request-Access-Token",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "Forwarded",
        "X-Real-Ip",
        "X-Api-Key",
        "X_Api_Key",
        "Proxy-Authorization",
        "X-Mcp-Scope",
        "X_Mcp_Scope",
        "Cookie",
    ];
    for name in identity {
        request = request.header(name, "mallory@evil.example");
    }
    if !connection.is_empty() {
        request = request.header("connection", connection);
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    session.client.send(request.json(&body)).await.unwrap().status
}

#[tokio::test]
async fn an_upstream_sees_the_id_token_and_nothing_of_the_client_s_own() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let user = stack.cognito.user("alice").unwrap();
    for (route, target) in [("/echo", "/echo/some/path?x=1"), ("/echo-mcp", "/echo-mcp")] {
        let session = stack.sign_in_at(route, "alice").await.unwrap();
        for connection in ["", "authorization", "close, X-Auth-Request-Email, x-forwarded-for"] {
            assert_eq!(attack(&session, target, connection).await, 200, "{route} {connection}");
            let seen = stack.echo.last().unwrap();
            let bearer = seen.values("authorization");
            assert_eq!(bearer.len(), 1, "{seen:?}");
            let claims = claims_of(bearer[0].strip_prefix("Bearer ").unwrap());
            assert_eq!(claims["token_use"], "id");
            assert_eq!(claims["cognito:username"], "alice");
            assert_eq!(claims["sub"], user.sub.as_str());
            let everything = format!("{seen:?}");
            assert!(!everything.contains("mallory"), "{seen:?}");
            assert!(!everything.contains(&session.tokens.access), "{seen:?}");
            let forged = seen.headers.iter().filter(|(name, _)| {
                let name = folded(name);
                name.starts_with("x-auth-request") || name == "x-api-key" || name == "cookie"
            });
            assert_eq!(forged.count(), 0, "{seen:?}");
            // The adapter behind an MCP route hears what the token may do; Plane has no use for it.
            let scopes: Vec<_> =
                seen.headers.iter().filter(|(name, _)| folded(name) == "x-mcp-scope").cloned().collect();
            let said = [("x-mcp-scope".to_owned(), "plane:read offline_access".to_owned())];
            assert_eq!(scopes, if route == "/echo-mcp" { &said[..] } else { &[] });
            assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
            assert_eq!(seen.values("x-forwarded-proto"), ["https"]);
            assert_eq!(seen.values("x-request-id").len(), 1);
        }
    }
    assert_eq!(stack.echo.seen()[0].target, "/echo/some/path?x=1", "an http route keeps path and query");
    assert_eq!(stack.echo.last().unwrap().target, "/upstream/mcp");
}

#[tokio::test]
async fn plane_never_sees_the_token_of_the_client() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    let seen = [stack.plane.requests(), stack.plane.front_requests()].concat();
    assert!(!seen.is_empty());
    for request in seen {
        let text = format!("{:?}", request.headers);
        for secret in session.client.secrets() {
            assert!(!text.contains(&secret), "{text}");
        }
    }
}

fn claims_of(token: &str) -> serde_json::Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
