//! The Plane double: Plane Community Edition's REST API over a small sample workspace, in process, on loopback.
//!
//! Two doors lead to the same Plane. [`PlaneDouble::url`] is Plane itself. [`PlaneDouble::front_url`] is the team's Traefik with
//! oauth2-proxy before it: it wants a Cognito token as bearer and tells Plane who that is in `X-Auth-Request-*`.
//!
//! | part | job |
//! |---|---|
//! | `server`, `front` | the two listeners; the front's token check |
//! | `api` | one request in Django's order: route, middleware, authenticate, permit, throttle, method, view |
//! | `route`, `access`, `throttle` | what is asked for; who asks and may they; how often |
//! | `projects`, `work_items`, `account` | the views of `/api/v1` and of the caller's own things |
//! | `app` | the web application's lists with their filters, orders and searches |
//! | `pages`, `rows` | the paging envelope; `fields`, `expand`, `order_by` |
//! | `world`, `seed` | users, workspaces, projects; their start values, from the captures in `tests/fixtures/plane` |
//! | `company` | more of everything, for tests that ask what a project manager asks |
//!
//! Only reading is played (and minting API tokens): every other method on `/api/v1` is 405.

mod access;
mod account;
mod answer;
mod api;
mod app;
pub mod company;
mod front;
mod pages;
mod projects;
mod route;
mod rows;
mod seed;
mod server;
mod throttle;
mod work_items;
mod world;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod front_tests;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use service::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use server::{Door, Shared};
pub use world::Role;

/// Which requests Plane takes as signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaneAuth {
    /// As published: `/api/v1` takes only `X-Api-Key`, the app API only the session cookie.
    Stock,
    /// As published, behind a proxy that signs in: identity headers of the front sign in (a session row each time no cookie comes
    /// along) on the app API, while `/api/v1` still takes only `X-Api-Key`.
    Keyed,
    /// As the team runs it: identity headers of the front sign in (a session row each time no cookie comes along), and
    /// `/api/v1` takes that session too.
    #[default]
    Fork,
}

/// What the sample workspace holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sample {
    /// What the captures show, and no more: workspace `acme` with 25 work items in ENG and one each in MKT and SEC.
    #[default]
    Captured,
    /// That, and a company at work in it: see the table at [`company`].
    Company,
}

/// How the front checks a bearer token; the names are those of oauth2-proxy's settings.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// Where the issuer's keys are (JWK set), fetched on first use and again on an unknown key id.
    pub jwks_url: String,
    /// The only accepted `iss`.
    pub issuer: String,
    /// The accepted audience: the app client's id.
    pub audience: String,
    /// The first of these claims that is in the token must hold the audience. Default `aud`; with `client_id` added, access tokens
    /// pass too, as a user named by their `sub`.
    pub audience_claims: Vec<String>,
}

impl FrontOptions {
    /// The default check: `aud` must hold `audience`.
    pub fn new(jwks_url: impl Into<String>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            jwks_url: jwks_url.into(),
            issuer: issuer.into(),
            audience: audience.into(),
            audience_claims: vec!["aud".to_owned()],
        }
    }
}

/// How the double behaves.
#[derive(Clone, Debug)]
pub struct PlaneOptions {
    /// Which requests are signed in.
    pub auth: PlaneAuth,
    /// What there is to see.
    pub sample: Sample,
    /// Appended to an asserted user name without `@` (`DEFAULT_EMAIL_DOMAIN`).
    pub email_domain: String,
    /// Requests an API key may make in a minute, across all endpoints.
    pub requests_per_minute: usize,
    /// Time for rate limit, key expiry and the front's `exp` check.
    pub clock: Arc<dyn Clock>,
    /// The front's token check; without it the front lets nobody in.
    pub front: Option<FrontOptions>,
    /// Where Plane itself listens; port 0 is any free one.
    pub address: SocketAddr,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self {
            auth: PlaneAuth::default(),
            sample: Sample::default(),
            email_domain: "example.com".to_owned(),
            requests_per_minute: 60,
            clock: Arc::new(SystemClock),
            front: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query without `?`; empty when there is none.
    pub query: String,
    /// Every header, repeated ones included.
    pub headers: HeaderMap,
    /// E-mail address of the user Plane took it for (in [`PlaneDouble::front_requests`]: what the front asserted); none when it
    /// was refused as not signed in.
    pub user: Option<String>,
    /// Whether it came through the front.
    pub via_front: bool,
}

/// A failure played once, in place of (or before) the next answer of Plane.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answer this status: Plane's own body for it, an HTML page for 502 to 504, as a gateway sends.
    Status(u16),
    /// Answer after this time.
    Delay(Duration),
    /// Never answer.
    Hang,
    /// Close the connection without an answer.
    Disconnect,
}

