//! The consent page: who sees it, and that it works for everybody, in a real browser.

use stack::stack::{Stack, Store};

mod in_chromium;

#[tokio::test]
async fn who_approved_a_client_goes_straight_to_cognito_at_any_proxy() {
    let stack = Stack::builder().store(Store::Valkey).proxies(2).start().await.unwrap();
    let (client, browser, person) =
        (stack.client("/mcp").unwrap(), stack.browser().unwrap(), stack.person("alice"));
    let mut session = client.sign_in(&browser, &person).await.unwrap();
    let authorize = |session: &stack::client::SignedIn| {
        client.authorization(&session.discovery, &session.client_id).unwrap()
    };
    let again = browser.visit(&authorize(&session).url).await.unwrap();
    assert!(again.location().unwrap().as_str().starts_with(stack.cognito.domain_url()), "{again:?}");
    let request = authorize(&session);
    let callback = browser.sign_in(&request.url, &person).await.unwrap();
    session.tokens =
        client.redeem(&session.discovery, &session.client_id, &request, &callback).await.unwrap();
    assert_eq!(client.probe(&session.tokens.access).await.unwrap().status, 200);

    let mut insisting = authorize(&session).url;
    insisting.query_pairs_mut().append_pair("prompt", "consent");
    assert_eq!(browser.visit(&insisting).await.unwrap().status, 200, "prompt=consent");
    assert_eq!(stack.browser().unwrap().visit(&authorize(&session).url).await.unwrap().status, 200);

    // Who gives a session back is asked again: Cognito knows the browser, and so the page comes after it.
    assert_eq!(session.revoke().await.unwrap().status, 200);
    let mut page = browser.visit(&authorize(&session).url).await.unwrap();
    while page.location().is_ok() {
        page = browser.follow(&page).await.unwrap();
    }
    assert!(page.status == 200 && page.body.contains("name=\"decision\""), "{page:?}");
    let dump = stack.valkey.as_ref().unwrap().dump().unwrap();
    let approvals: Vec<_> = dump.iter().filter(|(name, _)| name.contains("approvals:")).collect();
    assert!(!approvals.is_empty() && approvals.iter().all(|(_, value)| !value.contains("alice")));
}

#[tokio::test]
async fn with_remembering_switched_off_everybody_is_asked_each_time() {
    let stack = Stack::builder().proxy_setting("oauth.remember_consent", false).start().await.unwrap();
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let session = client.sign_in(&browser, &stack.person("alice")).await.unwrap();
    let again = client.authorization(&session.discovery, &session.client_id).unwrap();
    assert_eq!(browser.visit(&again.url).await.unwrap().status, 200);
}
