use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use service::Secret;

use super::super::OAuthSettings;
use super::answers::{assert_error, json, pair};
use super::doubles::subject;
use super::world::{CALLBACK, ISSUER, Jar, MCP, SignedIn, World, route};

const SECRET: &str = "a secret+for=resource servers/32 characters";

fn world() -> World {
    let mut settings = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    settings.introspection_secret = Some(Secret::new(SECRET));
    World::with(settings)
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

async fn ask(world: &World, authorization: &str, token: &str) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if !authorization.is_empty() {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
    }
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
    world.send(Method::POST, "/introspect", headers, form).await
}

/// What a resource server is told.
async fn told(world: &World, token: &str) -> Value {
    let answer = ask(world, &format!("Bearer {SECRET}"), token).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    json(&answer)
}

/// A confidential client that signed alice in, with its secret.
async fn confidential(world: &World) -> (SignedIn, String) {
    let metadata = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post" });
    let registered = json(&world.register_with(metadata).await);
    let of = |name: &str| registered[name].as_str().unwrap().to_owned();
    let (client, secret) = (of("client_id"), of("client_secret"));
    let code = world.code(&client).await;
    let answer = world.redeem(&client, &code, &[("client_secret", &secret)]).await;
    let (access, refresh) = pair(&answer);
    (SignedIn { client, access, refresh }, secret)
}

#[tokio::test]
async fn a_resource_server_is_told_what_a_token_is_good_for() {
    let world = world();
    let signed_in = world.signed_in().await;
    let claims = world.tokens.verify(&signed_in.access).unwrap();
    let access = told(&world, &signed_in.access).await;
    let expected = json!({
        "active": true, "token_type": "Bearer", "scope": "plane:read offline_access", "client_id": signed_in.client,
        "username": "alice", "sub": subject("alice"), "aud": MCP, "iss": ISSUER, "jti": claims.jti,
        "iat": claims.issued_at, "exp": claims.expires,
    });
    assert_eq!(access, expected);
    let refresh = told(&world, &signed_in.refresh).await;
    assert_eq!((&refresh["active"], &refresh["username"]), (&json!(true), &json!("alice")));
    assert_eq!((&refresh["token_type"], &refresh["aud"]), (&json!("refresh_token"), &json!(ISSUER)));
    assert!(refresh["exp"].as_u64() > refresh["iat"].as_u64());
}

#[tokio::test]
async fn the_secret_is_taken_as_basic_and_as_bearer_and_no_other_is() {
    let world = world();
    let token = world.signed_in().await.access;
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for good in [basic(&format!("introspection:{SECRET}")), basic(&format!("introspection:{encoded}"))] {
        assert_eq!(json(&ask(&world, &good, &token).await)["active"], true, "{good}");
    }
    let none = World::new();
    let bad = [
        String::new(),
        "Bearer wrong".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {token}"),
        basic("introspection:wrong"),
        basic("introspection:"),
        basic(&format!("other:{SECRET}")),
    ];
    for authorization in bad {
        for world in [&world, &none] {
            let answer = ask(world, &authorization, &token).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{authorization}");
            assert_eq!(json(&answer)["error"], "invalid_client");
            assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
        }
    }
    assert_eq!(ask(&none, &format!("Bearer {SECRET}"), &token).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_confidential_client_is_told_of_its_own_tokens_only() {
    let world = world();
    let (own, secret) = confidential(&world).await;
    let (other, _) = confidential(&world).await;
    let ask = async |form: &[(&str, &str)]| world.post("/introspect", &Jar::default(), form).await;
    let proven = [("client_id", own.client.as_str()), ("client_secret", secret.as_str())];
    for token in [&own.access, &own.refresh] {
        let answer = ask(&[proven[0], proven[1], ("token", token)]).await;
        assert_eq!(json(&answer)["active"], true);
    }
    for token in [&other.access, &other.refresh] {
        let answer = ask(&[proven[0], proven[1], ("token", token)]).await;
        assert_eq!(json(&answer), json!({ "active": false }));
    }
    let wrong = ask(&[proven[0], ("client_secret", "wrong"), ("token", &own.access)]).await;
    assert_error(&wrong, 401, "invalid_client", "client_secret_wrong");
    let none = ask(&[proven[0], proven[1]]).await;
    assert_error(&none, 400, "invalid_request", "token_missing");
    // The id of a public client proves nothing, with or without a made-up secret.
    let public = world.signed_in().await;
    let id = ("client_id", public.client.as_str());
    for form in
        [vec![id, ("token", &public.access)], vec![id, ("client_secret", "x"), ("token", &public.access)]]
    {
        assert_error(&ask(&form).await, 401, "invalid_client", "introspection_without_secret");
    }
}

#[tokio::test]
async fn what_is_over_unknown_or_spent_is_inactive_and_nothing_more_is_said() {
    let world = world();
    let inactive = json!({ "active": false });
    let first = world.signed_in().await;
    let (unsigned, _) = first.access.rsplit_once('.').unwrap();
    for token in ["x", "mer.x.y", "eyJhbGciOiJub25lIn0.e30.", unsigned] {
        assert_eq!(told(&world, token).await, inactive, "{token}");
    }
    let (access, refresh) = pair(&world.refresh(&first.client, &first.refresh, &[]).await);
    assert_eq!(told(&world, &first.refresh).await, inactive, "spent");
    assert_eq!(told(&world, &refresh).await["active"], true);
    let revoked = [("client_id", first.client.as_str()), ("token", refresh.as_str())];
    assert_eq!(world.post("/revoke", &Jar::default(), &revoked).await.status(), StatusCode::OK);
    for token in [&first.access, &access, &refresh] {
        assert_eq!(told(&world, token).await, inactive, "the session is over");
    }
    let second = world.signed_in().await;
    world.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(told(&world, &second.access).await, inactive, "expired");
    assert_eq!(told(&world, &second.refresh).await["active"], true);
}

#[tokio::test]
async fn a_store_that_is_down_makes_no_token_inactive() {
    let world = world();
    let signed_in = world.signed_in().await;
    world.store.stop();
    for token in [&signed_in.access, &signed_in.refresh] {
        let answer = ask(&world, &format!("Bearer {SECRET}"), token).await;
        assert_error(&answer, 503, "temporarily_unavailable", "store_unavailable");
        assert!(answer.headers().contains_key("retry-after"));
    }
    world.store.start();
    assert_eq!(told(&world, &signed_in.access).await["active"], true);
}

#[tokio::test]
async fn metadata_names_introspection_and_pages_of_other_origins_cannot_call_it() {
    let world = world();
    let document = json(&world.get("/.well-known/oauth-authorization-server", &mut Jar::default()).await);
    assert_eq!(document["introspection_endpoint"], format!("{ISSUER}/introspect"));
    let methods = json!(["client_secret_basic", "client_secret_post", "Bearer"]);
    assert_eq!(document["introspection_endpoint_auth_methods_supported"], methods);
    for method in [Method::GET, Method::OPTIONS] {
        let answer = world.send(method, "/introspect", HeaderMap::new(), "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
}
