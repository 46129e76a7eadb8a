//! Refresh tokens: each is good once, and using one twice ends the session – except within a short while, when the same
//! answer is given again, because clients refresh in parallel and lose answers on the way.
//!
//! A token is `mer.{sid}.{16 random bytes and 16 bytes of their mac}`. Of the current and the previous token only hashes
//! are kept. The mac tells an older token of this family, whose use betrays a theft, from text somebody made up to get
//! a session ended whose id they know.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::OAuth;
use super::clients::Client;
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, same};
use super::parameters::Parameters;
use crate::keys::{self, KeyRing, Purpose, SealError};
use crate::store::names;
use crate::terms::{ClientId, Scopes, SessionId};
use crate::vault::{EndReason, Session, VaultError};

/// How long the previous token gets the same answer again (seconds).
const REPLAY_SECONDS: u64 = 60;
/// How often a lost race is looked at again. One look is enough, unless the winner's token was refreshed in between.
const TRIES: usize = 4;

/// A refresh-token family: what is kept of one session's refresh tokens.
#[derive(Serialize, Deserialize)]
struct Family {
    client: ClientId,
    scopes: Scopes,
    /// Hash of the token that is good.
    current: String,
    previous: Option<Previous>,
}

/// The token that was good before.
#[derive(Serialize, Deserialize)]
struct Previous {
    hash: String,
    /// When it was used (unix seconds).
    rotated: u64,
    /// What it was answered with.
    answer: String,
}

/// What a presented token is to its family.
enum Standing {
    Current,
    /// Used a moment ago: the same answer again.
    Repeated(String),
    /// Used before that: stolen.
    Replayed,
    /// Not of this family.
    Foreign,
}

/// A refresh token's parts.
pub(super) struct RefreshToken<'a> {
    /// The session it belongs to.
    pub(super) sid: SessionId,
    text: &'a str,
    secret: Vec<u8>,
}

impl<'a> RefreshToken<'a> {
    /// Reads a token; none when it is not of our making.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (sid, secret) = text.strip_prefix("mer.")?.split_once('.')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok().filter(|secret| secret.len() == 32)?;
        Some(Self { sid: SessionId::parse(sid).ok()?, text, secret })
    }

    /// Whether we made it, for this session.
    fn is_genuine(&self, keys: &KeyRing) -> bool {
        let Some((random, mac)) = self.secret.split_first_chunk::<16>() else { return false };
        let data = [self.sid.as_str().as_bytes(), random].concat();
        keys.macs(Purpose::Digest, &data).any(|own| {
            own.first_chunk::<16>()
                .is_some_and(|own| aws_lc_rs::constant_time::verify_slices_are_equal(own, mac).is_ok())
        })
    }
}

impl Family {
    fn standing(&self, token: &RefreshToken<'_>, keys: &KeyRing, now: u64) -> Standing {
        let hash = fingerprint(token.text);
        if same(&hash, &self.current) {
            return Standing::Current;
        }
        match &self.previous {
            Some(previous) if same(&hash, &previous.hash) => {
                if now.saturating_sub(previous.rotated) <= REPLAY_SECONDS {
                    Standing::Repeated(previous.answer.clone())
                } else {
                    Standing::Replayed
                }
            }
            _ if token.is_genuine(keys) => Standing::Replayed,
            _ => Standing::Foreign,
        }
    }
}

impl OAuth {
    /// Starts the family of a new session and makes its first answer.
    pub(super) async fn open_family(&self, session: &Session) -> Result<String, OAuthError> {
        let token = new_token(&session.sid, &self.keys);
        let answer = self.token_answer(session, &session.scopes, &token)?;
        let family = Family {
            client: session.client.clone(),
            scopes: session.scopes.clone(),
            current: fingerprint(&token),
            previous: None,
        };
        let key = names::grant(session.sid.as_str());
        self.records.write(Purpose::Grant, &key, &family, self.family_ttl(session)).await?;
        Ok(answer)
    }

