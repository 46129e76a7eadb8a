//! One request to Plane, in the order Django takes it.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, Method};
use serde_json::json;

use super::access::{self, Caller, SESSION_COOKIE};
use super::answer::{Answer, Outcome};
use super::route::{App, ProjectPart, Route, WorkspacePart};
use super::rows::{Query, Scope};
use super::seed::capture;
use super::throttle::Throttle;
use super::world::World;
use super::{Fault, PlaneAuth, PlaneOptions, Sample, SeenRequest, account, app, projects, work_items};

/// All that changes while the double runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    throttle: Throttle,
    pub(super) seen: Vec<SeenRequest>,
    pub(super) seen_by_front: Vec<SeenRequest>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) sessions_created: usize,
}

/// A request, its body read.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// The log's record of this request.
    pub(super) fn seen(&self, user: Option<String>, via_front: bool) -> SeenRequest {
        SeenRequest {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            user,
            via_front,
        }
    }
}

/// An answer and the user it was made for.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) answer: Answer,
    pub(super) user: Option<String>,
}

/// What the identity middleware leaves behind.
#[derive(Default)]
struct Session {
    user: Option<String>,
    set_cookie: Option<String>,
}

impl State {
    pub(super) fn new(sample: Sample, now: u64) -> Self {
        Self::with(World::sample(sample, now))
    }

