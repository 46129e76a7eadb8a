//! Everything that can go wrong with a request, as one closed list. Each has a status, a bounded reason (log field and
//! metric label), and a sentence for the client; the log gets `Display` and the sources.

use std::time::Duration;

use http::StatusCode;

use crate::{terms::Scopes, vault::VaultError};

/// What a request failed with, named for the outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request can be read in two ways, and so is read in none.
    #[error("ambiguous request: {0}")]
    Ambiguous(&'static str),
    /// Somebody who is not one of the configured proxies asks the ForwardAuth listener.
    #[error("peer is no configured proxy")]
    ForeignPeer,
    /// `Host` names a host that is not ours.
    #[error("host not served here")]
    ForeignHost,
    /// A browser page of another origin calls an MCP route (MCP, Streamable HTTP, Origin validation).
    #[error("origin not allowed")]
    ForeignOrigin,
    /// No route has this path.
    #[error("no such route")]
    NoRoute,
    /// The route does not know this method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// More than one `Authorization` header.
    #[error("several authorization headers")]
    SeveralCredentials,
    /// A token in the query string (RFC 6750 section 2.3, forbidden by OAuth 2.1).
    #[error("token in the query")]
    TokenInQuery,
    /// No bearer token.
    #[error("no token")]
    NoToken,
    /// A bearer token that is not ours, not for this route, or over.
    #[error("invalid token: {0}")]
    InvalidToken(&'static str),
    /// The token is good, the session behind it is gone or was ended.
    #[error("session over: {0}")]
    SessionOver(&'static str),
    /// The token lacks a scope.
    #[error("insufficient scope")]
    InsufficientScope(Scopes),
    /// Too many requests.
    #[error("rate limited")]
    RateLimited(Duration),
    /// The body is larger than allowed.
    #[error("body too large")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("body too slow")]
    BodyTooSlow,
    /// An MCP message that is not JSON.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The master switch is off.
    #[error("mcp is switched off")]
    Disabled,
    /// `/healthz` of a process that is told to stop, so that it is sent nothing more.
    #[error("about to stop")]
    Stopping,
    /// The store, Cognito, its keys or ours do not answer.
    #[error("{part} unavailable")]
    Unavailable {
        /// What did not answer.
        part: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The upstream cannot be reached or broke the connection.
    #[error("upstream failed")]
    UpstreamFailed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The upstream answered 401 to an ID token we verified: it trusts another pool or client, or its clock is off.
    #[error("upstream refused the verified identity")]
    IdentityRefused,
    /// The upstream took too long.
    #[error("upstream timed out")]
    UpstreamTimeout,
    /// The client went away while it was sending.
    #[error("client went away")]
    ClientGone,
    /// A defect of ours, met where the types could not rule it out.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl Error {
    /// The HTTP status. 401 only for what the client can mend by signing in; 503 where it is our fault.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Ambiguous(_) | Self::SeveralCredentials | Self::TokenInQuery => StatusCode::BAD_REQUEST,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin | Self::ForeignPeer | Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoToken | Self::InvalidToken(_) | Self::SessionOver(_) => StatusCode::UNAUTHORIZED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow | Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Disabled | Self::Stopping | Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamFailed(_) | Self::IdentityRefused => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason as a word: log field, metric label and `reason` of the answer. One of a closed list.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Ambiguous(what) => what,
            Self::ForeignPeer => "foreign_peer",
            Self::ForeignHost => "foreign_host",
            Self::ForeignOrigin => "foreign_origin",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::SeveralCredentials => "several_credentials",
            Self::TokenInQuery => "token_in_query",
            Self::NoToken => "no_token",
            Self::InvalidToken(why) | Self::SessionOver(why) => why,
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::RateLimited(_) => "rate_limited",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Disabled => "disabled",
            Self::Stopping => "stopping",
            Self::Unavailable { part, .. } => part,
            Self::UpstreamFailed(_) => "upstream_failed",
            Self::IdentityRefused => "identity_refused_upstream",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::ClientGone => "client_gone",
            Self::Internal(_) => "internal",
        }
    }

    /// What the client is told: one sentence that says what to do. Holds nothing the client sent.
    #[must_use]
    pub const fn public_message(&self) -> &'static str {
        match self {
            Self::Ambiguous(_) => {
                "The request is ambiguous and was not processed; send one well-formed request."
            }
            Self::ForeignPeer => {
                "Only the reverse proxies named in forward_auth.trusted_proxies are answered here."
            }
            Self::ForeignHost => "This host is not served here; use the server's public URL.",
            Self::ForeignOrigin => "Pages of this origin may not call this server.",
            Self::NoRoute => "There is nothing at this path.",
            Self::MethodNotAllowed => "This path does not accept this method.",
            Self::SeveralCredentials => "Send exactly one Authorization header.",
            Self::TokenInQuery => "Send the token in the Authorization header, never in the URL.",
            Self::NoToken => "Sign in: send a bearer token of this server.",
            Self::InvalidToken(_) => "The token is not valid here; sign in again.",
            Self::SessionOver(_) => "The session has ended; sign in again.",
            Self::InsufficientScope(_) => {
                "The token lacks a scope this route needs; authorize again with it."
            }
            Self::RateLimited(_) => "Too many requests; wait as long as Retry-After says.",
            Self::BodyTooLarge => "The request body is larger than this server accepts.",
            Self::BodyTooSlow => "The request body did not arrive in time.",
            Self::UnsupportedMediaType => "Send the message as application/json.",
            Self::Disabled => "MCP is switched off on this server; ask its administrator.",
            Self::Stopping => "This server is about to stop; another one takes over.",
            Self::Unavailable { .. } => {
                "A service this server depends on does not answer; nothing was lost, try again shortly."
            }
            Self::UpstreamFailed(_) => "The service behind this route cannot be reached; try again shortly.",
            Self::IdentityRefused => {
                "The service behind this route did not accept who you are; its administrator must look at it."
            }
            Self::UpstreamTimeout => "The service behind this route took too long; try again.",
            Self::ClientGone => "The request was not received whole.",
            Self::Internal(_) => "The server failed; its log says why.",
        }
    }

    /// After how long it is worth trying again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) => Some(*wait),
            Self::Unavailable { .. } => Some(Duration::from_secs(2)),
            Self::Disabled => Some(Duration::from_secs(60)),
            _ => None,
        }
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Gone => Self::SessionOver("session_gone"),
            VaultError::Ended => Self::SessionOver("session_ended_at_cognito"),
            VaultError::Unavailable { part, source } => Self::Unavailable { part, source },
        }
    }
}
