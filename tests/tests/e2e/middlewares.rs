//! What goes wrong without each line of `deploy/traefik`: the bad thing happens when the line is gone, and not when it is there.

use http::HeaderMap;
use stack::{
    chain::{Chain, Way},
    client::{McpClient, SignedIn},
    oauth2_proxy::OAuth2Proxy,
    settings::Settings,
    traefik::Traefik,
};

use crate::credentials::{cognito_tokens, cookies, sign_in_for_rest};

const ME: &str = "/api/users/me/";
const ORDER: &str = "[edge-forward-auth, token-only, oauth2-proxy]";

/// A chain, alice's client of Plane's REST API, and what bob's browser holds.
struct Scene {
    chain: Chain,
    alice: SignedIn,
    bobs_cookies: String,
}

/// What came of a request: the status, and how Plane saw it, if it got there.
#[derive(Debug)]
struct Arrived {
    status: u16,
    user: Option<String>,
    headers: Option<HeaderMap>,
}

impl Arrived {
    fn header(&self, name: &str) -> String {
        let headers = self.headers.as_ref().unwrap_or_else(|| panic!("did not reach Plane: {self:?}"));
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        values.join(" and ")
    }

    fn is(&self, user: &str) -> bool {
        self.status == 200
            && self.user == Some(format!("{user}@example.com"))
            && self.header("x-auth-request-email") == user
    }

    /// Whether it was refused with this status before it came to Plane.
    fn is_refused(&self, status: u16) -> bool {
        self.status == status && self.headers.is_none()
    }
}

impl Scene {
    async fn start() -> Self {
        let chain = Chain::builder(Way::ForwardAuth).start().await.unwrap();
        let (alice, bobs_cookies) = (sign_in_for_rest(&chain, "alice").await, cookies(&chain, "bob").await);
        Self { chain, alice, bobs_cookies }
    }

    /// A Traefik in whose dynamic configuration `line` is replaced.
    async fn with(&self, line: &str, other: &str) -> Traefik {
        assert!(self.chain.dynamic.contains(line), "{line} is not in the shipped file");
        let change = |text: String| text.replace(line, other);
        self.chain.another_traefik(|settings| settings, change).await.unwrap()
    }

    /// An oauth2-proxy with other settings, and a Traefik that asks it, the middlewares of the MCP host being `order`.
    async fn with_oauth2_proxy(
        &self,
        change: impl FnOnce(&mut Settings),
        order: &str,
    ) -> (OAuth2Proxy, Traefik) {
        let other = OAuth2Proxy::start(&self.chain.setup, change).await.unwrap();
        let (old, new) = (self.chain.oauth2_proxy.url(), other.url());
        let change = |text: String| text.replace(&old, &new).replace(ORDER, order);
        let traefik = self.chain.another_traefik(|settings| settings, change).await.unwrap();
        (other, traefik)
    }

    /// Asks with alice's token of the edge.
    async fn as_alice(&self, traefik: &Traefik, path: &str, headers: &[(&str, &str)]) -> Arrived {
        let client = self.chain.client(path).unwrap();
        let bearer = format!("Bearer {}", self.alice.tokens.access);
        self.ask(&client, traefik, &[&[("authorization", bearer.as_str())], headers].concat()).await
    }

    /// Asks Plane where browsers find it.
    async fn in_the_browser(&self, traefik: &Traefik, headers: &[(&str, &str)]) -> Arrived {
        self.ask(&self.chain.plane_client(ME).unwrap(), traefik, headers).await
    }

    async fn ask(&self, client: &McpClient, traefik: &Traefik, headers: &[(&str, &str)]) -> Arrived {
        let before = self.chain.plane.requests().len();
        let client = client.through(&traefik.url()).unwrap();
        let mut request = client.request("GET", client.endpoint()).unwrap();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let status = client.send(request).await.unwrap().status;
        let seen = self.chain.plane.requests().get(before).cloned();
        let (user, headers) = seen.map(|seen| (seen.user, seen.headers)).unzip();
        Arrived { status, user: user.flatten(), headers }
    }
}

fn fall_back(settings: &mut Settings) {
    settings.set("bearer_token_login_fallback", true);
}

#[tokio::test]
async fn oauth2_proxy_asked_first_refuses_everybody_or_makes_two_users_one() {
    let scene = Scene::start().await;
    let cookie = [("cookie", scene.bobs_cookies.as_str())];
    let shipped = &scene.chain.traefik;
    assert!(scene.as_alice(shipped, ME, &cookie).await.is("alice"));

    let reversed = "[oauth2-proxy, edge-forward-auth, token-only]";
    let traefik = scene.with(ORDER, reversed).await;
    let refused = scene.as_alice(&traefik, ME, &[]).await;
    assert!(refused.is_refused(403), "{refused:?}");

    let (_oauth2_proxy, traefik) = scene.with_oauth2_proxy(fall_back, reversed).await;
    let mixed = scene.as_alice(&traefik, ME, &cookie).await;
    assert!(mixed.is("bob"), "{mixed:?}");
    let alices = scene.as_alice(shipped, ME, &[]).await.header("authorization");
    assert_eq!(mixed.header("authorization"), alices, "bob by the headers, alice by the token");
}

