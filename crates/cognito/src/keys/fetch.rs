//! Getting a JWKS document from where it is published.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{Client, ClientBuilder, StatusCode, redirect};
use thiserror::Error;
use url::Url;

/// Largest JWKS document that is read; Cognito's are about 1 kB. A larger one is a failed fetch.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// Longest a fetch may take, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a JWKS document could not be had.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The answer was not 200; a redirect is not followed.
    #[error("key document was answered with status {0}")]
    Status(u16),
    /// It is larger than [`MAX_DOCUMENT_BYTES`].
    #[error("key document is too large")]
    TooLarge,
    /// No whole answer in time.
    #[error("key document did not arrive in time")]
    Timeout,
    /// The connection failed.
    #[error("key document could not be fetched")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    /// It is not a JWKS document.
    #[error("key document is not a key set")]
    NotAKeySet(#[source] Box<dyn Error + Send + Sync>),
    /// It has no RS256 signing key.
    #[error("key document has no usable key")]
    NoUsableKey,
}

/// Gets JWKS documents. A trait, so that tests need no network.
#[async_trait]
pub trait FetchKeys: Debug + Send + Sync + 'static {
    /// The document at `uri`.
    ///
    /// # Errors
    /// [`FetchError`]; the caller decides what older keys are still worth.
    async fn fetch(&self, uri: &Url) -> Result<Bytes, FetchError>;
}

/// Gets JWKS documents over HTTP.
#[derive(Debug, Clone)]
pub struct HttpKeys {
    client: Client,
    timeout: Duration,
}

impl HttpKeys {
    /// A fetcher that trusts the system's certificate authorities.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when TLS cannot be set up.
    pub fn new() -> Result<Self, FetchError> {
        Self::with(Client::builder())
    }

    /// A fetcher over a client with settings of its own, such as other certificate authorities. Redirects stay
    /// off and the time limit stays ours.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when the client cannot be built.
    pub fn with(builder: ClientBuilder) -> Result<Self, FetchError> {
        let client = builder.redirect(redirect::Policy::none()).build();
        let client = client.map_err(|error| FetchError::Transport(Box::new(error)))?;
        Ok(Self { client, timeout: TIMEOUT })
    }

    /// The same with another time limit for a whole answer than five seconds.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

#[async_trait]
impl FetchKeys for HttpKeys {
    async fn fetch(&self, uri: &Url) -> Result<Bytes, FetchError> {
        let request = self.client.get(uri.clone()).timeout(self.timeout);
        let mut response = request.send().await.map_err(outcome)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut document = BytesMut::new();
        // Counted as it arrives and after decompression: a Content-Length can lie or be missing.
        while let Some(chunk) = response.chunk().await.map_err(outcome)? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLarge);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document.freeze())
    }
}

fn outcome(error: reqwest::Error) -> FetchError {
    if error.is_timeout() { FetchError::Timeout } else { FetchError::Transport(Box::new(error)) }
}
