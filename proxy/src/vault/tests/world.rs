//! What the vault's tests stand on: a Cognito that hands out signed tokens and misbehaves on demand, and replicas of the
//! vault over a store that fails on demand.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
use serde_json::json;
use service::{Clock, ManualClock, Secret};
use tokio::sync::Notify;
use url::Url;

use super::flaky::Flaky;
use crate::keys::{KeyRing, random};
use crate::metrics::Metrics;
use crate::provider::{IdentityProvider, ProviderError, SignIn, TokenSet};
use crate::store::Store;
use crate::store::memory::Memory;
use crate::terms::{ClientId, Resource, Scopes, SessionId};
use crate::vault::{CognitoTokens, Session, User, Vault, VaultPolicy};

pub(super) const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
const CLIENT: &str = "1h57kf5cpq17m0eml12EXAMPLE";
pub(super) const NOW: u64 = 1_790_000_000;
pub(super) const HOUR: u64 = 3600;

/// One RSA key for all tests, as making one is slow.
fn signing_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).unwrap())
}

/// What Cognito does with the next refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// New tokens and a new refresh token; the old one is spent at once.
    Rotating,
    /// New tokens, the refresh token stays.
    Keeping,
    /// As `Keeping`, without an ID token.
    WithoutIdToken,
    /// Tokens of somebody else.
    OfAnother,
    /// `invalid_grant`.
    Refusing,
    /// 503.
    Down,
}

/// Cognito, as a provider and as a publisher of keys.
#[derive(Debug)]
pub(super) struct FakeCognito {
    clock: ManualClock,
    pub(super) mood: Mutex<Mood>,
    pub(super) refreshes: AtomicUsize,
    /// The one refresh token that is good.
    pub(super) good: Mutex<String>,
    pub(super) revoked: Mutex<Vec<String>>,
    pub(super) groups: Mutex<Vec<&'static str>>,
    pub(super) kid: Mutex<&'static str>,
    pub(super) keys_down: AtomicBool,
    /// How often a refresh token was none that is good.
    pub(super) refused: AtomicUsize,
    gate: Mutex<Option<Arc<Notify>>>,
}

impl FakeCognito {
    pub(super) fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// From now on a refresh waits, before it is answered, until the gate is notified.
    pub(super) fn hold(&self) -> Arc<Notify> {
        Arc::clone(self.gate.lock().unwrap().insert(Arc::default()))
    }

    /// Answers who waits, and everybody from now on without waiting.
    pub(super) fn let_go(&self) {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            gate.notify_waiters();
        }
    }

    pub(super) fn token(&self, token_use: &str, subject: &str) -> Secret {
        let now = self.clock.unix();
        let mut claims = json!({
            "iss": ISSUER, "sub": subject, "token_use": token_use, "iat": now, "exp": now + HOUR,
            "cognito:groups": *self.groups.lock().unwrap(), "origin_jti": format!("origin-of-{subject}"),
        });
        let own = match token_use {
            "id" => json!({ "aud": CLIENT, "cognito:username": "alice" }),
            _ => json!({ "client_id": CLIENT, "username": "alice" }),
        };
        claims.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let header = json!({ "alg": "RS256", "kid": *self.kid.lock().unwrap() });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; signing_key().public_modulus_len()];
        let random = SystemRandom::new();
        signing_key().sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn nothing_left() -> Box<dyn std::error::Error + Send + Sync> {
    "503".into()
}

#[async_trait]
impl IdentityProvider for FakeCognito {
    async fn sign_in_url(&self, _: &SignIn<'_>) -> Result<Url, ProviderError> {
        unreachable!("the vault signs nobody in")
    }

    async fn exchange(&self, _: &Secret, _: &Secret) -> Result<TokenSet, ProviderError> {
        unreachable!("the vault exchanges no codes")
    }

    async fn refresh(&self, refresh_token: &Secret) -> Result<TokenSet, ProviderError> {
        let count = self.refreshes.fetch_add(1, Ordering::SeqCst) + 1;
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Down {
            return Err(ProviderError::Unavailable(nothing_left()));
        }
        if mood == Mood::Refusing || *self.good.lock().unwrap() != refresh_token.expose() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(ProviderError::GrantRefused { said: None });
        }
        let refresh = (mood == Mood::Rotating).then(|| format!("refresh-{count}"));
        if let Some(new) = &refresh {
            self.good.lock().unwrap().clone_from(new);
        }
        let subject = if mood == Mood::OfAnother { "sub-bob" } else { "sub-alice" };
        Ok(TokenSet {
            access: self.token("access", subject),
            id: (mood != Mood::WithoutIdToken).then(|| self.token("id", subject)),
            refresh: refresh.map(Secret::new),
        })
    }

    async fn revoke(&self, refresh_token: &Secret) -> Result<(), ProviderError> {
        self.revoked.lock().unwrap().push(refresh_token.expose().to_owned());
        Ok(())
    }
}

