//! What goes wrong at the authorization server, in the words of the RFCs.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;

use crate::provider::ProviderError;
use crate::store::StoreDown;
use crate::vault::VaultError;

/// The error codes that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// RFC 6749 section 5.2: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The body is not of the type the endpoint takes; `invalid_request` on the wire, status 415.
    UnsupportedMediaType,
    /// RFC 6749 section 5.2: the client is unknown or its secret is wrong. Clients register again on it.
    InvalidClient,
    /// RFC 6749 section 5.2: the code or refresh token is not, or no longer, valid. Clients sign in again on it.
    InvalidGrant,
    /// RFC 6749 section 5.2.
    UnsupportedGrantType,
    /// RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 section 4.1.2.1.
    InvalidScope,
    /// RFC 8707 section 2: the resource is not one of ours.
    InvalidTarget,
    /// RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// RFC 7591 section 3.2.2.
    InvalidClientMetadata,
    /// RFC 6749 section 4.1.2.1: the user, or Cognito, said no.
    AccessDenied,
    /// RFC 6749 section 4.1.2.1: our fault, and trying again will not help.
    ServerError,
    /// RFC 6749 section 4.1.2.1: our fault, and passing.
    TemporarilyUnavailable,
    /// Too often; `temporarily_unavailable` on the wire, status 429.
    TooManyRequests,
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::UnsupportedMediaType => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable | Self::TooManyRequests => "temporarily_unavailable",
        }
    }

    /// Whether the fault is ours, or of something we need.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.status().is_server_error()
    }

    /// The status when the error is a body or a page.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidRedirectUri
            | Self::InvalidClientMetadata => StatusCode::BAD_REQUEST,
        }
    }
}

/// One error: a code and a sentence for the client, a reason and a cause for the log.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct OAuthError {
    code: ErrorCode,
    reason: &'static str,
    description: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// After how long to try again, where that is known.
    retry_after: Option<Duration>,
    /// Whether the client used the `Authorization` header, and so must be challenged (RFC 6749 section 5.2).
    challenge: bool,
}

impl OAuthError {
    /// An error. `reason` is a bounded word for log and metrics; `description` says what to do, in the ASCII without
    /// quotes and backslashes that RFC 6749 appendix A.8 allows.
    #[must_use]
    pub fn new(code: ErrorCode, reason: &'static str, description: &'static str) -> Self {
        Self { code, reason, description, source: None, retry_after: None, challenge: false }
    }

    /// Too often; after `wait` it would have passed.
    #[must_use]
    pub fn too_many(reason: &'static str, description: &'static str, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(ErrorCode::TooManyRequests, reason, description) }
    }

    /// `invalid_request`.
    #[must_use]
    pub fn invalid_request(reason: &'static str, description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, reason, description)
    }

    /// `invalid_grant`.
    #[must_use]
    pub fn invalid_grant(reason: &'static str, description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, reason, description)
    }

    /// `invalid_client`; `challenge` when the client used the `Authorization` header.
    #[must_use]
    pub fn invalid_client(reason: &'static str, challenge: bool) -> Self {
        let description = "the client is unknown or its credentials are wrong: register again";
        Self { challenge, ..Self::new(ErrorCode::InvalidClient, reason, description) }
    }

    /// Something of ours does not answer; nothing was concluded and nothing lost.
    #[must_use]
    pub fn unavailable(reason: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let description = "a part of this service does not answer: try again in a moment";
        Self {
            source: Some(source.into()),
            ..Self::new(ErrorCode::TemporarilyUnavailable, reason, description)
        }
    }

    /// The sign-in failed for a reason only we can mend, or that only a new sign-in can.
    #[must_use]
    pub fn server_error(reason: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let description = "the sign-in could not be completed: start it again, or ask the administrator";
        Self { source: Some(source.into()), ..Self::new(ErrorCode::ServerError, reason, description) }
    }

    /// The code for the client.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The bounded word for log and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The sentence for the client.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// After how long to try again, where that is known.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether to answer with `WWW-Authenticate: Basic`.
    pub(super) fn wants_challenge(&self) -> bool {
        self.challenge
    }
}

impl From<StoreDown> for OAuthError {
    fn from(down: StoreDown) -> Self {
        Self::unavailable("store_unavailable", down)
    }
}

impl From<VaultError> for OAuthError {
    fn from(error: VaultError) -> Self {
        let again = "the sign-in behind this grant has ended: sign in again";
        match error {
            VaultError::Gone => Self::invalid_grant("session_gone", again),
            VaultError::Ended => Self::invalid_grant("session_ended", again),
            VaultError::Unavailable { part, source } => Self::unavailable(
                match part {
                    "store" => "store_unavailable",
                    "cognito" => "cognito_unavailable",
                    "keys" => "keys_unavailable",
                    "seal" => "seal_unavailable",
                    _ => "vault_unavailable",
                },
                source,
            ),
        }
    }
}

/// How a failed code exchange or sign-in URL looks to the client: only the passing ones may say "try again".
impl From<ProviderError> for OAuthError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable(source) => Self::unavailable("cognito_unavailable", source),
            ProviderError::GrantRefused { .. } => Self::server_error("cognito_grant_refused", error),
            ProviderError::Misconfigured { .. } => Self::server_error("cognito_misconfigured", error),
        }
    }
}
