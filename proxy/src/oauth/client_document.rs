//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document-01): a client whose id is an https URL
//! never registers; what it is stands at that URL. Fetched when an authorization is asked for, never at the token endpoint.

use std::sync::Arc;

use moka::future::Cache;
use moka::ops::compute::Op;
use serde::Deserialize;
use serde_json::{Map, Value};
use service::Clock;

use super::clients::{AuthMethod, Client};
use super::error::{ErrorCode, OAuthError};
use super::redirect::RedirectUri;
use super::register::shown_name;
use crate::config;
use crate::limits::{ClientAddress, Limiter, Rate};
use crate::terms::ClientId;

mod address;
mod fetch;
mod lifetime;
mod places;
mod url;

use fetch::HttpDocuments;
pub use fetch::{FetchDocument, Fetched};
pub use places::Place;
use places::Places;
use url::DocumentUrl;
pub use url::{HostPattern, InvalidHost};

/// How many documents are remembered; beyond it the least used are fetched again.
const MAX_DOCUMENTS: u64 = 1000;
/// How often one host is asked each minute: nobody can turn us against it.
const FETCHES_PER_MINUTE: u32 = 60;
/// How often at once.
const FETCHES_AT_ONCE: u32 = 20;
/// How often one network may have one host asked each minute, and at once: the rest stays for others.
const FETCHES_FOR_ONE_NETWORK: (u32, u32) = (30, 10);
/// Hosts that the clients people use have their documents at, named for those who allow any host.
const KNOWN_HOSTS: [&str; 4] = ["chatgpt.com", "claude.ai", "cursor.com", "vscode.dev"];
/// Most redirect URIs of one document; 5 KB would hold hundreds.
const MAX_REDIRECT_URIS: usize = 20;

/// Why a client's document was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The id is no URL that a document can have.
    #[error("not the URL of a client document")]
    Url,
    /// Documents of this host are not read here.
    #[error("host not allowed")]
    HostNotAllowed,
    /// The host is, or has, an address that is not public.
    #[error("address not allowed")]
    Forbidden,
    /// The host answered, but not with a document: not found, or somewhere else.
    #[error("no document there")]
    Missing,
    /// The document is longer than 5 KB.
    #[error("document too large")]
    TooLarge,
    /// The document is not what the draft asks for.
    #[error("document unusable")]
    Unusable,
    /// The document says that its client is another one.
    #[error("document of another client")]
    Other,
    /// The document holds a secret, or the client would prove itself with one.
    #[error("document with a secret")]
    Secret,
    /// None of the redirect URIs is allowed here.
    #[error("no redirect URI allowed")]
    Redirects,
    /// The host does not answer, or not now.
    #[error("host unreachable")]
    Unreachable,
    /// We asked the host too often.
    #[error("host asked too often")]
    TooOften,
}

impl From<DocumentError> for OAuthError {
    /// The author's fault is the client's; a host that does not answer is nobody's, and passes.
    fn from(error: DocumentError) -> Self {
        let (code, reason, description) = match error {
            DocumentError::Url => (
                ErrorCode::InvalidClient,
                "client_document_url",
                "the client is named by a URL that cannot be one: https, a path, no query and no fragment",
            ),
            DocumentError::HostNotAllowed => (
                ErrorCode::InvalidClient,
                "client_document_host",
                "clients of this host are not allowed here: ask the administrator to allow it",
            ),
            DocumentError::Forbidden => (
                ErrorCode::InvalidClient,
                "client_document_address",
                "the client is described at an address that is not on the public internet",
            ),
            DocumentError::Missing => (
                ErrorCode::InvalidClient,
                "client_document_missing",
                "there is no description of the client at the URL that names it",
            ),
            DocumentError::TooLarge => (
                ErrorCode::InvalidClient,
                "client_document_large",
                "the description of the client is longer than 5 KB",
            ),
            DocumentError::Unusable => (
                ErrorCode::InvalidClient,
                "client_document_unusable",
                "the description of the client is not one this server can use",
            ),
            DocumentError::Other => (
                ErrorCode::InvalidClient,
                "client_document_other",
                "the description at the client's URL is of another client",
            ),
            DocumentError::Secret => (
                ErrorCode::InvalidClient,
                "client_document_secret",
                "the description of the client asks for a secret, and what is public cannot hold one",
            ),
            DocumentError::Redirects => (
                ErrorCode::InvalidClient,
                "redirect_uri_not_allowed",
                "none of the client's redirect URIs is on the list of this server: ask its administrator",
            ),
            DocumentError::Unreachable => (
                ErrorCode::TemporarilyUnavailable,
                "client_document_unreachable",
                "the host that describes the client does not answer: try again in a moment",
            ),
            DocumentError::TooOften => (
                ErrorCode::TemporarilyUnavailable,
                "client_document_too_often",
                "the host that describes the client was asked too often: try again in a moment",
            ),
        };
        Self::new(code, reason, description)
    }
}

