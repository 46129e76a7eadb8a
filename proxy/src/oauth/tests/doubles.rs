//! What stands in for store and Cognito.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cognito::{FetchError, FetchKeys};
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use service::{Clock, ManualClock, Secret};
use url::Url;

use super::super::opaque::fingerprint;
use crate::provider::{IdentityProvider, ProviderError, SignIn, TokenSet};
use crate::store::memory::Memory;
use crate::store::{Store, StoreDown};

pub(super) const POOL: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
pub(super) const APP_CLIENT: &str = "1h57kf5cpq17m0eml12EXAMPLE";

/// A store that can be stopped, at once or within its n-th operation from now on.
pub(super) struct Breakable {
    pub(super) inner: Memory,
    down: AtomicBool,
    /// Operations until it stops; 0 for never.
    left: AtomicUsize,
    carries_out: AtomicBool,
    /// Goes on after the operation it stopped within.
    stumbles: AtomicBool,
}

impl Breakable {
    pub(super) fn new(inner: Memory) -> Self {
        Self {
            inner,
            down: AtomicBool::new(false),
            left: AtomicUsize::new(0),
            carries_out: AtomicBool::new(false),
            stumbles: AtomicBool::new(false),
        }
    }
    /// Stops at operation number `operation` from now on, counted from 1; that one may still be carried out, unanswered.
    pub(super) fn stop_at(&self, operation: usize, carried_out: bool) {
        self.carries_out.store(carried_out, Ordering::SeqCst);
        self.left.store(operation, Ordering::SeqCst);
    }
    /// Fails operation number `operation` from now on, counted from 1, and no other.
    pub(super) fn stumble_at(&self, operation: usize) {
        self.stumbles.store(true, Ordering::SeqCst);
        self.stop_at(operation, false);
    }
    pub(super) fn stop(&self) {
        self.down.store(true, Ordering::SeqCst);
    }
    pub(super) fn start(&self) {
        self.left.store(0, Ordering::SeqCst);
        self.stumbles.store(false, Ordering::SeqCst);
        self.down.store(false, Ordering::SeqCst);
    }
    /// Lets others go first, so that requests really interleave.
    async fn run<T>(
        &self,
        operation: &'static str,
        act: impl Future<Output = Result<T, StoreDown>>,
    ) -> Result<T, StoreDown> {
        tokio::task::yield_now().await;
        let countdown = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, countdown) == Ok(1) {
            if self.carries_out.load(Ordering::SeqCst) {
                act.await?;
            }
            self.down.store(!self.stumbles.load(Ordering::SeqCst), Ordering::SeqCst);
        } else if !self.down.load(Ordering::SeqCst) {
            return act.await;
        }
        Err(StoreDown { operation, source: "stopped by the test".into() })
    }
}

