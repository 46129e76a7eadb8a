//! What Cognito's token endpoint answers. The ID token stays text: `crate::cognito` verifies it, and the library's own
//! reading of it would refuse custom claims of unexpected types together with the whole answer.

use std::time::Duration;

use openidconnect::core::{
    CoreGenderClaim, CoreIdToken, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreTokenType,
};
use openidconnect::{
    AccessToken, EmptyAdditionalClaims, JsonWebKey, OAuth2TokenResponse, RefreshToken, Scope, TokenResponse,
};
use serde::{Deserialize, Serialize};
use service::Secret;

use crate::provider::TokenSet;

/// The answer (RFC 6749 section 5.1). There is no `scope` in it, and `expires_in` is the access token's only; both
/// tokens say themselves how long they are valid.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct CognitoTokenResponse {
    access_token: AccessToken,
    token_type: CoreTokenType,
    expires_in: Option<u64>,
    refresh_token: Option<RefreshToken>,
    id_token: Option<IdTokenText>,
}

/// The raw ID token; its `Debug` is redacted like the library's own secrets.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct IdTokenText(String);

impl std::fmt::Debug for IdTokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl OAuth2TokenResponse for CognitoTokenResponse {
    type TokenType = CoreTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }
    fn token_type(&self) -> &CoreTokenType {
        &self.token_type
    }
    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }
    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl
    TokenResponse<
        EmptyAdditionalClaims,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        <CoreJsonWebKey as JsonWebKey>::SigningAlgorithm,
    > for CognitoTokenResponse
{
    /// Never read through the library: see the module.
    fn id_token(&self) -> Option<&CoreIdToken> {
        None
    }
}

impl From<CognitoTokenResponse> for TokenSet {
    fn from(answer: CognitoTokenResponse) -> Self {
        // An empty token is none.
        let filled = |text: String| Some(text).filter(|text| !text.is_empty()).map(Secret::new);
        Self {
            access: Secret::new(answer.access_token.into_secret()),
            id: answer.id_token.and_then(|token| filled(token.0)),
            refresh: answer.refresh_token.and_then(|token| filled(token.into_secret())),
        }
    }
}