#[tokio::test]
async fn a_cookie_left_beside_the_token_is_somebody_as_soon_as_the_token_is_nobody() {
    let scene = Scene::start().await;
    let cookie = [("cookie", scene.bobs_cookies.as_str())];
    let without = "[edge-forward-auth, oauth2-proxy]";
    // One that does not take the ID token, as one of another app client would not, and goes by the cookie then.
    let foreign = |settings: &mut Settings| {
        settings.set("oidc_extra_audiences", Vec::<String>::new());
        settings.set("oidc_audience_claims", vec!["azp".to_owned()]);
        fall_back(settings);
    };
    let (_with, traefik) = scene.with_oauth2_proxy(foreign, ORDER).await;
    let refused = scene.as_alice(&traefik, ME, &cookie).await;
    assert!(refused.is_refused(401), "{refused:?}");
    let (_without, traefik) = scene.with_oauth2_proxy(foreign, without).await;
    let arrived = scene.as_alice(&traefik, ME, &cookie).await;
    assert!(arrived.is("bob"), "{arrived:?}");

    // Where the token is taken, Plane still gets bob's cookies.
    let arrived = scene.as_alice(&scene.chain.traefik, ME, &cookie).await;
    assert_eq!(arrived.header("cookie"), "");
    let traefik = scene.with(ORDER, without).await;
    let arrived = scene.as_alice(&traefik, ME, &cookie).await;
    assert_eq!(arrived.header("cookie"), scene.bobs_cookies);
}

#[tokio::test]
async fn a_key_left_beside_the_token_is_its_owner() {
    let scene = Scene::start().await;
    let key = scene.chain.plane.api_key_for("bob");
    let (path, key) = ("/api/v1/users/me/", [("x-api-key", key.as_str())]);
    assert!(scene.as_alice(&scene.chain.traefik, path, &key).await.is("alice"));
    let traefik = scene.with(", X-Api-Key: \"\"", "").await;
    let arrived = scene.as_alice(&traefik, path, &key).await;
    assert_eq!(arrived.user.as_deref(), Some("bob@example.com"), "{arrived:?}");
}

#[tokio::test]
async fn a_header_that_oauth2_proxy_does_not_set_passes_without_the_pattern() {
    let scene = Scene::start().await;
    let forged = [("x-auth-request-groups", "admin"), ("x-auth-request-preferred-username", "bob")];
    let seen = |arrived: &Arrived| forged.map(|(name, _)| arrived.header(name));
    let shipped = scene.as_alice(&scene.chain.traefik, ME, &forged).await;
    let traefik = scene.with("authResponseHeadersRegex: \"^X-Auth-Request-\"", "").await;
    let arrived = scene.as_alice(&traefik, ME, &forged).await;
    assert_eq!(seen(&arrived), ["admin", "bob"]);
    assert_eq!(seen(&shipped)[0], "engineering");
    assert_ne!(seen(&shipped)[1], "bob");
    // The list alone is not enough, the pattern alone is; with neither, the client's word stands.
    let list = "authResponseHeaders: [X-Auth-Request-User, X-Auth-Request-Email]";
    let traefik = scene.with(list, "").await;
    assert!(scene.as_alice(&traefik, ME, &forged).await.is("alice"));
    let neither =
        |text: String| text.replace(list, "").replace("authResponseHeadersRegex: \"^X-Auth-Request-\"", "");
    let traefik = scene.chain.another_traefik(|settings| settings, neither).await.unwrap();
    let arrived = scene.as_alice(&traefik, ME, &[("x-auth-request-email", "bob")]).await;
    assert!(arrived.is("bob"), "{arrived:?}");
}

#[tokio::test]
async fn a_header_in_another_spelling_passes_without_the_strategy_for_aliases() {
    let scene = Scene::start().await;
    let line = "aliasHeadersStrategy: delete";
    let change = |text: String| {
        assert!(text.contains(line));
        text.replace(line, "")
    };
    let traefik = scene.chain.another_traefik(change, |text| text).await.unwrap();
    for name in ["x_auth_request_email", "X.Auth.Request.Email", "x-auth_request-email"] {
        let forged = [(name, "bob")];
        let arrived = scene.as_alice(&scene.chain.traefik, ME, &forged).await;
        assert!(arrived.is("alice") && arrived.header(name).is_empty(), "{arrived:?}");
        let arrived = scene.as_alice(&traefik, ME, &forged).await;
        assert_eq!(arrived.header(name), "bob");
        assert!(!arrived.is("alice"), "{arrived:?}");
    }
}

