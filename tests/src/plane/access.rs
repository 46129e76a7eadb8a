//! Who asks, and may they: the fork's identity middleware, API keys and sessions, and Plane's permission classes.

use http::HeaderMap;
use http::header::COOKIE;

use super::answer::Answer;
use super::route::{ProjectPart, Route, WorkspacePart};
use super::world::{Role, World};

/// The session cookie's name.
pub(super) const SESSION_COOKIE: &str = "session-id";

/// A signed-in caller.
#[derive(Debug)]
pub(super) struct Caller {
    /// User id.
    pub(super) user: String,
    /// The API key that said so; none for a session.
    pub(super) key: Option<String>,
}

/// The e-mail address of an asserted identity: a bare name gets the default domain.
pub(super) fn email(identity: &str, domain: &str) -> String {
    let identity = identity.trim().to_lowercase();
    if identity.contains('@') { identity } else { format!("{identity}@{domain}") }
}

/// The identity the front asserts: the e-mail header, or the user header when that is empty.
pub(super) fn asserted(headers: &HeaderMap) -> Option<String> {
    ["x-auth-request-email", "x-auth-request-user"]
        .into_iter()
        .filter_map(|name| header(headers, name))
        .find(|value| !value.trim().is_empty())
}

/// A header as a WSGI application sees it: `_`, `.` and `-` are alike in names, and several values are one with commas.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .iter()
        .filter(|(key, _)| key.as_str().replace(['_', '.'], "-") == name)
        .map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The value of the session cookie.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.to_owned())
}

impl World {
    /// Checks the caller's credential for `route`. `session` is the signed-in user, `sessions_on_v1` whether that counts there.
    pub(super) fn authenticate(
        &self,
        route: &Route,
        headers: &HeaderMap,
        session: Option<String>,
        sessions_on_v1: bool,
        now: u64,
    ) -> Result<Caller, Answer> {
        let session = session.ok_or_else(Answer::not_signed_in).map(|user| Caller { user, key: None });
        if matches!(route, Route::App(_) | Route::WorkspaceDetail { .. }) {
            return session;
        }
        match header(headers, "x-api-key").filter(|key| !key.is_empty()) {
            Some(key) => self.key_owner(key, now),
            None if sessions_on_v1 => session,
            None => Err(Answer::not_signed_in()),
        }
    }

    fn key_owner(&self, token: String, now: u64) -> Result<Caller, Answer> {
        let key = self.keys.iter().find(|key| key.token == token && !key.is_expired(now));
        let owner = key.and_then(|key| self.user(&key.user)).filter(|user| user.active);
        let user = owner.ok_or_else(Answer::bad_key)?.id.clone();
        Ok(Caller { user, key: Some(token) })
    }

    /// Plane's permission classes: unknown workspaces and projects are forbidden, not missing.
    pub(super) fn permit(&self, route: &Route, user: &str) -> Result<(), Answer> {
        let role = |slug: &str| self.workspace(slug).and_then(|one| one.members.get(user).copied());
        let allowed = match route {
            Route::Instance | Route::App(_) | Route::Me => true,
            Route::WorkspaceDetail { slug } => role(slug).is_some(),
            Route::Workspace { slug, part } => match part {
                WorkspacePart::Projects | WorkspacePart::Stickies(_) => role(slug).is_some(),
                WorkspacePart::Members | WorkspacePart::Invitations => role(slug) >= Some(Role::Member),
                // The search answers what the caller may see: nothing, to an outsider.
                WorkspacePart::Search => true,
                WorkspacePart::ByIdentifier { project, .. } => self
                    .projects_in(slug)
                    .any(|one| one.identifier() == project && one.members.contains_key(user)),
            },
            Route::Project { slug, project, part } => match part {
                ProjectPart::Detail => role(slug).is_some(),
                ProjectPart::Summary => role(slug) >= Some(Role::Member),
                _ => self.project(slug, project).is_some_and(|one| one.members.contains_key(user)),
            },
        };
        if allowed { Ok(()) } else { Err(Answer::forbidden()) }
    }
}
