//! What the person decided on the consent page: back to the client with a no, or on to Cognito.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde::{Deserialize, Serialize};

use super::authorize::{Transaction, consent_binding};
use super::browser::Browser;
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, opaque};
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::keys::Purpose;
use crate::limits::ClientAddress;
use crate::provider::SignIn;
use crate::store::names;

/// What allows a sign-in to go to Cognito.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Consent {
    /// The person has just pressed the button.
    Given,
    /// Somebody approved the same in this browser before; whether it was this person is seen at the callback. The
    /// default, because it is the one that proves nothing.
    #[default]
    Remembered,
}

/// A sign-in that is at Cognito: found by its `state`, taken once, good only in the browser that began it.
#[derive(Serialize, Deserialize)]
pub(super) struct PendingSignIn {
    /// What the client asked for and the person agreed to.
    pub(super) transaction: Transaction,
    /// What the ID token must carry.
    pub(super) nonce: String,
    /// Our PKCE verifier for Cognito.
    pub(super) verifier: String,
    /// Hash of the browser's id.
    pub(super) browser: String,
    /// Why it went to Cognito.
    #[serde(default)]
    pub(super) consent: Consent,
}

/// Where a pending sign-in is kept: by the hash of its state, so that who reads the store cannot finish it.
pub(super) fn pending_key(state: &str) -> String {
    names::sign_in(&fingerprint(state))
}

impl OAuth {
    /// `POST /consent`.
    pub(super) async fn consent(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::Method("POST"));
        }
        let (form, browser, transaction) = self.decided(request).map_err(Refusal::Page)?;
        let back = transaction.redirect().map(Box::new).map_err(Refusal::Page)?;
        match form.value("decision") {
            Some("approve") => self
                .send_to_cognito(&browser, transaction, (Consent::Given, request.client))
                .await
                .map_err(|error| Refusal::Redirect(back, error)),
            Some("deny") => {
                // A no that could not be kept is no answer: the client is told to try again.
                let kept = self.forget_approvals(&browser, &transaction.client).await;
                let denied = OAuthError::new(ErrorCode::AccessDenied, "consent_denied", "the user said no");
                Err(Refusal::Redirect(back, kept.err().unwrap_or(denied)))
            }
            _ => Err(Refusal::Page(OAuthError::invalid_request(
                "decision_missing",
                "use one of the two buttons of the page",
            ))),
        }
    }

    /// The form, the browser it was shown in and what it was about. A form from elsewhere, of another browser or too old
    /// does not open.
    fn decided(&self, request: &OAuthRequest) -> Result<(Parameters, Browser, Transaction), OAuthError> {
        let elsewhere = request.headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin");
        if elsewhere {
            return Err(OAuthError::invalid_request(
                "consent_cross_site",
                "this form came from another site: start the sign-in again in the client",
            ));
        }
        let form = Parameters::of_form(request)?;
        let browser = Browser::of(&request.headers, &self.keys).ok_or_else(|| {
            OAuthError::invalid_request(
                "cookie_missing",
                "this browser sent no cookie: allow cookies for this site, and start the sign-in again",
            )
        })?;
        let stale = || {
            let description =
                "this page is too old or of another browser: start the sign-in again in the client";
            OAuthError::invalid_request("transaction_stale", description)
        };
        let sealed =
            form.value("transaction").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(stale)?;
        let opened =
            self.keys.open(Purpose::Transaction, &consent_binding(&browser), &sealed).map_err(|_| stale())?;
        let transaction: Transaction = serde_json::from_slice(&opened.plain).map_err(|_| stale())?;
        if transaction.expires <= self.clock.unix() {
            return Err(stale());
        }
        Ok((form, browser, transaction))
    }

    /// Keeps the sign-in and sends the browser on. Only now is there anything to come back to.
    pub(super) async fn send_to_cognito(
        &self,
        browser: &Browser,
        transaction: Transaction,
        (consent, by): (Consent, ClientAddress),
    ) -> Result<Reply, OAuthError> {
        // Anybody has a browser and can press the button of the page, again and again.
        self.sign_ins.check(by).await?;
        // base64url: Cognito breaks on a state that looks like URL-encoded JSON.
        let (state, nonce, verifier) = (opaque::<32>(), opaque::<32>(), opaque::<32>());
        let code_challenge = fingerprint(&verifier);
        let resource = &transaction.resource;
        let sign_in = SignIn { state: &state, nonce: &nonce, code_challenge: &code_challenge, resource };
        let url = self.provider.sign_in_url(&sign_in).await?;
        let browser = fingerprint(browser.id());
        let pending = PendingSignIn { transaction, nonce, verifier, browser, consent };
        self.records
            .write(Purpose::Transaction, &pending_key(&state), &pending, self.settings.transaction)
            .await?;
        Ok(Reply::Onward(url))
    }
}
