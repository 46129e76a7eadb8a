//! Why a request is refused before any tool runs: one enum, with its status, reason and message.

use http::StatusCode;
use thiserror::Error;

/// A request the front answers itself. `Display` is for the log; clients see [`Refusal::public_message`].
#[derive(Debug, Error)]
pub enum Refusal {
    /// Neither a bearer token nor an API key.
    #[error("no credential")]
    MissingCredential,
    /// The ID token did not verify; the field is the verifier's bounded reason.
    #[error("id token refused: {0}")]
    InvalidToken(&'static str),
    /// More than one credential, or one that cannot be read.
    #[error("ambiguous credential: {0}")]
    AmbiguousCredential(&'static str),
    /// Cognito's keys cannot be had, so nobody can be let in or turned away.
    #[error("signing keys unavailable")]
    KeysUnavailable,
    /// `Host` is not on the allow-list (DNS rebinding).
    #[error("host refused")]
    HostRefused,
    /// `Origin` is not on the allow-list.
    #[error("origin refused")]
    OriginRefused,
    /// No such path.
    #[error("no such path")]
    NotFound,
    /// Only POST exists on the MCP path.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The master switch is off.
    #[error("mcp is switched off")]
    Disabled,
    /// `/healthz` of a process that is told to stop, so that it is sent nothing more.
    #[error("about to stop")]
    Stopping,
    /// The body is longer than `mcp.body_bytes`.
    #[error("body too large")]
    BodyTooLarge,
    /// The client stopped sending.
    #[error("body not received")]
    BodyIncomplete,
    /// `Content-Type` is not JSON.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// `Accept` excludes JSON.
    #[error("not acceptable")]
    NotAcceptable,
    /// The body is not JSON.
    #[error("body is not json")]
    ParseError,
    /// JSON, but no JSON-RPC message this server takes.
    #[error("invalid request: {0}")]
    InvalidRequest(&'static str),
    /// An `Mcp-*` header that is sent twice.
    #[error("header sent twice")]
    DuplicateHeader,
    /// `MCP-Protocol-Version` names a version this server does not speak.
    #[error("unsupported protocol version")]
    UnsupportedVersion,
    /// A tool panicked: a defect. What it said has gone to standard error through the panic hook.
    #[error("a request panicked")]
    Panicked,
    /// Something failed inside; the log has the rest.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Refusal {
    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::MissingCredential | Self::InvalidToken(_) => StatusCode::UNAUTHORIZED,
            Self::AmbiguousCredential(_)
            | Self::BodyIncomplete
            | Self::ParseError
            | Self::InvalidRequest(_)
            | Self::DuplicateHeader
            | Self::UnsupportedVersion => StatusCode::BAD_REQUEST,
            Self::HostRefused | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeysUnavailable | Self::Disabled | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A bounded word: log field, metric label and `data.reason` of the answer.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingCredential => "missing_credential",
            Self::InvalidToken(_) => "invalid_token",
            Self::AmbiguousCredential(_) => "ambiguous_credential",
            Self::KeysUnavailable => "keys_unavailable",
            Self::HostRefused => "host_refused",
            Self::OriginRefused => "origin_refused",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Disabled => "disabled",
            Self::Stopping => "stopping",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyIncomplete => "body_incomplete",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotAcceptable => "not_acceptable",
            Self::ParseError => "parse_error",
            Self::InvalidRequest(_) => "invalid_request",
            Self::DuplicateHeader => "duplicate_header",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Panicked => "panicked",
            Self::Internal(_) => "internal",
        }
    }

    /// The JSON-RPC error code. Ours outside the reserved range are the HTTP status
    /// (MCP 2026-07-28, basic: own codes stay outside -32768..-32000).
    pub fn code(&self) -> i32 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest(_) | Self::BodyIncomplete => -32600,
            Self::DuplicateHeader => -32020,
            Self::UnsupportedVersion => -32022,
            Self::Panicked | Self::Internal(_) => -32603,
            Self::MissingCredential
            | Self::InvalidToken(_)
            | Self::AmbiguousCredential(_)
            | Self::KeysUnavailable
            | Self::HostRefused
            | Self::OriginRefused
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Disabled
            | Self::Stopping
            | Self::BodyTooLarge
            | Self::UnsupportedMediaType
            | Self::NotAcceptable => i32::from(self.status().as_u16()),
        }
    }

    /// What the client is told.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::MissingCredential => "Send Authorization: Bearer <ID token>, or X-Api-Key.",
            Self::InvalidToken(_) => "The ID token is not valid. Sign in again.",
            Self::AmbiguousCredential(what) => what,
            Self::KeysUnavailable => "The identity provider's keys are unavailable. Try again soon.",
            Self::HostRefused => "This Host is not served here.",
            Self::OriginRefused => "This Origin is not allowed.",
            Self::NotFound => "There is nothing at this path.",
            Self::MethodNotAllowed => "Only POST is allowed here.",
            Self::Disabled => "MCP is switched off on this server by its operator.",
            Self::Stopping => "This server is about to stop; another one takes over.",
            Self::BodyTooLarge => "The request body is too large.",
            Self::BodyIncomplete => "The request body did not arrive whole.",
            Self::UnsupportedMediaType => "Content-Type must be application/json.",
            Self::NotAcceptable => "Accept must allow application/json.",
            Self::ParseError => "The request body is not valid JSON.",
            Self::InvalidRequest(what) => what,
            Self::DuplicateHeader => "An Mcp-* header was sent more than once.",
            Self::UnsupportedVersion => "This MCP-Protocol-Version is not supported.",
            Self::Panicked | Self::Internal(_) => "Something failed inside the server.",
        }
    }
}
