//! What must be there for the proxy to do its work: the checks behind `/readyz`.

use std::sync::Arc;

use cognito::KeySet;
use futures_util::future::BoxFuture;
use service::{
    Clock,
    admin::{Needed, ReadyCheck},
};

use crate::{store::Store, tls::Certificates};

/// What `/readyz` asks: the store, Cognito's keys, and the certificate where we show one.
pub(crate) fn checks(
    store: &Arc<dyn Store>,
    keys: &Arc<KeySet>,
    certificates: Option<Arc<Certificates>>,
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn ReadyCheck>> {
    let mut checks: Vec<Arc<dyn ReadyCheck>> =
        vec![Arc::new(StoreAnswers(Arc::clone(store))), Arc::new(KeysAtHand(Arc::clone(keys)))];
    if let Some(certificates) = certificates {
        checks.push(Arc::new(CertificateValid { certificates, clock: Arc::clone(clock) }));
    }
    checks
}

struct StoreAnswers(Arc<dyn Store>);

impl ReadyCheck for StoreAnswers {
    fn name(&self) -> &'static str {
        "valkey"
    }

    /// All replicas have the same one, and without it some sessions are still served and everybody else is told when to
    /// come back.
    fn needed(&self) -> Needed {
        Needed::AtStart
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let store = Arc::clone(&self.0);
        Box::pin(async {
            // A task of its own runs to its end even when nobody waits so long, and is counted as the time-out it is.
            let ping = tokio::spawn(async move { store.ping().await });
            if ping.await.is_ok_and(|pong| pong.is_ok()) { Ok(()) } else { Err("does not answer".to_owned()) }
        })
    }
}

struct KeysAtHand(Arc<KeySet>);

impl ReadyCheck for KeysAtHand {
    fn name(&self) -> &'static str {
        "cognito_keys"
    }

    /// As with the store; and keys that are at hand serve for a day.
    fn needed(&self) -> Needed {
        Needed::AtStart
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.0.warm().await.map_err(|_| "cannot be fetched".to_owned()) })
    }
}

struct CertificateValid {
    certificates: Arc<Certificates>,
    clock: Arc<dyn Clock>,
}

impl ReadyCheck for CertificateValid {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let over = self.certificates.is_over(self.clock.now());
        Box::pin(async move { if over { Err("has expired".to_owned()) } else { Ok(()) } })
    }
}
