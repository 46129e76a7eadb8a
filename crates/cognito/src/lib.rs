//! Tokens of an Amazon Cognito user pool: who issued them, which key signed them, what they claim.
//!
//! - [`issuer`]: the issuers a deployment trusts. They come from configuration, never from a token.
//! - [`keys`]: the signing keys of those issuers, fetched, cached, refreshed and rate limited.
//! - [`claims`]: what a verified ID or access token says.
//! - [`verifier`]: from a raw token to its claims, or to the one reason why not.
//! - [`error`]: those reasons.
//!
//! Both binaries use this crate, so that the edge and the server behind it refuse exactly the same tokens.

pub mod claims;
pub mod error;
pub mod issuer;
pub mod keys;
pub mod verifier;

#[cfg(test)]
mod test_pool;

pub use claims::{AccessToken, IdToken};
pub use error::TokenError;
pub use issuer::{ClientId, InvalidClientId, InvalidIssuer, Issuer, IssuerFormat};
pub use keys::{FetchError, FetchKeys, HttpKeys, KeyPolicy, KeySet, KeySource, KeysUnavailable};
pub use verifier::{Nonce, Verifier};
