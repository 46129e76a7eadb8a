//! What went wrong in other MCP servers and gateways, tried here: one test for each published advisory of the
//! authorization layer, named for it.
//!
//! Not here, because there is nothing of the kind to attack: tasks of the protocol (CVE-2026-52870, the other half of
//! CVE-2026-52869), whose handles could be guessed; and stores of sessions of the MCP transport, which is stateless.

use serde_json::{Value, json};
use stack::{client::Era, stack::Stack};

mod requests;

/// Every text in a document.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// `mcp-remote` gave the authorization endpoint to a shell: what we publish must be our own https URLs and nothing else,
/// whatever the request says.
#[tokio::test]
async fn cve_2025_6514_metadata_has_only_our_own_urls_and_no_text_of_the_request() {
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let evil = "evil.example$(calc)";
    for path in ["oauth-protected-resource/mcp", "oauth-authorization-server"] {
        let url = format!("{}/.well-known/{path}?issuer=https://{evil}", stack.origin());
        let mut request = client.request("GET", &url.parse().unwrap()).unwrap();
        for name in ["x-forwarded-host", "x-forwarded-prefix", "x-original-host", "forwarded", "origin"] {
            request = request.header(name, format!("host={evil}"));
        }
        let answer = client.send(request).await.unwrap().expect_status(200).unwrap();
        assert!(!answer.text.contains("evil"), "{}", answer.text);
        for text in
            texts(&answer.json).into_iter().filter(|text| text.contains(':') && !text.contains("plane:"))
        {
            assert!(text.starts_with(&format!("{}/", stack.origin())) || text == stack.origin(), "{text}");
        }
    }
}

/// The status of the first page and what is on it, for a client that has just registered.
async fn first_page_of_a_new_client(stack: &Stack, browser: &stack::browser::Browser) -> (u16, String) {
    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let page = browser.visit(&client.authorization(&found, &client_id).unwrap().url).await.unwrap();
    (page.status, page.body)
}

/// One client of ours at the provider, and a browser signed in there: without consent of our own a stranger's client
/// would get a code unseen. So is every self-registered client by default (leodip/goiabada#108).
#[tokio::test]
async fn ghsa_c2jp_c369_7pvx_and_goiabada_108_a_new_client_is_consented_to_although_the_browser_is_signed_in()
{
    let stack = Stack::start().await.unwrap();
    let (client, browser, person) =
        (stack.client("/mcp").unwrap(), stack.browser().unwrap(), stack.person("alice"));
    client.sign_in(&browser, &person).await.unwrap();
    let exchanges = stack.cognito.code_exchanges();
    for _ in 0..2 {
        let (status, body) = first_page_of_a_new_client(&stack, &browser).await;
        assert!(status == 200 && body.contains("name=\"decision\""), "{status} {body}");
    }
    assert_eq!(stack.cognito.code_exchanges(), exchanges);
}

/// Also GHSA-rww4-4w9c-7733: the attacker consents, the victim signs in, and the code is the attacker's.
#[tokio::test]
async fn cve_2026_27124_the_callback_of_another_browser_is_refused() {
    let stack = Stack::start().await.unwrap();
    let (client, attacker, victim) =
        (stack.client("/mcp").unwrap(), stack.browser().unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let mut page = attacker.visit(&client.authorization(&found, &client_id).unwrap().url).await.unwrap();
    page = attacker.submit(&page, &[("decision", "approve")]).await.unwrap();
    page = victim.follow(&page).await.unwrap();
    while page.location().is_ok() {
        page = victim.follow(&page).await.unwrap();
    }
    let person = stack.person("bob");
    let fields = [("username", person.user.as_str()), ("password", person.password.as_str())];
    page = victim.submit(&page, &fields).await.unwrap();
    while !page.location().unwrap().as_str().starts_with(stack.origin()) {
        page = victim.follow(&page).await.unwrap();
    }
    let refused = victim.follow(&page).await.unwrap();
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(!refused.headers.contains_key("location"));
    assert_eq!(stack.cognito.code_exchanges(), 0);
}

/// Also GHSA-5h2m-4q8j-pqpj: `resource` was taken and ignored.
#[tokio::test]
async fn cve_2025_69196_a_token_for_one_resource_is_refused_at_another() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let others = [
        stack.client("/echo-mcp").unwrap().probe(&session.tokens.access).await.unwrap(),
        stack.client("/echo").unwrap().probe(&session.tokens.access).await.unwrap(),
    ];
    for answer in others {
        assert_eq!((answer.status, answer.challenge("error").as_deref()), (401, Some("invalid_token")));
    }
    assert!(stack.echo.seen().is_empty());
}

