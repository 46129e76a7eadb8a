//! Where Cognito sends the browser back: the one place where a session begins.

use cognito::TokenError;
use http::Method;
use service::Secret;

use super::authorize::Transaction;
use super::browser::Browser;
use super::codes::Code;
use super::consent::{PendingSignIn, pending_key};
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, same};
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::keys::{self, Purpose};
use crate::provider::TokenSet;
use crate::terms::SessionId;
use crate::vault::{CognitoTokens, Session, User};

impl OAuth {
    /// `GET /auth/callback`.
    pub(super) async fn callback(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::GET {
            return Err(Refusal::Method("GET"));
        }
        let answered = Parameters::of_query(request.query.as_deref());
        let pending = self.pending(request, &answered).await.map_err(Refusal::Page)?;
        let back = pending.transaction.redirect().map_err(Refusal::Page)?;
        match self.signed_in(&answered, pending).await {
            Ok(code) => Ok(Reply::Code(back, code)),
            Err(error) => Err(Refusal::Redirect(Box::new(back), error)),
        }
    }

    /// The sign-in this callback ends. It must be of this very browser (CVE-2026-27124: otherwise somebody else's
    /// callback could be finished here), and is taken only then, so that a stranger cannot use it up.
    async fn pending(
        &self,
        request: &OAuthRequest,
        answered: &Parameters,
    ) -> Result<PendingSignIn, OAuthError> {
        answered.none_repeated()?;
        let state = answered.required(
            "state",
            "state_missing",
            "this address is only for coming back from the sign-in page: start in the client",
        )?;
        let key = pending_key(state);
        let unknown = || {
            let description = "this sign-in is finished or too old: start it again in the client";
            OAuthError::invalid_request("state_unknown", description)
        };
        let held =
            self.records.read::<PendingSignIn>(Purpose::Transaction, &key).await?.ok_or_else(unknown)?;
        let browser = Browser::of(&request.headers, &self.keys).map(|browser| fingerprint(browser.id()));
        if !browser.is_some_and(|browser| same(&browser, &held.value.browser)) {
            return Err(OAuthError::invalid_request(
                "browser_mismatch",
                "this sign-in was begun in another browser: start it again in the client",
            ));
        }
        self.records.take(Purpose::Transaction, &key).await?.ok_or_else(unknown)
    }

    /// Redeems Cognito's code, verifies who it is, keeps the session and makes our code.
    async fn signed_in(&self, answered: &Parameters, pending: PendingSignIn) -> Result<String, OAuthError> {
        if let Some(error) = answered.value("error") {
            return Err(refused_by_cognito(error));
        }
        let code = answered.value("code").ok_or_else(|| {
            OAuthError::server_error("cognito_code_missing", "the callback has neither code nor error")
        })?;
        let tokens = self.provider.exchange(&Secret::new(code), &Secret::new(pending.verifier)).await?;
        let refresh = tokens.refresh.clone();
        let began = self.begin_session(tokens, &pending.nonce, pending.transaction).await;
        if began.is_err()
            && let Some(refresh) = refresh
        {
            self.give_back(refresh);
        }
        began
    }

    async fn begin_session(
        &self,
        tokens: TokenSet,
        nonce: &str,
        transaction: Transaction,
    ) -> Result<String, OAuthError> {
        let id = tokens.id.ok_or_else(|| {
            OAuthError::server_error(
                "id_token_missing",
                "cognito gave no id token: is the scope openid configured",
            )
        })?;
        let expected = cognito::Nonce::Exactly(nonce);
        let (access_token, id_token) =
            self.verifier.pair(tokens.access.expose(), id.expose(), expected).await.map_err(|error| {
                match error {
                    // Cognito itself has just given us the token: it is our list of its keys that is too old.
                    TokenError::UnknownKey => OAuthError::unavailable("keys_unavailable", error),
                    _ if error.is_ours() => OAuthError::unavailable("keys_unavailable", error),
                    _ => OAuthError::server_error(error.reason(), error),
                }
            })?;
        let now = self.clock.unix();
        let session = Session {
            // A new id at each sign-in, so that none can be planted.
            sid: SessionId::from_random(keys::random::<16>()),
            user: User {
                issuer: id_token.iss.to_string(),
                subject: id_token.sub,
                username: id_token.username,
                groups: id_token.groups,
            },
            client: transaction.client.clone(),
            scopes: transaction.scopes.clone(),
            resource: transaction.resource.clone(),
            tokens: CognitoTokens {
                access: tokens.access,
                access_expires: access_token.exp,
                id,
                id_expires: id_token.exp,
                refresh: tokens.refresh,
            },
            created: now,
            ends: now.saturating_add(self.settings.session_max.as_secs()),
        };
        self.vault.create(&session).await?;
        self.issue_code(Code {
            sid: session.sid,
            client: transaction.client,
            redirect_uri: transaction.redirect_uri,
            challenge: transaction.challenge,
            scopes: transaction.scopes,
            resource: transaction.resource,
            expires: now.saturating_add(self.settings.code.as_secs()),
        })
        .await
    }

    /// Revokes tokens that came to nothing, without letting the person wait for it.
    fn give_back(&self, refresh: Secret) {
        let provider = std::sync::Arc::clone(&self.provider);
        tokio::spawn(async move {
            if let Err(error) = provider.revoke(&refresh).await {
                tracing::debug!(%error, "tokens of a failed sign-in not revoked");
            }
        });
    }
}

/// What Cognito's error means to the client (RFC 6749 section 4.1.2.1). Cognito's own words are not passed on.
fn refused_by_cognito(error: &str) -> OAuthError {
    match error {
        "access_denied" => {
            OAuthError::new(ErrorCode::AccessDenied, "cognito_denied", "the sign-in was refused or given up")
        }
        "temporarily_unavailable" => {
            OAuthError::unavailable("cognito_unavailable", "cognito answered temporarily_unavailable")
        }
        _ => {
            let code: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
            OAuthError::server_error("cognito_error", format!("cognito answered {code}"))
        }
    }
}
