//! The authorization endpoint: checks the request and shows the consent page, or goes on to Cognito where the same was
//! approved before. Without a browser's cookie it changes nothing, so that clients may probe it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde::{Deserialize, Serialize};

use super::browser::Browser;
use super::clients::Client;
use super::consent::Consent;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::redirect::{ClientRedirect, RedirectUri};
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest, OFFLINE_ACCESS, ProtectedResource, approvals, pages};
use crate::keys::Purpose;
use crate::limits::ClientAddress;
use crate::terms::{ClientId, Resource, Scopes};

/// How long the browser keeps its cookie when no approval is remembered.
const COOKIE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Longest `state` that is carried, in bytes.
const MAX_STATE_BYTES: usize = 4096;
/// An S256 challenge: base64url of 32 bytes (RFC 7636 section 4.2).
const CHALLENGE_CHARS: usize = 43;

/// A checked authorization request, on its way through consent and Cognito. Travels sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Transaction {
    /// Who asks.
    pub(super) client: ClientId,
    /// Where the code goes; proven.
    pub(super) redirect_uri: String,
    /// The client's `state`, returned as it came.
    pub(super) state: Option<String>,
    /// The client's PKCE challenge, S256.
    pub(super) challenge: String,
    /// What is asked for.
    pub(super) scopes: Scopes,
    /// Where.
    pub(super) resource: Resource,
    /// When the person has taken too long (unix seconds).
    pub(super) expires: u64,
}

impl Transaction {
    /// The way back to the client.
    pub(super) fn redirect(&self) -> Result<ClientRedirect, OAuthError> {
        let uri = RedirectUri::parse(&self.redirect_uri)
            .map_err(|reason| OAuthError::server_error("transaction_unusable", reason))?;
        Ok(ClientRedirect::new(uri, self.state.as_deref()))
    }
}

impl OAuth {
    /// `GET /authorize`.
    pub(super) async fn authorize(&self, request: &OAuthRequest) -> Answer {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Refusal::Method("GET, HEAD"));
        }
        let asked = Parameters::of_query(request.query.as_deref());
        let (client, uri) = self.asking_client(&asked, request.client).await.map_err(Refusal::Page)?;
        // From here on it is proven where the client is: errors go there.
        let state =
            asked.value("state").filter(|state| state.len() <= MAX_STATE_BYTES && !asked.repeats("state"));
        let back = Box::new(ClientRedirect::new(uri.clone(), state));
        let (transaction, resource) =
            self.transaction(&asked, &client, &uri).map_err(|error| Refusal::Redirect(back, error))?;
        let browser = Browser::of(&request.headers, &self.keys);
        if let Some(browser) = &browser
            && self.need_not_ask(request, &asked, (browser, &transaction)).await
        {
            let back = transaction.redirect().map(Box::new).map_err(Refusal::Page)?;
            let onward =
                self.send_to_cognito(browser, transaction, (Consent::Remembered, request.client)).await;
            return onward.map_err(|error| Refusal::Redirect(back, error));
        }
        let browser = browser.unwrap_or_else(Browser::new);
        self.consent_page(&browser, (&client, resource), &transaction, None).map_err(Refusal::Page)
    }

    /// The client and its redirect URI. Nothing else is looked at before they are proven.
    async fn asking_client(
        &self,
        asked: &Parameters,
        asker: ClientAddress,
    ) -> Result<(Client, RedirectUri), OAuthError> {
        if asked.repeats("client_id") || asked.repeats("redirect_uri") {
            return Err(OAuthError::invalid_request("repeated_parameter", "send each parameter only once"));
        }
        let id = asked.required("client_id", "client_id_missing", "the client did not say who it is")?;
        let unknown = || {
            let description =
                "this server does not know the client: remove the server from the client, and add it again";
            OAuthError::new(ErrorCode::InvalidClient, "client_unknown", description)
        };
        let id = ClientId::parse(id).map_err(|_| unknown())?;
        let client = self.client(&id, asker).await?.ok_or_else(unknown)?;
        let uri = client.redirect_uri(asked.value("redirect_uri"), |uri| self.allows(uri))?;
        Ok((client, uri))
    }

    fn transaction(
        &self,
        asked: &Parameters,
        client: &Client,
        uri: &RedirectUri,
    ) -> Result<(Transaction, &ProtectedResource), OAuthError> {
        asked.none_repeated()?;
        let state = asked.value("state");
        if state.is_some_and(|state| state.len() > MAX_STATE_BYTES) {
            return Err(OAuthError::invalid_request("state_too_long", "send a state of at most 4096 bytes"));
        }
        match asked.required("response_type", "response_type_missing", "send response_type=code")? {
            "code" => {}
            _ => {
                return Err(OAuthError::new(
                    ErrorCode::UnsupportedResponseType,
                    "response_type",
                    "only response_type=code is supported",
                ));
            }
        }
        if asked.value("response_mode").is_some_and(|mode| mode != "query") {
            return Err(OAuthError::invalid_request(
                "response_mode",
                "only response_mode=query is supported",
            ));
        }
        let challenge = challenge(asked)?;
        let resource = self.resource(asked.value("resource"))?;
        let transaction = Transaction {
            client: client.id.clone(),
            redirect_uri: uri.as_str().to_owned(),
            state: state.map(str::to_owned),
            challenge: challenge.to_owned(),
            scopes: scopes(asked.value("scope"), &resource.scopes)?,
            resource: resource.resource.clone(),
            expires: self.clock.unix().saturating_add(self.settings.transaction.as_secs()),
        };
        Ok((transaction, resource))
    }

    /// Asks the person at last, after a sign-in at Cognito for which nobody was asked and which nobody approved.
    pub(super) async fn ask_after_all(
        &self,
        browser: &Browser,
        mut transaction: Transaction,
        (username, asker): (&str, ClientAddress),
    ) -> Result<Reply, OAuthError> {
        let gone =
            || OAuthError::invalid_request("client_unknown", "the client is no longer known: add it again");
        let client = self.client(&transaction.client, asker).await?.ok_or_else(gone)?;
        let resources = &self.settings.resources;
        let resource = resources.iter().find(|known| known.resource == transaction.resource);
        let resource = resource.ok_or_else(|| {
            OAuthError::server_error(
                "resource_unknown",
                "the resource of a sign-in is not configured any more",
            )
        })?;
        transaction.expires = self.clock.unix().saturating_add(self.settings.transaction.as_secs());
        self.consent_page(browser, (&client, resource), &transaction, Some(username))
    }

    /// The page; `username` when it is known who is signed in at Cognito.
    fn consent_page(
        &self,
        browser: &Browser,
        (client, resource): (&Client, &ProtectedResource),
        transaction: &Transaction,
        username: Option<&str>,
    ) -> Result<Reply, OAuthError> {
        let plain = serde_json::to_vec(transaction)
            .map_err(|error| OAuthError::server_error("transaction_unwritable", error))?;
        let sealed = self.keys.seal(Purpose::Transaction, &consent_binding(browser), &plain);
        let uri = RedirectUri::parse(&transaction.redirect_uri)
            .map_err(|reason| OAuthError::server_error("transaction_unusable", reason))?;
        let destination = uri.shown();
        let page = pages::consent(&pages::Consent {
            client: if client.name.is_empty() { &destination } else { &client.name },
            destination: &destination,
            local: uri.is_local(),
            publisher: super::client_document::publisher(&client.id).as_deref(),
            resource_name: &resource.name,
            resource: resource.resource.as_str(),
            scopes: transaction.scopes.iter().map(pages::Scope::new).collect(),
            username,
            transaction: &URL_SAFE_NO_PAD.encode(sealed),
        })?;
        // Remembered approvals are found by the cookie; without them it is needed for one sign-in and a bit.
        let keep = if self.settings.remember_consent { approvals::LIFETIME } else { COOKIE_LIFETIME };
        let cookie = browser
            .cookie(&self.keys, keep)
            .ok_or_else(|| OAuthError::server_error("cookie_unwritable", "cookie is no header value"))?;
        Ok(Reply::Page(page, cookie))
    }
}

