//! Our access tokens: signed references to a session (RFC 9068 shape), good at one resource only.
//!
//! A token carries no Cognito token and no secret: it names a session (`sid`) in the vault. HS256, since nobody but this
//! server has to verify it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use service::{Clock, Secret};

use crate::keys::KeyRing;
use crate::limits::{Limiter, Rate};
use crate::terms::{ClientId, Resource, Scopes, SessionId};
use crate::vault::{Vault, VaultError};

#[cfg(test)]
mod tests;

/// Longer tokens are refused before anything is decoded. Ours are below 1 kB.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// `typ` of a JWT access token (RFC 9068 section 2.1): what tells it from an ID token.
const TOKEN_TYPE: &str = "at+jwt";
/// How far past `exp` a token is still taken. We are the issuer, so only our replicas' clocks can differ.
const LEEWAY_SECONDS: u64 = 5;
/// How often a minute, and at once, the vault is asked for a token whose key is missing: strangers can make such tokens up.
const LOOKS_FOR_A_KEY: (u32, u32) = (600, 60);

/// What an access token is issued for.
#[derive(Debug, Clone)]
pub struct AccessGrant {
    /// The session it refers to.
    pub sid: SessionId,
    /// Cognito's `sub` of the user.
    pub subject: String,
    /// The client it is issued to.
    pub client: ClientId,
    /// What the client may do.
    pub scopes: Scopes,
    /// Where it may be used.
    pub resource: Resource,
    /// How long it is valid.
    pub lifetime: Duration,
    /// The token's own id, random.
    pub jti: String,
    /// When it is issued (unix seconds).
    pub issued_at: u64,
}

/// What a verified access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// The session it refers to.
    pub sid: SessionId,
    /// Cognito's `sub` of the user.
    pub subject: String,
    /// The client it was issued to.
    pub client: ClientId,
    /// What the client may do.
    pub scopes: Scopes,
    /// Where it may be used: the caller compares it with the resource asked for (RFC 8707).
    pub resource: Resource,
    /// The token's own id.
    pub jti: String,
    /// When it was issued (unix seconds).
    pub issued_at: u64,
    /// When it ends (unix seconds).
    pub expires: u64,
}

/// Why a token is not one of ours, or no longer. Always the client's matter: 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Longer than any token of ours.
    #[error("access token too large")]
    TooLarge,
    /// Not a JWT, or a claim is missing or of the wrong type.
    #[error("access token malformed")]
    Malformed,
    /// `typ` is not `at+jwt`: an ID token, or somebody else's.
    #[error("not an access token")]
    WrongType,
    /// `alg` is not HS256.
    #[error("access token signed with another algorithm")]
    UnsupportedAlgorithm,
    /// No `kid`.
    #[error("access token names no key")]
    MissingKeyId,
    /// `kid` is no key of the ring.
    #[error("access token names an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("access token signature is wrong")]
    BadSignature,
    /// `iss` is not us.
    #[error("access token of another issuer")]
    WrongIssuer,
    /// Past `exp`.
    #[error("access token expired")]
    Expired,
}

impl TokenRefused {
    /// A bounded word for log field and metric label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::WrongType => "token_type",
            Self::UnsupportedAlgorithm => "token_algorithm",
            Self::MissingKeyId => "token_no_kid",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_signature",
            Self::WrongIssuer => "token_issuer",
            Self::Expired => "token_expired",
        }
    }
}

/// Issues and verifies access tokens.
pub struct AccessTokens {
    issuer: String,
    clock: Arc<dyn Clock>,
    ring: Arc<KeyRing>,
    keys: ArcSwap<Keys>,
    validation: Validation,
    looks: Limiter,
}

/// The ring's keys, ready for use: one signs, all verify.
struct Keys {
    signing: Key,
    older: Vec<Key>,
}

struct Key {
    id: String,
    sign: EncodingKey,
    verify: DecodingKey,
}

/// The header, read by hand so that every refusal has its own reason. Unknown members are ignored (RFC 7515 section 4).
#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// The claims on the wire (RFC 9068 section 2.2, and our `sid`).
#[derive(Serialize, Deserialize)]
struct WireClaims {
    iss: String,
    sub: String,
    aud: Resource,
    client_id: ClientId,
    scope: Scopes,
    sid: SessionId,
    jti: String,
    iat: u64,
    exp: u64,
}

impl AccessTokens {
    /// Tokens of `issuer` (the public origin, no trailing slash). The ring's first key signs, every key verifies.
    #[must_use]
    pub fn new(issuer: impl Into<String>, ring: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Issuer, audience and times are compared here, by the clock that was passed in.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims::<&str>(&[]);
        let (rate, at_once) = LOOKS_FOR_A_KEY;
        let looks = Limiter::new(Rate::per_minute(rate, at_once), Arc::clone(&clock));
        let keys = ArcSwap::from_pointee(Keys::of(&ring));
        Self { issuer: issuer.into(), clock, ring, keys, validation, looks }
    }

