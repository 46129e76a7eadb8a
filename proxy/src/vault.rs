//! The sessions: one sign-in of one user for one client, with Cognito's tokens, sealed at rest.
//!
//! ```text
//! fresh(sid) ─▶ L1 cache ─▶ store ─▶ open the seal ─▶ verify ─▶ < 120 s left? ─▶ refresh under single flight ─▶ store ─▶ use
//! ```

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
        /// `store`, `cognito`, `keys` or `seal`: what did not answer.
        part: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
