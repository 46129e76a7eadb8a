//! A user pool for unit tests: two RSA keys as Cognito has them, tokens with its claims, and a fetcher whose answers
//! the test decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use service::{Clock, ManualClock};
use tokio::sync::Notify;
use url::Url;

use crate::{ClientId, FetchError, FetchKeys, Issuer, KeyPolicy, KeySet, KeySource, Verifier};

pub(crate) const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
pub(crate) const OTHER_ISSUER: &str =
    "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
pub(crate) const CLIENT: &str = "1h57kf5cpq17m0eml12EXAMPLE";
pub(crate) const ID_KID: &str = "id+/key0000000000000000000000000000000000000=";
pub(crate) const ACCESS_KID: &str = "acc/+key000000000000000000000000000000000000=";
pub(crate) const NOW: u64 = 1_790_000_000;

/// A key pair of the test pool; made once, as RSA keys are slow to make.
pub(crate) fn key(index: usize) -> &'static KeyPair {
    static KEYS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..3).map(|_| KeyPair::generate(KeySize::Rsa2048).unwrap()).collect())[index]
}

pub(crate) fn jwk(kid: &str, key: &KeyPair) -> Value {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = key.public_key();
    json!({
        "kid": kid, "alg": "RS256", "kty": "RSA", "use": "sig",
        "n": part(public.modulus().big_endian_without_leading_zero()),
        "e": part(public.exponent().big_endian_without_leading_zero()),
    })
}

pub(crate) fn jwks(keys: &[(&str, &KeyPair)]) -> Value {
    json!({ "keys": keys.iter().map(|(kid, key)| jwk(kid, key)).collect::<Vec<_>>() })
}

/// The subject public key info of a key: what an attacker would feed to HMAC.
pub(crate) fn public_der(key: &KeyPair) -> Vec<u8> {
    key.public_key().as_der().unwrap().as_ref().to_vec()
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn sign(key: &KeyPair, message: &str) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn id_claims() -> Value {
    json!({
        "sub": "8f0c9b2e-0c1e-4d0f-9a51-000000000001", "cognito:groups": ["eng", "ops"], "email_verified": true,
        "iss": ISSUER, "cognito:username": "alice", "nonce": "n-1", "origin_jti": "origin-1", "aud": CLIENT,
        "event_id": "e-1", "token_use": "id", "auth_time": NOW - 10, "exp": NOW + 3600, "iat": NOW,
        "jti": "jti-1", "email": "alice@example.com", "custom:team": "42",
    })
}

pub(crate) fn access_claims() -> Value {
    json!({
        "sub": "8f0c9b2e-0c1e-4d0f-9a51-000000000001", "cognito:groups": ["eng", "ops"], "iss": ISSUER,
        "version": 2, "client_id": CLIENT, "origin_jti": "origin-1", "event_id": "e-1", "token_use": "access",
        "scope": "openid email", "auth_time": NOW - 10, "exp": NOW + 3600, "iat": NOW, "jti": "jti-2",
        "username": "alice",
    })
}

/// `claims` with members of `changes` put in their place; null takes a claim away.
pub(crate) fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(crate) fn id_token(changes: Value) -> String {
    sign(key(0), &unsigned(&json!({ "kid": ID_KID, "alg": "RS256" }), &with(id_claims(), changes)))
}

pub(crate) fn access_token(changes: Value) -> String {
    sign(key(1), &unsigned(&json!({ "kid": ACCESS_KID, "alg": "RS256" }), &with(access_claims(), changes)))
}

/// Answers fetches with what the test put in, counts them, and can hold them back.
#[derive(Debug, Default)]
pub(crate) struct FakeFetch {
    documents: Mutex<HashMap<String, String>>,
    pub(crate) count: AtomicUsize,
    gate: Mutex<Option<Arc<Notify>>>,
}

impl FakeFetch {
    /// From now on the issuer publishes `document`; `None` makes fetches fail.
    pub(crate) fn publish(&self, issuer: &str, document: Option<Value>) {
        let uri = format!("{issuer}/.well-known/jwks.json");
        let mut documents = self.documents.lock().unwrap();
        match document {
            Some(document) => documents.insert(uri, document.to_string()),
            None => documents.remove(&uri),
        };
    }

    /// From now on fetches wait until the returned gate is notified.
    pub(crate) fn hold(&self) -> Arc<Notify> {
        Arc::clone(self.gate.lock().unwrap().insert(Arc::default()))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl FetchKeys for FakeFetch {
    async fn fetch(&self, uri: &Url) -> Result<Bytes, FetchError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let document = self.documents.lock().unwrap().get(uri.as_str()).cloned();
        document.map(Bytes::from).ok_or(FetchError::Status(503))
    }
}

/// Everything a test needs at once.
pub(crate) struct Pool {
    pub(crate) clock: ManualClock,
    pub(crate) fetch: Arc<FakeFetch>,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) verifier: Verifier,
}

/// A verifier over one issuer that publishes both keys.
pub(crate) fn pool() -> Pool {
    pool_of(&[ISSUER])
}

/// A verifier over several issuers; only the first publishes keys.
pub(crate) fn pool_of(issuers: &[&str]) -> Pool {
    let clock = ManualClock::at(NOW);
    let fetch = Arc::new(FakeFetch::default());
    fetch.publish(issuers[0], Some(jwks(&[(ID_KID, key(0)), (ACCESS_KID, key(1))])));
    let sources = issuers.iter().map(|iss| KeySource::of(Issuer::parse(iss).unwrap()).unwrap()).collect();
    let time: Arc<dyn Clock> = Arc::new(clock.clone());
    let keys =
        Arc::new(KeySet::new(sources, Arc::clone(&fetch) as _, Arc::clone(&time), KeyPolicy::default()));
    let clients = vec![ClientId::parse(CLIENT).unwrap(), ClientId::parse("second").unwrap()];
    let verifier = Verifier::new(Arc::clone(&keys), clients, time, Duration::from_secs(60));
    Pool { clock, fetch, keys, verifier }
}
