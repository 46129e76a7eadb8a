//! A user pool: one signing key, its JWKS on a port, tokens with any claims.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::canned::{self, Reply};

pub(crate) const CLIENT: &str = "app";
pub(crate) const NOW: u64 = 1_795_246_041;
const KID: &str = "one+/=";

pub(crate) struct Pool {
    pub(crate) issuer: String,
}

impl Pool {
    pub(crate) async fn start() -> Self {
        let mut jwk = Jwk::from_encoding_key(key(), Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(KID.to_owned());
        let mut document = json!({"keys": [jwk]});
        document["keys"][0]["use"] = json!("sig");
        document["keys"][0]["alg"] = json!("RS256");
        let address = canned::listen(Arc::new(move |_| Reply::json(200, &document))).await;
        Self { issuer: format!("http://{address}/pool") }
    }

    /// A good ID token of `user`, whose e-mail address is `<user>@example.com`.
    pub(crate) fn id_token(&self, user: &str) -> String {
        self.token(user, &json!({}))
    }

    /// The same with other claims; `null` removes one.
    pub(crate) fn token(&self, user: &str, changes: &Value) -> String {
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": format!("sub-of-{user}"), "cognito:username": user,
            "email": format!("{user}@example.com"), "token_use": "id", "iat": NOW - 10, "exp": NOW + 3600,
            "auth_time": NOW - 10, "origin_jti": "o", "jti": "j",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(KID.to_owned());
        encode(&header, &claims, key()).unwrap()
    }
}

fn key() -> &'static EncodingKey {
    static KEY: OnceLock<EncodingKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        EncodingKey::from_rsa_pem(&pem(der.as_ref())).unwrap()
    })
}

fn pem(der: &[u8]) -> Vec<u8> {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n").into_bytes()
}
