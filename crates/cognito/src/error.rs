//! Why a token was refused.

use thiserror::Error;

use crate::keys::KeysUnavailable;

/// Why a token was not accepted. The text never holds any part of a token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// Not three base64url parts of JSON, a member of the wrong type, or a member given twice.
    #[error("token is malformed")]
    Malformed,
    /// Longer than [`crate::verifier::MAX_TOKEN_BYTES`].
    #[error("token is too large")]
    TooLarge,
    /// `alg` is anything but RS256: no HMAC, no `none`, no other RSA scheme (RFC 8725 section 3.1).
    #[error("token is not signed with RS256")]
    UnsupportedAlgorithm,
    /// The header brings its own key or demands an extension: `jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`, `zip`.
    #[error("token header has a parameter that is not accepted")]
    UnsupportedHeader,
    /// No `kid` in the header.
    #[error("token names no key")]
    MissingKeyId,
    /// The issuer publishes no key with that `kid`.
    #[error("token names a key its issuer does not have")]
    UnknownKey,
    /// The signature is not that key's over these bytes.
    #[error("token signature does not verify")]
    BadSignature,
    /// `exp` has passed, leeway included.
    #[error("token has expired")]
    Expired,
    /// `nbf` is in the future, leeway included.
    #[error("token is not valid yet")]
    NotYetValid,
    /// `iss` is not in the configured list.
    #[error("token is of another issuer")]
    WrongIssuer,
    /// Made for another app client: `aud` of an ID token, `client_id` of an access token.
    #[error("token is for another client")]
    WrongAudience,
    /// `token_use` is another: an access token where an ID token belongs, or the reverse.
    #[error("token is of another use")]
    WrongUse,
    /// `nonce` is not the one this sign-in began with.
    #[error("token has another nonce")]
    WrongNonce,
    /// A claim that must be there is absent or empty.
    #[error("token lacks the claim {0}")]
    MissingClaim(&'static str),
    /// The ID token and the access token are not of one sign-in.
    #[error("id and access token do not belong together")]
    PairMismatch,
    /// After a refresh the token is about another user, or of another issuer, than the session.
    #[error("token is of another subject than before")]
    SubjectChanged,
    /// The issuer's keys cannot be had, so nothing is known about the token.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
}

impl TokenError {
    /// A short fixed word for log fields and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::TooLarge => "token_too_large",
            Self::UnsupportedAlgorithm => "token_algorithm",
            Self::UnsupportedHeader => "token_header",
            Self::MissingKeyId => "token_no_kid",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::WrongIssuer => "token_issuer",
            Self::WrongAudience => "token_audience",
            Self::WrongUse => "token_use",
            Self::WrongNonce => "token_nonce",
            Self::MissingClaim(_) => "token_missing_claim",
            Self::PairMismatch => "token_pair",
            Self::SubjectChanged => "token_subject_changed",
            Self::KeysUnavailable(_) => "keys_unavailable",
        }
    }

    /// True when the token may well be good and the fault is on our side (answer 503); false when the bearer has
    /// to bring another token (answer 401).
    pub fn is_ours(&self) -> bool {
        match self {
            Self::KeysUnavailable(_) => true,
            Self::Malformed
            | Self::TooLarge
            | Self::UnsupportedAlgorithm
            | Self::UnsupportedHeader
            | Self::MissingKeyId
            | Self::UnknownKey
            | Self::BadSignature
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::WrongUse
            | Self::WrongNonce
            | Self::MissingClaim(_)
            | Self::PairMismatch
            | Self::SubjectChanged => false,
        }
    }
}
