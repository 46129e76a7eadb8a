//! The claim: the same person is the same Plane user in the browser and in the agent, through the stack a team already runs.

use http::HeaderMap;
use serde_json::{Value, json};
use stack::{
    browser::{Browser, Page, Person},
    chain::{Chain, Way},
    client::Era,
    plane::PlaneDouble,
};

use crate::credentials::cognito_tokens;

/// Signs a person in at Plane as a browser does, and loads a page of Plane's API.
pub(crate) async fn browse(chain: &Chain, browser: &Browser, person: &Person, path: &str) -> Page {
    all_pages(chain, browser, person, path).await.pop().unwrap()
}

/// The same with every page on the way, the one asked for last.
pub(crate) async fn all_pages(chain: &Chain, browser: &Browser, person: &Person, path: &str) -> Vec<Page> {
    pages_from(&chain.plane_url, browser, person, path).await
}

/// The same for a Plane that browsers find at `plane_url`.
pub(crate) async fn pages_from(plane_url: &str, browser: &Browser, person: &Person, path: &str) -> Vec<Page> {
    let start = format!("{plane_url}/oauth2/start?rd={path}");
    let mut page = browser.visit(&start.parse().unwrap()).await.unwrap();
    let mut pages = vec![page.clone()];
    for _ in 0..12 {
        if page.location().is_ok() {
            page = browser.follow(&page).await.unwrap();
        } else if page.body.contains("name=\"password\"") {
            let fields = [("username", person.user.as_str()), ("password", person.password.as_str())];
            page = browser.submit(&page, &fields).await.unwrap();
        } else {
            break;
        }
        pages.push(page.clone());
    }
    pages
}

/// The identity headers of the last request that reached Plane, sorted.
pub(crate) fn identity(plane: &PlaneDouble) -> Vec<(String, String)> {
    let seen = plane.requests();
    let last = seen.last().unwrap();
    let mut found = identity_headers(&last.headers);
    found.sort();
    assert!(!found.is_empty(), "{last:?}");
    found
}

pub(crate) fn identity_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = |name: &str| name.starts_with("x-auth-request-") || name.starts_with("x-forwarded-user");
    let found = headers.iter().filter(|(name, _)| named(name.as_str()));
    found.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

async fn browser_and_agent_are_the_same(way: Way) {
    let chain = Chain::builder(way).start().await.unwrap();
    let page = browse(&chain, &chain.browser().unwrap(), &chain.person("alice"), "/api/users/me/").await;
    assert_eq!(page.status, 200, "{} {}", page.url, page.body);
    let in_the_browser = identity(&chain.plane);
    let user: Value = serde_json::from_str(&page.body).unwrap();

    let agent = chain.sign_in("alice").await.unwrap();
    let me = agent.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    let in_the_agent = identity(&chain.plane);

    assert_eq!(in_the_agent, in_the_browser, "{way:?}");
    let email = ("x-auth-request-email".to_owned(), "alice".to_owned());
    assert!(in_the_agent.contains(&email), "{in_the_agent:?}");
    assert_eq!(me["id"], user["id"]);
    assert_eq!(chain.plane.users_seen(), ["alice@example.com"]);
}

#[tokio::test]
async fn browser_and_agent_are_the_same_user_inline() {
    browser_and_agent_are_the_same(Way::Inline).await;
}

#[tokio::test]
async fn browser_and_agent_are_the_same_user_behind_traefik() {
    browser_and_agent_are_the_same(Way::Behind).await;
}

#[tokio::test]
async fn browser_and_agent_are_the_same_user_by_forward_auth() {
    browser_and_agent_are_the_same(Way::ForwardAuth).await;
}

#[tokio::test]
async fn with_an_access_token_in_place_of_the_id_token_they_differ() {
    // What clients without the edge have, and the setting that teams then find: the bug this project exists for.
    let chain = Chain::builder(Way::Inline);
    let chain = chain.oauth2_proxy(|settings| {
        settings.set("oidc_audience_claims", vec!["aud".to_owned(), "client_id".to_owned()]);
    });
    let chain = chain.start().await.unwrap();
    let page = browse(&chain, &chain.browser().unwrap(), &chain.person("alice"), "/api/users/me/").await;
    assert_eq!(page.status, 200, "{} {}", page.url, page.body);
    let in_the_browser = identity(&chain.plane);
    let tokens = cognito_tokens(&chain, "alice").await;

    assert_eq!(ask_plane(&chain, &tokens.access).await, 200);
    let with_the_access_token = identity(&chain.plane);
    assert_ne!(with_the_access_token, in_the_browser);
    let value = |headers: &[(String, String)], name: &str| {
        headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap()
    };
    // Plane goes by the e-mail header, and makes a new user of whom it does not know.
    let sub = value(&in_the_browser, "x-auth-request-user");
    assert_eq!(value(&with_the_access_token, "x-auth-request-email"), sub);
    assert_eq!(chain.plane.users_seen(), ["alice@example.com".to_owned(), format!("{sub}@example.com")]);

    assert_eq!(ask_plane(&chain, &tokens.id).await, 200);
    assert_eq!(identity(&chain.plane), in_the_browser);
}

#[tokio::test]
async fn as_shipped_an_access_token_is_nobody() {
    let chain = Chain::builder(Way::Inline).start().await.unwrap();
    let tokens = cognito_tokens(&chain, "alice").await;
    assert_eq!(ask_plane(&chain, &tokens.access).await, 403);
    assert!(chain.plane.requests().is_empty());
}

async fn ask_plane(chain: &Chain, bearer: &str) -> u16 {
    let plane = chain.plane_client("/api/users/me/").unwrap();
    let request = plane.request("GET", plane.endpoint()).unwrap().bearer_auth(bearer);
    plane.send(request).await.unwrap().status
}
