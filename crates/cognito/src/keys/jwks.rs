//! Reading a JWKS document (RFC 7517) into keys we would verify with.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::fetch::FetchError;

/// Shortest RSA modulus that is used, in bytes: 2048 bits (RFC 7518 section 3.3).
const MIN_MODULUS_BYTES: usize = 256;

/// Keys by `kid`.
pub(super) type Keys = HashMap<Box<str>, Arc<DecodingKey>>;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    alg: String,
    #[serde(rename = "use")]
    usage: String,
    n: String,
    e: String,
}

/// The RS256 signing keys of a document. Keys of any other kind are skipped one by one: a pool may publish what we
/// do not know yet, next to what we do.
///
/// # Errors
/// When it is not a JWKS document, or holds no key of use; an empty set must never replace a good one.
pub(super) fn read(document: &[u8]) -> Result<Keys, FetchError> {
    let document: Document =
        serde_json::from_slice(document).map_err(|error| FetchError::NotAKeySet(Box::new(error)))?;
    let mut keys = Keys::new();
    for jwk in document.keys {
        let Ok(jwk) = serde_json::from_value::<Jwk>(jwk) else { continue };
        let Some(key) = signing_key(&jwk) else { continue };
        // The first of two keys with one id wins, so that a document is read the same way each time.
        keys.entry(jwk.kid.into()).or_insert_with(|| Arc::new(key));
    }
    if keys.is_empty() { Err(FetchError::NoUsableKey) } else { Ok(keys) }
}

fn signing_key(jwk: &Jwk) -> Option<DecodingKey> {
    if jwk.kty != "RSA" || jwk.alg != "RS256" || jwk.usage != "sig" || jwk.kid.is_empty() {
        return None;
    }
    let modulus = URL_SAFE_NO_PAD.decode(&jwk.n).ok()?;
    let exponent = URL_SAFE_NO_PAD.decode(&jwk.e).ok()?;
    if modulus.iter().skip_while(|byte| **byte == 0).count() < MIN_MODULUS_BYTES || exponent.is_empty() {
        return None;
    }
    Some(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}
