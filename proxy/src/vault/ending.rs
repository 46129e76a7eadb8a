//! Why sessions end.

use serde::{Deserialize, Serialize};

/// Why a session was ended before its time. The same word stands in the log line, in the metric and in what
/// `doctor --why` reads. A session whose time is up ends without one: its record expires, and nobody need notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The client or the user signed out: a token was given back at `/revoke`.
    SignedOut,
    /// A code was redeemed twice: somebody else may have it.
    CodeReused,
    /// A refresh token was used again after its time: somebody else may have it.
    RefreshTokenReused,
    /// Cognito refused the refresh token (`invalid_grant`).
    GrantRefused,
    /// Cognito's tokens are about to expire, and it gave no refresh token.
    NoRefreshToken,
    /// After a refresh the tokens were another user's, or another issuer's.
    SubjectChanged,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::SignedOut,
        Self::CodeReused,
        Self::RefreshTokenReused,
        Self::GrantRefused,
        Self::NoRefreshToken,
        Self::SubjectChanged,
    ];

    /// A short fixed word for log fields and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::CodeReused => "code_reused",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::GrantRefused => "grant_refused",
            Self::NoRefreshToken => "no_refresh_token",
            Self::SubjectChanged => "subject_changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_word_is_the_word_of_the_log() {
        for reason in EndReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
