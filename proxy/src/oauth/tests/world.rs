//! What every test of the authorization server needs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cognito::{Issuer, KeyPolicy, KeySet, KeySource, Verifier};
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use service::{Clock, ManualClock, Shutdown};
use url::Url;

use super::super::opaque::fingerprint;
use super::super::{Endpoint, OAuth, OAuthRequest, OAuthSettings, Parts, ProtectedResource};
use super::answers::{json, location, pair, query, transaction_in};
use super::doubles::{APP_CLIENT, Breakable, FakeCognito, POOL, PublishedKeys};
use crate::keys::KeyRing;
use crate::limits::ClientAddress;
use crate::metrics::Metrics;
use crate::store::memory::Memory;
use crate::terms::{Resource, Scopes};
use crate::tokens::AccessTokens;
use crate::vault::{Vault, VaultPolicy};

pub(super) const ISSUER: &str = "https://edge.example";
pub(super) const MCP: &str = "https://edge.example/mcp";
pub(super) const CALLBACK: &str = "http://localhost:3118/callback";
pub(super) const VERIFIER: &str = "a-verifier-of-the-client-that-is-long-enough-0123";
const NOW: u64 = 1_790_000_000;

/// The server with everything around it.
pub(super) struct World {
    pub(super) oauth: Arc<OAuth>,
    pub(super) clock: ManualClock,
    pub(super) store: Arc<Breakable>,
    pub(super) cognito: Arc<FakeCognito>,
    pub(super) tokens: Arc<AccessTokens>,
    pub(super) vault: Arc<Vault>,
}

/// A cookie jar for our one cookie.
#[derive(Clone, Default)]
pub(super) struct Jar(Option<String>);

/// What a client that finished its sign-in has.
pub(super) struct SignedIn {
    pub(super) client: String,
    pub(super) access: String,
    pub(super) refresh: String,
}

