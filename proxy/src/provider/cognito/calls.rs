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

    /// Counts one call. A code is redeemed while its client waits, who may leave: that is no fault of Cognito's. Any other
    /// call is given up by us alone, when it takes too long.
    pub(super) async fn count<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let given_up = if operation == "token" { "given_up" } else { "unavailable" };
        match &self.0 {
            Some(calls) => calls.counted((operation, given_up), call, ProviderError::as_str).await,
            None => call.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use prometheus::TextEncoder;

    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn a_client_that_leaves_while_its_code_is_redeemed_is_no_failure_of_cognito() {
        let metrics = Metrics::new([]).unwrap();
        let counter = Counter::new(metrics.cognito.clone());
        for operation in ["token", "refresh"] {
            let mut call = Box::pin(counter.count(operation, pending::<Result<(), ProviderError>>()));
            assert!(futures_util::poll!(&mut call).is_pending());
        }
        let told = TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap();
        for (operation, result) in [("token", "given_up"), ("refresh", "unavailable")] {
            let line = format!(r#"proxy_cognito_calls_total{{operation="{operation}",result="{result}"}} 1"#);
            assert!(told.contains(&line), "{line}");
        }
    }
}
