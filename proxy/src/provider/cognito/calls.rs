//! Counting what is asked of Cognito, where somebody counts.

use crate::metrics::Calls;
use crate::provider::ProviderError;

/// Counts calls, or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Option<Calls>);

impl Counter {
    pub(super) fn new(calls: Calls) -> Self {
        Self(Some(calls))
    }

    /// Counts one call. Whoever gives up waiting had no answer.
    pub(super) async fn count<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        match &self.0 {
            Some(calls) => calls.counted((operation, "unavailable"), call, ProviderError::as_str).await,
            None => call.await,
        }
    }
}
