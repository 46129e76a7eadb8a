//! Lines of the checklist in `docs/security.md` that no other module is about.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::{
    client::Era,
    stack::{Stack, Store},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Number 11: there are no sessions of the transport, so that there is none to guess or to plant.
#[tokio::test]
async fn no_era_is_given_a_session_id() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let start = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
    });
    for (era, method, params) in [
        (Era::Legacy, "initialize", start),
        (Era::Legacy, "tools/list", json!({})),
        (Era::Modern, "tools/list", json!({})),
    ] {
        let request = session.client.rpc(era, &session.tokens.access, method, &params).unwrap();
        let answer = session.client.send(request).await.unwrap().expect_status(200).unwrap();
        assert!(!answer.headers.contains_key("mcp-session-id"), "{method}");
    }
}

/// Number 13: nothing is said to who does not speak TLS.
#[tokio::test]
async fn plain_http_gets_no_answer_at_the_public_port() {
    let stack = Stack::start().await.unwrap();
    let host = stack.origin().trim_start_matches("https://");
    let mut connection = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as good as any.
    let _ = connection.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}

/// Number 15: clients compare the issuer as text.
#[tokio::test]
async fn the_issuer_is_the_same_text_in_metadata_redirect_and_token() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    let callback = browser.sign_in(&authorization.url, &stack.person("alice")).await.unwrap();
    let tokens = client.redeem(&found, &client_id, &authorization, &callback).await.unwrap();
    let claims = tokens.access.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(found.server["issuer"], stack.origin());
    assert_eq!(found.resource["authorization_servers"], json!([stack.origin()]));
    assert_eq!(callback.iss.as_deref(), Some(stack.origin()));
    assert_eq!(claims["iss"], stack.origin());
}

/// Number 29: a form is answered with 303, which no browser sends the form on with.
#[tokio::test]
async fn who_consents_is_sent_on_without_the_form() {
    let stack = Stack::start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let url = client.authorization(&found, &client_id).unwrap().url;
    for decision in ["deny", "approve"] {
        let page = browser.visit(&url).await.unwrap();
        let onward = browser.submit(&page, &[("decision", decision)]).await.unwrap();
        assert_eq!(onward.status, 303, "{decision}");
    }
}

/// Number 35: clients look at the URL before they open the browser, and anybody can.
#[tokio::test]
async fn looking_at_authorize_writes_nothing_and_asks_nobody() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let url = client.authorization(&found, &client_id).unwrap().url;
    // Beside the count of who looks, which ends within seconds.
    let held = || {
        let dump = stack.valkey.as_ref().unwrap().dump().unwrap();
        dump.into_iter().filter(|(name, _)| !name.contains(":rate:")).collect::<Vec<_>>()
    };
    let before = held();
    let asked = stack.cognito.requests().len();
    for method in ["HEAD", "GET", "GET"] {
        client.send(client.request(method, &url).unwrap()).await.unwrap().expect_status(200).unwrap();
    }
    assert_eq!(held(), before);
    assert_eq!(stack.cognito.requests().len(), asked);
    let callback = stack.browser().unwrap().sign_in(&url, &stack.person("alice")).await.unwrap();
    assert!(callback.code.is_some(), "the sign-in that was looked at still works");
}
