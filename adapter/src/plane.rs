//! The Plane REST client: one way to ask Plane something as exactly the caller.
//!
//! A request takes a place in the caller's [`budget`], carries the caller's credential (the ID token to the public
//! address, where the reverse proxy turns it into an identity; or the API key, never both), reuses the caller's
//! session, and comes back as a typed [shape](shapes) or a [`PlaneError`].

mod answers;
pub mod budget;
pub mod error;
pub mod path;
mod session;
pub mod shapes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use moka::future::Cache;
use serde::de::DeserializeOwned;
use service::{Clock, Secret};
use url::Url;

pub use error::PlaneError;

use answers::{Answers, Question};
use path::{Path, Slug};
use session::Session;

use crate::caller::{Account, Caller, Credential};
use crate::config;
use crate::metrics::Metrics;

/// Longest answer read from Plane; a longer one is an error, not a truncated list.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Longest time a request waits for its place in the budget before the caller is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Callers remembered at once; a forgotten one costs Plane one more session.
const ACCOUNTS: u64 = 10_000;
/// Plane's sessions last seven days; unused ones are forgotten long before.
const SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);
/// How long a list of project names is believed.
const NAMES_FRESH: Duration = Duration::from_secs(60);

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is remembered between requests, shared by all threads; every entry belongs to one account.
#[derive(Debug)]
pub struct Memory {
    sessions: Cache<Account, Arc<Session>>,
    budgets: Cache<Account, Arc<budget::Budget>>,
    /// What a budget is: `plane.requests_per_minute`, which can change.
    per_minute: AtomicU32,
    answers: Answers,
}

/// The client. One a thread (connections belong to a runtime), all over one [`Memory`].
#[derive(Debug)]
pub struct Plane {
    http: reqwest::Client,
    settings: Arc<config::Plane>,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Memory {
    /// An empty memory, which lets every caller send `per_minute` requests a minute.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: AtomicU32::new(per_minute),
            sessions: Cache::builder().max_capacity(ACCOUNTS).time_to_idle(SESSION_IDLE).build(),
            budgets: Cache::builder().max_capacity(ACCOUNTS).time_to_idle(2 * NAMES_FRESH).build(),
            answers: Answers::new(),
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
    /// A client with its own connections.
    ///
    /// # Errors
    /// The TLS set-up is refused, for example by an unusable `plane.ca_file`.
    pub fn new(
        settings: Arc<config::Plane>,
        memory: Arc<Memory>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, reqwest::Error> {
        let http = config::http_client(&settings.trust, settings.timeout)?;
        Ok(Self { http, settings, memory, clock, metrics })
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
        let session = match &caller.credential {
            Credential::Identity(_) => self.session(account).await.id(),
            Credential::ApiKey(_) => 0,
        };
        let question = Question { account, session, path: path.clone() };
        let ask = async {
            let started = Instant::now();
            let result = self.ask_within_budget(caller, &path).await;
            let outcome = result.as_ref().map_or_else(PlaneError::reason, |_| "ok");
            self.metrics.plane_request(outcome, started.elapsed());
            result.inspect_err(|error| {
                tracing::debug!(
                    request.id = caller.request_id,
                    outcome,
                    error = error as &dyn std::error::Error
                );
            })
        };
        let body = self.memory.answers.answer(question, keep, &*self.clock, ask).await?;
        serde_json::from_slice(&body).map_err(|error| PlaneError::Unexpected(shape_of(&error)))
    }

    /// The projects `caller` can see in a workspace, by name only, remembered for a minute.
    ///
    /// # Errors
    /// See [`PlaneError`].
    pub async fn project_names(
        &self,
        caller: &Caller,
        slug: &Slug,
    ) -> Result<Vec<shapes::Project>, PlaneError> {
        // 1000 is the longest page Plane gives; no workspace of a team has more projects.
        let path = Path::workspace(slug)
            .literal("projects/")
            .query("per_page", "1000")
            .query("fields", "id,identifier,name,is_member");
        let page: shapes::Page<shapes::Project> = self.ask_kept(caller, path, NAMES_FRESH).await?;
        Ok(page.results)
    }

    async fn session(&self, account: Account) -> Arc<Session> {
        self.memory.sessions.get_with(account, async { Arc::new(Session::new()) }).await
    }

    /// Sends the request, waiting for the budget; a 429 is waited out once when that is short.
    async fn ask_within_budget(&self, caller: &Caller, path: &str) -> Result<Vec<u8>, PlaneError> {
        let account = caller.credential.account();
        let budget = self.memory.budgets.get_with(account, async { Arc::default() }).await;
        for last in [false, true] {
            self.wait_for(&budget).await?;
            match self.ask_as(caller, account, path, &budget).await {
                Err(PlaneError::RateLimited { retry_after }) if !last && retry_after <= PATIENCE => {}
                answer => return answer,
            }
        }
        Err(PlaneError::RateLimited { retry_after: PATIENCE })
    }

    async fn wait_for(&self, budget: &budget::Budget) -> Result<(), PlaneError> {
        let patience = tokio::time::Instant::now() + PATIENCE;
        while let Err(wait) = budget.take(self.memory.per_minute(), self.clock.now()) {
            if tokio::time::Instant::now() + wait > patience {
                return Err(PlaneError::RateLimited { retry_after: wait });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn ask_as(
        &self,
        caller: &Caller,
        account: Account,
        path: &str,
        budget: &budget::Budget,
    ) -> Result<Vec<u8>, PlaneError> {
        match &caller.credential {
            Credential::ApiKey(key) => {
                let base = self.settings.api_url.as_ref().unwrap_or(&self.settings.base_url);
                let headers = HeaderMap::from_iter([(API_KEY, secret_value("", key)?)]);
                let answer = self.send(caller, base, path, headers).await?;
                self.note_limits(&answer, budget);
                read(answer, Mode::ApiKey).await
            }
            Credential::Identity(user) => {
                let session = self.session(account).await;
                let bearer = secret_value("Bearer ", &user.id_token)?;
                self.ask_in_session(caller, path, &bearer, &session, budget).await
            }
        }
    }

    /// In identity mode: with the session's cookies where there are some. A 401 to a request that carried a session
    /// may be the session's end and not the user's: once more without it.
    async fn ask_in_session(
        &self,
        caller: &Caller,
        path: &str,
        bearer: &HeaderValue,
        session: &Session,
        budget: &budget::Budget,
    ) -> Result<Vec<u8>, PlaneError> {
        let mut last = false;
        loop {
            let opening = session.open().await;
            let sent = session.header();
            let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.clone())]);
            if let Some(cookies) = sent.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(COOKIE, sensitive(cookies));
            }
            let answer = self.send(caller, &self.settings.base_url, path, headers).await?;
            self.note_limits(&answer, budget);
            match (answer.status(), &sent) {
                (StatusCode::UNAUTHORIZED, Some(sent)) => {
                    session.forget(sent);
                    if !last {
                        last = true;
                        continue;
                    }
                }
                (status, _) if status.is_success() || status.is_client_error() => {
                    session.store(answer.headers())
                }
                _ => {}
            }
            // The next request of this user may go on as soon as the cookies are known.
            drop(opening);
            return read(answer, Mode::Identity).await;
        }
    }

    /// Forgets the session of an account that turned out to be somebody else's, and with it what was answered in it.
    pub async fn forget_session(&self, caller: &Caller) {
        self.memory.sessions.invalidate(&caller.credential.account()).await;
    }

    async fn send(
        &self,
        caller: &Caller,
        base: &Url,
        path: &str,
        mut headers: HeaderMap,
    ) -> Result<reqwest::Response, PlaneError> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(&caller.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        let address = format!("{}{path}", base.as_str().trim_end_matches('/'));
        Ok(self.http.get(address).headers(headers).send().await?)
    }

    fn note_limits(&self, answer: &reqwest::Response, budget: &budget::Budget) {
        let now = self.clock.now();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            budget.closed(retry_after(answer.headers()), now);
        } else if let Some(left) = number(answer.headers(), &REMAINING) {
            budget.told(u32::try_from(left).unwrap_or(u32::MAX), now);
        }
    }
}

