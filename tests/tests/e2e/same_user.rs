//! The claim: the same person is the same Plane user in the browser and in the agent, through the stack a team already runs.

use http::HeaderMap;
use serde_json::{Value, json};
use stack::{
    browser::{Browser, Page, Person},
    chain::{Chain, Way},
    client::Era,
    plane::PlaneDouble,
};

/// Signs a person in at Plane as a browser does, and loads a page of Plane's API.
pub(crate) async fn browse(chain: &Chain, browser: &Browser, person: &Person, path: &str) -> Page {
    let start = format!("{}/oauth2/start?rd={path}", chain.plane_url);
    let mut page = browser.visit(&start.parse().unwrap()).await.unwrap();
    for _ in 0..12 {
        if page.location().is_ok() {
            page = browser.follow(&page).await.unwrap();
        } else if page.body.contains("name=\"password\"") {
            let fields = [("username", person.user.as_str()), ("password", person.password.as_str())];
            page = browser.submit(&page, &fields).await.unwrap();
        } else {
            break;
        }
    }
    page
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

fn identity_headers(headers: &HeaderMap) -> Vec<(String, String)> {
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
