//! Authorization, the sign-in page and the redemption of codes.

use std::time::Duration;

use serde_json::json;

use super::{CALLBACK, Pool, VERIFIER, answer, member_names, text};
use crate::{
    browser::query_value,
    cognito::{CognitoDouble, Host},
};

#[tokio::test]
async fn discovery_has_exactly_cognitos_members() {
    let pool = Pool::start().await;
    let url = format!("{}/.well-known/openid-configuration", pool.cognito.issuer_url());
    let (status, body) = answer(pool.http.get(url)).await;
    assert_eq!(status, 200);
    let expected = [
        "authorization_endpoint",
        "end_session_endpoint",
        "id_token_signing_alg_values_supported",
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "revocation_endpoint",
        "scopes_supported",
        "subject_types_supported",
        "token_endpoint",
        "token_endpoint_auth_methods_supported",
        "userinfo_endpoint",
    ];
    assert_eq!(member_names(&body), expected);
    assert_eq!(text(&body, "issuer"), pool.cognito.issuer_url());
    assert!(text(&body, "token_endpoint").starts_with(pool.cognito.domain_url()));
    assert_ne!(
        pool.cognito.domain_url().rsplit(':').next(),
        pool.cognito.issuer_url().rsplit([':', '/']).nth(1)
    );
}

#[tokio::test]
async fn a_sign_in_returns_code_and_state_and_nothing_else() {
    let pool = Pool::start().await;
    let callback = pool.sign_in(&pool.authorize_url(&[]), "alice", CognitoDouble::PASSWORD).await.unwrap();
    assert!(callback.as_str().starts_with(CALLBACK));
    let names: Vec<_> = callback.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["code", "state"]);
    assert_eq!(query_value(&callback, "state").as_deref(), Some("st-1"));
}

