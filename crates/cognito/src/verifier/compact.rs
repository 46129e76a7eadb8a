//! The outer form of a token: JWS compact serialisation (RFC 7515 section 7.1), RS256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::MAX_TOKEN_BYTES;
use super::unverified::Unverified;
use crate::error::TokenError;

/// Longest `kid` that is looked up; Cognito's have 44 characters.
const MAX_KEY_ID_BYTES: usize = 256;

/// A token taken apart. Its header is one we accept; nothing in it is verified yet.
pub(super) struct Compact<'a> {
    signed: &'a [u8],
    signature: &'a str,
    kid: String,
    payload: Vec<u8>,
}

/// The header members we read, and those whose mere presence is refused.
#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    jwk: bool,
    #[serde(default, deserialize_with = "present")]
    jku: bool,
    #[serde(default, deserialize_with = "present")]
    x5u: bool,
    #[serde(default, deserialize_with = "present")]
    x5c: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

impl Header {
    fn brings_its_own_rules(&self) -> bool {
        self.crit || self.jwk || self.jku || self.x5u || self.x5c || self.b64 || self.zip
    }
}

impl<'a> Compact<'a> {
    /// Takes a token apart and refuses every header but a plain RS256 one with a `kid`.
    pub(super) fn parse(raw: &'a str) -> Result<Self, TokenError> {
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = raw.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // A fourth dot would be an encrypted token (JWE).
        if payload.contains('.') || payload.is_empty() {
            return Err(TokenError::Malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        // The algorithm is ours to choose, not the token's (RFC 8725 section 3.1); checked before anything else is
        // believed, so that an HMAC or unsigned token gets no further.
        if header.alg.as_deref() != Some("RS256") {
            return Err(TokenError::UnsupportedAlgorithm);
        }
        if header.brings_its_own_rules() {
            return Err(TokenError::UnsupportedHeader);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty()).ok_or(TokenError::MissingKeyId)?;
        if kid.len() > MAX_KEY_ID_BYTES {
            return Err(TokenError::UnknownKey);
        }
        if signature.is_empty() {
            return Err(TokenError::BadSignature);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
        Ok(Self { signed: signed.as_bytes(), signature, kid, payload })
    }

    /// The bytes the signature is over: header and payload as received.
    pub(super) fn signed_bytes(&self) -> &[u8] {
        self.signed
    }

    /// The signature, still base64url.
    pub(super) fn signature(&self) -> &str {
        self.signature
    }

    /// The id of the key the token says it was signed with. Any text: Cognito's hold `+`, `/` and `=`.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The payload, read but not believed.
    pub(super) fn claims(&self) -> Result<Unverified, TokenError> {
        serde_json::from_slice(&self.payload).map_err(|_| TokenError::Malformed)
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
