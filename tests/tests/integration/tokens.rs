//! What is not exactly one good token of ours for exactly this route is refused, with a challenge the client can act on.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::{
    client::SignedIn,
    cognito::{Forgery, TokenKind},
    stack::Stack,
};

/// Header and payload of a token.
fn parts(token: &str) -> (Value, Value) {
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let mut parts = token.split('.');
    (read(parts.next().unwrap()), read(parts.next().unwrap()))
}

fn encode(header: &Value, payload: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(payload))
}

/// The same token with its header and payload changed, the signature kept.
fn altered(token: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut header, mut payload) = parts(token);
    change(&mut header, &mut payload);
    encode(&header, &payload, token.rsplit('.').next().unwrap())
}

fn signed_with(secret: &[u8], header: &Value, payload: &Value) -> String {
    let unsigned = encode(header, payload, "");
    let unsigned = unsigned.trim_end_matches('.');
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let signature = aws_lc_rs::hmac::sign(&key, unsigned.as_bytes());
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn forgeries(
    stack: &Stack,
    session: &SignedIn,
    elsewhere: &str,
    modulus: &[u8],
) -> Vec<(&'static str, String)> {
    let good = &session.tokens.access;
    let (header, payload) = parts(good);
    let cognito = &stack.cognito;
    let unsigned = json!({ "alg": "none", "typ": "at+jwt", "kid": header["kid"] });
    let hs = json!({ "alg": "HS256", "typ": "at+jwt", "kid": header["kid"] });
    let kidless = json!({ "alg": "HS256", "typ": "at+jwt" });
    let forge = |kind, forgery: &Forgery| cognito.forge(kind, "alice", &payload, forgery).unwrap();
    vec![
        ("for another resource", elsewhere.to_owned()),
        ("of another issuer", altered(good, |_, payload| payload["iss"] = json!("https://evil.example"))),
        ("with another user", altered(good, |_, payload| payload["sub"] = json!("someone-else"))),
        ("with a later end", altered(good, |_, payload| payload["exp"] = json!(4_102_444_800_u64))),
        ("Cognito's ID token", cognito.mint_id_token("alice", &json!({})).unwrap()),
        ("Cognito's access token", cognito.mint_access_token("alice", &json!({})).unwrap()),
        ("our claims under Cognito's key", forge(TokenKind::Access, &Forgery::None)),
        ("unsigned", encode(&unsigned, &payload, "")),
        ("unsigned with a signature", encode(&unsigned, &payload, good.rsplit('.').next().unwrap())),
        ("HS256 with the RSA key as its secret", signed_with(modulus, &hs, &payload)),
        ("HS256 with an empty secret", signed_with(b"", &hs, &payload)),
        ("without kid", signed_with(modulus, &kidless, &payload)),
        (
            "with its kid cut out",
            altered(good, |header, _| drop(header.as_object_mut().unwrap().remove("kid"))),
        ),
        ("of another type", altered(good, |header, _| header["typ"] = json!("JWT"))),
        ("the refresh token", session.tokens.refresh.clone()),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("no token at all", "x".to_owned()),
        ("endless", "a".repeat(20_000)),
    ]
}

#[tokio::test]
async fn a_forged_or_foreign_token_is_refused_with_the_right_challenge() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let elsewhere = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    let keys =
        session.client.load(&format!("{}/.well-known/jwks.json", stack.cognito.issuer_url())).await.unwrap();
    let modulus = keys.json["keys"][0]["n"].as_str().unwrap().to_owned();
    let reached_plane = stack.plane.requests().len();
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", stack.origin());

    for (what, token) in forgeries(&stack, &session, &elsewhere.tokens.access, modulus.as_bytes()) {
        let answer = session.client.probe(&token).await.unwrap();
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        assert_eq!(answer.challenge("error").as_deref(), Some("invalid_token"), "{what}");
        assert_eq!(answer.challenge("resource_metadata").as_ref(), Some(&metadata), "{what}");
        assert_eq!(answer.challenge("scope").as_deref(), Some("plane:read"), "{what}");
    }
    assert_eq!(
        session.client.probe(&session.tokens.access).await.unwrap().status,
        200,
        "the good one still works"
    );
    assert_eq!(stack.plane.requests().len(), reached_plane, "nothing of it reached Plane");
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let stack = Stack::builder().proxy_setting("oauth.access_token_seconds", 10).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 200);
    let started = Instant::now();
    let refused = loop {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status != 200 {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(40), "a token of ten seconds still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((refused.status, refused.challenge("error").as_deref()), (401, Some("invalid_token")));
    session.refresh().await.unwrap();
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_ambiguous_credential_is_a_bad_request() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let client = &session.client;
    let bearer = format!("Bearer {}", session.tokens.access);

    let twice = client.rpc(stack::client::Era::Modern, "", "tools/list", &Value::Null).unwrap();
    let twice = twice.header("authorization", &bearer).header("authorization", &bearer);
    assert_eq!(client.send(twice).await.unwrap().status, 400);

    let in_query = client.load(&format!("/mcp?access_token={}", session.tokens.access)).await.unwrap();
    assert_eq!(in_query.status, 400);

    let basic =
        client.request("POST", client.endpoint()).unwrap().basic_auth(&session.tokens.access, Some(""));
    assert_eq!(client.send(basic).await.unwrap().status, 401);
}

#[tokio::test]
async fn a_token_without_a_scope_of_the_route_is_403_and_told_which() {
    let stack =
        Stack::builder().echo_routes().route_scopes(&["plane:read", "plane:write"]).start().await.unwrap();
    let session = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!((answer.status, answer.challenge("error").as_deref()), (403, Some("insufficient_scope")));
    assert_eq!(answer.challenge("scope").as_deref(), Some("plane:read plane:write"));
    assert!(stack.echo.seen().is_empty());
}
