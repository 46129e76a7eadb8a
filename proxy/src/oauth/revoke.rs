//! Revocation (RFC 7009): giving back either of our tokens ends the whole session.

use http::Method;

use super::grants::RefreshToken;
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::oauth::error::OAuthError;
use crate::vault::EndReason;

impl OAuth {
    /// `POST /revoke`. A token that is unknown, or not this client's, is answered like one that was revoked: there is
    /// nothing the client could do, and it learns nothing (RFC 7009 section 2.2).
    pub(super) async fn revoke(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::Method("POST, OPTIONS"));
        }
        match self.revoked(request).await {
            Ok(()) => Ok(Reply::Done),
            Err(error) => Err(Refusal::Json(error)),
        }
    }

    async fn revoked(&self, request: &OAuthRequest) -> Result<(), OAuthError> {
        let form = Parameters::of_form(request)?;
        let client = self.authenticate(request, &form).await?;
        let text = form.required("token", "token_missing", "send the token")?;
        // The hint is not needed: the two look different.
        if let Some(token) = RefreshToken::parse(text) {
            return self.revoke_refresh_token(&client, &token).await;
        }
        match self.tokens.checked(text, &self.vault).await? {
            Ok(claims) if claims.client == client.id => {
                self.end_family(&claims.sid, EndReason::SignedOut).await
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
