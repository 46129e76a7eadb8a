//! Cognito as an OpenID provider: where a person signs in, and where tokens are exchanged, refreshed and revoked.

use async_trait::async_trait;
use service::Secret;
use url::Url;

use crate::terms::Resource;

mod cognito;
mod counted_keys;

pub use cognito::{Cognito, CognitoSettings};
pub use counted_keys::CountedKeys;

/// What goes to Cognito's authorization endpoint.
pub struct SignIn<'a> {
    /// Random, single use; comes back at the callback.
    pub state: &'a str,
    /// Random; comes back inside the ID token.
    pub nonce: &'a str,
    /// PKCE challenge of our own leg (RFC 7636), S256.
    pub code_challenge: &'a str,
    /// What the sign-in is for; Cognito is told only where the settings say so.
    pub resource: &'a Resource,
}

/// What Cognito's token endpoint answered, not yet verified.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// The Cognito access token.
    pub access: Secret,
    /// The ID token; Cognito leaves it out when `openid` was not asked for.
    pub id: Option<Secret>,
    /// A new refresh token; absent on refresh when rotation is off: keep the old one.
    pub refresh: Option<Secret>,
}

/// Why Cognito gave no tokens.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// `invalid_grant`: the code or refresh token is spent, revoked, expired or evicted. The only error that ends a session.
    #[error("cognito refused the grant")]
    GrantRefused {
        /// What Cognito said of it (`error_description`), if it did: words only, nothing that could be a token.
        said: Option<String>,
    },
    /// Any other OAuth error: our registration at Cognito is wrong (`invalid_client`, `unauthorized_client`, …). Our fault.
    #[error("cognito refused the request: {code}")]
    Misconfigured {
        /// The RFC 6749 error code, cut to 64 printable characters.
        code: String,
    },
    /// No usable answer: refused, timed out, 429, 5xx, not JSON. Transient; nothing may be concluded from it.
    #[error("cognito unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ProviderError {
    /// A fixed word for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::GrantRefused { .. } => "refused",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// The OpenID provider behind us.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// Where to send the browser.
    async fn sign_in_url(&self, request: &SignIn<'_>) -> Result<Url, ProviderError>;
    /// Redeems the code of a callback with our PKCE verifier.
    async fn exchange(&self, code: &Secret, code_verifier: &Secret) -> Result<TokenSet, ProviderError>;
    /// Asks for fresh tokens.
    async fn refresh(&self, refresh_token: &Secret) -> Result<TokenSet, ProviderError>;
    /// Revokes a refresh token and with it all tokens of the sign-in. Already revoked counts as done.
    async fn revoke(&self, refresh_token: &Secret) -> Result<(), ProviderError>;
}
