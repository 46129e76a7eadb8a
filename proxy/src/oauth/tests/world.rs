//! What every test of the authorization server needs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cognito::{FetchError, FetchKeys, Issuer, KeyPolicy, KeySet, KeySource, Verifier};
use futures_util::stream::BoxStream;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use service::{Clock, ManualClock, Secret};
use url::Url;

use super::super::opaque::fingerprint;
use super::super::{Endpoint, OAuth, OAuthRequest, OAuthSettings, Outcome, Parts, ProtectedResource};
use crate::keys::KeyRing;
use crate::provider::{IdentityProvider, ProviderError, SignIn, TokenSet};
use crate::store::memory::Memory;
use crate::store::{Store, StoreDown};
use crate::terms::{Resource, Scopes};
use crate::tokens::AccessTokens;
use crate::vault::{Vault, VaultPolicy};

pub(super) const ISSUER: &str = "https://edge.example";
pub(super) const MCP: &str = "https://edge.example/mcp";
pub(super) const CALLBACK: &str = "http://localhost:3118/callback";
pub(super) const VERIFIER: &str = "a-verifier-of-the-client-that-is-long-enough-0123";
pub(super) const POOL: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
pub(super) const APP_CLIENT: &str = "1h57kf5cpq17m0eml12EXAMPLE";
const NOW: u64 = 1_790_000_000;

/// A store that can be stopped.
pub(super) struct Breakable {
    inner: Memory,
    down: AtomicBool,
}

impl Breakable {
    pub(super) fn stop(&self) {
        self.down.store(true, Ordering::SeqCst);
    }
    pub(super) fn start(&self) {
        self.down.store(false, Ordering::SeqCst);
    }
    /// Lets others go first, so that requests really interleave.
    async fn up(&self, operation: &'static str) -> Result<(), StoreDown> {
        tokio::task::yield_now().await;
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreDown { operation, source: "stopped by the test".into() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Breakable {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.up("get").await?;
        self.inner.get(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        self.up("put").await?;
        self.inner.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.up("put_new").await?;
        self.inner.put_new(key, value, ttl).await
    }
    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.up("swap").await?;
        self.inner.swap(key, expected, value, ttl).await
    }
    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.up("take").await?;
        self.inner.take(key).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        self.up("delete").await?;
        self.inner.delete(key).await
    }
    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        self.up("delete_if").await?;
        self.inner.delete_if(key, expected).await
    }
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        self.up("expire").await?;
        self.inner.expire(key, ttl).await
    }
    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        self.up("publish").await?;
        self.inner.publish(channel, message).await
    }
    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        self.up("subscribe").await?;
        self.inner.subscribe(channel).await
    }
    async fn ping(&self) -> Result<(), StoreDown> {
        self.up("ping").await
    }
}

/// How Cognito behaves at the next exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Down,
    Refusing,
    WithoutIdToken,
    WithOtherNonce,
}

/// A Cognito that knows one user and remembers what it was asked.
pub(super) struct FakeCognito {
    clock: ManualClock,
    mood: Mutex<Mood>,
    /// Of the last sign-in: nonce and challenge.
    asked: Mutex<(String, String)>,
    pub(super) revoked: Mutex<Vec<String>>,
}

impl FakeCognito {
    pub(super) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn tokens(&self, nonce: &str) -> TokenSet {
        let now = self.clock.unix();
        let shared = json!({
            "iss": POOL, "sub": "8f0c9b2e-0001", "iat": now, "exp": now + 3600, "auth_time": now, "origin_jti": "o-1",
        });
        let token = |kid: &str, key: &KeyPair, more: Value| {
            let mut claims = shared.clone();
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Secret::new(sign(kid, key, &claims))
        };
        let id = json!({
            "aud": APP_CLIENT, "token_use": "id", "cognito:username": "alice", "cognito:groups": ["eng"], "nonce": nonce,
        });
        let access =
            json!({ "client_id": APP_CLIENT, "token_use": "access", "username": "alice", "scope": "openid" });
        TokenSet {
            access: token("access-key=", rsa(1), access),
            id: Some(token("id-key=", rsa(0), id)),
            refresh: Some(Secret::new("cognito-refresh-token")),
        }
    }
}

#[async_trait]
impl IdentityProvider for FakeCognito {
    async fn sign_in_url(&self, request: &SignIn<'_>) -> Result<Url, ProviderError> {
        if self.mood() == Mood::Down {
            return Err(ProviderError::Unavailable("down".into()));
        }
        *self.asked.lock().unwrap() = (request.nonce.to_owned(), request.code_challenge.to_owned());
        Ok(Url::parse_with_params("https://auth.example/oauth2/authorize", [("state", request.state)])
            .unwrap())
    }