/// The configuration asks for something that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(Box<dyn std::error::Error + Send + Sync>);

/// The clients that are known by their documents. Clones share what they know and count.
#[derive(Clone)]
pub struct ClientDocuments {
    allowed_hosts: Vec<HostPattern>,
    fetch: Arc<dyn FetchDocument>,
    /// By host; a client whose document was good before counts for itself.
    per_host: Arc<Limiter>,
    /// By network and host.
    per_network: Arc<Limiter>,
    places: Arc<Places>,
    clock: Arc<dyn Clock>,
    known: Cache<ClientId, Known>,
    /// Whose document was good once.
    good: Cache<ClientId, ()>,
}

/// A document that was found good.
#[derive(Debug, Clone)]
struct Known {
    client: Arc<Client>,
    /// When it must be fetched again (unix seconds).
    ends: u64,
}

impl ClientDocuments {
    /// Documents of `allowed_hosts` (of every host, when empty), got by `fetch`.
    #[must_use]
    pub fn new(
        allowed_hosts: Vec<HostPattern>,
        fetch: Arc<dyn FetchDocument>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (rate, at_once) = FETCHES_FOR_ONE_NETWORK;
        let per_host =
            Limiter::new(Rate::per_minute(FETCHES_PER_MINUTE, FETCHES_AT_ONCE), Arc::clone(&clock));
        Self {
            allowed_hosts,
            fetch,
            per_host: Arc::new(per_host),
            per_network: Arc::new(Limiter::new(Rate::per_minute(rate, at_once), Arc::clone(&clock))),
            places: Arc::default(),
            clock,
            known: Cache::builder().max_capacity(MAX_DOCUMENTS).build(),
            good: Cache::builder().max_capacity(MAX_DOCUMENTS).build(),
        }
    }

    /// As configured, over the network; none when they are not wanted.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    pub fn load(
        settings: &config::ClientDocuments,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, LoadError> {
        if !settings.enabled {
            return Ok(None);
        }
        let roots = settings.ca_file.as_ref().map(|path| {
            let pem = std::fs::read(path).map_err(|error| LoadError(error.into()))?;
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| LoadError(error.into()))
        });
        let fetch = HttpDocuments::new(settings.private_networks, roots.transpose()?)
            .map_err(|error| LoadError(error.into()))?;
        Ok(Some(Self::new(settings.allowed_hosts.clone(), Arc::new(fetch), Arc::clone(clock))))
    }

    /// As configured now, with what these count. What they know is kept unless it is `fetched_anew`, because documents are
    /// got from other networks or under other authorities than before.
    ///
    /// # Errors
    /// As [`ClientDocuments::load`].
    pub fn reload(
        &self,
        settings: &config::ClientDocuments,
        fetched_anew: bool,
    ) -> Result<Option<Self>, LoadError> {
        if settings.enabled && !fetched_anew {
            return Ok(Some(Self { allowed_hosts: settings.allowed_hosts.clone(), ..self.clone() }));
        }
        let loaded = Self::load(settings, &self.clock)?;
        let (per_host, per_network) = (Arc::clone(&self.per_host), Arc::clone(&self.per_network));
        let places = Arc::clone(&self.places);
        Ok(loaded.map(|new| Self { per_host, per_network, places, ..new }))
    }

    /// Whether a client id means a document.
    pub(crate) fn is_meant(id: &ClientId) -> bool {
        DocumentUrl::is_meant(id.as_str())
    }

    /// The client as its document describes it, which is fetched unless it was a while ago. Many who ask at once cause one
    /// fetch; what went wrong is not remembered.
    pub(super) async fn client(
        &self,
        id: &ClientId,
        asker: ClientAddress,
        allowed: impl Fn(&RedirectUri) -> bool,
    ) -> Result<Client, DocumentError> {
        let url = self.allowed_url(id)?;
        let now = self.clock.unix();
        if self.known.get(id).await.is_some_and(|known| known.ends <= now) {
            // Decided anew under the entry's lock: somebody may have fetched it since.
            let entry = self.known.entry_by_ref(id);
            entry
                .and_compute_with(|entry| {
                    let old = entry.is_some_and(|entry| entry.into_value().ends <= now);
                    std::future::ready(if old { Op::Remove } else { Op::Nop })
                })
                .await;
        }
        let known = self
            .known
            .try_get_with_by_ref(id, self.fetched(id, &url, asker))
            .await
            .map_err(|error| *error)?;
        let client = Client::clone(&known.client);
        // What is allowed is asked each time; the document itself is the same whoever asks.
        if client.usable_redirect_uris().any(|uri| allowed(&uri)) {
            Ok(client)
        } else {
            Err(DocumentError::Redirects)
        }
    }

    /// The client with this id, taken at its word: it was found good when its grant was made, and proves itself by that.
    /// Nothing is fetched, so that a host that is away ends nobody's session, and nobody can make us fetch by posting.
    pub(super) fn granted(&self, id: &ClientId) -> Result<Client, DocumentError> {
        self.allowed_url(id)?;
        Ok(public_client(id.clone(), String::new(), Vec::new(), 0))
    }

    fn allowed_url(&self, id: &ClientId) -> Result<DocumentUrl, DocumentError> {
        let url = DocumentUrl::parse(id.as_str())?;
        let any = self.allowed_hosts.is_empty();
        if any || self.allowed_hosts.iter().any(|pattern| pattern.allows(url.host())) {
            Ok(url)
        } else {
            Err(DocumentError::HostNotAllowed)
        }
    }

    /// Whether a host is one by itself in the configuration, or where that allows any, one that clients come from.
    fn names(&self, host: &str) -> bool {
        if self.allowed_hosts.is_empty() {
            return KNOWN_HOSTS.contains(&host);
        }
        self.allowed_hosts.iter().any(|pattern| pattern.names(host))
    }

    async fn fetched(
        &self,
        id: &ClientId,
        url: &DocumentUrl,
        asker: ClientAddress,
    ) -> Result<Known, DocumentError> {
        let place = self.places.take(asker, self.names(url.host())).ok_or(DocumentError::TooOften)?;
        let network_and_host = format!("{} {}", asker.network(), url.host());
        self.per_network.check(&network_and_host).map_err(|_| DocumentError::TooOften)?;
        // Strangers who ask for what a host does not have cannot keep a client from being fetched that was good before.
        let counted = if self.good.contains_key(id) { id.as_str() } else { url.host() };
        self.per_host.check(counted).map_err(|_| DocumentError::TooOften)?;
        let fetched = self.fetch.fetch(url.url(), place).await.and_then(|fetched| {
            let client = described(id, &fetched.body, self.clock.unix())?;
            Ok(Known {
                client: Arc::new(client),
                ends: self.clock.unix().saturating_add(fetched.lifetime.as_secs()),
            })
        });
        match &fetched {
            Ok(_) => {
                self.good.insert(id.clone(), ()).await;
                tracing::info!(client.id = %id, "client document read");
            }
            Err(error) => tracing::info!(client.id = %id, %error, "client document refused"),
        }
        fetched
    }
}

