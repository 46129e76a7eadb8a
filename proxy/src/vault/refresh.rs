//! Refreshing a session: one flight a process, one turn across replicas, stored before verified, verified before used.
//!
//! ```text
//! flight ─▶ read ─▶ fresh? ─▶ turn ─▶ read again ─▶ ask Cognito ─▶ store ─▶ verify ─▶ store ─▶ cache
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cognito::{AccessToken, IdToken, Nonce, TokenError};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use service::{Secret, traces};
use tracing::Instrument;

use super::history::Step;
use super::record::{Record, Unverified};
use super::seal::{Found, Replaced};
use super::turn::Turn;
use super::{CognitoTokens, EndReason, LAST_SECONDS, Session, Vault, VaultError};
use crate::metrics::Refreshed;
use crate::provider::{ProviderError, TokenSet};
use crate::terms::SessionId;

/// For how many seconds new tokens are kept whose signing key is not known. Longer than unknown keys are waited for.
const AWAIT_KEY: u64 = 60;

type Answer = Result<Arc<Session>, Arc<VaultError>>;
type Flight = Shared<BoxFuture<'static, Answer>>;

/// The openings and refreshes under way in this process, one a session.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<SessionId, Flight>>);

impl Flights {
    fn board(&self) -> MutexGuard<'_, HashMap<SessionId, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way.
    pub(super) fn are_down(&self) -> bool {
        self.board().is_empty()
    }
}

/// Takes a flight off the board when it lands, also by a panic.
struct Landing<'a>(&'a Flights, SessionId);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.board().remove(&self.1);
    }
}

/// One failure, told to everybody who waited for the flight.
struct SharedCause(Arc<VaultError>);

impl fmt::Debug for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for SharedCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

/// What may be done with the tokens of a record.
enum Standing {
    /// Hand them out.
    Fresh,
    /// Refresh them; until then, hand them out or not.
    Due { usable: bool },
}

/// What became of tokens that had to be verified.
enum Settled {
    /// Verified, stored, and good for a while.
    Usable(Arc<Session>),
    /// Not good, and dropped; the record is what is left.
    Dropped(Found, TokenError),
}

/// A refresh has just failed, and the next attempt is not due yet.
#[derive(Debug, thiserror::Error)]
#[error("a refresh failed a moment ago")]
struct Resting;

/// Cognito did not answer in the time it has.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
struct TooSlow;

impl Vault {
    /// Opens and if need be refreshes the session in a task of its own, which everybody who asks meanwhile shares and
    /// nobody's disconnect stops.
    pub(super) async fn flight(self: &Arc<Self>, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        let flight = {
            // The task takes its flight off this board, so it cannot land before it is on it.
            let mut board = self.flights.board();
            board.get(sid).cloned().unwrap_or_else(|| {
                let flight = Arc::clone(self).take_off(sid.clone());
                board.insert(sid.clone(), flight.clone());
                flight
            })
        };
        flight.await.map_err(|error| match &*error {
            VaultError::Gone => VaultError::Gone,
            VaultError::Ended => VaultError::Ended,
            VaultError::Unavailable { part, .. } => VaultError::unavailable(part, SharedCause(error)),
        })
    }

    fn take_off(self: Arc<Self>, sid: SessionId) -> Flight {
        let runtime = self.runtime.clone();
        let flight = async move {
            let _landing = Landing(&self.flights, sid.clone());
            self.renew(&sid).await.map_err(Arc::new)
        };
        // In the trace of whoever came first.
        let task = runtime.spawn(flight.instrument(traces::step("open session")));
        let landed = async move {
            // Fails when the task panicked or the process is going down.
            task.await.unwrap_or_else(|error| Err(Arc::new(VaultError::unavailable("cognito", error))))
        };
        landed.boxed().shared()
    }

    async fn renew(&self, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        let found = self.records.read(sid).await?.ok_or(VaultError::Gone)?;
        let usable = match self.judge(&found).await? {
            Standing::Fresh => {
                if !found.current {
                    self.records.seal_anew(&found).await;
                }
                return Ok(self.cache.insert(found.record.session));
            }
            Standing::Due { usable } => usable,
        };
        if usable {
            // For whoever does not want to wait for the refresh.
            self.cache.insert(found.record.session.clone());
        }
        let refreshed = if self.cache.rests(sid) {
            Err(VaultError::unavailable("cognito", Resting))
        } else {
            self.refresh(sid, found.record.generation).instrument(traces::step("refresh")).await
        };
        match refreshed {
            Ok(session) => {
                if session.seconds_left(self.clock.unix()) < self.policy.refresh_before.as_secs() {
                    // Tokens this short would be refreshed with every request.
                    self.cache.rest(sid);
                }
                Ok(session)
            }
            Err(VaultError::Unavailable { part, source }) => {
                if !self.cache.rests(sid) {
                    tracing::warn!(%sid, part, error = %source, usable, "session not refreshed");
                    self.cache.rest(sid);
                }
                if usable && found.record.session.seconds_left(self.clock.unix()) > LAST_SECONDS {
                    // What `judge` verified; if a refresh token came, it is stored.
                    return Ok(self.cache.insert(found.record.session));
                }
                Err(VaultError::Unavailable { part, source })
            }
            Err(over) => Err(over),
        }
    }