/// Whose refusals a status means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Identity,
    ApiKey,
}

/// Reads the body up to the limit and sorts the statuses (facts of Plane's API: a bad key is a 403, too).
async fn read(mut answer: reqwest::Response, mode: Mode) -> Result<Vec<u8>, PlaneError> {
    let status = answer.status();
    let retry = retry_after(answer.headers());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(PlaneError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::TOO_MANY_REQUESTS => Err(PlaneError::RateLimited { retry_after: retry }),
        StatusCode::UNAUTHORIZED if mode == Mode::ApiKey => Err(PlaneError::KeyRefused),
        StatusCode::UNAUTHORIZED => Err(PlaneError::IdentityRefused(status)),
        StatusCode::FORBIDDEN => Err(forbidden(&body, status)),
        StatusCode::NOT_FOUND => Err(PlaneError::NotFound),
        StatusCode::BAD_REQUEST => Err(PlaneError::BadRequest(said(&body).unwrap_or_default())),
        // A sign-in page, when a reverse proxy did not take the token.
        status if status.is_redirection() && mode == Mode::Identity => {
            Err(PlaneError::IdentityRefused(status))
        }
        status if status.is_server_error() => Err(PlaneError::Unavailable(status)),
        status => Err(PlaneError::Unexpected(format!("status {}", status.as_u16()))),
    }
}

fn forbidden(body: &[u8], status: StatusCode) -> PlaneError {
    match said(body) {
        Some(text) if text.to_ascii_lowercase().contains("api token is not valid") => PlaneError::KeyRefused,
        Some(_) => PlaneError::Forbidden,
        // Not Plane's JSON, so the reverse proxy refused.
        None => PlaneError::IdentityRefused(status),
    }
}

/// Plane's own words: `detail` of the framework's errors, `error` of hand-written ones.
fn said(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = body.get("detail").or_else(|| body.get("error"))?.as_str()?;
    Some(text.chars().take(200).collect())
}

/// `Retry-After` in seconds, between one second and an hour; ten seconds when Plane does not say.
fn retry_after(headers: &HeaderMap) -> Duration {
    Duration::from_secs(number(headers, &RETRY_AFTER).unwrap_or(10).clamp(1, 3600))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn secret_value(prefix: &str, secret: &Secret) -> Result<HeaderValue, PlaneError> {
    // The front admits only visible ASCII, which every header value may hold.
    HeaderValue::from_str(&format!("{prefix}{}", secret.expose()))
        .map(sensitive)
        .map_err(|_| PlaneError::Unexpected("credential is no header value".to_owned()))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Where an answer had another shape, without its content.
fn shape_of(error: &serde_json::Error) -> String {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}