#[async_trait]
impl Store for Breakable {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.run("get", self.inner.get(key)).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        self.run("put", self.inner.put(key, value, ttl)).await
    }
    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.run("put_new", self.inner.put_new(key, value, ttl)).await
    }
    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        self.run("swap", self.inner.swap(key, expected, value, ttl)).await
    }
    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.run("take", self.inner.take(key)).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        self.run("delete", self.inner.delete(key)).await
    }
    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        self.run("delete_if", self.inner.delete_if(key, expected)).await
    }
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        self.run("expire", self.inner.expire(key, ttl)).await
    }
    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown> {
        self.run("allow", self.inner.allow(key, interval, tolerance)).await
    }
    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        self.run("publish", self.inner.publish(channel, message)).await
    }
    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        self.run("subscribe", self.inner.subscribe(channel)).await
    }
    async fn ping(&self) -> Result<(), StoreDown> {
        self.run("ping", self.inner.ping()).await
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

/// A Cognito that signs in whom the code names (`cognito-code` is alice's, `cognito-code:bob` bob's) and remembers what
/// it was asked.
pub(super) struct FakeCognito {
    clock: ManualClock,
    mood: Mutex<Mood>,
    /// The nonce of each sign-in, by its challenge.
    asked: Mutex<HashMap<String, String>>,
    pub(super) exchanged: AtomicUsize,
    pub(super) revoked: Mutex<Vec<String>>,
    /// With rotation and no grace: the generation of each sign-in's one good refresh token.
    rotating: Mutex<Option<Vec<u64>>>,
}

impl FakeCognito {
    pub(super) fn new(clock: ManualClock) -> Self {
        Self {
            clock,
            mood: Mutex::new(Mood::Well),
            asked: Mutex::default(),
            exchanged: AtomicUsize::new(0),
            revoked: Mutex::default(),
            rotating: Mutex::default(),
        }
    }
    /// From now on each refresh token is good once, and not a moment longer.
    pub(super) fn rotates(&self) {
        *self.rotating.lock().unwrap() = Some(Vec::new());
    }
    /// How often the sign-in refreshed most was refreshed.
    pub(super) fn most_rotations(&self) -> u64 {
        self.rotating.lock().unwrap().iter().flatten().copied().max().unwrap_or_default()
    }
    fn first_refresh_token(&self, user: &str) -> String {
        match self.rotating.lock().unwrap().as_mut() {
            None => format!("cognito-refresh-token:{user}"),
            Some(generations) => {
                generations.push(0);
                format!("{}:0:{user}", generations.len() - 1)
            }
        }
    }
    /// The token after this one, if rotation is on; an error if this one was used before.
    fn next_refresh_token(&self, token: &str, user: &str) -> Result<Option<Secret>, ProviderError> {
        let mut rotating = self.rotating.lock().unwrap();
        let Some(generations) = rotating.as_mut() else { return Ok(None) };
        let mut parts = token.split(':').map(str::parse);
        let (Some(Ok(sign_in)), Some(Ok(used))) = (parts.next(), parts.next()) else {
            return Err(ProviderError::GrantRefused { said: None });
        };
        let sign_in: u64 = sign_in;
        let newest = generations.get_mut(usize::try_from(sign_in).unwrap()).unwrap();
        if *newest != used {
            return Err(ProviderError::GrantRefused { said: None });
        }
        *newest += 1;
        Ok(Some(Secret::new(format!("{sign_in}:{newest}:{user}"))))
    }
    pub(super) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn tokens(&self, user: &str, nonce: &str) -> TokenSet {
        let refresh = Some(Secret::new(self.first_refresh_token(user)));
        TokenSet { refresh, ..self.tokens_of(user, nonce) }
    }

    fn tokens_of(&self, user: &str, nonce: &str) -> TokenSet {
        let now = self.clock.unix();
        let shared = json!({
            "iss": POOL, "sub": subject(user), "iat": now, "exp": now + 3600, "auth_time": now, "origin_jti": "o-1",
        });
        let token = |kid: &str, key: &KeyPair, more: Value| {
            let mut claims = shared.clone();
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Secret::new(sign(kid, key, &claims))
        };
        let id = json!({
            "aud": APP_CLIENT, "token_use": "id", "cognito:username": user, "cognito:groups": ["eng"], "nonce": nonce,
        });
        let access =
            json!({ "client_id": APP_CLIENT, "token_use": "access", "username": user, "scope": "openid" });
        TokenSet {
            access: token("access-key=", rsa(1), access),
            id: Some(token("id-key=", rsa(0), id)),
            refresh: None,
        }
    }
}

#[async_trait]
impl IdentityProvider for FakeCognito {
    async fn sign_in_url(&self, request: &SignIn<'_>) -> Result<Url, ProviderError> {
        if self.mood() == Mood::Down {
            return Err(ProviderError::Unavailable("down".into()));
        }
        self.asked.lock().unwrap().insert(request.code_challenge.to_owned(), request.nonce.to_owned());
        Ok(Url::parse_with_params("https://auth.example/oauth2/authorize", [("state", request.state)])
            .unwrap())
    }

    async fn exchange(&self, code: &Secret, code_verifier: &Secret) -> Result<TokenSet, ProviderError> {
        let nonce = self.asked.lock().unwrap().get(&fingerprint(code_verifier.expose())).cloned();
        let user = code.expose().strip_prefix("cognito-code").map(|user| user.trim_start_matches(':'));
        let (Some(nonce), Some(user)) = (nonce, user) else {
            return Err(ProviderError::GrantRefused { said: None });
        };
        let user = if user.is_empty() { "alice" } else { user };
        self.exchanged.fetch_add(1, Ordering::SeqCst);
        match self.mood() {
            Mood::Well => Ok(self.tokens(user, &nonce)),
            Mood::Down => Err(ProviderError::Unavailable("down".into())),
            Mood::Refusing => Err(ProviderError::GrantRefused { said: None }),
            Mood::WithoutIdToken => Ok(TokenSet { id: None, ..self.tokens(user, &nonce) }),
            Mood::WithOtherNonce => Ok(self.tokens(user, "other")),
        }
    }

    async fn refresh(&self, refresh_token: &Secret) -> Result<TokenSet, ProviderError> {
        let user = refresh_token.expose().rsplit(':').next().unwrap_or_default();
        match self.mood() {
            Mood::Down => Err(ProviderError::Unavailable("down".into())),
            Mood::Refusing => Err(ProviderError::GrantRefused { said: None }),
            _ => {
                let refresh = self.next_refresh_token(refresh_token.expose(), user)?;
                Ok(TokenSet { refresh, ..self.tokens_of(user, "") })
            }
        }
    }

    async fn revoke(&self, refresh_token: &Secret) -> Result<(), ProviderError> {
        self.revoked.lock().unwrap().push(refresh_token.expose().to_owned());
        Ok(())
    }
}

/// Cognito's `sub` of a user.
pub(super) fn subject(user: &str) -> String {
    format!("8f0c9b2e-{user}")
}

fn rsa(index: usize) -> &'static KeyPair {
    static KEYS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..2).map(|_| KeyPair::generate(KeySize::Rsa2048).unwrap()).collect())[index]
}

fn sign(kid: &str, key: &KeyPair, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({ "kid": kid, "alg": "RS256" })), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[derive(Debug)]
pub(super) struct PublishedKeys;

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
