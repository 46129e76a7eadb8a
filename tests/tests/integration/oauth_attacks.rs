//! The authorization server under attack: grants taken to the wrong place, two proxies raced against each other, names and
//! parameters that would be markup, and input of every size.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{
    browser::{Browser, Page},
    client::{Answer, Discovery, McpClient, REDIRECT_URI},
    stack::{Stack, Store},
};

/// The page an authorization URL leads to, with a parameter of it changed.
async fn page_with(browser: &Browser, good: &url::Url, name: &str, value: &str) -> Page {
    let kept: Vec<_> = good.query_pairs().filter(|(known, _)| known != name).collect();
    let mut url = good.clone();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
    browser.visit(&url).await.unwrap()
}

async fn redeem(
    client: &McpClient,
    found: &Discovery,
    (id, code, verifier): (&str, &str, &str),
    more: &[(&str, &str)],
) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", REDIRECT_URI),
    ];
    form.retain(|(name, _)| !more.iter().any(|(changed, _)| changed == name));
    form.extend(more);
    client.token(found, &form).await.unwrap()
}

#[tokio::test]
async fn a_grant_taken_to_another_client_or_resource_is_refused_and_still_good_where_it_belongs() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let id = client.register_publicly(&found).await.unwrap();
    let other = client.register_publicly(&found).await.unwrap();
    let asked = client.authorization(&found, &id).unwrap();
    let code = browser.sign_in(&asked.url, &stack.person("alice")).await.unwrap().code.unwrap();
    let grant = (id.as_str(), code.as_str(), asked.verifier.as_str());
    let elsewhere = format!("{}/echo-mcp", stack.origin());
    for (more, error) in [
        ([("client_id", other.as_str())], "invalid_grant"),
        ([("resource", elsewhere.as_str())], "invalid_target"),
        ([("redirect_uri", "http://127.0.0.1:10/callback")], "invalid_grant"),
        ([("code_verifier", "0123456789012345678901234567890123456789012")], "invalid_grant"),
    ] {
        let answer = redeem(&client, &found, grant, &more).await;
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!(error)), "{more:?}");
        assert!(answer.header("cache-control").contains("no-store"));
    }
    let tokens = redeem(&client, &found, grant, &[]).await.expect_status(200).unwrap();
    let refresh = tokens.json["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    for (more, error) in [
        ([("client_id", other.as_str()), ("scope", "plane:read")], "invalid_grant"),
        ([("client_id", &id), ("resource", &elsewhere)], "invalid_target"),
    ] {
        let answer = client.token(&found, &[form.as_slice(), &more].concat()).await.unwrap();
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!(error)), "{more:?}");
    }
    let answer = client.token(&found, &[form.as_slice(), &[("client_id", &id)]].concat()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn one_code_raced_at_two_proxies_is_good_at_most_once_and_then_for_nobody() {
    let stack = Stack::builder().store(Store::Valkey).proxies(2).start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let elsewhere = client.through(&stack.proxies[1].origin).unwrap();
    let found = client.discover().await.unwrap();
    let id = client.register_publicly(&found).await.unwrap();
    let asked = client.authorization(&found, &id).unwrap();
    let code = browser.sign_in(&asked.url, &stack.person("alice")).await.unwrap().code.unwrap();
    let grant = (id.as_str(), code.as_str(), asked.verifier.as_str());
    let races = (0..16).map(|number| redeem([&client, &elsewhere][number % 2], &found, grant, &[]));
    let answers = join_all(races).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(won.len() <= 1, "{} answers", won.len());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_grant")));
    }
    for answer in won {
        let access = answer.json["access_token"].as_str().unwrap();
        assert_eq!(
            client.probe(access).await.unwrap().status,
            401,
            "what a raced code gave is worth nothing"
        );
    }
}

