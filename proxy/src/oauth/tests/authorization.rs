use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::super::{OAuthSettings, RedirectPattern};
use super::answers::{assert_page, assert_redirected, json, location, query, reason, text, transaction_in};
use super::world::{CALLBACK, ISSUER, Jar, MCP, World, authorize_url, route};

#[tokio::test]
async fn the_consent_page_shows_who_asks_for_what_and_runs_nothing() {
    let world = World::new();
    let client = world.register().await;
    let response = world.get(&authorize_url(&client, &[]), &mut Jar::default()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let html = text(&response);
    assert!(html.contains("Test &#60;b&#62;client&#60;/b&#62;"), "{html}");
    assert!(!html.contains("<b>client"));
    for shown in [
        "localhost:3118",
        "Read what you can see in Plane",
        "Stay signed in",
        MCP,
        "value=\"approve\"",
        "value=\"deny\"",
        "lang=\"en\"",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"));
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
    assert!(!policy.contains("form-action") && !policy.contains("unsafe"));
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers().get("access-control-allow-origin").is_none());
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-mcp-edge="));
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{attribute}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_client_or_redirect_uri_is_a_page_and_never_a_redirect() {
    let world = World::new();
    let client = world.register().await;
    let twice = format!("{}&redirect_uri=https://evil.example/", authorize_url(&client, &[]));
    for (url, why) in [
        (authorize_url("", &[]), "client_id_missing"),
        (authorize_url("mcp-unknown", &[]), "client_unknown"),
        (authorize_url("a b", &[]), "client_unknown"),
        (authorize_url(&client, &[("redirect_uri", "https://evil.example/")]), "redirect_uri_unregistered"),
        (
            authorize_url(&client, &[("redirect_uri", "http://localhost:3118/other")]),
            "redirect_uri_unregistered",
        ),
        (
            authorize_url(&client, &[("redirect_uri", "http://127.0.0.1:3118/callback")]),
            "redirect_uri_unregistered",
        ),
        (authorize_url(&client, &[("redirect_uri", "javascript:alert(1)")]), "redirect_uri_scheme"),
        (twice, "repeated_parameter"),
    ] {
        assert_page(&world.get(&url, &mut Jar::default()).await, 400, why);
    }
}

#[tokio::test]
async fn a_loopback_port_may_differ_and_an_only_uri_may_be_left_out() {
    let world = World::new();
    let client = world.register().await;
    let other_port = authorize_url(&client, &[("redirect_uri", "http://localhost:50999/callback")]);
    let left_out = authorize_url(&client, &[("redirect_uri", "")]);
    for url in [other_port, left_out] {
        assert_eq!(world.get(&url, &mut Jar::default()).await.status(), StatusCode::OK, "{url}");
    }
}

#[tokio::test]
async fn what_is_no_longer_allowed_is_refused_also_when_left_out() {
    let mut settings = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    settings.allowed_redirect_uris =
        vec![RedirectPattern::parse("https://claude.ai/api/mcp/auth_callback").unwrap()];
    let strict = World::with(settings);
    let refused = strict.register_with(json!({ "redirect_uris": [CALLBACK] })).await;
    assert_eq!(reason(&refused), "redirect_uri_not_allowed");
    // A client registered while more was allowed.
    let wide = World::new();
    let client = wide.register().await;
    let key = format!("client:{client}");
    let record = crate::store::Store::get(&*wide.store, &key).await.unwrap().unwrap();
    crate::store::Store::put(&*strict.store, &key, record, std::time::Duration::from_secs(60)).await.unwrap();
    for changes in [&[][..], &[("redirect_uri", "")][..]] {
        let response = strict.get(&authorize_url(&client, changes), &mut Jar::default()).await;
        assert_page(&response, 400, "redirect_uri_not_allowed");
    }
}

#[tokio::test]
async fn what_else_is_wrong_goes_to_the_client_with_state_and_issuer() {
    let world = World::new();
    let client = world.register().await;
    let long = "x".repeat(5000);
    for (changes, error, why) in [
        (&[("response_type", "")][..], "invalid_request", "response_type_missing"),
        (&[("response_type", "token")], "unsupported_response_type", "response_type"),
        (&[("response_mode", "fragment")], "invalid_request", "response_mode"),
        (&[("code_challenge", "")], "invalid_request", "pkce_missing"),
        (&[("code_challenge_method", "plain")], "invalid_request", "pkce_method"),
        (&[("code_challenge_method", "")], "invalid_request", "pkce_method"),
        (&[("code_challenge", "too-short")], "invalid_request", "pkce_challenge"),
        (&[("resource", "https://other.example/mcp")], "invalid_target", "resource_unknown"),
        (&[("resource", "not a url")], "invalid_target", "resource_unknown"),
        (&[("scope", "admin everything")], "invalid_scope", "scope_unknown"),
        (&[("scope", "a"), ("scope", "b")], "invalid_request", "repeated_parameter"),
        (&[("x", "1"), ("x", "2")], "invalid_request", "repeated_parameter"),
    ] {
        let response = world.get(&authorize_url(&client, changes), &mut Jar::default()).await;
        assert_redirected(&response, error, why);
    }
    let response = world.get(&authorize_url(&client, &[("state", &long)]), &mut Jar::default()).await;
    assert!(!query(&location(&response)).contains_key("state"));
    assert_eq!(reason(&response), "state_too_long");
}

#[tokio::test]
async fn the_resource_may_have_a_slash_be_the_origin_or_absent_when_there_is_one() {
    let world = World::new();
    let client = world.register().await;
    for resource in ["https://edge.example/mcp/", "https://edge.example", "https://edge.example/", ""] {
        let response =
            world.get(&authorize_url(&client, &[("resource", resource)]), &mut Jar::default()).await;
        assert!(text(&response).contains(MCP), "{resource}");
    }
    let two = World::with(OAuthSettings::new(ISSUER, vec![route("/mcp"), route("/api")]));
    let client = two.register().await;
    for (resource, why) in [("", "resource_missing"), ("https://edge.example/", "resource_unknown")] {
        let response = two.get(&authorize_url(&client, &[("resource", resource)]), &mut Jar::default()).await;
        assert_redirected(&response, "invalid_target", why);
    }
    let mut settings = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
    settings.relax_resource = true;
    let relaxed = World::with(settings);
    let client = relaxed.register().await;
    let foreign = authorize_url(&client, &[("resource", "http://127.0.0.1:9000/mcp")]);
    assert!(text(&relaxed.get(&foreign, &mut Jar::default()).await).contains(MCP));
}

#[tokio::test]
async fn asking_changes_nothing() {
    let world = World::new();
    let client = world.register().await;
    world.store.stop();
    let down = world.get(&authorize_url(&client, &[]), &mut Jar::default()).await;
    assert_page(&down, 503, "store_unavailable");
    assert_eq!(down.headers()["retry-after"], "5");
    world.store.start();
    // A probe without cookies, as some clients make, and then the browser.
    assert_eq!(world.get(&authorize_url(&client, &[]), &mut Jar::default()).await.status(), StatusCode::OK);
    let head = world.send(Method::HEAD, &authorize_url(&client, &[]), HeaderMap::new(), "").await;
    assert_eq!(head.status(), StatusCode::OK);
    world.code(&client).await;
}

#[tokio::test]
async fn a_no_goes_back_to_the_client() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    assert_redirected(&world.decide(&page, &jar, "deny").await, "access_denied", "consent_denied");
    assert_page(&world.decide(&page, &jar, "perhaps").await, 400, "decision_missing");
}

#[tokio::test]
async fn a_consent_form_is_good_only_in_its_own_browser_and_time() {
    let world = World::new();
    let client = world.register().await;
    let (mut jar, mut other) = (Jar::default(), Jar::default());
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    world.get(&authorize_url(&client, &[]), &mut other).await;
    assert_page(&world.decide(&page, &other, "approve").await, 400, "transaction_stale");
    assert_page(&world.decide(&page, &Jar::default(), "approve").await, 400, "cookie_missing");
    let forged = world.post("/consent", &jar, &[("transaction", "AAAA"), ("decision", "approve")]).await;
    assert_page(&forged, 400, "transaction_stale");
    let mut headers = jar.headers();
    headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = format!("decision=approve&transaction={}", transaction_in(&page));
    assert_page(&world.send(Method::POST, "/consent", headers, body).await, 400, "consent_cross_site");
    world.clock.advance(std::time::Duration::from_secs(601));
    assert_page(&world.decide(&page, &jar, "approve").await, 400, "transaction_stale");
}

#[tokio::test]
async fn a_browser_keeps_its_cookie_over_several_sign_ins() {
    let world = World::new();
    let client = world.register().await;
    let mut jar = Jar::default();
    let first = world.get(&authorize_url(&client, &[]), &mut jar).await;
    let second = world.get(&authorize_url(&client, &[("state", "s-2")]), &mut jar).await;
    for page in [&first, &second] {
        let answer = world.decide(page, &jar, "approve").await;
        assert_eq!(location(&answer).host_str(), Some("auth.example"));
    }
    let unnamed = json(&world.register_with(json!({ "redirect_uris": [CALLBACK] })).await);
    let page = world.get(&authorize_url(unnamed["client_id"].as_str().unwrap(), &[]), &mut jar).await;
    assert!(text(&page).contains("<strong><bdi>localhost:3118</bdi></strong>"));
}