/// FastMCP's OpenAPI: arguments became part of the path as they were.
#[tokio::test]
async fn ghsa_vv7q_7jx5_f767_arguments_of_tools_never_leave_their_place_in_a_path() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for evil in
        ["../../../users/me", "..%2f..%2fusers%2fme", "x?fields=y", "x#y", "..", "a/b", "\\..\\x", "%2e%2e"]
    {
        for (tool, argument) in [
            ("list_work_items", "project"),
            ("retrieve_work_item", "work_item"),
            ("list_projects", "workspace"),
        ] {
            let params = json!({ "name": tool, "arguments": { argument: evil } });
            session.call(Era::Modern, "tools/call", &params).await.ok();
        }
    }
    for request in stack.plane.requests() {
        let path = request.path.to_lowercase();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        assert!(!parts.iter().any(|part| [".", "..", "%2e%2e", "%2e"].contains(part)), "{path}");
        let about_oneself = path.contains("/users/me");
        assert!(!about_oneself || !path.contains("/workspaces/"), "{path}");
        assert!(!request.query.contains("fields=y"), "{}", request.query);
    }
}

#[tokio::test]
async fn cve_2025_4143_a_redirect_uri_is_checked_before_anything_is_sent_there() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let good = client.authorization(&found, &client_id).unwrap().url;
    for evil in [
        "evil.example",
        "127.0.0.1%3A9%40evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1%3A9%2Fcallback%2F..",
    ] {
        let url = good.as_str().replace("127.0.0.1%3A9", evil);
        // An error, too, would be sent there.
        for url in [url.clone(), url.replace("response_type=code", "response_type=x")] {
            let page = browser.visit(&url.parse().unwrap()).await.unwrap();
            assert_eq!(page.status, 400, "{url}");
            assert!(!page.headers.contains_key("location"), "{url}");
        }
    }
}

#[tokio::test]
async fn cve_2025_4144_pkce_can_be_left_out_on_neither_side() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    let without: Vec<(String, String)> = authorization
        .url
        .query_pairs()
        .filter(|(name, _)| !name.starts_with("code_challenge"))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut url = authorization.url.clone();
    url.query_pairs_mut().clear().extend_pairs(without);
    let back = browser.visit(&url).await.unwrap().location().unwrap();
    assert!(back.query().unwrap().contains("error=invalid_request"), "{back}");

    let callback = browser.sign_in(&authorization.url, &stack.person("alice")).await.unwrap();
    let code = callback.code.unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", stack::client::REDIRECT_URI),
        ("client_id", client_id.as_str()),
    ];
    for verifier in [None, Some("")] {
        let with = form.iter().copied().chain(verifier.map(|text| ("code_verifier", text)));
        let answer = client.token(&found, &with.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

/// Spring's mcp-security: URLs that a client names are fetched for it. Ours are, for client documents only.
#[tokio::test]
async fn cve_2026_45609_no_url_of_a_client_makes_us_ask_a_private_address() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let port = stack.echo.url().rsplit_once(':').unwrap().1.to_owned();
    let hosts =
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0", "169.254.169.254"];
    for host in hosts {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{port}/client.json");
            let page = browser.visit(&client.authorization(&found, &url).unwrap().url).await.unwrap();
            assert_eq!(page.status, 400, "{url}: {}", page.body);
            assert!(!page.headers.contains_key("location"), "{url}");
        }
    }
    let named = format!("{}/named", stack.echo.url());
    let metadata = json!({
        "client_name": "x", "redirect_uris": [stack::client::REDIRECT_URI], "token_endpoint_auth_method": "none",
        "logo_uri": named, "client_uri": named, "jwks_uri": named, "sector_identifier_uri": named, "policy_uri": named,
    });
    client.register(&found, &metadata).await.unwrap();
    assert_eq!(stack.echo.connections(), 0);
}
