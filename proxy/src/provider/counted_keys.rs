//! Cognito's signing keys, with every fetch counted and timed.

use async_trait::async_trait;
use bytes::Bytes;
use cognito::{FetchError, FetchKeys};
use url::Url;

use crate::metrics::Calls;

/// Fetches keys, and counts that.
#[derive(Debug)]
pub struct CountedKeys<F> {
    fetch: F,
    calls: Calls,
}

impl<F: FetchKeys> CountedKeys<F> {
    /// Counts what `fetch` does.
    pub fn new(fetch: F, calls: Calls) -> Self {
        Self { fetch, calls }
    }
}

#[async_trait]
impl<F: FetchKeys> FetchKeys for CountedKeys<F> {
    async fn fetch(&self, uri: &Url) -> Result<Bytes, FetchError> {
        self.calls.counted(("jwks", "unavailable"), self.fetch.fetch(uri), |_| "unavailable").await
    }
}
