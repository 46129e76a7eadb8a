use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::super::{Endpoint, OAuthRequest, OAuthSettings};
use super::answers::{assert_error, json};
use super::world::{ISSUER, Jar, VERIFIER, World, route};
use crate::limits::ClientAddress;

#[tokio::test]
async fn a_public_client_gets_an_id_and_no_secret() {
    let world = World::new();
    let response = world
        .register_with(json!({
            "redirect_uris": ["http://127.0.0.1:1234/cb"], "client_name": "Claude Code", "application_type": "native",
            "logo_uri": "https://evil.example/logo.png", "something": { "new": [1] }, "scope": "plane:read",
        }))
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = json(&response);
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!((&body["client_name"], &body["application_type"]), (&json!("Claude Code"), &json!("native")));
    assert!(body.get("client_secret").is_none());
    assert!(body.get("logo_uri").is_none());
    assert!(!body["client_id"].as_str().unwrap().starts_with("https://"));
}

#[tokio::test]
async fn cursor_registers_its_three_uris_in_one_call() {
    let world = World::new();
    let uris = json!([
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]);
    let response = world.register_with(json!({ "redirect_uris": uris })).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(json(&response)["redirect_uris"], uris);
}

/// So many redirect URIs of so many bytes each.
fn long(count: usize, bytes: usize) -> Vec<String> {
    (0..count).map(|number| format!("http://localhost/{number:0>width$}", width = bytes - 17)).collect()
}

