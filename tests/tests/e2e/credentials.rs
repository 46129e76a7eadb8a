//! What a person, or somebody else in a person's name, may come with.

use serde_json::Value;
use stack::{
    chain::Chain,
    client::{Discovery, McpClient, SignedIn},
};
use url::Url;

use crate::same_user::all_pages;

/// What Cognito gives: a client without the edge would hold these.
pub(crate) struct CognitoTokens {
    pub(crate) id: String,
    pub(crate) access: String,
}

/// Signs `user` in at the provider itself, as the app client that oauth2-proxy and the edge share.
pub(crate) async fn cognito_tokens(chain: &Chain, user: &str) -> CognitoTokens {
    let pool = &chain.provider.pool;
    let mut url: Url = format!("{}/oauth2/authorize", pool.domain).parse().unwrap();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &pool.client_id)
        .append_pair("redirect_uri", &chain.setup.redirect_url)
        .append_pair("scope", "openid email profile")
        .append_pair("state", "direct");
    let callback = chain.browser().unwrap().sign_in(&url, &chain.person(user)).await.unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", callback.code.as_deref().unwrap()),
        ("redirect_uri", &chain.setup.redirect_url),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/oauth2/token", pool.domain)).form(&form);
    let answer = request.basic_auth(&pool.client_id, Some(&pool.client_secret)).send().await.unwrap();
    let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    CognitoTokens { id: text("id_token"), access: text("access_token") }
}

/// The cookies of `user`'s browser at Plane, oauth2-proxy's and Plane's own, as a `Cookie` header has them.
pub(crate) async fn cookies(chain: &Chain, user: &str) -> String {
    let pages = all_pages(chain, &chain.browser().unwrap(), &chain.person(user), "/api/users/me/").await;
    assert_eq!(pages.last().unwrap().status, 200);
    let set = pages.iter().flat_map(|page| page.headers.get_all("set-cookie"));
    let pairs = set.filter_map(|value| value.to_str().unwrap().split(';').next());
    let wanted = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap();
        // oauth2-proxy splits what is too long for one cookie.
        let oauth2_proxy = name.starts_with("_oauth2_proxy") && !name.ends_with("_csrf");
        !value.is_empty() && (name == "session-id" || oauth2_proxy)
    };
    let cookies: Vec<_> = pairs.filter(wanted).collect();
    assert!(cookies.len() >= 2, "{cookies:?}");
    cookies.join("; ")
}

/// Signs `user` in for Plane's REST API at the route `/api` of the ForwardAuth way.
pub(crate) async fn sign_in_for_rest(chain: &Chain, user: &str) -> SignedIn {
    let client: McpClient = chain.client("/api").unwrap();
    let resource = client.load("/.well-known/oauth-protected-resource/api").await.unwrap();
    let server = client.load("/.well-known/oauth-authorization-server").await.unwrap();
    let challenge = client.load("/api/users/me/").await.unwrap().expect_status(401).unwrap();
    let discovery = Discovery { challenge, resource: resource.json, server: server.json };
    let client_id = client.register_publicly(&discovery).await.unwrap();
    let authorization = client.authorization(&discovery, &client_id).unwrap();
    let browser = chain.browser().unwrap();
    let callback = browser.sign_in(&authorization.url, &chain.person(user)).await.unwrap();
    let tokens = client.redeem(&discovery, &client_id, &authorization, &callback).await.unwrap();
    SignedIn { client, discovery, client_id, tokens }
}