#[tokio::test]
async fn pages_show_markup_as_text_reflect_nothing_and_cannot_be_framed() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let hostile = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let metadata =
        json!({ "client_name": hostile, "redirect_uris": [REDIRECT_URI, "http://localhost/a'b&c=d"] });
    let answer = client.register(&found, &metadata).await.unwrap().expect_status(201).unwrap();
    let good = client.authorization(&found, answer.json["client_id"].as_str().unwrap()).unwrap().url;
    let consent = browser.visit(&good).await.unwrap();
    assert_eq!(consent.status, 200);
    let shown = [
        consent,
        page_with(&browser, &good, "client_id", hostile).await,
        page_with(&browser, &good, "redirect_uri", hostile).await,
        page_with(&browser, &good, "redirect_uri", "http://localhost/a'b&c=d").await,
        browser
            .visit(&format!("{}/auth/callback?state={hostile}", stack.origin()).parse().unwrap())
            .await
            .unwrap(),
    ];
    for page in &shown {
        let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        assert!(!page.body.contains("<script") && !page.body.contains("<img"), "{}", page.body);
        assert!(page.status == 200 || !page.body.contains("alert(1)"), "{}", page.body);
        assert!(!page.headers.contains_key("location"));
        assert_eq!(
            (header("x-frame-options").as_str(), header("cache-control").as_str()),
            ("DENY", "no-store")
        );
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("form-action"), "{policy}");
    }
    let cookie = shown[0].headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    // What an error says goes to the client in words of ours, whatever was asked for.
    for (name, value) in [("scope", hostile), ("resource", hostile), ("response_type", hostile)] {
        let page = page_with(&browser, &good, name, value).await;
        let location = page.location().unwrap();
        assert!(
            location.as_str().starts_with(REDIRECT_URI) && !location.as_str().contains("alert"),
            "{location}"
        );
    }
}

/// Browsers send `Origin: null` with a form of a page whose referrer policy is `no-referrer` (Fetch, "append a request
/// Origin header"), and our pages have that policy.
#[tokio::test]
async fn a_consent_form_is_taken_as_browsers_send_it_and_not_from_another_site() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let id = client.register_publicly(&found).await.unwrap();
    let consent = browser.visit(&client.authorization(&found, &id).unwrap().url).await.unwrap();
    let cookie = consent.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let form = consent.form().unwrap();
    let mut fields = form.hidden.clone();
    fields.push(("decision".to_owned(), "approve".to_owned()));
    for (site, cookie, status) in [
        ("same-origin", cookie.as_str(), 303),
        ("cross-site", &cookie, 400),
        ("same-site", &cookie, 400),
        ("same-origin", "__Host-mcp-edge=AAAAAAAAAAAAAAAAAAAAAA.AAAA", 400),
        ("same-origin", "other=1", 400),
    ] {
        let request = client.request("POST", &form.action).unwrap().form(&fields);
        let request =
            request.header("origin", "null").header("sec-fetch-site", site).header("cookie", cookie);
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status, status, "{site} {cookie}: {}", answer.text);
    }
}

#[tokio::test]
async fn input_of_any_size_is_refused_in_words_and_harms_nobody() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let (client, found) = (&session.client, &session.discovery);
    let many: Vec<String> = (0..10_000).map(|port| format!("http://localhost:{port}/")).collect();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let register = found.endpoint("registration_endpoint").unwrap();
    let bodies = [
        json!({ "redirect_uris": many }).to_string(),
        json!({ "redirect_uris": [REDIRECT_URI], "client_name": "x".repeat(1_000_000) }).to_string(),
        json!({ "redirect_uris": vec![REDIRECT_URI; 1000] }).to_string(),
        json!({ "redirect_uris": [format!("http://localhost/{}", "x".repeat(10_000))] }).to_string(),
        deep,
        "[".repeat(60_000),
        "\u{0}".to_owned(),
    ];
    for body in bodies {
        let request = client.request("POST", &register).unwrap().header("content-type", "application/json");
        let answer = client.send(request.body(body.clone())).await.unwrap();
        assert!(matches!(answer.status, 400 | 413), "{} for {:.60}", answer.status, body);
        assert!(answer.json["error"].is_string(), "{}", answer.text);
    }
    let good = client.authorization(found, &session.client_id).unwrap().url;
    for (name, length) in [("state", 5_000), ("state", 60_000), ("scope", 20_000), ("client_id", 20_000)] {
        let page = page_with(&stack.browser().unwrap(), &good, name, &"s".repeat(length)).await;
        assert!(matches!(page.status, 303 | 400), "{name} {length}: {}", page.status);
        assert!(page.body.len() + page.headers.get("location").map_or(0, |to| to.len()) < 10_000, "{name}");
    }
    for form in ["refresh_token", "code", "client_secret", "scope", "token"] {
        let large = "x".repeat(60_000);
        let fields =
            [("grant_type", "refresh_token"), ("client_id", session.client_id.as_str()), (form, &large)];
        let answer = client.token(found, &fields).await.unwrap();
        assert_eq!(answer.status, 400, "{form}: {}", answer.text);
        assert_ne!(answer.json["error"], Value::Null);
    }
    assert_eq!(client.probe(&session.tokens.access).await.unwrap().status, 200);
}