    /// Goes by the keys that the ring has now.
    pub fn follow_ring(&self) {
        self.keys.store(Arc::new(Keys::of(&self.ring)));
    }

    /// Signs a token.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "text and numbers are always JSON, and HMAC takes a key of any length"
    )]
    pub fn issue(&self, grant: &AccessGrant) -> Secret {
        let keys = self.keys.load();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(keys.signing.id.clone());
        let claims = WireClaims {
            iss: self.issuer.clone(),
            sub: grant.subject.clone(),
            aud: grant.resource.clone(),
            client_id: grant.client.clone(),
            scope: grant.scopes.clone(),
            sid: grant.sid.clone(),
            jti: grant.jti.clone(),
            iat: grant.issued_at,
            exp: grant.issued_at.saturating_add(grant.lifetime.as_secs()),
        };
        let raw = jsonwebtoken::encode(&header, &claims, &keys.signing.sign).expect("claims are plain JSON");
        Secret::new(raw)
    }

    /// [`AccessTokens::verify`], except that a key which is missing is our fault: a token that names a session which does
    /// not open either is not refused.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`] for such a token. Inside, the first reason why the token is not a valid one of ours.
    pub async fn checked(
        &self,
        raw: &str,
        vault: &Vault,
    ) -> Result<Result<AccessClaims, TokenRefused>, VaultError> {
        let verified = self.verify(raw);
        if let Err(TokenRefused::UnknownKey) = verified
            && let Some(sid) = self.claimed_session(raw)
            && let Err(down @ VaultError::Unavailable { .. }) = vault.open(&sid).await
        {
            return Err(down);
        }
        Ok(verified)
    }

    /// The session that a token names which nobody has verified; none when it says itself that it is not good here.
    fn claimed_session(&self, raw: &str) -> Option<SessionId> {
        let payload = URL_SAFE_NO_PAD.decode(raw.split('.').nth(1)?).ok()?;
        let claims: WireClaims = serde_json::from_slice(&payload).ok()?;
        let good = claims.iss == self.issuer && claims.exp > self.clock.unix();
        (good && self.looks.check("").is_ok()).then_some(claims.sid)
    }

    /// Verifies everything but the audience, which only the caller knows: see [`AccessClaims::resource`].
    ///
    /// # Errors
    /// The first reason why the token is not a valid one of ours.
    pub fn verify(&self, raw: &str) -> Result<AccessClaims, TokenRefused> {
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefused::TooLarge);
        }
        let keys = self.keys.load();
        let key = keys.named_by(&header_of(raw)?)?;
        let claims = jsonwebtoken::decode::<WireClaims>(raw, &key.verify, &self.validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenRefused::BadSignature,
                _ => TokenRefused::Malformed,
            })?
            .claims;
        if claims.iss != self.issuer {
            return Err(TokenRefused::WrongIssuer);
        }
        if claims.exp.saturating_add(LEEWAY_SECONDS) <= self.clock.unix() {
            return Err(TokenRefused::Expired);
        }
        Ok(AccessClaims {
            sid: claims.sid,
            subject: claims.sub,
            client: claims.client_id,
            scopes: claims.scope,
            resource: claims.aud,
            jti: claims.jti,
            issued_at: claims.iat,
            expires: claims.exp,
        })
    }
}

impl Keys {
    #[expect(clippy::expect_used, reason = "a key ring always has a first key")]
    fn of(ring: &KeyRing) -> Self {
        let mut all = ring.signing_keys().into_iter().map(|(id, bytes)| Key {
            id,
            sign: EncodingKey::from_secret(&bytes),
            verify: DecodingKey::from_secret(&bytes),
        });
        Self { signing: all.next().expect("a key ring is never empty"), older: all.collect() }
    }

    fn named_by(&self, header: &TokenHeader) -> Result<&Key, TokenRefused> {
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(TokenRefused::WrongType);
        }
        if header.alg != "HS256" {
            return Err(TokenRefused::UnsupportedAlgorithm);
        }
        if header.crit.is_some() {
            return Err(TokenRefused::Malformed);
        }
        let kid = header.kid.as_deref().ok_or(TokenRefused::MissingKeyId)?;
        std::iter::once(&self.signing)
            .chain(&self.older)
            .find(|key| key.id == kid)
            .ok_or(TokenRefused::UnknownKey)
    }
}

fn header_of(raw: &str) -> Result<TokenHeader, TokenRefused> {
    let (header, _) = raw.split_once('.').ok_or(TokenRefused::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenRefused::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenRefused::Malformed)
}