#[tokio::test]
async fn a_stale_token_is_whoever_the_cookie_belongs_to_with_the_fallback() {
    let scene = Scene::start().await;
    let stale = format!("Bearer {}x", cognito_tokens(&scene.chain, "alice").await.id);
    let both = [("authorization", stale.as_str()), ("cookie", scene.bobs_cookies.as_str())];
    let refused = scene.in_the_browser(&scene.chain.traefik, &both).await;
    assert!(refused.is_refused(403), "{refused:?}");
    let (_oauth2_proxy, traefik) = scene.with_oauth2_proxy(fall_back, ORDER).await;
    let arrived = scene.in_the_browser(&traefik, &both).await;
    assert!(arrived.is("bob"), "{arrived:?}");
}

#[tokio::test]
async fn only_the_headers_that_are_listed_are_taken_from_the_answer_and_from_nobody_else() {
    let scene = Scene::start().await;
    let forged = [("x-mcp-scope", "plane:everything")];
    let arrived = scene.as_alice(&scene.chain.traefik, ME, &forged).await;
    assert!(arrived.is("alice") && arrived.header("x-mcp-scope").is_empty(), "{arrived:?}");

    let traefik = scene.with("[Authorization, X-Mcp-Scope]", "[X-Mcp-Scope]").await;
    let refused = scene.as_alice(&traefik, ME, &[]).await;
    assert!(refused.is_refused(403), "the edge's own token came to oauth2-proxy: {refused:?}");
    let traefik = scene.with("[Authorization, X-Mcp-Scope]", "[Authorization]").await;
    let arrived = scene.as_alice(&traefik, ME, &forged).await;
    assert_eq!(arrived.header("x-mcp-scope"), "plane:everything");
}

#[tokio::test]
async fn where_a_request_goes_is_not_for_the_client_to_say() {
    let scene = Scene::start().await;
    let agent = scene.chain.sign_in("alice").await.unwrap();
    let bearer = format!("Bearer {}", agent.tokens.access);
    // A token for `/mcp` on `/api`, with the word of the client that it asks for `/mcp`.
    let request = [("authorization", bearer.as_str()), ("x-forwarded-uri", "/mcp")];
    let client = scene.chain.client(ME).unwrap();
    let credulous =
        |text: String| text.replace("    http:\n", "    forwardedHeaders: {insecure: true}\n    http:\n");
    let traefik = scene.chain.another_traefik(credulous, |text| text).await.unwrap();
    let refused = scene.ask(&client, &traefik, &request).await;
    assert!(refused.is_refused(401), "{refused:?}");
    let trusting = |text: String| text.replace("trustForwardHeader: false", "trustForwardHeader: true");
    let traefik = scene.chain.another_traefik(credulous, trusting).await.unwrap();
    let arrived = scene.ask(&client, &traefik, &request).await;
    assert!(arrived.is("alice"), "a token for one resource was good for another: {arrived:?}");
}

#[tokio::test]
async fn each_setting_of_oauth2_proxy_is_needed() {
    type Change = fn(&mut Settings);
    let scene = Scene::start().await;
    let shipped = scene.as_alice(&scene.chain.traefik, ME, &[]).await;
    assert!(shipped.is("alice"), "{shipped:?}");
    assert_eq!(shipped.header("x-auth-request-groups"), "engineering");

    // Of an ID token without an e-mail address, as the scope `openid` alone gives.
    let sub = shipped.header("x-auth-request-user");
    let cases: [(&str, Change, u16, Option<&str>); 5] = [
        ("bearer tokens are not looked at", |s| s.remove("skip_jwt_bearer_tokens"), 401, None),
        (
            "a user name is no e-mail address",
            |s| s.set("email_domains", vec!["example.com".to_owned()]),
            401,
            None,
        ),
        ("Plane is told nobody", |s| s.remove("set_xauthrequest"), 401, Some("")),
        ("another user", |s| s.remove("user_id_claim"), 200, Some(sub.as_str())),
        ("groups are not told", |s| s.remove("oidc_groups_claim"), 200, Some("alice")),
    ];
    for (what, change, status, email) in cases {
        let (_oauth2_proxy, traefik) = scene.with_oauth2_proxy(change, ORDER).await;
        let arrived = scene.as_alice(&traefik, ME, &[]).await;
        assert_eq!(arrived.status, status, "{what}: {arrived:?}");
        match email {
            None => assert!(arrived.headers.is_none(), "{what}: {arrived:?}"),
            Some(email) => assert_eq!(arrived.header("x-auth-request-email"), email, "{what}"),
        }
        if email == Some("alice") {
            assert_eq!(arrived.header("x-auth-request-groups"), "", "{what}");
        }
    }
}
