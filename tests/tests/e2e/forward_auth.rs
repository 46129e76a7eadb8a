//! ForwardAuth: what the proxy answers Traefik, and what then reaches the client.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Response;
use serde_json::{Value, json};
use stack::{
    chain::{Chain, Way},
    client::{Answer, Era, SignedIn},
    program::{Kind, Program},
    settings::Settings,
};

use crate::credentials::sign_in_for_rest;

/// What a page of this origin may do is for the operator to say.
const PAGE: &str = "https://app.example";

struct Scene {
    chain: Chain,
    session: SignedIn,
}

impl Scene {
    async fn start() -> Self {
        let chain = Chain::builder(Way::ForwardAuth).start().await.unwrap();
        let session = chain.sign_in("alice").await.unwrap();
        Self { chain, session }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.session.tokens.access)
    }

    fn host(&self) -> &str {
        self.chain.public_url.trim_start_matches("https://")
    }

    /// What Traefik says of a request with alice's token.
    fn request(&self) -> Vec<(&'static str, String)> {
        vec![
            ("x-forwarded-method", "POST".to_owned()),
            ("x-forwarded-proto", "https".to_owned()),
            ("x-forwarded-host", self.host().to_owned()),
            ("x-forwarded-uri", "/mcp".to_owned()),
            ("x-forwarded-for", "203.0.113.7".to_owned()),
            ("authorization", self.bearer()),
        ]
    }

    /// The same with one header replaced by any number of values.
    fn request_but(&self, name: &'static str, values: &[&str]) -> Vec<(&'static str, String)> {
        let mut request = self.request();
        request.retain(|(known, _)| *known != name);
        request.extend(values.iter().map(|value| (name, (*value).to_owned())));
        request
    }

    /// Asks the listener itself, from `peer`.
    async fn ask_from(&self, peer: [u8; 4], path: &str, request: &[(&str, String)]) -> Response {
        let address = self.chain.proxies[0].program.listener("forward_auth").unwrap();
        let peer = IpAddr::V4(Ipv4Addr::from(peer));
        let http = reqwest::Client::builder().no_proxy().local_address(peer).build().unwrap();
        let mut asked = http.get(format!("http://{address}{path}"));
        for (name, value) in request {
            asked = asked.header(*name, value);
        }
        asked.send().await.unwrap()
    }

    async fn ask(&self, request: &[(&str, String)]) -> Response {
        self.ask_from([127, 0, 0, 1], "/forward-auth", request).await
    }

    /// A request of an MCP client through Traefik.
    async fn probe(&self) -> Answer {
        self.session.client.probe(&self.session.tokens.access).await.unwrap()
    }
}

