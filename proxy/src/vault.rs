//! The sessions: one sign-in of one user for one client, with Cognito's tokens, sealed at rest.
//!
//! ```text
//! fresh(sid) ─▶ L1 cache ─▶ store ─▶ open the seal ─▶ verify ─▶ < 120 s left? ─▶ refresh under single flight ─▶ store ─▶ use
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use service::{Clock, Secret, Shutdown};
use tokio::runtime::Handle;

use self::cache::Cache;
pub use self::ending::EndReason;
use self::history::{Ending, History, Step};
pub use self::policy::VaultPolicy;
use self::record::Record;
use self::refresh::Flights;
use self::seal::Records;
pub use self::session::{CognitoTokens, Session, User};
use crate::keys::KeyRing;
use crate::metrics::VaultMetrics;
use crate::provider::IdentityProvider;
use crate::store::{Store, StoreDown, names};
use crate::terms::SessionId;

mod cache;
mod ending;
pub mod history;
pub mod index;
mod policy;
mod record;
mod refresh;
mod seal;
mod session;
mod turn;

#[cfg(test)]
mod tests;

/// A token with this many seconds left or fewer is not handed out any more: it would end on the way.
const LAST_SECONDS: u64 = 5;
/// How long the listener waits before it subscribes again.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(1);

