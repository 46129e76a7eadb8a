//! Where Cognito sends the browser back: the one place where a session begins.

use std::sync::Arc;

use cognito::TokenError;
use http::Method;
use service::Secret;
use tokio::runtime::Handle;

use super::authorize::Transaction;
use super::browser::Browser;
use super::codes::Code;
use super::consent::{Consent, PendingSignIn, pending_key};
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, same};
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::keys::{self, Purpose};
use crate::provider::{IdentityProvider, TokenSet};
use crate::terms::SessionId;
use crate::vault::{CognitoTokens, Session, User};

/// How a sign-in at Cognito ended well.
enum Arrival {
    /// In a session, and a code for the client.
    Code(String),
    /// With a user who did not approve what another one had.
    Unapproved(Box<Transaction>, User),
}

/// Cognito's refresh token of a sign-in that has not come to a code yet. Revoked when dropped, also because the browser
/// went away in the middle; nobody waits for it.
struct Unclaimed {
    provider: Arc<dyn IdentityProvider>,
    refresh: Option<Secret>,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(refresh) = self.refresh.take() else { return };
        let provider = Arc::clone(&self.provider);
        // There is none when the process is ending.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = provider.revoke(&refresh).await {
                tracing::debug!(%error, "tokens of a failed sign-in not revoked");
            }
        });
    }
}

impl OAuth {
    /// `GET /auth/callback`.
    pub(super) async fn callback(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::GET {
            return Err(Refusal::Method("GET"));
        }
        let answered = Parameters::of_query(request.query.as_deref());
        let (browser, pending) = self.pending(request, &answered).await.map_err(Refusal::Page)?;
        let back = pending.transaction.redirect().map_err(Refusal::Page)?;
        match self.signed_in(&answered, pending, &browser).await {
            Ok(Arrival::Code(code)) => Ok(Reply::Code(back, code)),
            Ok(Arrival::Unapproved(transaction, user)) => {
                let who = (user.username.as_str(), request.client);
                self.ask_after_all(&browser, *transaction, who).await.map_err(Refusal::Page)
            }
            Err(error) => Err(Refusal::Redirect(Box::new(back), error)),
        }
    }

    /// The sign-in this callback ends. It must be of this very browser (CVE-2026-27124: otherwise somebody else's
    /// callback could be finished here), and is taken only then, so that a stranger cannot use it up.
    async fn pending(
        &self,
        request: &OAuthRequest,
        answered: &Parameters,
    ) -> Result<(Browser, PendingSignIn), OAuthError> {
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
        let browser = Browser::of(&request.headers, &self.keys)
            .filter(|browser| same(&fingerprint(browser.id()), &held.value.browser))
            .ok_or_else(|| {
                OAuthError::invalid_request(
                    "browser_mismatch",
                    "this sign-in was begun in another browser: start it again in the client",
                )
            })?;
        let pending = self.records.take(Purpose::Transaction, &key).await?.ok_or_else(unknown)?;
        Ok((browser, pending))
    }

    /// Redeems Cognito's code, verifies who it is, keeps the session and makes our code.
    async fn signed_in(
        &self,
        answered: &Parameters,
        pending: PendingSignIn,
        browser: &Browser,
    ) -> Result<Arrival, OAuthError> {
        if let Some(error) = answered.value("error") {
            return Err(refused_by_cognito(error));
        }
        let code = answered.value("code").ok_or_else(|| {
            OAuthError::server_error("cognito_code_missing", "the callback has neither code nor error")
        })?;
        let verifier = Secret::new(pending.verifier.as_str());
        let tokens = self.provider.exchange(&Secret::new(code), &verifier).await?;
        let mut unclaimed =
            Unclaimed { provider: Arc::clone(&self.provider), refresh: tokens.refresh.clone() };
        let arrived = self.arrive(tokens, pending, browser).await;
        if matches!(arrived, Ok(Arrival::Code(_))) {
            unclaimed.refresh = None;
        }
        arrived
    }

    /// No session begins that this very user has not approved, just now or before.
    async fn arrive(
        &self,
        tokens: TokenSet,
        pending: PendingSignIn,
        browser: &Browser,
    ) -> Result<Arrival, OAuthError> {
        let (tokens, user) = self.verified(tokens, &pending.nonce).await?;
        let transaction = pending.transaction;
        match pending.consent {
            Consent::Given => self.remember_approval(&user, (browser, &transaction)).await,
            Consent::Remembered if self.has_approved(&user, (browser, &transaction)).await => {}
            Consent::Remembered => return Ok(Arrival::Unapproved(Box::new(transaction), user)),
        }
        self.begin_session(tokens, user, transaction).await.map(Arrival::Code)
    }

    async fn verified(&self, tokens: TokenSet, nonce: &str) -> Result<(CognitoTokens, User), OAuthError> {
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
        let user = User {
            issuer: id_token.iss.to_string(),
            subject: id_token.sub,
            username: id_token.username,
            groups: id_token.groups,
        };
        let tokens = CognitoTokens {
            access: tokens.access,
            access_expires: access_token.exp,
            id,
            id_expires: id_token.exp,
            refresh: tokens.refresh,
        };
        Ok((tokens, user))
    }

    async fn begin_session(
        &self,
        tokens: CognitoTokens,
        user: User,
        transaction: Transaction,
    ) -> Result<String, OAuthError> {
        let now = self.clock.unix();
        let session = Session {
            // A new id at each sign-in, so that none can be planted.
            sid: SessionId::from_random(keys::random::<16>()),
            user,
            client: transaction.client.clone(),
            scopes: transaction.scopes.clone(),
            resource: transaction.resource.clone(),
            tokens,
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
}

/// What Cognito's error means to the client (RFC 6749 section 4.1.2.1). Cognito's own words are not passed on.
fn refused_by_cognito(error: &str) -> OAuthError {
    match error {
        "access_denied" => {
            OAuthError::new(ErrorCode::AccessDenied, "cognito_denied", "the sign-in was refused or given up")
        }
        "temporarily_unavailable" => {
            // Not what is told when Cognito does not answer us: whoever has a browser can come with this.
            OAuthError::unavailable("cognito_error", "cognito answered temporarily_unavailable")
        }
        _ => {
            let code: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
            OAuthError::server_error("cognito_error", format!("cognito answered {code}"))
        }
    }
}