/// What a consent form is bound to: opened only together with the cookie of the browser it was shown in, which makes it
/// its own CSRF token.
pub(super) fn consent_binding(browser: &Browser) -> Vec<u8> {
    format!("consent:{}", browser.id()).into_bytes()
}

/// The PKCE challenge; S256 only (OAuth 2.1 section 4.1.1, MCP authorization). No method would mean `plain`.
fn challenge(asked: &Parameters) -> Result<&str, OAuthError> {
    let challenge = asked.required("code_challenge", "pkce_missing", "send a PKCE code_challenge")?;
    if asked.value("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("pkce_method", "code_challenge_method must be S256"));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != CHALLENGE_CHARS || !challenge.bytes().all(base64url) {
        return Err(OAuthError::invalid_request(
            "pkce_challenge",
            "code_challenge must be the 43 characters of a base64url SHA-256",
        ));
    }
    Ok(challenge)
}

/// What of the asked scopes exists at the resource; all of it when none was named. Unknown ones are left out, as
/// RFC 6749 section 3.3 allows, unless nothing would be left.
fn scopes(asked: Option<&str>, offered: &Scopes) -> Result<Scopes, OAuthError> {
    let invalid = |reason, description| OAuthError::new(ErrorCode::InvalidScope, reason, description);
    let asked = Scopes::parse(asked.unwrap_or_default())
        .map_err(|_| invalid("scope_malformed", "scope is a list of names with spaces between"))?;
    let offline = Scopes::parse(OFFLINE_ACCESS).unwrap_or_default().intersect(&asked);
    let named = asked.iter().any(|scope| scope != OFFLINE_ACCESS);
    if !named {
        return Ok(offered.union(&offline));
    }
    let granted = offered.intersect(&asked);
    if granted.is_empty() && !offered.is_empty() {
        return Err(invalid("scope_unknown", "none of the scopes exists at this resource"));
    }
    Ok(granted.union(&offline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_what_was_asked_for_and_exists() {
        let offered = Scopes::parse("plane:read plane:write").unwrap();
        let granted = |asked| scopes(asked, &offered).map(|scopes| scopes.to_string()).ok();
        assert_eq!(granted(None).as_deref(), Some("plane:read plane:write"));
        assert_eq!(
            granted(Some("plane:read openid offline_access")).as_deref(),
            Some("plane:read offline_access")
        );
        assert_eq!(granted(Some("offline_access")).as_deref(), Some("plane:read plane:write offline_access"));
        assert_eq!(granted(Some("admin")), None);
        assert_eq!(granted(Some("quo\"te")), None);
    }
}
