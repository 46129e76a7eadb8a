//! What a verified token says. Values of these types exist only for tokens whose signature and claims were checked.

use std::time::Duration;

use service::Clock;

use crate::error::TokenError;
use crate::issuer::{ClientId, Issuer};

/// The claims of a verified ID token: who the user is.
///
/// Claims that are not listed are ignored, as Cognito adds new ones without notice. There is no `Debug` output of
/// the raw token because it is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdToken {
    /// `iss`, one of the configured issuers.
    pub iss: Issuer,
    /// `sub`, the user's stable id. Opaque: Cognito advises against relying on its format.
    pub sub: String,
    /// `cognito:username`, the name the user is known by upstream. Never empty.
    pub username: String,
    /// `cognito:groups`, empty when the user is in none.
    pub groups: Vec<String>,
    /// `email`, if the client may read it.
    pub email: Option<String>,
    /// `aud`, the app client the token was made for.
    pub client_id: ClientId,
    /// `exp` in seconds since the epoch.
    pub exp: u64,
    /// `iat` in seconds since the epoch.
    pub iat: u64,
    /// `auth_time` in seconds since the epoch: when the user last typed a password.
    pub auth_time: Option<u64>,
    /// `origin_jti`, shared by all tokens that stem from one refresh token.
    pub origin_jti: Option<String>,
    /// `jti` of this very token.
    pub jti: Option<String>,
    /// `nonce` of the authorization request.
    pub nonce: Option<String>,
    /// `at_hash`: left half of the SHA-256 of the access token issued with it (OpenID Connect Core 3.1.3.6).
    pub at_hash: Option<String>,
}

/// The claims of a verified access token: what the bearer may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// `iss`, one of the configured issuers.
    pub iss: Issuer,
    /// `sub`, the user's stable id.
    pub sub: String,
    /// `username`, the same value as `cognito:username` of the ID token. Never empty.
    pub username: String,
    /// `cognito:groups`, empty when the user is in none.
    pub groups: Vec<String>,
    /// `client_id`, the app client the token was issued to.
    pub client_id: ClientId,
    /// `scope`, split at spaces.
    pub scope: Vec<String>,
    /// `exp` in seconds since the epoch.
    pub exp: u64,
    /// `iat` in seconds since the epoch.
    pub iat: u64,
    /// `auth_time` in seconds since the epoch.
    pub auth_time: Option<u64>,
    /// `origin_jti`, shared by all tokens that stem from one refresh token.
    pub origin_jti: Option<String>,
    /// `jti` of this very token.
    pub jti: Option<String>,
    /// `aud`: a URL where the sign-in named a `resource` (RFC 8707), else absent.
    pub aud: Option<Vec<String>>,
}

impl IdToken {
    /// How long the token is still valid by its own `exp`, without leeway; zero when it is past.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        remaining(self.exp, clock)
    }

    /// Checks that this token, got by a refresh, is about the user the session began with.
    ///
    /// # Errors
    /// [`TokenError::SubjectChanged`] when `iss` or `sub` differ: the session must end.
    pub fn expect_subject(&self, iss: &str, sub: &str) -> Result<(), TokenError> {
        if self.iss.as_str() == iss && self.sub == sub { Ok(()) } else { Err(TokenError::SubjectChanged) }
    }
}

impl AccessToken {
    /// How long the token is still valid by its own `exp`, without leeway; zero when it is past.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        remaining(self.exp, clock)
    }

    /// Checks that this token, got by a refresh, is about the user the session began with.
    ///
    /// # Errors
    /// [`TokenError::SubjectChanged`] when `iss` or `sub` differ: the session must end.
    pub fn expect_subject(&self, iss: &str, sub: &str) -> Result<(), TokenError> {
        if self.iss.as_str() == iss && self.sub == sub { Ok(()) } else { Err(TokenError::SubjectChanged) }
    }
}

fn remaining(exp: u64, clock: &dyn Clock) -> Duration {
    Duration::from_secs(exp.saturating_sub(clock.unix()))
}
