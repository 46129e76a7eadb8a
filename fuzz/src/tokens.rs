//! Tokens: ours and Cognito's, forged and true, and the keys Cognito publishes.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cognito::{FetchError, FetchKeys, Issuer, KeyPolicy, KeySet, KeySource, Nonce, Verifier};
use proxy::keys::KeyRing;
use proxy::tokens::AccessTokens;
use serde_json::json;
use service::{Clock, ManualClock};
use url::Url;

use crate::server::{ISSUER, NOW, runtime};

/// The user pool.
pub const POOL: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test";
/// Our app client in it.
pub const APP_CLIENT: &str = "1h57kf5cpq17m0eml12EXAMPLE";
/// The `kid` of the pool's key, as inputs name it.
const KID: &str = "key=";
/// What the key id of our ring is called in inputs: the id itself is random.
const OUR_KID: &str = "KID";

/// An access token of ours. As it came it is refused; and with `header.claims` signed by our own key, what is accepted is
/// from us, and not over.
pub fn access_token(input: &[u8]) {
    thread_local!(static OURS: (AccessTokens, String, hmac::Key) = {
        let keys = Arc::new(KeyRing::ephemeral());
        let (id, key) = keys.signing_keys().remove(0);
        let tokens = AccessTokens::new(ISSUER, Arc::clone(&keys), Arc::new(ManualClock::at(NOW)));
        (tokens, id, hmac::Key::new(hmac::HMAC_SHA256, &key))
    });
    let Ok(text) = str::from_utf8(input) else { return };
    OURS.with(|(tokens, kid, key)| {
        assert!(tokens.verify(text).is_err(), "a token that we did not sign was accepted");
        let Some(message) = message_of(&text.replace(OUR_KID, kid)) else { return };
        let signature = hmac::sign(key, message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        if let Ok(claims) = tokens.verify(&token) {
            assert!(claims.expires.saturating_add(5) > NOW, "over and accepted: {text}");
            let said: serde_json::Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
            assert_eq!(
                (&said["iss"], said["exp"].as_u64()),
                (&json!(ISSUER), Some(claims.expires)),
                "{text}"
            );
        }
        let mut forged = token;
        forged.pop();
        assert!(tokens.verify(&forged).is_err(), "a token with part of a signature was accepted");
    });
}

/// A token of Cognito's, as it came and signed by the pool's key: what is accepted is the pool's, for our app client, of
/// the right use, and not over.
pub fn cognito_token(input: &[u8]) {
    thread_local!(static POOL_VERIFIER: Verifier = verifier(PublishedKeys::ours()));
    let Ok(text) = str::from_utf8(input) else { return };
    POOL_VERIFIER.with(|verifier| {
        let verify = |token: &str| {
            let id = runtime().block_on(verifier.id_token(token, Nonce::Unchecked));
            (id, runtime().block_on(verifier.access_token(token)))
        };
        let (id, access) = verify(text);
        assert!(id.is_err() && access.is_err(), "a token that Cognito did not sign was accepted");
        let Some(message) = message_of(text) else { return };
        let (id, access) = verify(&format!("{message}.{}", sign(&message)));
        assert!(id.is_err() || access.is_err(), "one token for two uses: {text}");
        let said: serde_json::Value =
            serde_json::from_str(text.split_once('\n').unwrap_or_default().1).unwrap_or_default();
        let accepted = match (&id, &access) {
            (Ok(id), _) => Some((id.exp, &said["aud"], "id")),
            (_, Ok(access)) => Some((access.exp, &said["client_id"], "access")),
            _ => None,
        };
        if let Some((exp, client, token_use)) = accepted {
            assert!(exp.saturating_add(60) > NOW, "over and accepted: {text}");
            assert!(client == APP_CLIENT || *client == json!([APP_CLIENT]), "for another client: {text}");
            assert_eq!((&said["iss"], &said["token_use"]), (&json!(POOL), &json!(token_use)), "{text}");
        }
    });
}

/// The document with Cognito's keys: whatever it says, a token is verified by a key of the pool or not at all.
pub fn cognito_keys(input: &[u8]) {
    let verifier = verifier(PublishedKeys(Mutex::new(Bytes::copy_from_slice(input))));
    let header = URL_SAFE_NO_PAD.encode(json!({ "kid": KID, "alg": "RS256" }).to_string());
    let claims = URL_SAFE_NO_PAD.encode(json!({ "iss": POOL }).to_string());
    let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 256]));
    let refused = runtime().block_on(verifier.id_token(&token, Nonce::Unchecked));
    assert!(refused.is_err(), "a token that Cognito did not sign was accepted");
}

/// Keys as Cognito publishes them.
#[derive(Debug)]
pub struct PublishedKeys(Mutex<Bytes>);

impl PublishedKeys {
    /// The key that [`cognito_token`] signs with.
    pub fn ours() -> Self {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = pool_key().public_key();
        let key = json!({
            "kid": KID, "alg": "RS256", "kty": "RSA", "use": "sig",
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        });
        Self(Mutex::new(json!({ "keys": [key] }).to_string().into()))
    }
}

#[async_trait]
impl FetchKeys for PublishedKeys {
    async fn fetch(&self, _: &Url) -> Result<Bytes, FetchError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

fn verifier(published: PublishedKeys) -> Verifier {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let source = KeySource::of(Issuer::parse(POOL).unwrap()).unwrap();
    let keys = KeySet::new(vec![source], Arc::new(published), Arc::clone(&clock), KeyPolicy::default());
    let client = cognito::ClientId::parse(APP_CLIENT).unwrap();
    Verifier::new(Arc::new(keys), vec![client], clock, Duration::from_secs(60))
}

fn pool_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn sign(message: &str) -> String {
    let mut signature = vec![0; pool_key().public_modulus_len()];
    pool_key().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    URL_SAFE_NO_PAD.encode(signature)
}

/// `header.claims` out of the two as JSON, a line each: what the fuzzer can change a word in.
fn message_of(text: &str) -> Option<String> {
    let (header, claims) = text.split_once('\n')?;
    Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims)))
}
