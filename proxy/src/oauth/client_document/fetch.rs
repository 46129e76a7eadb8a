//! Fetching a client's document from wherever its author says it is, without being led to where we alone can go.
//!
//! The name is resolved by us, every address is looked at, and the connection goes to those very addresses: what a name
//! resolves to a moment later changes nothing. No redirect is followed, no proxy asked, no connection kept.

use std::{error::Error, fmt, io, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::DocumentError;
use super::address::{Kind, kind};
use super::lifetime::lifetime;
use super::places::Place;

/// The largest document that is read (draft section 6.6 recommends it).
const MAX_BYTES: usize = 5 * 1024;
/// How long all of it may take: name, connection, answer, body.
const PATIENCE: Duration = Duration::from_secs(5);

/// A document as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its text.
    pub body: Bytes,
    /// How long it may be used.
    pub lifetime: Duration,
}

/// Gets a client's document.
#[async_trait]
pub trait FetchDocument: Send + Sync + 'static {
    /// The document at `url`. Whatever is still going on when this is dropped keeps a copy of `place`.
    ///
    /// # Errors
    /// When there is none, or it must not or cannot be fetched.
    async fn fetch(&self, url: &Url, place: Place) -> Result<Fetched, DocumentError>;
}

/// Resolves a name.
#[async_trait]
pub(super) trait Lookup: Send + Sync + 'static {
    /// All addresses of `host`.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

tokio::task_local! {
    /// The place of the fetch under way: the HTTP client gives its resolver a name and nothing else.
    static PLACE: Place;
}

/// Fetches over the network.
pub(super) struct HttpDocuments {
    client: reqwest::Client,
    guard: Guard,
    patience: Duration,
}

impl HttpDocuments {
    /// Fetches with the system's resolver; `roots` are the only authorities trusted, or the system's when none are given.
    pub(super) fn new(
        private_networks: bool,
        roots: Option<Vec<reqwest::Certificate>>,
    ) -> Result<Self, reqwest::Error> {
        Self::with(Arc::new(SystemLookup), private_networks, roots, PATIENCE)
    }

    pub(super) fn with(
        lookup: Arc<dyn Lookup>,
        private_networks: bool,
        roots: Option<Vec<reqwest::Certificate>>,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        let guard = Guard { lookup, private_networks };
        let builder = reqwest::Client::builder()
            .dns_resolver(guard.clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .https_only(true)
            .http1_only()
            .referer(false)
            // A kept connection would go to an address that was looked at for another request.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("mcp-edge/", env!("CARGO_PKG_VERSION")));
        let builder = match roots {
            Some(roots) => builder.tls_certs_only(roots),
            None => builder,
        };
        Ok(Self { client: builder.build()?, guard, patience })
    }

    async fn answer(&self, url: &Url) -> Result<Fetched, DocumentError> {
        // An address in the URL is never resolved, so the resolver would not see it.
        match url.host() {
            Some(Host::Ipv4(address)) => self.guard.check(address.into())?,
            Some(Host::Ipv6(address)) => self.guard.check(address.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err(DocumentError::Url),
        }
        let asked = self.client.get(url.clone()).header(http::header::ACCEPT, "application/json");
        let mut response = asked.send().await.map_err(|error| failed(url, &error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(DocumentError::Unreachable),
            status if status.is_server_error() => return Err(DocumentError::Unreachable),
            _ => return Err(DocumentError::Missing),
        }
        let lifetime = lifetime(response.headers());
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| failed(url, &error))? {
            if body.len() + part.len() > MAX_BYTES {
                return Err(DocumentError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Fetched { body: body.freeze(), lifetime })
    }
}

#[async_trait]
impl FetchDocument for HttpDocuments {
    async fn fetch(&self, url: &Url, place: Place) -> Result<Fetched, DocumentError> {
        match PLACE.scope(place, tokio::time::timeout(self.patience, self.answer(url))).await {
            Ok(answer) => answer,
            Err(_) => Err(DocumentError::Unreachable),
        }
    }
}

/// What a failed request means: an address that was refused is found in its causes.
fn failed(url: &Url, error: &reqwest::Error) -> DocumentError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    let mut last = error.to_string();
    while let Some(next) = cause {
        if next.is::<ForbiddenAddress>() {
            return DocumentError::Forbidden;
        }
        last = next.to_string();
        cause = next.source();
    }
    tracing::info!(host = url.host_str(), error = %last, "client document not fetched");
    DocumentError::Unreachable
}

/// A host has an address that we do not connect to.
#[derive(Debug)]
struct ForbiddenAddress;

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has an address that is not public")
    }
}

impl Error for ForbiddenAddress {}

impl From<ForbiddenAddress> for DocumentError {
    fn from(_: ForbiddenAddress) -> Self {
        Self::Forbidden
    }
}

/// The resolver that the client connects with.
#[derive(Clone)]
struct Guard {
    lookup: Arc<dyn Lookup>,
    private_networks: bool,
}

impl Guard {
    fn check(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        match kind(address) {
            Kind::Public => Ok(()),
            Kind::Private if self.private_networks => Ok(()),
            Kind::Private | Kind::Special => Err(ForbiddenAddress),
        }
    }

    /// All addresses, or none: a name with one good and one bad address is trying something.
    async fn addresses(&self, host: &str) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
        let addresses = self.lookup.lookup(host).await?;
        for address in &addresses {
            self.check(*address)?;
        }
        Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, place) = (self.clone(), PLACE.try_with(Place::clone).ok());
        // The system's resolver goes on asking when nobody waits any more, for as long as a slow name server makes it: so
        // does this, and keeps the place.
        let looked_up = async move {
            let found = guard.addresses(name.as_str()).await;
            drop(place);
            found
        };
        Box::pin(async move { tokio::spawn(looked_up).await? })
    }
}

#[cfg(test)]
mod tests;
