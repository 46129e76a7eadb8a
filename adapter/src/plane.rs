//! The Plane REST client: one way to ask Plane something as exactly the caller.
//!
//! | part | job |
//! |---|---|
//! | [`path`], [`shapes`] | what is asked for, and what comes back |
//! | `answers` | parallel identical requests are one; names are kept for a while |
//! | [`budget`] | each caller stays within Plane's rate limit |
//! | `signed_in`, `session`, `access` | a signed-in user: one session, at the public address |
//! | `keys` | where `/api/v1` takes no sessions: a key of the user's own |
//! | `exchange` | one request: the credential's address and headers, the limit, the statuses |
//!
//! Everything remembered belongs to one account; an ID token and an API key never travel together.

mod access;
mod answers;
pub mod budget;
pub mod error;
mod exchange;
mod keys;
pub mod path;
mod session;
pub mod shapes;
mod signed_in;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use moka::future::Cache;
use serde::de::DeserializeOwned;
use service::Clock;
use tokio::runtime::Handle;

pub use error::PlaneError;

use access::Access;
use answers::{Answers, Question};
use budget::{Budget, Lane};
use exchange::{Proof, Request, parsed};
use keys::Ring;
use path::{Path, Slug};
use session::Session;
use signed_in::Visit;

use crate::caller::{Account, Caller, Credential};
use crate::config;
use crate::metrics::Metrics;

/// Where paths of the public REST API begin.
const V1: &str = "/api/v1/";
/// Longest time a request waits for its place in the budget before the caller is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Callers remembered at once; a forgotten one costs Plane one more session.
const ACCOUNTS: u64 = 10_000;
/// Plane's sessions last seven days; unused ones are forgotten long before.
const SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);
/// Twice the minute a budget looks back on.
const BUDGET_IDLE: Duration = Duration::from_secs(120);

/// What is remembered between requests, shared by all threads; every entry belongs to one account.
#[derive(Debug)]
pub struct Memory {
    sessions: Cache<Account, Arc<Session>>,
    budgets: Cache<(Account, Lane), Arc<Budget>>,
    /// What a budget is: `plane.requests_per_minute`, which can change.
    per_minute: AtomicU32,
    answers: Answers,
    access: Access,
    keys: Ring,
}

/// The client. One a thread (connections belong to a runtime), all over one memory.
#[derive(Clone, Debug)]
pub struct Plane {
    http: reqwest::Client,
    settings: Arc<config::Plane>,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    home: Home,
}

/// Where work goes on that must not end with the request, or the thread, that began it.
#[derive(Clone, Debug)]
struct Home {
    runtime: Handle,
    http: reqwest::Client,
}

impl Memory {
    /// An empty memory, which lets every caller send `per_minute` requests a minute.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: AtomicU32::new(per_minute),
            sessions: Cache::builder().max_capacity(ACCOUNTS).time_to_idle(SESSION_IDLE).build(),
            budgets: Cache::builder().max_capacity(2 * ACCOUNTS).time_to_idle(BUDGET_IDLE).build(),
            answers: Answers::new(),
            access: Access::default(),
            keys: Ring::default(),
        }
    }

    /// Lets every caller send `per_minute` requests a minute from now on.
    pub fn set_per_minute(&self, per_minute: u32) {
        self.per_minute.store(per_minute, Ordering::Relaxed);
    }

    fn per_minute(&self) -> u32 {
        self.per_minute.load(Ordering::Relaxed)
    }
}

impl Plane {
    /// The first client over `memory`. Work that outlives requests runs on the runtime of this call.
    ///
    /// # Errors
    /// The TLS set-up is refused, for example by an unusable `plane.ca_file`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(
        settings: Arc<config::Plane>,
        memory: Arc<Memory>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, reqwest::Error> {
        let http = config::http_client(&settings.trust, settings.timeout)?;
        let home = Home { runtime: Handle::current(), http: http.clone() };
        Ok(Self { http, settings, memory, clock, metrics, home })
    }

    /// The same client with connections of its own, for another thread.
    ///
    /// # Errors
    /// As [`Plane::new`].
    pub fn with_own_connections(&self) -> Result<Self, reqwest::Error> {
        let http = config::http_client(&self.settings.trust, self.settings.timeout)?;
        Ok(Self { http, ..self.clone() })
    }

    /// The same client with the connections that last.
    fn at_home(&self) -> Self {
        Self { http: self.home.http.clone(), ..self.clone() }
    }

