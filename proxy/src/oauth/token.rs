//! The token endpoint: a code or a refresh token for an access token and the next refresh token.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Serialize;

use super::clients::Client;
use super::codes::{Code, Presented};
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, opaque, same};
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::terms::{ClientId, Resource, Scopes, SessionId};
use crate::tokens::AccessGrant;
use crate::vault::{EndReason, Session};

/// The answer (RFC 6749 section 5.1). `scope` is always in it, since it may be less than was asked for.
#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
    scope: &'a Scopes,
}

impl OAuth {
    /// `POST /token`.
    pub(super) async fn token(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::Method("POST, OPTIONS"));
        }
        match self.granted(request).await {
            Ok(answer) => Ok(Reply::Json(StatusCode::OK, answer.into())),
            Err(error) => Err(Refusal::Json(error)),
        }
    }

    async fn granted(&self, request: &OAuthRequest) -> Result<String, OAuthError> {
        let form = Parameters::of_form(request)?;
        let client = self.authenticate(request, &form).await?;
        let grant_type = form.required("grant_type", "grant_type_missing", "send a grant_type")?;
        let answer = match grant_type {
            "authorization_code" => self.redeem(&client, &form).await?,
            "refresh_token" => self.refresh(&client, &form).await?,
            _ => {
                return Err(OAuthError::new(
                    ErrorCode::UnsupportedGrantType,
                    "grant_type",
                    "grant_type must be authorization_code or refresh_token",
                ));
            }
        };
        self.renew_client(&client).await;
        Ok(answer)
    }

    /// Redeems a code. It is spent last, when everything else is stored: if the store fails before that, the client may
    /// try again with the same code.
    async fn redeem(&self, client: &Client, form: &Parameters) -> Result<String, OAuthError> {
        let text = form.required("code", "code_missing", "send the code")?;
        let (code, held) = match self.presented(text).await? {
            Presented::Fresh(code, held) => (code, held),
            Presented::Spent(sid) => return Err(self.code_reused(&sid).await),
            Presented::Unknown => {
                let description = "the code is unknown, used or too old: sign in again";
                return Err(OAuthError::invalid_grant("code_unknown", description));
            }
        };
        self.check_code(&code, client, form)?;
        let session = self.vault.open(&code.sid).await?;
        let answer = self.open_family(&session).await?;
        self.vault.keep(&code.sid).await?;
        if self.spend(text, &held, &code.sid).await? {
            Ok(answer)
        } else {
            Err(self.code_reused(&code.sid).await)
        }
    }

    /// What the code is bound to (OAuth 2.1 section 4.1.3).
    fn check_code(&self, code: &Code, client: &Client, form: &Parameters) -> Result<(), OAuthError> {
        if code.client != client.id {
            return Err(OAuthError::invalid_grant(
                "code_of_other_client",
                "the code was issued to another client",
            ));
        }
        if form.value("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
            let description = "redirect_uri is not the one of the authorization request";
            return Err(OAuthError::invalid_grant("code_redirect_uri", description));
        }
        let verifier =
            form.required("code_verifier", "pkce_verifier_missing", "send the PKCE code_verifier")?;
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        if !well_formed || !same(&fingerprint(verifier), &code.challenge) {
            let description = "code_verifier does not fit the code_challenge";
            return Err(OAuthError::invalid_grant("pkce_verifier", description));
        }
        self.check_resource(form, &code.resource)
    }

    /// `resource` may be repeated at the token endpoint, but not changed (RFC 8707 section 2.2).
    pub(super) fn check_resource(&self, form: &Parameters, granted: &Resource) -> Result<(), OAuthError> {
        let Some(asked) = form.value("resource") else { return Ok(()) };
        if Resource::parse(asked).is_ok_and(|asked| asked == *granted) {
            return Ok(());
        }
        if self.resource(Some(asked))?.resource == *granted {
            return Ok(());
        }
        Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            "resource_changed",
            "the grant is for another resource",
        ))
    }

    /// The second use of a code: whoever was first may be a thief, so nobody keeps anything (RFC 6749 section 4.1.2).
    async fn code_reused(&self, sid: &SessionId) -> OAuthError {
        match self.end_family(sid, EndReason::CodeReused).await {
            Ok(()) => OAuthError::invalid_grant("code_reused", "the code was used before: sign in again"),
            Err(down) => down,
        }
    }

    /// A new access token for a session, with the refresh token that goes with it, as the answer's text.
    pub(super) fn token_answer(
        &self,
        session: &Session,
        scopes: &Scopes,
        refresh_token: &str,
    ) -> Result<String, OAuthError> {
        let now = self.clock.unix();
        let left = Duration::from_secs(session.ends.saturating_sub(now));
        let lifetime = self.settings.access_token.min(left);
        let access = self.tokens.issue(&AccessGrant {
            sid: session.sid.clone(),
            subject: session.user.subject.clone(),
            client: ClientId::clone(&session.client),
            scopes: scopes.clone(),
            resource: session.resource.clone(),
            lifetime,
            jti: opaque::<16>(),
            issued_at: now,
        });
        let answer = TokenAnswer {
            access_token: access.expose(),
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            refresh_token,
            scope: scopes,
        };
        serde_json::to_string(&answer).map_err(|error| OAuthError::server_error("answer_unwritable", error))
    }
}
