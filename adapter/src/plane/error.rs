//! What can go wrong between the adapter and Plane.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

/// A request to Plane that gave no usable answer. `Display` is for the log and holds no token and no query. Clones
/// tell the same failure to everybody who waited for the answer.
#[derive(Clone, Debug, Error)]
pub enum PlaneError {
    /// No connection, or it broke.
    #[error("plane cannot be reached")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Plane did not answer within `plane.timeout_seconds`.
    #[error("plane timed out")]
    TimedOut,
    /// Plane, or what stands before it, answered 5xx.
    #[error("plane answered {0}")]
    Unavailable(StatusCode),
    /// The budget of this caller is spent.
    #[error("plane's rate limit is reached")]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// The signed-in identity was not let in by what stands before Plane: 401, a redirect to a sign-in page, or a 403 that is not Plane's.
    #[error("the identity was refused with {0}")]
    IdentityRefused(StatusCode),
    /// Plane's own 401: what stands before it let the user pass, but Plane does not know them.
    #[error("plane does not take the user for signed in")]
    NotSignedIn,
    /// Plane knows the signed-in user as somebody else.
    #[error("plane takes the user for somebody else")]
    WrongUser,
    /// Plane takes only API keys here, and none can be made for the signed-in user.
    #[error("plane takes only api keys and none can be made")]
    KeysNeeded,
    /// Plane gave the signed-in user no API key that works.
    #[error("plane made no api key: {0}")]
    MintingRefused(StatusCode),
    /// Plane does not know this API key, or it has expired.
    #[error("the api key was refused")]
    KeyRefused,
    /// Plane's own 403: no permission, or no such workspace or project.
    #[error("plane forbids this")]
    Forbidden,
    /// Plane's 404: what was asked for does not exist for this user.
    #[error("plane has no such thing")]
    NotFound,
    /// Plane's 404 for a path it does not know: another edition or version.
    #[error("plane has no such endpoint")]
    NoEndpoint,
    /// Plane's 400; the text is Plane's.
    #[error("plane refused the parameters")]
    BadRequest(String),
    /// The answer is longer than the adapter reads.
    #[error("plane's answer is too large")]
    TooLarge,
    /// An answer of another shape than Plane's.
    #[error("unexpected answer from plane: {0}")]
    Unexpected(String),
}

impl PlaneError {
    /// A bounded word: log field and metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Unavailable(_) => "unavailable",
            Self::RateLimited { .. } => "rate_limited",
            Self::IdentityRefused(_) => "identity_refused",
            Self::NotSignedIn => "not_signed_in",
            Self::WrongUser => "wrong_user",
            Self::KeysNeeded => "keys_needed",
            Self::MintingRefused(_) => "minting_refused",
            Self::KeyRefused => "key_refused",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NoEndpoint => "no_endpoint",
            Self::BadRequest(_) => "bad_request",
            Self::TooLarge => "too_large",
            Self::Unexpected(_) => "unexpected",
        }
    }
}

impl From<reqwest::Error> for PlaneError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        // The URL holds search words; the log must not.
        Self::Unreachable(Arc::new(error.without_url()))
    }
}