/// Why the vault hands out no session.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No such session: it never was, has expired, or was revoked. The client signs in again.
    #[error("no such session")]
    Gone,
    /// Cognito ended the sign-in (`invalid_grant`), or came back with another subject. The client signs in again.
    #[error("session ended at cognito")]
    Ended,
    /// The store, Cognito or its keys do not answer and nothing held is still valid. Nothing was lost.
    #[error("{part} unavailable")]
    Unavailable {
        /// `store`, `cognito`, `keys`, `seal` or `lock`: what did not answer.
        part: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VaultError {
    fn unavailable(part: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { part, source: source.into() }
    }
}

impl From<StoreDown> for VaultError {
    fn from(down: StoreDown) -> Self {
        Self::unavailable("store", down)
    }
}

/// How often a stop looks whether refreshes are still under way.
const LANDING_LOOK: Duration = Duration::from_millis(20);

/// The vault. Shared by every request of the process; other processes share the store under it.
pub struct Vault {
    store: Arc<dyn Store>,
    records: Records,
    history: History,
    provider: Arc<dyn IdentityProvider>,
    verifier: Arc<cognito::Verifier>,
    clock: Arc<dyn Clock>,
    policy: VaultPolicy,
    cache: Cache,
    flights: Flights,
    metrics: VaultMetrics,
    /// Where refreshes run: they must outlive the request, and the serving thread, that began them.
    runtime: Handle,
}

impl Vault {
    /// A vault over `store`, sealed with `keys`. Refreshes run on the runtime this is called on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(
        store: Arc<dyn Store>,
        keys: Arc<KeyRing>,
        provider: Arc<dyn IdentityProvider>,
        verifier: Arc<cognito::Verifier>,
        clock: Arc<dyn Clock>,
        policy: VaultPolicy,
        metrics: VaultMetrics,
    ) -> Arc<Self> {
        let history = History::new(Arc::clone(&store), Arc::clone(&keys), policy.remember_for);
        let records = Records::new(Arc::clone(&store), keys, Arc::clone(&clock), &policy);
        let cache = Cache::new(&policy, Arc::clone(&clock));
        let flights = Flights::default();
        let runtime = Handle::current();
        Arc::new(Self {
            store,
            records,
            history,
            provider,
            verifier,
            clock,
            policy,
            cache,
            flights,
            metrics,
            runtime,
        })
    }

    /// Stores a new session whose tokens the caller has verified. It lives for `pending_for` until [`Vault::keep`].
    ///
    /// # Errors
    /// [`VaultError::Unavailable`] when the store does not answer.
    pub async fn create(&self, session: &Session) -> Result<(), VaultError> {
        let now = self.clock.unix();
        let ttl = self.policy.pending_for.min(session.time_left(now));
        let blob = self.records.seal(&Record::new(session.clone()));
        self.store.put(&names::session(session.sid.as_str()), blob, ttl).await?;
        self.history.note(session, Step::SignedIn, now).await;
        Ok(())
    }

    /// Lets a session live until its end: its code was redeemed.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when it was ended or nobody redeemed its code in time; [`VaultError::Unavailable`].
    pub async fn keep(&self, sid: &SessionId) -> Result<(), VaultError> {
        let session = self.open(sid).await?;
        let now = self.clock.unix();
        let ttl = session.time_left(now);
        self.enter(&session, ttl).await?;
        if !self.store.expire(&names::session(sid.as_str()), ttl).await? {
            return Err(VaultError::Gone);
        }
        self.metrics.opened.inc();
        self.history.note(&session, Step::Redeemed, now).await;
        Ok(())
    }

    /// The session as it is stored: always asks the store, never Cognito, and may return expired tokens.
    ///
    /// # Errors
    /// [`VaultError::Gone`] and [`VaultError::Unavailable`].
    pub async fn open(&self, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        let found = self.records.read(sid).await?.ok_or(VaultError::Gone)?;
        Ok(Arc::new(found.record.session))
    }

    /// The session with tokens that can be used now: at least `refresh_before` is left on both, or they have just been
    /// refreshed. When they cannot be (Cognito, its keys or the store do not answer), what is held is handed out as
    /// long as it is valid.
    ///
    /// Whoever gives up waiting stops nothing: the refresh goes on for the others.
    ///
    /// # Errors
    /// [`VaultError::Gone`] and [`VaultError::Ended`]: sign in again. [`VaultError::Unavailable`]: try again.
    pub async fn fresh(self: &Arc<Self>, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        let started = Instant::now();
        let held = self.cache.session(sid);
        let cached = held.is_some();
        let found = match held {
            Some(held) => self.held(sid, held).await,
            None => self.opened(sid).await,
        };
        self.metrics.looked(cached, started.elapsed());
        found
    }

    /// [`Vault::fresh`] for a session that is in the cache.
    async fn held(self: &Arc<Self>, sid: &SessionId, held: Arc<Session>) -> Result<Arc<Session>, VaultError> {
        let left = held.seconds_left(self.clock.unix());
        if left >= self.policy.refresh_before.as_secs() || (left > LAST_SECONDS && self.cache.rests(sid)) {
            return Ok(held);
        }
        if left <= LAST_SECONDS {
            return self.awaited(sid).await;
        }
        // A slow Cognito must not slow down requests whose tokens are good for a while.
        match tokio::time::timeout(self.policy.patience, self.flight(sid)).await {
            Err(_) => {
                // The next requests need not find out anew how slow it is.
                self.cache.rest(sid);
                Ok(held)
            }
            Ok(Err(VaultError::Unavailable { .. })) => Ok(held),
            Ok(answer) => answer,
        }
    }

    /// [`Vault::fresh`] for a session that is not in the cache. What is found there may be used while it is refreshed, and
    /// is put there before that begins.
    async fn opened(self: &Arc<Self>, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        if let Ok(answer) = tokio::time::timeout(self.policy.patience, self.flight(sid)).await {
            return answer;
        }
        let held = match self.cache.session(sid) {
            Some(held) => Some(held),
            // A refresh may be tried to be stored for longer than is remembered what was opened before.
            None => self.stored(sid).await,
        };
        match held.filter(|held| held.seconds_left(self.clock.unix()) > LAST_SECONDS) {
            Some(held) => {
                self.cache.rest(sid);
                Ok(held)
            }
            None => self.awaited(sid).await,
        }
    }

    /// The session as it is stored, if it can be used.
    async fn stored(&self, sid: &SessionId) -> Option<Arc<Session>> {
        let found = self.records.read(sid).await.ok()??;
        self.adopt(found).await.ok()
    }

    /// A flight by somebody who has nothing else, but not for as long as a refreshed session is tried to be stored.
    async fn awaited(self: &Arc<Self>, sid: &SessionId) -> Result<Arc<Session>, VaultError> {
        let long_enough = self.policy.wait_for + self.policy.patience;
        match tokio::time::timeout(long_enough, self.flight(sid)).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(VaultError::unavailable("store", elapsed)),
        }
    }

    /// Ends a session: deletes it, tells the other replicas and, without waiting for it, revokes its refresh token at
    /// Cognito. A session that is not there has ended already. Whoever gives up waiting stops nothing: clients revoke and
    /// hang up.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`] when the store does not answer: then the session goes on.
    pub async fn end(self: &Arc<Self>, sid: &SessionId, reason: EndReason) -> Result<(), VaultError> {
        let (vault, sid) = (Arc::clone(self), sid.clone());
        let ended = self.runtime.spawn(async move {
            let blob = vault.store.take(&names::session(sid.as_str())).await?;
            let Some(blob) = blob else {
                vault.forget(&sid).await;
                return Ok(());
            };
            let found = vault.records.open(&sid, blob).ok();
            let session = found.map(|found| found.record.session);
            vault.revoke(session.as_ref().and_then(|session| session.tokens.refresh.clone()));
            vault.ended(&sid, session.as_ref(), reason, None).await;
            Ok(())
        });
        ended.await.unwrap_or_else(|error| Err(VaultError::unavailable("store", error)))
    }

    /// Waits for the refreshes under way, also while the store is away: what Cognito has answered must be stored before the
    /// process ends. At most as long as a refresh that has just begun may take, see [`VaultPolicy`].
    pub async fn landed(&self) {
        let under_way = async {
            while !self.flights.are_down() {
                tokio::time::sleep(LANDING_LOOK).await;
            }
        };
        if tokio::time::timeout(self.policy.landing_for(), under_way).await.is_err() {
            tracing::warn!("a refresh was still under way when the process ended");
        }
    }

    /// Forgets sessions that other replicas end, until `shutdown`.
    pub async fn listen(self: Arc<Self>, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.wait() => {}
            () = self.hear() => {}
        }
    }

    async fn hear(&self) {
        loop {
            match self.store.subscribe(names::ENDED).await {
                Ok(mut ended) => {
                    while let Some(message) = ended.next().await {
                        if let Some(sid) =
                            std::str::from_utf8(&message).ok().and_then(|sid| SessionId::parse(sid).ok())
                        {
                            self.cache.forget(&sid);
                        }
                    }
                }
                Err(down) => tracing::warn!(error = %down.source, "cannot hear of ended sessions"),
            }
            tokio::time::sleep(RESUBSCRIBE_AFTER).await;
        }
    }

    /// What is to be done when a session has ended: its record has just been deleted, by us and nobody else. `said` is what
    /// Cognito said of it.
    async fn ended(
        &self,
        sid: &SessionId,
        session: Option<&Session>,
        reason: EndReason,
        said: Option<String>,
    ) {
        tracing::info!(%sid, reason = reason.as_str(), cognito = said.as_deref(), "session ended");
        self.metrics.ended(reason);
        // First of all nobody shall use it any more.
        self.forget(sid).await;
        let ending = Ending { at: self.clock.unix(), reason, said };
        self.history.ended(sid, session, &ending).await;
    }

    /// Drops a session that is no longer stored, here and in the other replicas.
    async fn forget(&self, sid: &SessionId) {
        self.cache.forget(sid);
        if let Err(down) =
            self.store.publish(names::ENDED, Bytes::copy_from_slice(sid.as_str().as_bytes())).await
        {
            // The others look at the store again after `cache_for`.
            tracing::warn!(%sid, error = %down.source, "other replicas were not told of an ended session");
        }
    }

    /// Revokes at Cognito, on its own time: nobody waits, and a failure changes nothing here.
    fn revoke(&self, refresh: Option<Secret>) {
        let Some(refresh) = refresh else { return };
        let (provider, deadline) = (Arc::clone(&self.provider), self.policy.ask_for);
        self.runtime.spawn(async move {
            match tokio::time::timeout(deadline, provider.revoke(&refresh)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "refresh token was not revoked at cognito"),
                Err(_) => tracing::warn!("cognito did not answer a revocation"),
            }
        });
    }
}