#[tokio::test]
async fn a_client_may_have_as_many_redirect_uris_as_fit() {
    let world = World::new();
    let uris = long(2, 2048);
    assert!(uris.iter().all(|uri| uri.len() == 2048));
    let metadata = json!({ "redirect_uris": uris });
    assert_eq!(world.register_with(metadata).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn unusable_metadata_is_refused_with_its_code() {
    let world = World::new();
    let many: Vec<_> = (0..11).map(|port| format!("http://localhost:{port}/")).collect();
    for (metadata, error, why) in [
        (json!({}), "invalid_redirect_uri", "redirect_uris_missing"),
        (json!({ "redirect_uris": many }), "invalid_redirect_uri", "redirect_uris_too_many"),
        (
            json!({ "redirect_uris": ["http://localhost/", "http://127.0.0.1/", "http://localhost/"] }),
            "invalid_redirect_uri",
            "redirect_uri_repeated",
        ),
        (json!({ "redirect_uris": long(3, 1400) }), "invalid_redirect_uri", "redirect_uris_too_long"),
        (
            json!({ "redirect_uris": ["javascript:alert(1)"] }),
            "invalid_redirect_uri",
            "redirect_uri_unusable",
        ),
        (
            json!({ "redirect_uris": ["https://evil.example/cb"] }),
            "invalid_redirect_uri",
            "redirect_uri_not_allowed",
        ),
        (
            json!({ "redirect_uris": "http://localhost/" }),
            "invalid_client_metadata",
            "registration_malformed",
        ),
        (json!([1]), "invalid_client_metadata", "registration_malformed"),
        (
            json!({ "redirect_uris": ["http://localhost/"], "token_endpoint_auth_method": "private_key_jwt" }),
            "invalid_client_metadata",
            "auth_method_unsupported",
        ),
        (
            json!({ "redirect_uris": ["http://localhost/"], "grant_types": ["client_credentials"] }),
            "invalid_client_metadata",
            "grant_types",
        ),
        (
            json!({ "redirect_uris": ["http://localhost/"], "response_types": ["token"] }),
            "invalid_client_metadata",
            "response_types",
        ),
    ] {
        assert_error(&world.register_with(metadata).await, 400, error, why);
    }
    let form = world.post("/register", &Jar::default(), &[("redirect_uris", "http://localhost/")]).await;
    assert_error(&form, 415, "invalid_request", "media_type");
}

#[tokio::test]
async fn a_confidential_client_proves_itself_with_its_secret() {
    let world = World::new();
    let metadata = json!({
        "redirect_uris": [super::world::CALLBACK], "token_endpoint_auth_method": "client_secret_basic",
    });
    let body = json(&world.register_with(metadata).await);
    assert_eq!(body["client_secret_expires_at"], 0);
    let (id, secret) = (body["client_id"].as_str().unwrap(), body["client_secret"].as_str().unwrap());

    let code = world.code(id).await;
    let without = world.redeem(id, &code, &[]).await;
    assert_error(&without, 401, "invalid_client", "client_secret_wrong");
    assert!(without.headers().get("www-authenticate").is_none());
    let wrong = world.redeem(id, &code, &[("client_secret", "wrong")]).await;
    assert_error(&wrong, 401, "invalid_client", "client_secret_wrong");

    let basic = |secret: &str, more: &str| {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let form = format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}{more}");
        (headers, form)
    };
    let (headers, form) = basic("wrong", "");
    let wrong = world.send(Method::POST, "/token", headers, form).await;
    assert_error(&wrong, 401, "invalid_client", "client_secret_wrong");
    assert!(wrong.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let (headers, form) = basic(secret, "&client_secret=also");
    let twice = world.send(Method::POST, "/token", headers, form).await;
    assert_error(&twice, 400, "invalid_request", "two_client_credentials");
    let (headers, form) = basic(secret, "");
    let good = world.send(Method::POST, "/token", headers, form).await;
    assert_eq!(good.status(), StatusCode::OK);
    let refreshed = world.refresh(id, &super::answers::pair(&good).1, &[("client_secret", secret)]).await;
    assert_eq!(refreshed.status(), StatusCode::OK);
}

/// What a registration is answered that comes from this address.
async fn register_from(world: &World, address: &str, metadata: serde_json::Value) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = OAuthRequest {
        method: Method::POST,
        query: None,
        headers,
        body: metadata.to_string().into(),
        client: ClientAddress::of_peer(address.parse().unwrap()),
    };
    world.oauth.answer(Endpoint::Register, request).await
}

#[tokio::test]
async fn one_network_cannot_keep_the_others_from_registering() {
    let world = World::new();
    let from = async |address: &str, metadata: serde_json::Value| {
        register_from(&world, address, metadata).await.status()
    };
    let good = json!({ "redirect_uris": ["http://localhost/"] });
    for number in 0..100 {
        assert_eq!(from("203.0.113.9", json!({})).await, StatusCode::BAD_REQUEST);
        let expected = if number < 15 { StatusCode::CREATED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(from(&format!("2001:db8:0:{number:x}::1"), good.clone()).await, expected, "{number}");
    }
    assert_eq!(from("203.0.113.9", good).await, StatusCode::CREATED);
}

#[tokio::test]
async fn replicas_take_only_so_many_clients_an_hour_together() {
    let mut few = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    few.registrations_per_minute = 0;
    few.registrations_per_hour = 6; // of which one network gets half
    let replicas = World::replicas(&few);
    let good = json!({ "redirect_uris": ["http://localhost/"] });
    let mut passed = Vec::new();
    for number in 0..20 {
        let address = format!("203.0.{}.{number}", number % 4);
        let answer = register_from(&replicas[number / 4 % 2], &address, good.clone()).await;
        if answer.status() == StatusCode::CREATED {
            passed.push(number);
        } else {
            assert_error(&answer, 429, "temporarily_unavailable", "registrations_limited");
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            // As soon as one more may come of all, or of its network.
            assert!([601, 1201].contains(&wait), "{wait}");
        }
    }
    assert_eq!(passed, [0, 1, 2, 3, 4, 5]);
    replicas[0].clock.advance(std::time::Duration::from_secs(600));
    for (network, expected) in [(7, StatusCode::CREATED), (8, StatusCode::TOO_MANY_REQUESTS)] {
        let address = format!("203.0.{network}.1");
        assert_eq!(register_from(&replicas[1], &address, good.clone()).await.status(), expected);
    }
}
