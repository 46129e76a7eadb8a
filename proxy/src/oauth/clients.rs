//! The clients: who registered, what with, and where one is looked up.

use serde::{Deserialize, Serialize};

use super::OAuth;
use super::error::OAuthError;
use super::redirect::RedirectUri;
use crate::store::names;
use crate::terms::ClientId;

/// How a client proves itself at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AuthMethod {
    /// Not at all: a public client, proven by PKCE alone.
    #[serde(rename = "none")]
    None,
    /// Its secret in the `Authorization` header.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// Its secret in the form.
    #[serde(rename = "client_secret_post")]
    Post,
}

/// A client. Holds no secret, only the hash of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Client {
    /// Its identifier.
    pub(super) id: ClientId,
    /// What it calls itself: not to be trusted, and empty when it did not say.
    pub(super) name: String,
    /// Where codes may be sent.
    pub(super) redirect_uris: Vec<String>,
    /// How it proves itself.
    pub(super) auth_method: AuthMethod,
    /// Hash of its secret; none for a public client.
    pub(super) secret_hash: Option<String>,
    /// When it registered (unix seconds).
    pub(super) registered: u64,
}

impl Client {
    /// The redirect URI a request may use: the one it names, if registered, or the only registered one. `allowed` is
    /// asked again each time, as what an operator allows may have changed since the registration.
    pub(super) fn redirect_uri(
        &self,
        asked: Option<&str>,
        allowed: impl Fn(&RedirectUri) -> bool,
    ) -> Result<RedirectUri, OAuthError> {
        let refused = |reason| {
            OAuthError::invalid_request(
                reason,
                "the redirect URI is not one this client registered and we allow",
            )
        };
        let text = match (asked, self.redirect_uris.as_slice()) {
            (Some(asked), _) => asked,
            (None, [only]) => only,
            (None, _) => return Err(refused("redirect_uri_missing")),
        };
        let uri = RedirectUri::parse(text).map_err(refused)?;
        let registered = self
            .redirect_uris
            .iter()
            .filter_map(|known| RedirectUri::parse(known).ok())
            .any(|known| uri.equals_registered(&known));
        if !registered {
            return Err(refused("redirect_uri_unregistered"));
        }
        if !allowed(&uri) {
            return Err(refused("redirect_uri_not_allowed"));
        }
        Ok(uri)
    }
}

impl OAuth {
    /// The client with this id: the one place that knows where clients come from.
    pub(super) async fn client(&self, id: &ClientId) -> Result<Option<Client>, OAuthError> {
        let Some(stored) = self.records.store().get(&names::client(id.as_str())).await? else {
            return Ok(None);
        };
        let client = serde_json::from_slice(&stored)
            .map_err(|error| OAuthError::unavailable("record_unreadable", error))?;
        Ok(Some(client))
    }

    /// Keeps a new client.
    pub(super) async fn keep_client(&self, client: &Client) -> Result<(), OAuthError> {
        let record = serde_json::to_vec(client)
            .map_err(|error| OAuthError::server_error("record_unwritable", error))?;
        let key = names::client(client.id.as_str());
        Ok(self.records.store().put(&key, record.into(), self.settings.client_ttl).await?)
    }

    /// A client that proved itself is in use: its time starts anew. Failing to say so costs nothing now.
    pub(super) async fn renew_client(&self, id: &ClientId) {
        let renewed =
            self.records.store().expire(&names::client(id.as_str()), self.settings.client_ttl).await;
        if let Err(error) = renewed {
            tracing::debug!(%error, "client not renewed");
        }
    }

    /// Whether redirect URIs like this one are allowed at all.
    pub(super) fn allows(&self, uri: &RedirectUri) -> bool {
        self.settings.allowed_redirect_uris.iter().any(|pattern| pattern.allows(uri))
    }
}