    async fn exchange(&self, code: &Secret, code_verifier: &Secret) -> Result<TokenSet, ProviderError> {
        let (nonce, challenge) = self.asked.lock().unwrap().clone();
        if code.expose() != "cognito-code" || fingerprint(code_verifier.expose()) != challenge {
            return Err(ProviderError::GrantRefused);
        }
        match self.mood() {
            Mood::Well => Ok(self.tokens(&nonce)),
            Mood::Down => Err(ProviderError::Unavailable("down".into())),
            Mood::Refusing => Err(ProviderError::GrantRefused),
            Mood::WithoutIdToken => Ok(TokenSet { id: None, ..self.tokens(&nonce) }),
            Mood::WithOtherNonce => Ok(self.tokens("other")),
        }
    }

    async fn refresh(&self, _: &Secret) -> Result<TokenSet, ProviderError> {
        match self.mood() {
            Mood::Down => Err(ProviderError::Unavailable("down".into())),
            Mood::Refusing => Err(ProviderError::GrantRefused),
            _ => Ok(TokenSet { refresh: None, ..self.tokens("") }),
        }
    }

    async fn revoke(&self, refresh_token: &Secret) -> Result<(), ProviderError> {
        self.revoked.lock().unwrap().push(refresh_token.expose().to_owned());
        Ok(())
    }
}

pub(super) fn rsa(index: usize) -> &'static KeyPair {
    static KEYS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..2).map(|_| KeyPair::generate(KeySize::Rsa2048).unwrap()).collect())[index]
}

pub(super) fn sign(kid: &str, key: &KeyPair, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({ "kid": kid, "alg": "RS256" })), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[derive(Debug)]
struct PublishedKeys;

#[async_trait]
impl FetchKeys for PublishedKeys {
    async fn fetch(&self, _: &Url) -> Result<Bytes, FetchError> {
        let jwk = |kid: &str, key: &KeyPair| {
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({
                "kid": kid, "alg": "RS256", "kty": "RSA", "use": "sig",
                "n": part(key.public_key().modulus().big_endian_without_leading_zero()),
                "e": part(key.public_key().exponent().big_endian_without_leading_zero()),
            })
        };
        Ok(json!({ "keys": [jwk("id-key=", rsa(0)), jwk("access-key=", rsa(1))] }).to_string().into())
    }
}

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
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let keys = Arc::new(KeyRing::ephemeral());
        let store =
            Arc::new(Breakable { inner: Memory::new(Arc::clone(&time), 1000), down: AtomicBool::new(false) });
        let cognito = Arc::new(FakeCognito {
            clock: clock.clone(),
            mood: Mutex::new(Mood::Well),
            asked: Mutex::default(),
            revoked: Mutex::default(),
        });
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
            VaultPolicy::default(),
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
            client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
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
        let mut jar = Jar::default();
        let state = self.consent(client, &mut jar).await;
        let back = self.get(&format!("/auth/callback?code=cognito-code&state={state}"), &mut jar).await;
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

pub(super) fn transaction_in(page: &Response<Bytes>) -> String {
    let html = text(page);
    let (_, rest) = html.split_once("name=\"transaction\" value=\"").expect("no consent form");
    rest.split('"').next().unwrap().to_owned()
}

pub(super) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

pub(super) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|_| panic!("not JSON: {response:?}"))
}

/// Access and refresh token of a token response.
pub(super) fn pair(response: &Response<Bytes>) -> (String, String) {
    let body = json(response);
    let of = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}: {body}")).to_owned();
    (of("access_token"), of("refresh_token"))
}

pub(super) fn location(response: &Response<Bytes>) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?} {}", text(response));
    Url::parse(response.headers()[LOCATION].to_str().unwrap()).unwrap()
}

pub(super) fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

pub(super) fn reason(response: &Response<Bytes>) -> &'static str {
    response.extensions().get::<Outcome>().expect("no outcome").reason
}

/// Asserts an RFC 6749 section 5.2 body.
pub(super) fn assert_error(response: &Response<Bytes>, status: u16, error: &str, why: &str) {
    assert_eq!((response.status().as_u16(), reason(response)), (status, why), "{}", text(response));
    assert_eq!(json(response)["error"], error);
    assert_eq!(response.headers()["cache-control"], "no-store");
}

/// Asserts an error that went to the client's redirect URI.
pub(super) fn assert_redirected(response: &Response<Bytes>, error: &str, why: &str) {
    let to = location(response);
    assert!(to.as_str().starts_with(CALLBACK), "{to}");
    let answered = query(&to);
    assert_eq!((answered["error"].as_str(), reason(response)), (error, why));
    assert_eq!(answered["iss"], ISSUER);
    assert_eq!(answered["state"], "s-1");
}

/// Asserts a page: nothing was sent to the client.
pub(super) fn assert_page(response: &Response<Bytes>, status: u16, why: &str) {
    assert_eq!((response.status().as_u16(), reason(response)), (status, why), "{}", text(response));
    assert!(response.headers().get(LOCATION).is_none());
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(response.headers()["x-frame-options"], "DENY");
}

pub(super) fn endpoint(world: &World, path: &str) -> Option<Endpoint> {
    world.oauth.endpoint(path)
}