    /// The `refresh_token` grant (RFC 6749 section 6).
    pub(super) async fn refresh(&self, client: &Client, form: &Parameters) -> Result<String, OAuthError> {
        let text = form.required("refresh_token", "refresh_token_missing", "send the refresh_token")?;
        let unknown = || {
            let description = "the refresh token is unknown, used or too old: sign in again";
            OAuthError::invalid_grant("refresh_token_unknown", description)
        };
        let token = RefreshToken::parse(text).ok_or_else(unknown)?;
        let key = names::grant(token.sid.as_str());
        for _ in 0..TRIES {
            let held = self.records.read::<Family>(Purpose::Grant, &key).await?.ok_or_else(unknown)?;
            let family = &held.value;
            if family.client != client.id {
                return Err(OAuthError::invalid_grant(
                    "refresh_token_of_other_client",
                    "the refresh token was issued to another client",
                ));
            }
            match family.standing(&token, &self.keys, self.clock.unix()) {
                Standing::Foreign => return Err(unknown()),
                Standing::Replayed => {
                    self.end_family(&token.sid, EndReason::RefreshTokenReused).await?;
                    let description = "the refresh token was used before: sign in again";
                    return Err(OAuthError::invalid_grant("refresh_token_reused", description));
                }
                Standing::Current | Standing::Repeated(_) => {}
            }
            // A refreshed token should work at once, so the session is made fresh first. It says invalid_grant only when
            // the sign-in has really ended.
            let session = self.vault.fresh(&token.sid).await?;
            self.check_resource(form, &session.resource)?;
            let scopes = narrowed(form.value("scope"), &family.scopes)?;
            if let Standing::Repeated(answer) = family.standing(&token, &self.keys, self.clock.unix()) {
                return Ok(answer);
            }
            let next = new_token(&token.sid, &self.keys);
            let answer = self.token_answer(&session, &scopes, &next)?;
            let rotated = Family {
                client: family.client.clone(),
                scopes: family.scopes.clone(),
                current: fingerprint(&next),
                previous: Some(Previous {
                    hash: fingerprint(text),
                    rotated: self.clock.unix(),
                    answer: answer.clone(),
                }),
            };
            let ttl = self.family_ttl(&session);
            if self.records.swap(Purpose::Grant, &key, (&held.stored, &rotated), ttl).await? {
                return Ok(answer);
            }
            // Another request was first: look again, and give its answer.
        }
        Err(OAuthError::unavailable("refresh_contended", "the grant changed at every try"))
    }

    /// Ends a session and with it all its tokens, ours and Cognito's. Where a step fails, the steps before can be repeated
    /// and the grant is still there: the client is told to come again.
    pub(super) async fn end_family(&self, sid: &SessionId, reason: EndReason) -> Result<(), OAuthError> {
        // Who gives a session back, or had it stolen, is asked again at the next sign-in.
        if matches!(reason, EndReason::SignedOut | EndReason::CodeReused | EndReason::RefreshTokenReused) {
            match self.vault.open(sid).await {
                Ok(session) => self.withdraw_approvals(&session.user, &session.client).await?,
                // Nobody can tell any more whose approvals they were.
                Err(error) if is_lost(&error) => {}
                // Ended without it, the session's approvals could never be withdrawn.
                Err(error) => return Err(error.into()),
            }
        }
        self.vault.end(sid, reason).await?;
        self.records.store().delete(&names::grant(sid.as_str())).await?;
        Ok(())
    }

    /// Ends the session of a token its own client gives back; a token that is not of this client's is left alone.
    pub(super) async fn revoke_refresh_token(
        &self,
        client: &Client,
        token: &RefreshToken<'_>,
    ) -> Result<(), OAuthError> {
        let key = names::grant(token.sid.as_str());
        let Some(held) = self.records.read::<Family>(Purpose::Grant, &key).await? else { return Ok(()) };
        let standing = held.value.standing(token, &self.keys, self.clock.unix());
        if held.value.client != client.id || matches!(standing, Standing::Foreign) {
            return Ok(());
        }
        self.end_family(&token.sid, EndReason::SignedOut).await
    }

    /// For whom a refresh token is good now: its client and scopes, and since when (unix seconds).
    pub(super) async fn good_refresh_token(
        &self,
        token: &RefreshToken<'_>,
        session: &Session,
    ) -> Result<Option<(ClientId, Scopes, u64)>, OAuthError> {
        let key = names::grant(token.sid.as_str());
        let Some(held) = self.records.read::<Family>(Purpose::Grant, &key).await? else { return Ok(None) };
        let family = held.value;
        // A token that was used is spent, also while its answer would be repeated.
        if !matches!(family.standing(token, &self.keys, self.clock.unix()), Standing::Current) {
            return Ok(None);
        }
        let since = family.previous.map_or(session.created, |previous| previous.rotated);
        Ok(Some((family.client, family.scopes, since)))
    }

    /// Unused for so long, a family is forgotten; and never later than its session.
    fn family_ttl(&self, session: &Session) -> Duration {
        let left = Duration::from_secs(session.ends.saturating_sub(self.clock.unix()));
        self.settings.refresh_token.min(left).max(Duration::from_secs(1))
    }
}

/// Whether a session that was not opened never will be. One whose key is missing may be, once the key is back.
fn is_lost(error: &VaultError) -> bool {
    match error {
        VaultError::Gone | VaultError::Ended => true,
        VaultError::Unavailable { source, .. } => {
            source.downcast_ref::<SealError>().is_some_and(|error| *error == SealError::Broken)
        }
    }
}

fn new_token(sid: &SessionId, keys: &KeyRing) -> String {
    let random = keys::random::<16>();
    let mac = keys.mac(Purpose::Digest, &[sid.as_str().as_bytes(), &random].concat());
    let secret: Vec<u8> = random.iter().chain(mac.iter().take(16)).copied().collect();
    format!("mer.{sid}.{}", URL_SAFE_NO_PAD.encode(secret))
}

/// The same scopes or fewer (RFC 6749 section 6).
fn narrowed(asked: Option<&str>, granted: &Scopes) -> Result<Scopes, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    match Scopes::parse(asked) {
        Ok(asked) if granted.covers(&asked) && !asked.is_empty() => Ok(asked),
        _ => Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "scope_widened",
            "a refresh can only ask for scopes that were granted",
        )),
    }
}
