//! The clients: who registered, what with, and where one is looked up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client_document::{ClientDocuments, DocumentError};
use super::error::OAuthError;
use super::redirect::RedirectUri;
use super::{OAuth, OAuthSettings};
use crate::limits::ClientAddress;
use crate::store::names;
use crate::terms::ClientId;

/// How long a client that registered may take to begin its first sign-in. Anybody may register, so that together with the
/// rate of registrations this bounds what strangers can fill the store with.
const UNUSED: Duration = Duration::from_secs(60 * 60);

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
    /// Whether it has ever signed anybody in.
    #[serde(default)]
    pub(super) used: bool,
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
        if !self.usable_redirect_uris().any(|known| uri.equals_registered(&known)) {
            return Err(refused("redirect_uri_unregistered"));
        }
        if !allowed(&uri) {
            return Err(refused("redirect_uri_not_allowed"));
        }
        Ok(uri)
    }

    /// The registered redirect URIs that may be used in principle.
    pub(super) fn usable_redirect_uris(&self) -> impl Iterator<Item = RedirectUri> {
        self.redirect_uris.iter().filter_map(|known| RedirectUri::parse(known).ok())
    }
}

/// What a registered client calls itself, by its record; none when it did not say.
pub(crate) fn registered_name(record: &[u8]) -> Option<String> {
    let client: Client = serde_json::from_slice(record).ok()?;
    (!client.name.is_empty()).then_some(client.name)
}

impl OAuth {
    /// The client with this id, for whoever asks: the one place that knows where clients come from.
    pub(super) async fn client(
        &self,
        id: &ClientId,
        asker: ClientAddress,
    ) -> Result<Option<Client>, OAuthError> {
        if ClientDocuments::is_meant(id) {
            let Some(documents) = &self.documents else { return Ok(None) };
            return Ok(Some(documents.client(id, asker, |uri| self.allows(uri)).await?));
        }
        let client = self.registered_client(id).await?;
        let now = self.clock.unix();
        Ok(client.filter(|client| client.used || now < client.registered.saturating_add(UNUSED.as_secs())))
    }

    /// The client that asks at the token endpoint, where what it may do was settled with its grant.
    pub(super) async fn granted_client(&self, id: &ClientId) -> Result<Option<Client>, OAuthError> {
        if !ClientDocuments::is_meant(id) {
            return self.registered_client(id).await;
        }
        let granted = self.documents.as_ref().map(|documents| documents.granted(id));
        match granted {
            Some(Ok(client)) => Ok(Some(client)),
            // An id that cannot be, or can no longer, is unknown: clients sign in again on it, and are told why there.
            None | Some(Err(DocumentError::Url | DocumentError::HostNotAllowed)) => Ok(None),
            Some(Err(error)) => Err(error.into()),
        }
    }

    async fn registered_client(&self, id: &ClientId) -> Result<Option<Client>, OAuthError> {
        let Some(stored) = self.records.store().get(&names::client(id.as_str())).await? else {
            return Ok(None);
        };
        let client = serde_json::from_slice(&stored)
            .map_err(|error| OAuthError::unavailable("record_unreadable", error))?;
        Ok(Some(client))
    }

    /// Keeps a new client, until it is used or could not be any more: its time to begin a sign-in, and to finish it.
    pub(super) async fn keep_client(&self, client: &Client) -> Result<(), OAuthError> {
        let OAuthSettings { transaction, code, client_ttl, .. } = &self.settings;
        self.write_client(client, (UNUSED + *transaction * 2 + *code).min(*client_ttl)).await
    }

    /// A client that proved itself is in use: its time starts anew. Failing to say so costs nothing now.
    pub(super) async fn renew_client(&self, client: &Client) {
        if ClientDocuments::is_meant(&client.id) {
            return;
        }
        let ttl = self.settings.client_ttl;
        let renewed = if client.used {
            let key = names::client(client.id.as_str());
            self.records.store().expire(&key, ttl).await.map(drop).map_err(OAuthError::from)
        } else {
            self.write_client(&Client { used: true, ..client.clone() }, ttl).await
        };
        if let Err(error) = renewed {
            tracing::debug!(%error, "client not renewed");
        }
    }

    async fn write_client(&self, client: &Client, ttl: Duration) -> Result<(), OAuthError> {
        let record = serde_json::to_vec(client)
            .map_err(|error| OAuthError::server_error("record_unwritable", error))?;
        Ok(self.records.store().put(&names::client(client.id.as_str()), record.into(), ttl).await?)
    }

    /// Whether redirect URIs like this one are allowed at all.
    pub(super) fn allows(&self, uri: &RedirectUri) -> bool {
        self.settings.allowed_redirect_uris.iter().any(|pattern| pattern.allows(uri))
    }
}