#[tokio::test]
async fn a_second_sign_in_within_the_hour_is_silent() {
    let pool = Pool::start().await;
    pool.code(&[]).await;
    let second = pool.visit(&pool.authorize_url(&[])).await.1.unwrap();
    assert!(query_value(&second, "code").is_some());
    let anew = pool.visit(&pool.authorize_url(&[("prompt", "login")])).await.1.unwrap();
    assert_eq!(anew.path(), "/login");
    pool.clock.advance(Duration::from_secs(3600));
    let later = pool.visit(&pool.authorize_url(&[])).await.1.unwrap();
    assert_eq!(later.path(), "/login");
    let none = pool.visit(&pool.authorize_url(&[("prompt", "none")])).await.1.unwrap();
    assert_eq!(query_value(&none, "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn logout_forgets_the_browser_but_not_the_tokens() {
    let pool = Pool::start().await;
    let (_, tokens) = pool.redeem(&pool.code(&[]).await).await;
    let client = &pool.cognito.client_id;
    let away = |uri: &str| pool.url(&format!("/logout?client_id={client}&logout_uri={uri}"));
    let elsewhere = pool.visit(&away("https://evil.example/")).await.1.unwrap();
    assert_eq!(elsewhere.path(), "/error");
    let home = pool.visit(&away("https://edge.example/")).await.1.unwrap();
    assert_eq!(home.as_str(), "https://edge.example/");
    let again = pool.visit(&pool.authorize_url(&[])).await.1.unwrap();
    assert_eq!(again.path(), "/login");
    assert_eq!(pool.refresh(text(&tokens, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn a_wrong_password_or_disabled_user_does_not_get_past_the_page() {
    let pool = Pool::start().await;
    let url = pool.authorize_url(&[]);
    assert!(pool.sign_in(&url, "alice", "wrong").await.is_none());
    assert!(pool.sign_in(&url, "nobody", CognitoDouble::PASSWORD).await.is_none());
    pool.cognito.disable_user("alice").unwrap();
    assert!(pool.sign_in(&url, "alice", CognitoDouble::PASSWORD).await.is_none());
    assert!(pool.sign_in(&url, "bob", CognitoDouble::PASSWORD).await.is_some());
}

#[tokio::test]
async fn an_unproven_client_or_redirect_uri_is_never_redirected_to() {
    let pool = Pool::start().await;
    for changes in [
        ("client_id", "another"),
        ("redirect_uri", "https://edge.example/oauth/callback/"),
        ("redirect_uri", "https://edge.example/oauth/callback?x=1"),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", ""),
    ] {
        let to = pool.visit(&pool.authorize_url(&[changes])).await.1.unwrap();
        assert_eq!(to.path(), "/error", "{changes:?}");
        assert_eq!(pool.visit(&to).await.0, 400);
    }
    pool.cognito.allow_redirect_uri("https://edge.example/other");
    let to =
        pool.visit(&pool.authorize_url(&[("redirect_uri", "https://edge.example/other")])).await.1.unwrap();
    assert_eq!(to.path(), "/login");
}

#[tokio::test]
async fn a_wrong_request_is_redirected_with_its_error() {
    let pool = Pool::start().await;
    for (changes, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unauthorized_client"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "openid admin"), "invalid_scope"),
        (("resource", "http://evil.example/"), "invalid_request"),
        (("state", r#"{"a":1}"#), "invalid_request"),
    ] {
        let to = pool.visit(&pool.authorize_url(&[changes])).await.1.unwrap();
        assert!(to.as_str().starts_with(CALLBACK), "{to}");
        assert_eq!(query_value(&to, "error").as_deref(), Some(error), "{changes:?}");
    }
}

#[tokio::test]
async fn a_code_gives_tokens_once() {
    let pool = Pool::start().await;
    let code = pool.code(&[]).await;
    let (status, tokens) = pool.redeem(&code).await;
    assert_eq!(status, 200);
    assert_eq!(
        member_names(&tokens),
        ["access_token", "expires_in", "id_token", "refresh_token", "token_type"]
    );
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(pool.redeem(&code).await, (400, json!({ "error": "invalid_grant" })));
    assert_eq!(pool.cognito.code_exchanges(), 2);
}

#[tokio::test]
async fn a_code_is_void_after_five_minutes() {
    let pool = Pool::start().await;
    let code = pool.code(&[]).await;
    pool.clock.advance(CognitoDouble::CODE_LIFETIME);
    assert_eq!(pool.redeem(&code).await, (400, json!({ "error": "invalid_grant" })));
}

#[tokio::test]
async fn a_wrong_or_missing_verifier_is_refused_and_spends_the_code() {
    let pool = Pool::start().await;
    for verifier in [Some("another"), None] {
        let code = pool.code(&[("prompt", "login")]).await;
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        assert_eq!(pool.token(&form).await, (400, json!({ "error": "invalid_grant" })));
        assert_eq!(pool.redeem(&code).await.0, 400);
    }
    // No challenge, no check: PKCE is up to the client.
    let code = pool.code(&[("code_challenge", ""), ("code_challenge_method", ""), ("prompt", "login")]).await;
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
    assert_eq!(pool.token(&form).await.0, 200);
}

#[tokio::test]
async fn errors_of_the_token_endpoint_have_cognitos_names() {
    let pool = Pool::start().await;
    let code = pool.code(&[]).await;
    let other = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "https://edge.example/other"),
        ("code_verifier", VERIFIER),
    ];
    let mismatch = json!({ "error": "unauthorized_client", "error_description": "invalid_redirect" });
    assert_eq!(pool.token(&other).await, (400, mismatch));
    let error = |name: &str| (400, json!({ "error": name }));
    assert_eq!(pool.token(&[("grant_type", "password")]).await, error("unsupported_grant_type"));
    assert_eq!(pool.token(&[("grant_type", "client_credentials")]).await, error("unauthorized_client"));
    assert_eq!(pool.token(&[("grant_type", "refresh_token")]).await, error("invalid_request"));
    assert_eq!(pool.token(&[]).await, error("invalid_request"));
    assert_eq!(pool.refresh("made-up").await, error("invalid_grant"));
    let json_body = pool.http.post(pool.url("/oauth2/token")).json(&json!({}));
    assert_eq!(answer(json_body).await, error("invalid_request"));
}

#[tokio::test]
async fn the_client_must_prove_itself() {
    let pool = Pool::start().await;
    let (id, secret) = (pool.cognito.client_id.clone(), pool.cognito.client_secret.clone().unwrap());
    let grant = ("grant_type", "refresh_token");
    let ask = |form: Vec<(&'static str, String)>| pool.http.post(pool.url("/oauth2/token")).form(&form);
    let posted = |id: &str, secret: &str| {
        ask(vec![(grant.0, grant.1.into()), ("client_id", id.into()), ("client_secret", secret.into())])
    };
    let no_token = (400, json!({ "error": "invalid_request" }));
    let not_you = (400, json!({ "error": "invalid_client" }));
    assert_eq!(answer(posted(&id, &secret)).await, no_token);
    assert_eq!(answer(posted(&id, "wrong")).await, not_you);
    assert_eq!(answer(posted("wrong", &secret)).await, not_you);
    assert_eq!(answer(ask(vec![(grant.0, grant.1.into()), ("client_id", id.clone())])).await, not_you);
    assert_eq!(answer(ask(vec![(grant.0, grant.1.into())]).basic_auth(&id, Some("wrong"))).await, not_you);
    assert_eq!(answer(ask(vec![(grant.0, grant.1.into())]).bearer_auth(&secret)).await, not_you);
}

#[tokio::test]
async fn a_public_client_sends_its_id_and_no_authorization() {
    let pool = Pool::with(|options| options.client_secret = None).await;
    let issued = pool.cognito.sign_in("alice", None).unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", pool.cognito.client_id.as_str()),
        ("refresh_token", issued.refresh_token.as_str()),
    ];
    let ask = || pool.http.post(pool.url("/oauth2/token")).form(&form);
    assert_eq!(answer(ask()).await.0, 200);
    let with_header = ask().basic_auth(&pool.cognito.client_id, Some(""));
    assert_eq!(answer(with_header).await, (400, json!({ "error": "invalid_client" })));
}

#[tokio::test]
async fn every_request_is_written_down() {
    let pool = Pool::start().await;
    pool.redeem(&pool.code(&[]).await).await;
    let paths: Vec<_> = pool.cognito.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/oauth2/authorize", "/login", "/oauth2/token"]);
    let token = &pool.cognito.requests_to(Host::Domain, "/oauth2/token")[0];
    assert_eq!(token.form_value("code_verifier"), Some(VERIFIER));
    assert!(token.authorization_header.as_deref().unwrap().starts_with("Basic "));
    let authorize = &pool.cognito.requests_to(Host::Domain, "/oauth2/authorize")[0];
    assert_eq!(authorize.query_value("state"), Some("st-1"));
}
