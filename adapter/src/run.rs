//! From a configuration to a running service.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cognito::{FetchError, HttpKeys, KeyPolicy, KeySet, Verifier};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use service::admin::{Admin, Needed, ReadyCheck};
use service::serve::{self, Bound, Drained, Limits, Plain};
use service::traces::Tracing;
use service::{Clock, Shutdown};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::config::{Cognito, Config, Server};
use crate::front::{Front, Settings};
use crate::metrics::Metrics;
use crate::plane::{Memory, Plane};
use crate::reload::{Live, Reload, Rules};
use crate::server::Toolbox;

/// Time between attempts to fetch the keys, while there are none.
const KEYS_RETRY: Duration = Duration::from_secs(5);

/// Why the service did not start, or stopped unasked.
#[derive(Debug, Error)]
pub enum RunError {
    /// A listener could not be bound.
    #[error("cannot listen on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The HTTP client for keys could not be made.
    #[error("cannot set up the client for signing keys")]
    Keys(#[from] FetchError),
    /// The HTTP client for Plane could not be made.
    #[error("cannot set up the client for plane")]
    Plane(#[from] reqwest::Error),
    /// A metric could not be registered.
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// A serving thread could not be started or ended badly.
    #[error("cannot serve")]
    Serve(#[source] io::Error),
}

/// The bound sockets, made before anything else so that tests can ask for free ports.
#[derive(Debug)]
pub struct Listeners {
    /// MCP.
    pub public: Bound,
    /// Health and metrics.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds both addresses.
    ///
    /// # Errors
    /// [`RunError::Bind`].
    pub async fn bind(server: &Server) -> Result<Self, RunError> {
        let public = Bound::bind(server.listen, server.threads);
        let public = public.map_err(|error| RunError::Bind(server.listen, error))?;
        let admin = TcpListener::bind(server.admin_listen).await;
        let admin = admin.map_err(|error| RunError::Bind(server.admin_listen, error))?;
        Ok(Self { public, admin })
    }
}

/// Serves until `stopping` (and `server.shutdown_delay_seconds` more), then lets running requests end. `reload` sees to it that what can change does.
///
/// # Errors
/// [`RunError`]; nothing a client or Plane does is one.
pub async fn run(
    config: Config,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
    stopping: Shutdown,
    reload: Option<Reload>,
) -> Result<Drained, RunError> {
    // What serves goes on until this one; what says whether we are ready looks at the first.
    let shutdown = stopping.delayed(config.server.shutdown_delay);
    let metrics = Metrics::new()?;
    let live = Arc::new(Live::new(Rules::of(&config)));
    metrics.mcp_enabled(config.mcp.enabled);
    let keys = Arc::new(key_set(&config.cognito, &clock)?);
    metrics.watch_keys(keys.clone())?;
    let verifier =
        Verifier::new(keys.clone(), config.cognito.client_ids, clock.clone(), config.cognito.leeway);
    let limits = Limits { drain: config.server.drain, ..Limits::default() };
    metrics.connections_limit.set(i64::try_from(limits.connections).unwrap_or(i64::MAX));
    let settings = Arc::new(Settings {
        path: config.mcp.path,
        verifier,
        metrics: metrics.clone(),
        tracing: Tracing::new(&config.traces),
        stopping: stopping.clone(),
    });

    let memory = Arc::new(Memory::new(config.plane.requests_per_minute));
    if let Some(reload) = reload {
        tokio::spawn(reload.watch(live.clone(), memory.clone(), metrics.clone(), shutdown.clone()));
    }
    // The set-up each thread repeats is done once here, where it can fail with words.
    let plane = Plane::new(Arc::new(config.plane), memory, clock, metrics.clone())?;
    let make_front = {
        let (plane, metrics) = (plane.clone(), metrics.clone());
        move || {
            #[expect(clippy::expect_used, reason = "the same set-up with the same settings succeeded above")]
            let plane = plane.with_own_connections().expect("the client was made before");
            Front::new(settings.clone(), live.clone(), Arc::new(Toolbox::new(plane, metrics.clone())))
        }
    };

    let ready: Arc<dyn ReadyCheck> = Arc::new(KeysReady(keys.clone()));
    let admin_address = listeners.admin.local_addr().map_err(RunError::Serve)?;
    let admin = Admin::new(metrics.registry(), vec![ready], stopping);
    let admin = tokio::spawn(admin.serve(listeners.admin));
    let warming = tokio::spawn(warm(keys));
    let tending = {
        let (plane, shutdown) = (plane.clone(), shutdown.clone());
        tokio::spawn(async move { plane.tend_keys(shutdown).await })
    };
    tracing::info!(listener = "public", addr = %listeners.public.local_addr(), "listening");
    tracing::info!(listener = "admin", addr = %admin_address, "listening");
    let public = listeners.public.counted_by(Arc::new(metrics.connections.clone()));
    let drained = serve::run(public, Plain, limits, make_front, shutdown).await;
    warming.abort();
    if drained.is_ok() {
        // Began with the shutdown, beside the drain.
        let _ = tending.await;
    } else {
        tending.abort();
    }
    // Nobody's call runs any more.
    plane.close_keys().await;
    // Last, so that whoever scrapes in these seconds sees what became of the keys.
    admin.abort();
    let drained = drained.map_err(RunError::Serve)?;
    tracing::info!(cut = drained.cut, "stopped");
    Ok(drained)
}

fn key_set(cognito: &Cognito, clock: &Arc<dyn Clock>) -> Result<KeySet, FetchError> {
    let fetch = HttpKeys::with(cognito.trust.apply(reqwest::Client::builder()))?;
    Ok(KeySet::new(cognito.sources.clone(), Arc::new(fetch), clock.clone(), KeyPolicy::default()))
}

/// Fetches the keys before the first user comes, and again until it works.
async fn warm(keys: Arc<KeySet>) {
    while let Err(error) = keys.warm().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "no signing keys yet");
        tokio::time::sleep(KEYS_RETRY).await;
    }
}

/// Ready means: a user's token can be verified.
struct KeysReady(Arc<KeySet>);

impl ReadyCheck for KeysReady {
    fn name(&self) -> &'static str {
        "signing_keys"
    }

    /// All replicas read them at the same place, and those at hand serve for a day.
    fn needed(&self) -> Needed {
        Needed::AtStart
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        async { self.0.warm().await.map_err(|_| "the signing keys cannot be fetched".to_owned()) }.boxed()
    }
}