    /// The workspace meant when nobody names one.
    pub fn default_workspace(&self) -> Option<&Slug> {
        self.settings.workspace.as_ref()
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Asks Plane as `caller` and reads the answer as `T`. Parallel calls of the same caller for the same share one
    /// request.
    ///
    /// # Errors
    /// See [`PlaneError`].
    pub async fn ask<T: DeserializeOwned>(&self, caller: &Caller, path: Path) -> Result<T, PlaneError> {
        self.ask_kept(caller, path, Duration::ZERO).await
    }

    /// [`Plane::ask`], with an answer that may be up to `keep` old: for names and lists that change rarely. What is kept
    /// belongs to this caller alone.
    ///
    /// # Errors
    /// See [`PlaneError`].
    pub async fn ask_kept<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        path: Path,
        keep: Duration,
    ) -> Result<T, PlaneError> {
        let path = path.into_text();
        let account = caller.credential.account();
        let visit = match &caller.credential {
            Credential::ApiKey(_) => None,
            Credential::Identity(identity) => {
                self.memory.keys.note(account, identity, self.clock.now());
                let session = self.session(account).await;
                let (identity, origin) = (identity.clone(), caller.origin.clone());
                Some(Visit { account, identity, session, origin })
            }
        };
        let session = visit.as_ref().map_or(0, |visit| visit.session.id());
        let question = Question { account, session, path: path.clone() };
        let asked = AtomicBool::new(false);
        let ask = async {
            asked.store(true, Ordering::Relaxed);
            let under_way = self.metrics.plane_request();
            let result = self.ask_patiently(caller, visit.as_ref(), &path).await;
            let outcome = result.as_ref().map_or_else(PlaneError::reason, |_| "ok");
            under_way.ended(outcome);
            result.inspect_err(|error| {
                tracing::debug!(
                    request.id = caller.origin.request_id,
                    outcome,
                    error = error as &dyn std::error::Error
                );
            })
        };
        // Boxed: a tool asks for several things, and all of this would be part of each of its futures.
        let body = Box::pin(self.memory.answers.answer(question, keep, &*self.clock, ask)).await;
        if !keep.is_zero() {
            self.metrics.answers.looked(!asked.load(Ordering::Relaxed));
        }
        parsed(&body?)
    }

    async fn session(&self, account: Account) -> Arc<Session> {
        let found = self.memory.sessions.entry(account);
        let found = found.or_insert_with(async { Arc::new(Session::new()) }).await;
        self.metrics.sessions.looked(!found.is_fresh());
        found.into_value()
    }

    /// Asks with the caller's credential; a 429 is waited out once when that is short.
    async fn ask_patiently(
        &self,
        caller: &Caller,
        visit: Option<&Visit>,
        path: &str,
    ) -> Result<Vec<u8>, PlaneError> {
        let mut last = false;
        loop {
            let answer = match (visit, &caller.credential) {
                (Some(visit), _) => self.ask_signed_in(visit, path).await,
                (None, Credential::ApiKey(key)) => {
                    let account = caller.credential.account();
                    let budget = self.take(account, Lane::Key).await?;
                    let request = Request::get(path, &caller.origin);
                    let answer = self.exchange(&request, &Proof::Key(key)).await?;
                    self.note_limits(&answer, &budget);
                    answer.into_body()
                }
                (None, Credential::Identity(_)) => Err(PlaneError::NotSignedIn),
            };
            match answer {
                Err(PlaneError::RateLimited { retry_after }) if !last && retry_after <= PATIENCE => {
                    last = true;
                }
                answer => return answer,
            }
        }
    }

    /// Takes a place in the budget, waiting a little for one.
    async fn take(&self, account: Account, lane: Lane) -> Result<Arc<Budget>, PlaneError> {
        let budget = self.budget(account, lane).await;
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let per_minute = self.memory.per_minute();
            let wait = match budget.take(per_minute, self.clock.now()) {
                Ok(sent) => {
                    self.metrics.budget_used(sent, per_minute);
                    return Ok(budget);
                }
                Err(wait) => wait,
            };
            if tokio::time::Instant::now() + wait > patience {
                self.metrics.budget_refused(lane.as_str());
                return Err(PlaneError::RateLimited { retry_after: wait });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn budget(&self, account: Account, lane: Lane) -> Arc<Budget> {
        self.memory.budgets.get_with((account, lane), async { Arc::default() }).await
    }

    /// Forgets the session of an account that turned out to be somebody else's, and with it what was answered in it.
    pub async fn forget_session(&self, caller: &Caller) {
        let account = caller.credential.account();
        self.forget(account).await;
        self.drop_key(account);
    }

    async fn forget(&self, account: Account) {
        self.memory.sessions.invalidate(&account).await;
    }
}