/// What Cognito publishes at its JWKS address.
#[derive(Debug)]
struct Published(Arc<FakeCognito>);

#[async_trait]
impl FetchKeys for Published {
    async fn fetch(&self, _: &Url) -> Result<Bytes, FetchError> {
        if self.0.keys_down.load(Ordering::SeqCst) {
            return Err(FetchError::Status(503));
        }
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = signing_key().public_key();
        let (n, e) = (public.modulus(), public.exponent());
        let jwk = json!({
            "kid": *self.0.kid.lock().unwrap(), "alg": "RS256", "kty": "RSA", "use": "sig",
            "n": part(n.big_endian_without_leading_zero()), "e": part(e.big_endian_without_leading_zero()),
        });
        Ok(json!({ "keys": [jwk] }).to_string().into())
    }
}

/// One Cognito, one store, one clock, and as many replicas as a test wants.
pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) cognito: Arc<FakeCognito>,
    pub(super) store: Arc<Flaky>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) policy: VaultPolicy,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let cognito = FakeCognito {
            clock: clock.clone(),
            mood: Mutex::new(Mood::Rotating),
            refreshes: AtomicUsize::new(0),
            good: Mutex::new("refresh-0".to_owned()),
            revoked: Mutex::default(),
            groups: Mutex::new(vec!["eng"]),
            kid: Mutex::new("kid+/1="),
            keys_down: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            gate: Mutex::default(),
        };
        let store = Flaky::over(Memory::new(Arc::new(clock.clone()), 1_000));
        let policy = VaultPolicy {
            wait_for: Duration::from_millis(500),
            hold_back: Duration::from_millis(50),
            ..VaultPolicy::default()
        };
        let (cognito, store) = (Arc::new(cognito), Arc::new(store));
        Self { clock, cognito, store, keys: Arc::new(KeyRing::ephemeral()), policy }
    }

    /// A replica: a vault with caches of its own.
    pub(super) fn vault(&self) -> Arc<Vault> {
        self.vault_with(Arc::clone(&self.keys))
    }

    pub(super) fn vault_with(&self, keys: Arc<KeyRing>) -> Arc<Vault> {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let source = KeySource::of(Issuer::parse(ISSUER).unwrap()).unwrap();
        let fetch = Arc::new(Published(Arc::clone(&self.cognito)));
        let key_set = Arc::new(KeySet::new(vec![source], fetch, Arc::clone(&clock), KeyPolicy::default()));
        let clients = vec![cognito::ClientId::parse(CLIENT).unwrap()];
        let verifier = Arc::new(Verifier::new(key_set, clients, Arc::clone(&clock), Duration::from_secs(60)));
        let (store, provider) = (Arc::clone(&self.store), Arc::clone(&self.cognito));
        let metrics = Metrics::new([]).unwrap().vault;
        Vault::new(store, keys, provider, verifier, clock, self.policy, metrics)
    }

    /// A session as it is just after sign-in, with an hour on its tokens.
    pub(super) fn session(&self) -> Session {
        let now = self.clock.unix();
        Session {
            sid: SessionId::from_random(random()),
            user: User {
                issuer: ISSUER.to_owned(),
                subject: "sub-alice".to_owned(),
                username: "alice".to_owned(),
                groups: vec!["eng".to_owned()],
            },
            client: ClientId::from_random(random()),
            scopes: Scopes::parse("plane:read").unwrap(),
            resource: Resource::parse("https://edge.example/mcp").unwrap(),
            tokens: CognitoTokens {
                access: self.cognito.token("access", "sub-alice"),
                access_expires: now + HOUR,
                id: self.cognito.token("id", "sub-alice"),
                id_expires: now + HOUR,
                refresh: Some(Secret::new(self.cognito.good.lock().unwrap().clone())),
            },
            created: now,
            ends: now + 30 * 24 * HOUR,
        }
    }

    /// A session that is stored for good.
    pub(super) async fn signed_in(&self, vault: &Vault) -> SessionId {
        let session = self.session();
        vault.create(&session).await.unwrap();
        vault.keep(&session.sid).await.unwrap();
        session.sid
    }

    /// Goes on until so many seconds are left on the tokens of sign-in.
    pub(super) fn until_left(&self, seconds: u64) {
        self.clock.set(NOW + HOUR - seconds);
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) async fn blob(&self, sid: &SessionId) -> Option<Bytes> {
        self.store.memory.get(&crate::store::names::session(sid.as_str())).await.unwrap()
    }

    /// Waits for something that happens in another task.
    pub(super) async fn wait_until(&self, what: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if what(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it did not happen");
    }
}