    /// Verifies the stored tokens and looks at what is left of them.
    async fn judge(&self, found: &Found) -> Result<Standing, VaultError> {
        let session = &found.record.session;
        let good = match self.verify_stored(session).await {
            Ok(()) => true,
            Err(error) if error.is_ours() => return Err(VaultError::unavailable("keys", error)),
            Err(error) => {
                // Expired, or Cognito dropped the key: new tokens are needed, and nothing more is wrong.
                tracing::debug!(sid = %session.sid, reason = error.reason(), "stored tokens do not verify");
                false
            }
        };
        let left = session.seconds_left(self.clock.unix());
        let usable = good && left > LAST_SECONDS;
        let endless = session.tokens.refresh.is_none() && found.record.unverified.is_none();
        let early = left >= self.policy.refresh_before.as_secs() && found.record.unverified.is_none();
        if usable && (early || endless) { Ok(Standing::Fresh) } else { Ok(Standing::Due { usable }) }
    }

    /// The tokens one by one: after a refresh that brought no ID token they are of two answers, so that `at_hash` does
    /// not fit, and the seal already vouches for their belonging together.
    async fn verify_stored(&self, session: &Session) -> Result<(), TokenError> {
        let id = self.verifier.id_token(session.tokens.id.expose(), Nonce::Unchecked).await?;
        id.expect_subject(&session.user.issuer, &session.user.subject)?;
        let access = self.verifier.access_token(session.tokens.access.expose()).await?;
        access.expect_subject(&session.user.issuer, &session.user.subject)
    }

    /// Uses what is stored, as another replica has refreshed it.
    pub(super) async fn adopt(&self, found: Found) -> Result<Arc<Session>, VaultError> {
        match self.judge(&found).await? {
            Standing::Fresh | Standing::Due { usable: true } => Ok(self.cache.insert(found.record.session)),
            Standing::Due { usable: false } => Err(VaultError::unavailable("cognito", Resting)),
        }
    }

    pub(super) async fn refresh_in_turn(
        &self,
        sid: &SessionId,
        turn: &Turn,
    ) -> Result<(Arc<Session>, Refreshed), VaultError> {
        let mut found = self.records.read(sid).await?.ok_or(VaultError::Gone)?;
        if matches!(self.judge(&found).await?, Standing::Fresh) {
            return Ok((self.adopt(found).await?, Refreshed::Adopted));
        }
        // What an earlier refresh brought when Cognito's keys could not be had.
        if found.record.unverified.is_some() {
            found = match self.settle(found).await? {
                Settled::Usable(session) => return Ok((session, Refreshed::Refreshed)),
                Settled::Dropped(found, _) => found,
            };
        }
        let asked = self.ask(found, turn).await?;
        if asked.record.unverified.is_none() {
            return Ok((self.adopt(asked).await?, Refreshed::Adopted));
        }
        match self.settle(asked).await? {
            Settled::Usable(session) => Ok((session, Refreshed::Refreshed)),
            Settled::Dropped(_, error) => {
                tracing::error!(%sid, reason = error.reason(), "cognito's refreshed tokens are refused");
                Err(VaultError::unavailable("cognito", error))
            }
        }
    }

    /// Asks Cognito for new tokens and stores what it answers before anything else can fail: with rotation the refresh
    /// token we held is spent by now.
    async fn ask(&self, found: Found, turn: &Turn) -> Result<Found, VaultError> {
        let Some(refresh) = found.record.session.tokens.refresh.clone() else {
            return Err(self.over(&found, EndReason::NoRefreshToken, None).await);
        };
        let answer = tokio::time::timeout(self.policy.ask_for, self.provider.refresh(&refresh)).await;
        let TokenSet { access, id, refresh } = match answer {
            Ok(Ok(tokens)) => tokens,
            Ok(Err(ProviderError::GrantRefused { said })) => return self.refused(found, turn, said).await,
            Ok(Err(error)) => return Err(VaultError::unavailable("cognito", error)),
            Err(_) => return Err(VaultError::unavailable("cognito", TooSlow)),
        };
        if id.is_none() {
            tracing::warn!("cognito's refresh brought no id token: is openid among the scopes asked for?");
        }
        let mut session = found.record.session.clone();
        if refresh.is_some() {
            session.tokens.refresh.clone_from(&refresh);
        }
        let (generation, since) = (found.record.generation + 1, self.clock.unix());
        let record = Record { session, generation, unverified: Some(Unverified { access, id, since }) };
        self.put(found, record, refresh).await
    }