    fn with(world: World) -> Self {
        Self {
            world,
            throttle: Throttle::default(),
            seen: Vec::new(),
            seen_by_front: Vec::new(),
            faults: VecDeque::new(),
            sessions_created: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        let world = World { sessions: Default::default(), ..std::mem::take(&mut self.world) };
        *self = Self::with(world);
    }

    /// Answers one request.
    pub(super) fn serve(&mut self, call: &Call, options: &PlaneOptions) -> Served {
        let Some(route) = Route::of(&call.path) else {
            return self.unrouted(call, options);
        };
        if route == Route::Instance {
            return Served { answer: Answer::ok(capture!("app_instances")), user: None };
        }
        let session = self.middleware(call, options);
        let now = options.clock.unix();
        let sessions_on_v1 = options.auth == PlaneAuth::Fork;
        let caller = self.world.authenticate(&route, &call.headers, session.user, sessions_on_v1, now);
        let user = caller.as_ref().ok().and_then(|caller| self.world.email_of(&caller.user));
        let outcome = caller.and_then(|caller| self.endpoint(&route, call, &caller, options));
        let answer = outcome.unwrap_or_else(|refusal| refusal);
        Served { answer: with_cookie(answer, session.set_cookie), user }
    }

    /// A path that only lacks its slash is redirected, before anybody is signed in; any other is not found, after.
    fn unrouted(&mut self, call: &Call, options: &PlaneOptions) -> Served {
        if !call.path.ends_with('/') && Route::of(&format!("{}/", call.path)).is_some() {
            let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
            return Served { answer: Answer::moved(format!("{}/{query}", call.path)), user: None };
        }
        let session = self.middleware(call, options);
        let user = session.user.and_then(|id| self.world.email_of(&id));
        Served { answer: with_cookie(Answer::no_route(), session.set_cookie), user }
    }

    /// The session of the cookie; where identity headers sign in the asserted identity decides, and a session is opened for it when the cookie's
    /// is not its own.
    fn middleware(&mut self, call: &Call, options: &PlaneOptions) -> Session {
        let cookie = access::session_cookie(&call.headers);
        let signed_in = cookie.as_ref().and_then(|cookie| self.world.sessions.get(cookie)).cloned();
        let signed_in = signed_in.filter(|id| self.world.user(id).is_some_and(|user| user.active));
        let asserted = access::asserted(&call.headers).filter(|_| options.auth != PlaneAuth::Stock);
        let Some(identity) = asserted else {
            return Session { user: signed_in, set_cookie: None };
        };
        let email = access::email(&identity, &options.email_domain);
        let user = self.world.user_or_new(&email, options.clock.unix());
        if signed_in.as_ref() == Some(&user) {
            return Session { user: signed_in, set_cookie: None };
        }
        if let Some(cookie) = cookie {
            self.world.sessions.remove(&cookie);
        }
        if !self.world.user(&user).is_some_and(|user| user.active) {
            return Session::default();
        }
        self.sessions_created += 1;
        let cookie = self.world.sign_in(&user);
        Session { user: Some(user), set_cookie: Some(cookie) }
    }

    /// Permission, rate limit, method, view: the order in which they refuse.
    fn endpoint(&mut self, route: &Route, call: &Call, caller: &Caller, options: &PlaneOptions) -> Outcome {
        self.world.permit(route, &caller.user)?;
        let now = options.clock.unix();
        let left = match &caller.key {
            Some(key) if !unlimited(route) => {
                Some(self.throttle.admit(key, options.requests_per_minute, now).map_err(Answer::throttled)?)
            }
            _ => None,
        };
        let answer = match route {
            Route::App(app) => self.app(app, call, caller, now),
            _ if call.method != Method::GET => Err(Answer::no_method(&call.method)),
            _ => self.view(route, call, caller),
        };
        let answer = answer.unwrap_or_else(|refusal| refusal);
        Ok(match left {
            None => answer,
            Some(left) => answer
                .with(HeaderName::from_static("x-ratelimit-remaining"), left.to_string())
                .with(HeaderName::from_static("x-ratelimit-reset"), (now + 60).to_string()),
        })
    }

    fn app(&mut self, app: &App, call: &Call, caller: &Caller, now: u64) -> Outcome {
        match (app, &call.method) {
            (App::Me, &Method::GET) => account::me_in_app(&self.world, &caller.user),
            (App::Workspaces, &Method::GET) => account::workspaces(&self.world, &caller.user),
            (App::ApiTokens, &Method::GET) => account::tokens(&self.world, &caller.user),
            (App::ApiTokens, &Method::POST) => account::mint(&mut self.world, &caller.user, &call.body, now),
            (App::ApiToken(id), &Method::GET) => account::token(&self.world, &caller.user, id),
            (App::ApiToken(id), &Method::DELETE) => account::delete_token(&mut self.world, &caller.user, id),
            (App::In(place), &Method::GET) => {
                let caller = app::Caller { world: &self.world, user: &caller.user, now };
                app::view(caller, place, &Query::parse(&call.query))
            }
            (_, method) => Err(Answer::no_method(method)),
        }
    }

    fn view(&self, route: &Route, call: &Call, caller: &Caller) -> Outcome {
        let (world, user, query) = (&self.world, caller.user.as_str(), Query::parse(&call.query));
        match route {
            Route::Instance | Route::App(_) => Err(Answer::no_route()),
            Route::Me => Ok(Answer::ok(world.user(user).ok_or_else(Answer::no_row)?.lite())),
            Route::WorkspaceDetail { slug } => account::workspace(world, slug),
            Route::Workspace { slug, part } => match part {
                WorkspacePart::Projects => projects::list(world, slug, user, &query),
                WorkspacePart::Members => projects::workspace_members(world, slug),
                WorkspacePart::Invitations => Ok(Answer::ok(json!([]))),
                WorkspacePart::Stickies(id) => account::stickies(world, slug, user, id, &query),
                WorkspacePart::Search => work_items::search(world, slug, user, &query),
                WorkspacePart::ByIdentifier { project, number } => {
                    work_items::by_identifier(world, slug, (project, number), &query)
                }
            },
            Route::Project { slug, project, part } => {
                let project = world.project(slug, project).ok_or_else(Answer::no_row)?;
                let scope = Scope { world, slug, project: Some(project) };
                match part {
                    ProjectPart::Detail => projects::detail(scope, project, user, &query),
                    _ => projects::part(scope, project, part, &query),
                }
            }
        }
    }
}

/// Views without the rate limit.
fn unlimited(route: &Route) -> bool {
    matches!(route, Route::Workspace { part: WorkspacePart::Invitations, .. })
}

fn with_cookie(answer: Answer, cookie: Option<String>) -> Answer {
    match cookie {
        None => answer,
        Some(value) => answer.with(
            SET_COOKIE,
            format!("{SESSION_COOKIE}={value}; HttpOnly; Max-Age=604800; Path=/; SameSite=Lax"),
        ),
    }
}
