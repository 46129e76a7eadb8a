//! The front's token check, and what Plane gets to see behind it.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Response;
use serde_json::{Value, json};
use service::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{FrontOptions, PlaneDouble, PlaneOptions};

const NOW: u64 = 1_795_246_041;
const ISSUER: &str = "https://issuer.test/pool";
const ME: &str = "/api/v1/users/me/";

fn key() -> &'static EncodingKey {
    static KEY: OnceLock<EncodingKey> = OnceLock::new();
    KEY.get_or_init(fresh_key)
}

fn fresh_key() -> EncodingKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

/// Serves the public half of [`key`] as `kid` "one" and returns its address.
async fn jwks() -> String {
    let mut jwk = Jwk::from_encoding_key(key(), Algorithm::RS256).unwrap();
    jwk.common.key_id = Some("one".to_owned());
    let body = json!({"keys": [jwk]}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _ =
                stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).await;
        }
    });
    url
}

async fn plane(audience_claims: &[&str]) -> PlaneDouble {
    let mut front = FrontOptions::new(jwks().await, ISSUER, "app");
    front.audience_claims = audience_claims.iter().map(|&claim| claim.to_owned()).collect();
    let clock = Arc::new(ManualClock::at(NOW));
    PlaneDouble::start(PlaneOptions { front: Some(front), clock, ..PlaneOptions::default() }).await.unwrap()
}

fn id_claims() -> Value {
    json!({"iss": ISSUER, "aud": "app", "sub": "9f1c-sub", "cognito:username": "alice", "token_use": "id", "exp": NOW + 60})
}

fn access_claims() -> Value {
    json!({"iss": ISSUER, "client_id": "app", "sub": "9f1c-sub", "username": "alice", "token_use": "access", "exp": NOW + 60})
}

fn signed(claims: &Value, kid: &str, key: &EncodingKey) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    encode(&header, claims, key).unwrap()
}

async fn get(plane: &PlaneDouble, headers: &[(&str, &str)]) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("{}{ME}", plane.front_url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn status(plane: &PlaneDouble, authorization: &str) -> StatusCode {
    get(plane, &[("authorization", authorization)]).await.status()
}

#[tokio::test]
async fn id_token_is_the_user_of_its_username_and_does_not_reach_plane() {
    let plane = plane(&["aud"]).await;
    let bearer = format!("Bearer {}", signed(&id_claims(), "one", key()));
    let spoofed = [
        ("authorization", bearer.as_str()),
        ("x-auth-request-email", "bob"),
        ("x_auth_request_email", "bob"),
        ("x-auth-request-groups", "admin"),
    ];
    assert_eq!(get(&plane, &spoofed).await.status(), StatusCode::OK);
    let requests = plane.requests();
    let [seen] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((seen.user.as_deref(), seen.via_front), (Some("alice@example.com"), true));
    assert!(seen.headers.get("authorization").is_none());
    let identity: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().replace('_', "-").starts_with("x-auth"))
        .collect();
    assert_eq!(identity.len(), 2, "{identity:?}");
    assert_eq!(seen.headers["x-auth-request-user"], "9f1c-sub");
    assert_eq!(
        plane.front_requests()[0].headers["x_auth_request_email"],
        "bob",
        "the front's log is from before"
    );
}

#[tokio::test]
async fn invalid_tokens_are_refused_before_plane() {
    let plane = plane(&["aud"]).await;
    let with = |key: &str, value: Value| {
        let mut claims = id_claims();
        claims[key] = value;
        claims
    };
    for (why, claims) in [
        ("expired", with("exp", json!(NOW))),
        ("without expiry", with("exp", Value::Null)),
        ("of another issuer", with("iss", json!("https://other.test"))),
        ("for another client", with("aud", json!("other"))),
        ("access", access_claims()),
    ] {
        let bearer = format!("Bearer {}", signed(&claims, "one", key()));
        assert_eq!(status(&plane, &bearer).await, StatusCode::UNAUTHORIZED, "{why}");
    }
    let foreign = format!("Bearer {}", signed(&id_claims(), "one", &fresh_key()));
    assert_eq!(status(&plane, &foreign).await, StatusCode::UNAUTHORIZED, "signed by another key");
    assert!(plane.requests().is_empty());
    assert_eq!(plane.front_requests().len(), 6);
}

#[tokio::test]
async fn only_one_header_with_the_exact_scheme_is_taken() {
    let plane = plane(&["aud"]).await;
    let token = signed(&id_claims(), "one", key());
    let bearer = format!("Bearer {token}");
    assert_eq!(status(&plane, &bearer).await, StatusCode::OK);
    assert_eq!(status(&plane, &format!("bearer {token}")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&plane, &format!("Bearer  {token}")).await, StatusCode::UNAUTHORIZED);
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(get(&plane, &twice).await.status(), StatusCode::UNAUTHORIZED);
    let key = plane.api_key_for("alice");
    assert_eq!(get(&plane, &[("x-api-key", &key)]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn access_token_becomes_the_wrong_user_where_its_client_id_counts_as_audience() {
    let plane = plane(&["aud", "client_id"]).await;
    let bearer = format!("Bearer {}", signed(&access_claims(), "one", key()));
    assert_eq!(status(&plane, &bearer).await, StatusCode::OK);
    assert_eq!(plane.users_seen(), ["9f1c-sub@example.com"]);
}

#[tokio::test]
async fn front_without_settings_lets_nobody_in() {
    let plane = PlaneDouble::start(PlaneOptions::default()).await.unwrap();
    let bearer = format!("Bearer {}", signed(&id_claims(), "one", key()));
    assert_eq!(status(&plane, &bearer).await, StatusCode::UNAUTHORIZED);
}