    /// Replaces `found`; `new_refresh` is revoked if the session was ended meanwhile, for nobody else will.
    async fn put(
        &self,
        found: Found,
        record: Record,
        new_refresh: Option<Secret>,
    ) -> Result<Found, VaultError> {
        match self.records.replace(found, record).await? {
            Replaced::Ours(found) | Replaced::Theirs(found) => Ok(found),
            Replaced::Gone => {
                self.revoke(new_refresh);
                Err(VaultError::Gone)
            }
        }
    }

    /// Verifies the tokens a refresh brought and makes them the session's own.
    async fn settle(&self, found: Found) -> Result<Settled, VaultError> {
        let Some(new) = found.record.unverified.clone() else {
            return self.adopt(found).await.map(Settled::Usable);
        };
        let mut session = found.record.session.clone();
        let (access, id) = match self.verify_new(&new, &session).await {
            Ok(claims) => claims,
            Err(error) if error.is_ours() => return Err(VaultError::unavailable("keys", error)),
            // Signed with a key so new that its issuer's list is not yet due to be fetched again: wait for it.
            Err(TokenError::UnknownKey) if self.clock.unix() < new.since + AWAIT_KEY => {
                return Err(VaultError::unavailable("keys", TokenError::UnknownKey));
            }
            Err(TokenError::SubjectChanged) => {
                return Err(self.over(&found, EndReason::SubjectChanged, None).await);
            }
            Err(error) => return self.drop_unverified(found, error).await,
        };
        let now = self.clock.unix();
        let id_raw = new.id.unwrap_or(session.tokens.id);
        let refresh = session.tokens.refresh.take();
        session.tokens = CognitoTokens {
            access: new.access,
            access_expires: access.exp,
            id: id_raw,
            id_expires: id.exp,
            refresh,
        };
        session.user.groups = id.groups;
        if session.seconds_left(now) <= LAST_SECONDS {
            return self.drop_unverified(found, TokenError::Expired).await;
        }
        let generation = found.record.generation;
        let stored = self.put(found, Record { session, generation, unverified: None }, None).await?;
        if stored.record.generation != generation {
            // Refreshed by somebody else since; these tokens are not the ones that were verified here.
            return self.adopt(stored).await.map(Settled::Usable);
        }
        self.history.note(&stored.record.session, Step::Refreshed, now).await;
        Ok(Settled::Usable(self.cache.insert(stored.record.session)))
    }

    /// New tokens must be the same person's. Without a new ID token the old one stays, as long as it lasts.
    async fn verify_new(
        &self,
        new: &Unverified,
        session: &Session,
    ) -> Result<(AccessToken, IdToken), TokenError> {
        let (access, id) = match &new.id {
            Some(id) => self.verifier.pair(new.access.expose(), id.expose(), Nonce::Unchecked).await?,
            None => {
                let access = self.verifier.access_token(new.access.expose()).await?;
                (access, self.verifier.id_token(session.tokens.id.expose(), Nonce::Unchecked).await?)
            }
        };
        id.expect_subject(&session.user.issuer, &session.user.subject)?;
        access.expect_subject(&session.user.issuer, &session.user.subject)?;
        // Cognito never changes a user name; if it did, upstream would see another user.
        if id.username == session.user.username && access.username == session.user.username {
            Ok((access, id))
        } else {
            Err(TokenError::SubjectChanged)
        }
    }

    async fn drop_unverified(&self, found: Found, error: TokenError) -> Result<Settled, VaultError> {
        let session = found.record.session.clone();
        let record = Record { session, generation: found.record.generation, unverified: None };
        Ok(Settled::Dropped(self.put(found, record, None).await?, error))
    }

    /// Ends a session that cannot go on; says what to answer.
    pub(super) async fn over(&self, found: &Found, reason: EndReason, said: Option<String>) -> VaultError {
        let session = &found.record.session;
        match self.records.delete(found).await {
            Ok(true) => {
                self.ended(&session.sid, Some(session), reason, said).await;
                if reason == EndReason::SubjectChanged {
                    self.revoke(session.tokens.refresh.clone());
                }
                VaultError::Ended
            }
            // Another replica has refreshed or ended it since: its record says what is so.
            Ok(false) => VaultError::unavailable("cognito", Resting),
            Err(error) => error,
        }
    }
}