fn names(response: &Response) -> Vec<&str> {
    let mut names: Vec<_> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

fn claims(bearer: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = bearer.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn traefik_is_given_the_id_token_and_the_scope_and_nothing_else() {
    let scene = Scene::start().await;
    let always = ["cache-control", "content-length", "date", "x-content-type-options", "x-request-id"];
    let expected = |more: &[&'static str]| {
        let mut names = [&always[..], more].concat();
        names.sort_unstable();
        names
    };
    let answer = scene.ask(&scene.request()).await;
    assert_eq!(
        (answer.status().as_u16(), names(&answer)),
        (200, expected(&["authorization", "x-mcp-scope"]))
    );
    let token = answer.headers()["authorization"].to_str().unwrap();
    let claims = claims(token.strip_prefix("Bearer ").unwrap());
    assert_eq!((&claims["token_use"], &claims["cognito:username"]), (&json!("id"), &json!("alice")));
    assert_eq!(answer.headers()["x-mcp-scope"], "plane:read offline_access");
    assert_eq!(answer.text().await.unwrap(), "");

    let rest = sign_in_for_rest(&scene.chain, "alice").await;
    let mut request = scene.request_but("authorization", &[&format!("Bearer {}", rest.tokens.access)]);
    request.retain(|(name, _)| *name != "x-forwarded-uri");
    request.push(("x-forwarded-uri", "/api/users/me/".to_owned()));
    let answer = scene.ask(&request).await;
    assert_eq!((answer.status().as_u16(), names(&answer)), (200, expected(&["authorization"])));
}

#[tokio::test]
async fn no_refusal_is_200_and_none_carries_a_token() {
    let scene = Scene::start().await;
    let ours = scene.session.tokens.access.as_str();
    let id_token = scene.ask(&scene.request()).await.headers()["authorization"].to_str().unwrap().to_owned();
    let host = scene.host();
    let cases: &[(&'static str, &[&str], u16)] = &[
        ("authorization", &[], 401),
        ("authorization", &["Bearer "], 401),
        ("authorization", &["Bearer abc"], 401),
        ("authorization", &["Bearer abc, Bearer def"], 401),
        ("authorization", &["Basic YWxpY2U6eA=="], 401),
        ("authorization", &[&format!("Basic {ours}")], 401),
        ("authorization", &[&format!("Bearer {ours}x")], 401),
        ("authorization", &[&id_token], 401),
        ("authorization", &[&scene.bearer(), &scene.bearer()], 400),
        ("x-forwarded-method", &[], 400),
        ("x-forwarded-method", &["GET", "POST"], 400),
        ("x-forwarded-method", &["G T"], 400),
        ("x-forwarded-method", &["CONNECT"], 405),
        ("x-forwarded-method", &["TRACE"], 405),
        ("x-forwarded-host", &[], 400),
        ("x-forwarded-host", &[host, host], 400),
        ("x-forwarded-host", &["evil.example"], 421),
        ("x-forwarded-host", &[&format!("evil.example, {host}")], 421),
        ("x-forwarded-uri", &[], 400),
        ("x-forwarded-uri", &["/mcp", "/mcp"], 400),
        ("x-forwarded-uri", &["/%6dcp"], 400),
        ("x-forwarded-uri", &["/mcp/%2e%2e/api"], 400),
        ("x-forwarded-uri", &["/mcp%2f..%2fapi"], 400),
        ("x-forwarded-uri", &["/api/../mcp"], 400),
        ("x-forwarded-uri", &["/mcp/..;/api"], 400),
        ("x-forwarded-uri", &["//mcp"], 400),
        ("x-forwarded-uri", &["https://evil.example/mcp"], 400),
        ("x-forwarded-uri", &["mcp"], 400),
        ("x-forwarded-uri", &["/mcp?access_token=x"], 400),
        ("x-forwarded-uri", &["/api/users/me/"], 401),
        ("x-forwarded-uri", &["/mcpx"], 404),
        ("x-forwarded-uri", &["/forward-auth"], 404),
        ("x-forwarded-uri", &["/token"], 404),
        ("x-forwarded-uri", &["/healthz"], 404),
        ("origin", &[PAGE], 403),
        ("transfer-encoding", &["gzip, chunked"], 200),
    ];
    for (name, values, status) in cases {
        let answer = scene.ask(&scene.request_but(name, values)).await;
        assert_eq!(answer.status().as_u16(), *status, "{name}: {values:?}");
        let granted = answer.headers().contains_key("authorization");
        assert_eq!(granted, *status == 200, "{name}: {values:?}");
    }
}

#[tokio::test]
async fn nobody_but_the_configured_proxies_is_answered() {
    let scene = Scene::start().await;
    let (listener, path) = ([127, 0, 0, 1], "/forward-auth");
    assert_eq!(scene.ask_from(listener, path, &scene.request()).await.status(), 200);
    let stranger = scene.ask_from([127, 0, 0, 2], path, &scene.request()).await;
    assert_eq!(stranger.status(), 403);
    assert!(!stranger.headers().contains_key("authorization"));
    // Nor by saying so.
    let said =
        [scene.request_but("x-forwarded-for", &["127.0.0.1"]), vec![("x-real-ip", "127.0.0.1".to_owned())]];
    assert_eq!(scene.ask_from([127, 0, 0, 2], path, &said.concat()).await.status(), 403);
    assert_eq!(scene.ask_from(listener, "/", &scene.request()).await.status(), 404);

    // Nor is the path there at the public listener, directly or through Traefik.
    let public = format!("http://{}", scene.chain.proxies[0].program.public());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let direct = http.get(format!("{public}/forward-auth")).header("host", scene.host());
    assert_eq!(direct.bearer_auth(&scene.session.tokens.access).send().await.unwrap().status(), 404);
    assert_eq!(scene.session.client.load("/forward-auth").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_challenge_reaches_the_client_as_we_gave_it() {
    let scene = Scene::start().await;
    for bearer in ["", "not-a-token"] {
        let values = [format!("Bearer {bearer}")];
        let values: Vec<_> = values.iter().filter(|_| !bearer.is_empty()).map(String::as_str).collect();
        let ours = scene.ask(&scene.request_but("authorization", &values)).await;
        let headers = ours.headers().clone();
        let answer = scene.session.client.probe(bearer).await.unwrap();
        assert_eq!((answer.status, ours.status().as_u16()), (401, 401));
        for name in ["www-authenticate", "content-type", "cache-control", "x-content-type-options"] {
            assert_eq!(answer.header(name), headers[name].to_str().unwrap(), "{name}");
        }
        assert_eq!(answer.text, ours.text().await.unwrap());
        assert_eq!(answer.json["error"], "invalid_token");
        let metadata = answer.challenge("resource_metadata").unwrap();
        let metadata = scene.session.client.load(&metadata).await.unwrap();
        assert_eq!(metadata.json["resource"], format!("{}/mcp", scene.chain.public_url));
    }
}

#[tokio::test]
async fn without_valkey_a_token_is_kept_and_tried_again() {
    let mut scene = Scene::start().await;
    let late = scene.chain.sign_in("bob").await.unwrap();
    assert_eq!(scene.probe().await.status, 200);
    let known = scene.chain.plane.requests().len();
    scene.chain.valkey.stop();
    // Started anew, the proxy has met neither session.
    let settings = scene.chain.proxies.remove(0).settings;
    let started = Program::start_unready(Kind::Proxy, &settings, &scene.chain.environment).await;
    let mut program = started.unwrap();
    for session in [&scene.session, &late] {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(answer.header("www-authenticate"), "");
        assert_eq!(answer.json["error"]["data"]["reason"], "store", "{}", answer.text);
    }
    // What can be told without asking is told.
    assert_eq!(late.client.probe("not-a-token").await.unwrap().status, 401);
    assert_eq!(scene.chain.plane.requests().len(), known);
    scene.chain.valkey.start_again().await.unwrap();
    program.wait_ready().await.unwrap();
    assert_eq!(scene.probe().await.status, 200);
}

#[tokio::test]
async fn a_call_of_a_known_session_asks_valkey_nothing() {
    let scene = Scene::start().await;
    assert_eq!(scene.probe().await.status, 200);
    let look_ups = || -> u64 {
        let count = |name: &str| scene.chain.valkey.info(name).unwrap().parse::<u64>().unwrap();
        count("keyspace_hits") + count("keyspace_misses")
    };
    let before = look_ups();
    for _ in 0..20 {
        assert_eq!(scene.probe().await.status, 200);
    }
    assert_eq!(look_ups(), before);
}

#[tokio::test]
async fn a_whole_session_goes_by_forward_auth() {
    let mut scene = Scene::start().await;
    let session = &mut scene.session;
    for era in [Era::Modern, Era::Legacy] {
        if era == Era::Legacy {
            session.initialize().await.unwrap();
        }
        assert!(session.tools(era).await.unwrap().contains(&"list_work_items".to_owned()));
        let me = session.tool(era, "get_me", &json!({})).await.unwrap();
        assert_eq!(me["email"], "alice@example.com", "{me}");
    }
    let old = session.tokens.clone();
    session.refresh().await.unwrap();
    assert_ne!((&session.tokens.access, &session.tokens.refresh), (&old.access, &old.refresh));
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 200);

    assert_eq!(session.revoke().await.unwrap().status, 200);
    for token in [&old.access, &session.tokens.access] {
        let answer = session.client.probe(token).await.unwrap();
        assert_eq!(answer.status, 401);
        assert!(answer.challenge("resource_metadata").is_some());
    }
    assert_eq!(session.try_refresh().await.unwrap().status, 400);
    let again = scene.chain.sign_in("alice").await.unwrap();
    assert_eq!(again.client.probe(&again.tokens.access).await.unwrap().status, 200);
    assert_eq!(scene.chain.plane.users_seen(), ["alice@example.com"]);
}

#[tokio::test]
async fn a_page_needs_traefik_s_own_cors_before_the_proxy() {
    let chain = Chain::builder(Way::ForwardAuth);
    let allow: fn(&mut Settings) = |settings| settings.set("server.allowed_origins", vec![PAGE.to_owned()]);
    let chain = chain.proxy(allow).adapter(allow);
    let chain = chain.start().await.unwrap();
    let session = chain.sign_in("alice").await.unwrap();
    let preflight = async |session: &SignedIn, origin: &str| {
        let request = session.client.request("OPTIONS", session.client.endpoint()).unwrap();
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        let asked = "authorization,content-type,mcp-method,mcp-protocol-version";
        session.client.send(request.header("access-control-request-headers", asked)).await.unwrap()
    };
    // A preflight has no token, and Traefik asks us about it as about anything else.
    assert_eq!(preflight(&session, PAGE).await.status, 401);

    let cors = documented_cors();
    let order = "[edge-forward-auth, token-only, oauth2-proxy]";
    let change = |text: String| {
        assert!(text.contains(order));
        text.replace(order, &order.replace('[', "[cors, "))
            .replace("  middlewares:\n    edge-", &format!("  middlewares:\n{cors}    edge-"))
    };
    let traefik = chain.another_traefik(|settings| settings, change).await.unwrap();
    let session = SignedIn { client: session.client.through(&traefik.url()).unwrap(), ..session };
    let answer = preflight(&session, PAGE).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
    for name in ["authorization", "mcp-protocol-version", "mcp-method", "mcp-name", "content-type"] {
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        assert!(allowed.split(',').any(|known| known.trim() == name), "{name}: {allowed}");
    }
    let foreign = preflight(&session, "https://evil.example").await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");

    let call = |bearer: &str, origin: &str| {
        let request = session.client.rpc(Era::Modern, bearer, "tools/list", &Value::Null).unwrap();
        session.client.send(request.header("origin", origin))
    };
    let answer = call(&session.tokens.access, PAGE).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
    // The page can read where to sign in.
    let answer = call("", PAGE).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, PAGE));
    assert!(answer.header("access-control-expose-headers").to_ascii_lowercase().contains("www-authenticate"));
    let answer = call(&session.tokens.access, "https://evil.example").await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, ""));
}

/// The middleware as `docs/traefik.md` shows it, for [`PAGE`].
fn documented_cors() -> String {
    let text = include_str!("../../../docs/traefik.md");
    let from = text.find("    cors:\n").unwrap();
    let length = text.get(from..).unwrap().find("```").unwrap();
    text.get(from..from + length).unwrap().to_owned()
}
