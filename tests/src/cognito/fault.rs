//! What can go wrong between Cognito and whoever asks it.

use std::time::Duration;

/// How a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and body (JSON if it looks like it); nothing is carried out.
    Status(u16, String),
    /// Answered 200 with a page of HTML, as a proxy in between would; nothing is carried out.
    HtmlBody,
    /// Never answered, and nothing is carried out.
    Hang,
    /// The connection is cut before anything is carried out.
    Drop,
    /// Carried out (a code is spent, a refresh token rotated), but the connection is cut instead of answered.
    DropAnswer,
    /// Carried out after this time.
    Delay(Duration),
    /// Carried out at once and answered after this time: whoever asked may be gone by then.
    LateAnswer(Duration),
    /// Carried out at once and answered when there is another fault here, or none.
    HeldAnswer,
}

/// The fault of each endpoint, until set otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// `/.well-known/openid-configuration`
    pub discovery: Option<Fault>,
    /// `/.well-known/jwks.json`
    pub jwks: Option<Fault>,
    /// `/oauth2/authorize` and `/login`
    pub authorize: Option<Fault>,
    /// `/oauth2/token`
    pub token: Option<Fault>,
    /// `/oauth2/revoke`
    pub revoke: Option<Fault>,
    /// `/oauth2/userInfo`
    pub user_info: Option<Fault>,
}

impl Faults {
    /// The fault of the endpoint at `path`.
    pub(super) fn at(&self, path: &str) -> Option<Fault> {
        let fault = match path {
            "/oauth2/authorize" | "/login" => &self.authorize,
            "/oauth2/token" => &self.token,
            "/oauth2/revoke" => &self.revoke,
            "/oauth2/userInfo" => &self.user_info,
            _ if path.ends_with("/.well-known/openid-configuration") => &self.discovery,
            _ if path.ends_with("/.well-known/jwks.json") => &self.jwks,
            _ => &None,
        };
        fault.clone()
    }
}