pub(super) fn route(path: &str) -> ProtectedResource {
    ProtectedResource {
        path: path.to_owned(),
        resource: Resource::parse(&format!("{ISSUER}{path}")).unwrap(),
        scopes: Scopes::parse("plane:read").unwrap(),
        name: "Plane".to_owned(),
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(OAuthSettings::new(ISSUER, vec![route("/mcp")]))
    }

    pub(super) fn with(settings: OAuthSettings) -> Self {
        let clock = ManualClock::at(NOW);
        let store = Breakable::new(Memory::new(Arc::new(clock.clone()), 1000));
        let cognito = FakeCognito::new(clock.clone());
        Self::of(settings, KeyRing::ephemeral(), clock, Arc::new(store), Arc::new(cognito))
    }

    /// Another process over the same store and Cognito, with its own keys and an empty memory.
    pub(super) fn beside(&self, keys: KeyRing) -> Self {
        let settings = OAuthSettings::new(ISSUER, vec![route("/mcp")]);
        Self::of(settings, keys, self.clock.clone(), Arc::clone(&self.store), Arc::clone(&self.cognito))
    }

    /// Two processes over one store and one Cognito, with the same keys.
    pub(super) fn replicas(settings: &OAuthSettings) -> [Self; 2] {
        let clock = ManualClock::at(NOW);
        let store = Arc::new(Breakable::new(Memory::new(Arc::new(clock.clone()), 1000)));
        let cognito = Arc::new(FakeCognito::new(clock.clone()));
        let keys = KeyRing::generate_line();
        [(); 2].map(|()| {
            let ring = KeyRing::parse(&keys).unwrap();
            let world =
                Self::of(settings.clone(), ring, clock.clone(), Arc::clone(&store), Arc::clone(&cognito));
            tokio::spawn(Arc::clone(&world.vault).listen(Shutdown::manual()));
            world
        })
    }

    fn of(
        settings: OAuthSettings,
        keys: KeyRing,
        clock: ManualClock,
        store: Arc<Breakable>,
        cognito: Arc<FakeCognito>,
    ) -> Self {
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let keys = Arc::new(keys);
        let source = KeySource::of(Issuer::parse(POOL).unwrap()).unwrap();
        let published =
            KeySet::new(vec![source], Arc::new(PublishedKeys), Arc::clone(&time), KeyPolicy::default());
        let app_client = cognito::ClientId::parse(APP_CLIENT).unwrap();
        let verifier =
            Verifier::new(Arc::new(published), vec![app_client], Arc::clone(&time), Duration::from_secs(60));
        let verifier = Arc::new(verifier);
        let tokens = Arc::new(AccessTokens::new(ISSUER, Arc::clone(&keys), Arc::clone(&time)));
        let vault = Vault::new(
            Arc::clone(&store) as _,
            Arc::clone(&keys),
            Arc::clone(&cognito) as _,
            Arc::clone(&verifier),
            Arc::clone(&time),
            VaultPolicy { hold_back: Duration::ZERO, ..VaultPolicy::default() },
            Metrics::new([]).unwrap().vault,
        );
        let parts = Parts {
            store: Arc::clone(&store) as _,
            vault: Arc::clone(&vault),
            provider: Arc::clone(&cognito) as _,
            verifier,
            tokens: Arc::clone(&tokens),
            keys,
            clock: time,
        };
        Self { oauth: Arc::new(OAuth::new(settings, parts)), clock, store, cognito, tokens, vault }
    }

    /// Any request.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let url = Url::parse(ISSUER).unwrap().join(url).unwrap();
        let endpoint = self.oauth.endpoint(url.path()).expect("no such endpoint");
        let request = OAuthRequest {
            method,
            query: url.query().map(str::to_owned),
            headers,
            body: body.into(),
            client: ClientAddress::of_peer(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        self.oauth.answer(endpoint, request).await
    }

    pub(super) async fn get(&self, url: &str, jar: &mut Jar) -> Response<Bytes> {
        let response = self.send(Method::GET, url, jar.headers(), Bytes::new()).await;
        jar.learn(&response);
        response
    }

    /// A form; parameters may repeat.
    pub(super) async fn post(&self, path: &str, jar: &Jar, form: &[(&str, &str)]) -> Response<Bytes> {
        let mut headers = jar.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(Method::POST, path, headers, body).await
    }

    pub(super) async fn register_with(&self, metadata: Value) -> Response<Bytes> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(Method::POST, "/register", headers, metadata.to_string()).await
    }

    /// A public client with one loopback redirect URI; its id.
    pub(super) async fn register(&self) -> String {
        let metadata = json!({ "client_name": "Test <b>client</b>", "redirect_uris": [CALLBACK] });
        let response = self.register_with(metadata).await;
        assert_eq!(response.status(), StatusCode::CREATED, "{response:?}");
        json(&response)["client_id"].as_str().unwrap().to_owned()
    }

    /// As far as Cognito's sign-in page: the `state` Cognito was sent.
    pub(super) async fn consent(&self, client: &str, jar: &mut Jar) -> String {
        let page = self.get(&authorize_url(client, &[]), jar).await;
        let answer = self.decide(&page, jar, "approve").await;
        let to = location(&answer);
        assert_eq!(to.host_str(), Some("auth.example"), "{answer:?}");
        query(&to)["state"].clone()
    }

    pub(super) async fn decide(&self, page: &Response<Bytes>, jar: &Jar, decision: &str) -> Response<Bytes> {
        assert_eq!(page.status(), StatusCode::OK, "{page:?}");
        self.post("/consent", jar, &[("transaction", &transaction_in(page)), ("decision", decision)]).await
    }

    /// As far as the client's redirect URI: the code.
    pub(super) async fn code(&self, client: &str) -> String {
        self.code_of(client, "alice", &mut Jar::default()).await
    }

    /// The same for a user in a browser.
    pub(super) async fn code_of(&self, client: &str, user: &str, jar: &mut Jar) -> String {
        let state = self.consent(client, jar).await;
        let back = self.get(&format!("/auth/callback?code=cognito-code:{user}&state={state}"), jar).await;
        query(&location(&back)).get("code").unwrap_or_else(|| panic!("no code: {back:?}")).clone()
    }

    pub(super) async fn redeem(&self, client: &str, code: &str, more: &[(&str, &str)]) -> Response<Bytes> {
        let mut form = vec![("grant_type", "authorization_code"), ("client_id", client), ("code", code)];
        form.extend(more);
        if !more.iter().any(|(name, _)| *name == "code_verifier") {
            form.push(("code_verifier", VERIFIER));
        }
        self.post("/token", &Jar::default(), &form).await
    }

    pub(super) async fn refresh(&self, client: &str, token: &str, more: &[(&str, &str)]) -> Response<Bytes> {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        form.extend(more);
        self.post("/token", &Jar::default(), &form).await
    }

    /// The whole way.
    pub(super) async fn signed_in(&self) -> SignedIn {
        let client = self.register().await;
        let code = self.code(&client).await;
        let answer = self.redeem(&client, &code, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let (access, refresh) = pair(&answer);
        SignedIn { client, access, refresh }
    }
}

impl Jar {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(cookie) = &self.0 {
            headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        headers
    }

    fn learn(&mut self, response: &Response<Bytes>) {
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            self.0 = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
    }
}

/// A good authorization request, with `changes` put in place; an empty value leaves the parameter out.
pub(super) fn authorize_url(client: &str, changes: &[(&str, &str)]) -> String {
    let challenge = fingerprint(VERIFIER);
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("state", "s-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("scope", "plane:read offline_access"),
        ("resource", MCP),
        ("prompt", "consent"),
        ("something_new", "ignored"),
    ];
    parameters.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/authorize?{encoded}")
}

pub(super) fn endpoint(world: &World, path: &str) -> Option<Endpoint> {
    world.oauth.endpoint(path)
}