/// What a document says. Members we do not know are ignored (RFC 7591 section 2).
#[derive(Debug, Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
}

/// The client that a document describes, if it is a good one and of this very id.
fn described(id: &ClientId, body: &[u8], now: u64) -> Result<Client, DocumentError> {
    let members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| DocumentError::Unusable)?;
    if members.keys().any(|name| name.starts_with("client_secret")) {
        return Err(DocumentError::Secret);
    }
    let document: Document =
        serde_json::from_value(Value::Object(members)).map_err(|_| DocumentError::Unusable)?;
    // Compared as text (draft section 4): no document speaks for another's URL.
    if document.client_id != id.as_str() {
        return Err(DocumentError::Other);
    }
    match document.token_endpoint_auth_method.as_deref() {
        None | Some("none") => {}
        Some(method) if method.starts_with("client_secret") => return Err(DocumentError::Secret),
        Some(_) => return Err(DocumentError::Unusable),
    }
    let lacks = |list: Option<&Vec<String>>, wanted: &str| {
        list.is_some_and(|list| !list.iter().any(|one| one == wanted))
    };
    let unusable = lacks(document.grant_types.as_ref(), "authorization_code")
        || lacks(document.response_types.as_ref(), "code")
        || document.redirect_uris.is_empty()
        || document.redirect_uris.len() > MAX_REDIRECT_URIS;
    if unusable {
        return Err(DocumentError::Unusable);
    }
    let name = shown_name(document.client_name.as_deref().unwrap_or_default());
    Ok(public_client(id.clone(), name, document.redirect_uris, now))
}

fn public_client(id: ClientId, name: String, redirect_uris: Vec<String>, registered: u64) -> Client {
    Client {
        id,
        name,
        redirect_uris,
        auth_method: AuthMethod::None,
        secret_hash: None,
        registered,
        used: true,
    }
}

/// The host that a client's document is at, for people; none for a client that registered.
pub(super) fn publisher(id: &ClientId) -> Option<String> {
    DocumentUrl::parse(id.as_str()).ok().map(|url| url.shown())
}

#[cfg(test)]
mod tests;
