//! The way from one of Cognito's own access tokens to the session it belongs to.
//!
//! An entry is only a hint: it names a session and proves nothing. The session's user is compared with the token's, so that
//! whatever stands in the store leads nobody to another user.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cognito::AccessToken;
use serde::Deserialize;

use super::{Session, Vault, VaultError};
use crate::store::names;
use crate::terms::{Resource, SessionId};

/// By what a session can be found beside its id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Index {
    /// By nothing: no entries are written.
    #[default]
    Nothing,
    /// By Cognito's `origin_jti`: tokens of the very sign-in the session began with.
    Origin,
    /// By that or, for tokens of other sign-ins, by Cognito's `sub` and the resource: the latest session of the user there.
    OriginOrSubject,
}

impl Vault {
    /// [`Vault::fresh`] for one of Cognito's own access tokens, which the caller has verified, at a resource: a session of
    /// the token's user there, or none.
    ///
    /// An entry for the token's own sign-in decides, even when it leads to a session that is over: what was revoked does
    /// not come back through another session.
    ///
    /// # Errors
    /// [`VaultError::Gone`] and [`VaultError::Ended`]: sign in again. [`VaultError::Unavailable`]: try again.
    pub async fn fresh_of(
        self: &Arc<Self>,
        token: &AccessToken,
        resource: &Resource,
    ) -> Result<Arc<Session>, VaultError> {
        let sid = self.find(token, resource).await?.ok_or(VaultError::Gone)?;
        let session = self.fresh(&sid).await?;
        if session.user.issuer != token.iss.as_str() || session.user.subject != token.sub {
            tracing::error!(%sid, "the way to a session led to another user's and was not taken");
            return Err(VaultError::Gone);
        }
        if session.resource == *resource { Ok(session) } else { Err(VaultError::Gone) }
    }

    async fn find(&self, token: &AccessToken, resource: &Resource) -> Result<Option<SessionId>, VaultError> {
        let issuer = token.iss.as_str();
        if let Some(origin) = token.origin_jti.as_deref().filter(|_| self.policy.index != Index::Nothing)
            && let Some(sid) = self.follow(&by_origin(issuer, origin)).await?
        {
            return Ok(Some(sid));
        }
        match self.policy.index {
            Index::Nothing | Index::Origin => Ok(None),
            Index::OriginOrSubject => self.follow(&by_subject(issuer, &token.sub, resource)).await,
        }
    }

    async fn follow(&self, entry: &str) -> Result<Option<SessionId>, VaultError> {
        let Some(found) = self.store.get(entry).await? else { return Ok(None) };
        Ok(std::str::from_utf8(&found).ok().and_then(|sid| SessionId::parse(sid).ok()))
    }

    /// Writes the entries of a session whose code was redeemed; they last as long as it.
    pub(super) async fn enter(&self, session: &Session, ttl: Duration) -> Result<(), VaultError> {
        if self.policy.index == Index::Nothing {
            return Ok(());
        }
        let (user, sid) = (&session.user, Bytes::copy_from_slice(session.sid.as_str().as_bytes()));
        if let Some(origin) = origin_of(session.tokens.id.expose()) {
            self.store.put(&by_origin(&user.issuer, &origin), sid.clone(), ttl).await?;
        }
        if self.policy.index == Index::OriginOrSubject {
            let entry = by_subject(&user.issuer, &user.subject, &session.resource);
            self.store.put(&entry, sid, ttl).await?;
        }
        Ok(())
    }
}

/// The entry of a sign-in.
pub(super) fn by_origin(issuer: &str, origin: &str) -> String {
    names::session_of_origin(&hash(&[issuer, origin]))
}

/// The entry of a user at a resource.
pub(super) fn by_subject(issuer: &str, subject: &str, resource: &Resource) -> String {
    names::session_of_subject(&hash(&[issuer, subject, resource.as_str()]))
}

/// Of several texts, each with its length before it, so that no two lists have the same bytes.
fn hash(parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

/// The `origin_jti` of an ID token that was verified before it was sealed.
fn origin_of(id_token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        origin_jti: Option<String>,
    }
    let payload = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok()?.origin_jti.filter(|origin| !origin.is_empty())
}
