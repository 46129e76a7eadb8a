//! What a session is.

use std::time::Duration;

use service::Secret;

use crate::terms::{ClientId, Resource, Scopes, SessionId};

/// Who signed in, as the verified ID token says.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The issuer that vouched for the user.
    pub issuer: String,
    /// Cognito's `sub`: stable, never shown.
    pub subject: String,
    /// `cognito:username`: the name Plane knows the user by.
    pub username: String,
    /// `cognito:groups`, empty when the user is in none.
    pub groups: Vec<String>,
}

/// Cognito's tokens with their own expiries (unix seconds).
#[derive(Clone)]
pub struct CognitoTokens {
    /// The access token.
    pub access: Secret,
    /// When the access token ends.
    pub access_expires: u64,
    /// The ID token: what upstreams get.
    pub id: Secret,
    /// When the ID token ends.
    pub id_expires: u64,
    /// The refresh token; none when Cognito gave none.
    pub refresh: Option<Secret>,
}

/// One sign-in of one user for one client.
#[derive(Clone)]
pub struct Session {
    /// The session's name.
    pub sid: SessionId,
    /// Who signed in.
    pub user: User,
    /// For which client.
    pub client: ClientId,
    /// What the user allowed the client.
    pub scopes: Scopes,
    /// At which resource.
    pub resource: Resource,
    /// Cognito's tokens.
    pub tokens: CognitoTokens,
    /// When the user signed in (unix seconds).
    pub created: u64,
    /// When the session ends whatever happens (unix seconds): Cognito's refresh token does not live longer.
    pub ends: u64,
}

impl Session {
    /// Seconds until the first of the two Cognito tokens ends, at `now` (unix seconds).
    #[must_use]
    pub fn seconds_left(&self, now: u64) -> u64 {
        self.tokens.access_expires.min(self.tokens.id_expires).saturating_sub(now)
    }

    /// How long the session itself may still go on, at `now` (unix seconds).
    pub(super) fn time_left(&self, now: u64) -> Duration {
        Duration::from_secs(self.ends.saturating_sub(now))
    }
}