/// A running Plane and its front; dropping it stops both.
#[derive(Debug)]
pub struct PlaneDouble {
    shared: Arc<Shared>,
    url: String,
    front_url: String,
    tasks: Vec<JoinHandle<()>>,
}

impl PlaneDouble {
    /// Starts both listeners on the current runtime, the front's on a free loopback port.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(options: PlaneOptions) -> io::Result<Self> {
        let plane = TcpListener::bind(options.address).await?;
        let shared = Arc::new(Shared::new(options));
        let front = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", plane.local_addr()?);
        let front_url = format!("http://{}", front.local_addr()?);
        let tasks = vec![
            tokio::spawn(server::serve(plane, Door::Plane, Arc::clone(&shared))),
            tokio::spawn(server::serve(front, Door::Front, Arc::clone(&shared))),
        ];
        Ok(Self { shared, url, front_url, tasks })
    }

    /// Plane itself: `http://127.0.0.1:<port>`, no trailing slash.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Traefik with oauth2-proxy before Plane: `http://127.0.0.1:<port>`, no trailing slash.
    pub fn front_url(&self) -> String {
        self.front_url.clone()
    }

    /// Every request that reached Plane since the start or [`reset`](Self::reset), oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.state().seen.clone()
    }

    /// Every request that reached the front, refused ones included, oldest first, before anything was stripped.
    pub fn front_requests(&self) -> Vec<SeenRequest> {
        self.shared.state().seen_by_front.clone()
    }

    /// E-mail addresses of the users Plane has served, each once, in order of appearance.
    pub fn users_seen(&self) -> Vec<String> {
        let mut users = Vec::new();
        for user in self.shared.state().seen.iter().filter_map(|request| request.user.clone()) {
            if !users.contains(&user) {
                users.push(user);
            }
        }
        users
    }

    /// How many session rows sign-in by identity header has inserted.
    pub fn sessions_created(&self) -> usize {
        self.shared.state().sessions_created
    }

    /// The id of the project with this identifier, such as `ENG`.
    pub fn project_id(&self, identifier: &str) -> Option<String> {
        self.shared.state().world.project_named(identifier).map(|project| project.id().to_owned())
    }

    /// The id of the work item with this name, such as `ENG-1`.
    pub fn work_item_id(&self, name: &str) -> Option<String> {
        self.shared.state().world.work_item_named(name).map(|item| world::text(item, "id").to_owned())
    }

    /// Makes sure the user exists and returns its id. `name` is an e-mail address or the part before the `@`; a new user is a
    /// member of the workspace `acme` and of no project.
    pub fn add_user(&self, name: &str) -> String {
        let email = access::email(name, &self.shared.options.email_domain);
        self.shared.state().world.user_or_new(&email, self.shared.options.clock.unix())
    }

    /// Makes `user` (added when missing) a member of the project with this identifier, such as `ENG`. Returns whether there is one.
    pub fn join_project(&self, user: &str, identifier: &str, role: Role) -> bool {
        let user = self.add_user(user);
        self.shared.state().world.join_project(&user, identifier, role)
    }

    /// Switches the user's account off: keys and identity headers no longer sign in.
    pub fn deactivate(&self, user: &str) {
        let user = self.add_user(user);
        self.shared.state().world.deactivate(&user);
    }

    /// A new API key of `user` (added when missing), without expiry.
    pub fn api_key_for(&self, user: &str) -> String {
        let user = self.add_user(user);
        self.shared.state().world.mint_key(&user, "test", "", None, self.shared.options.clock.unix()).token
    }

    /// How many API keys the user has.
    pub fn api_keys_of(&self, user: &str) -> usize {
        let user = self.add_user(user);
        self.shared.state().world.keys.iter().filter(|key| key.user == user).count()
    }

    /// Deletes the user's API keys: from now on they are not valid (403).
    pub fn revoke_api_keys(&self, user: &str) {
        let user = self.add_user(user);
        self.shared.state().world.keys.retain(|key| key.user != user);
    }

    /// Signs `user` in as a browser would and returns the value of the `session-id` cookie.
    pub fn session_for(&self, user: &str) -> String {
        let user = self.add_user(user);
        self.shared.state().world.sign_in(&user)
    }

    /// Ends every session of every user.
    pub fn end_sessions(&self) {
        self.shared.state().world.sessions.clear();
    }

    /// The next `times` requests are answered with this status.
    pub fn fail_next(&self, times: usize, status: u16) {
        for _ in 0..times {
            self.fault_next(Fault::Status(status));
        }
    }

    /// Queues one fault for the next request that reaches Plane; several apply in order, one a request.
    pub fn fault_next(&self, fault: Fault) {
        self.shared.state().faults.push_back(fault);
    }

    /// Forgets requests, faults, sessions and rate limit; keeps users and API keys.
    pub fn reset(&self) {
        self.shared.state().reset();
    }
}

impl Drop for PlaneDouble {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
