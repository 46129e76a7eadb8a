//! From a raw token to its claims.

mod compact;
mod unverified;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, crypto};
use service::Clock;

use self::compact::Compact;
use self::unverified::Unverified;
use crate::claims::{AccessToken, IdToken};
use crate::error::TokenError;
use crate::issuer::{ClientId, Issuer};
use crate::keys::KeySet;

/// Longest token that is looked at. Cognito promises no ceiling, and 9 kB ID tokens are real; anything above this
/// is refused before it is decoded.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The nonce an ID token must carry.
#[derive(Debug, Clone, Copy)]
pub enum Nonce<'a> {
    /// Exactly this one: the answer to an authorization request.
    Exactly(&'a str),
    /// Not looked at: the answer to a refresh, where Cognito may leave it out.
    Unchecked,
}

/// Verifies tokens of the configured issuers, made for the configured app clients.
#[derive(Debug)]
pub struct Verifier {
    keys: Arc<KeySet>,
    client_ids: Vec<ClientId>,
    clock: Arc<dyn Clock>,
    leeway: u64,
}

impl Verifier {
    /// A verifier that accepts tokens for any of `client_ids` and forgives `leeway` (60 s is usual) of clock
    /// difference on `exp` and `nbf`.
    pub fn new(
        keys: Arc<KeySet>,
        client_ids: Vec<ClientId>,
        clock: Arc<dyn Clock>,
        leeway: Duration,
    ) -> Self {
        Self { keys, client_ids, clock, leeway: leeway.as_secs() }
    }

    /// Verifies an ID token.
    ///
    /// # Errors
    /// The first check of [`TokenError`] that fails.
    pub async fn id_token(&self, raw: &str, nonce: Nonce<'_>) -> Result<IdToken, TokenError> {
        let token = Compact::parse(raw)?;
        let claims: Unverified = token.claims()?;
        let iss = self.check_signature(&token, &claims).await?;
        self.check_use_and_time(&claims, "id")?;
        // The audience of an ID token is exactly one client; a list of more would be a token for others too.
        let client_id = match claims.aud.as_deref() {
            Some([only]) => self.client(only)?,
            Some(_) => return Err(TokenError::WrongAudience),
            None => return Err(TokenError::MissingClaim("aud")),
        };
        if let Nonce::Exactly(expected) = nonce
            && claims.nonce.as_deref() != Some(expected)
        {
            return Err(TokenError::WrongNonce);
        }
        Ok(IdToken {
            iss,
            sub: unverified::filled(claims.sub, "sub")?,
            username: unverified::filled(claims.cognito_username, "cognito:username")?,
            groups: claims.groups.unwrap_or_default(),
            email: claims.email,
            client_id,
            exp: claims.exp.ok_or(TokenError::MissingClaim("exp"))?,
            iat: claims.iat.ok_or(TokenError::MissingClaim("iat"))?,
            auth_time: claims.auth_time,
            origin_jti: claims.origin_jti,
            jti: claims.jti,
            nonce: claims.nonce,
            at_hash: claims.at_hash,
        })
    }

    /// Verifies an access token of a user. A machine's token (client credentials) has no `username` and is refused.
    ///
    /// # Errors
    /// The first check of [`TokenError`] that fails.
    pub async fn access_token(&self, raw: &str) -> Result<AccessToken, TokenError> {
        let token = Compact::parse(raw)?;
        let claims: Unverified = token.claims()?;
        let iss = self.check_signature(&token, &claims).await?;
        self.check_use_and_time(&claims, "access")?;
        // `aud` is tolerated: with resource binding (RFC 8707) it is a URL, and `client_id` still tells for whom.
        let client_id =
            self.client(claims.client_id.as_deref().ok_or(TokenError::MissingClaim("client_id"))?)?;
        let scope = claims.scope.as_deref().unwrap_or_default();
        Ok(AccessToken {
            iss,
            sub: unverified::filled(claims.sub, "sub")?,
            username: unverified::filled(claims.username, "username")?,
            groups: claims.groups.unwrap_or_default(),
            client_id,
            scope: scope.split_ascii_whitespace().map(str::to_owned).collect(),
            exp: claims.exp.ok_or(TokenError::MissingClaim("exp"))?,
            iat: claims.iat.ok_or(TokenError::MissingClaim("iat"))?,
            auth_time: claims.auth_time,
            origin_jti: claims.origin_jti,
            jti: claims.jti,
            aud: claims.aud,
        })
    }

    /// Verifies the two tokens of one answer of the token endpoint, and that they belong together.
    ///
    /// # Errors
    /// As for each token, and [`TokenError::PairMismatch`] when issuer, subject, user name or client differ, or
    /// when `at_hash` is present and is not the access token's.
    pub async fn pair(
        &self,
        access: &str,
        id: &str,
        nonce: Nonce<'_>,
    ) -> Result<(AccessToken, IdToken), TokenError> {
        let id_token = self.id_token(id, nonce).await?;
        let access_token = self.access_token(access).await?;
        let same_user = access_token.sub == id_token.sub && access_token.username == id_token.username;
        let same_pool = access_token.iss == id_token.iss && access_token.client_id == id_token.client_id;
        let hash_fits = id_token.at_hash.as_deref().is_none_or(|hash| hash == at_hash(access));
        if same_user && same_pool && hash_fits {
            Ok((access_token, id_token))
        } else {
            Err(TokenError::PairMismatch)
        }
    }

    /// Checks the signature with a key of the issuer the token names, if that issuer is one of ours. Nothing of
    /// the token decides where keys are fetched from.
    async fn check_signature(&self, token: &Compact<'_>, claims: &Unverified) -> Result<Issuer, TokenError> {
        let iss = claims.iss.as_deref().ok_or(TokenError::MissingClaim("iss"))?;
        let (issuer, key) = self.keys.find(iss, token.kid()).await?;
        match crypto::verify(token.signature(), token.signed_bytes(), &key, Algorithm::RS256) {
            Ok(true) => Ok(issuer),
            Ok(false) | Err(_) => Err(TokenError::BadSignature),
        }
    }

    fn check_use_and_time(&self, claims: &Unverified, expected_use: &str) -> Result<(), TokenError> {
        match claims.token_use.as_deref() {
            Some(token_use) if token_use == expected_use => {}
            Some(_) => return Err(TokenError::WrongUse),
            None => return Err(TokenError::MissingClaim("token_use")),
        }
        let now = self.clock.unix();
        let exp = claims.exp.ok_or(TokenError::MissingClaim("exp"))?;
        // RFC 7519 section 4.1.4: on or after `exp` it must not be accepted.
        if now >= exp.saturating_add(self.leeway) {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(self.leeway)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }

    fn client(&self, id: &str) -> Result<ClientId, TokenError> {
        self.client_ids.iter().find(|known| known.as_str() == id).cloned().ok_or(TokenError::WrongAudience)
    }
}

/// The `at_hash` of an access token: base64url of the left half of its SHA-256 (OpenID Connect Core 3.1.3.6).
fn at_hash(access: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access.as_bytes());
    let left_half = hash.as_ref().get(..16).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(left_half)
}
