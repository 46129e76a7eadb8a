//! One process: what is bound, what runs beside the requests, and how it all ends. `assemble` builds the parts.

mod assemble;
mod doors;

use std::{io, sync::Arc};

use service::{
    Clock, Shutdown, SystemClock,
    admin::Admin,
    serve::{self, Admission, Bound, Drained, Plain},
};
use tokio::net::TcpListener;

use self::assemble::assemble;
pub(crate) use self::assemble::{cognito_keys, cognito_provider, http_client, open_valkey};
pub(crate) use self::doors::Doors;
use crate::{
    config::{self, Config},
    forward_auth::ForwardAuth,
    pipeline::{
        Pipeline, Shared,
        forward::{UpstreamTrust, Upstreams},
    },
    ready,
    reload::{self, Reload},
    tls::{Certificates, Tls},
};

/// Why the edge does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct StartError {
    /// What was tried.
    doing: &'static str,
    /// What came of it.
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// For `map_err`: names what was tried.
fn while_<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    doing: &'static str,
) -> impl Fn(E) -> StartError {
    move |error| StartError { doing, source: error.into() }
}

/// Serves until the shutdown (and `server.shutdown_delay_seconds` more) and drains. Nothing that Cognito, Valkey or an upstream does keeps it from starting: what
/// is not there yet is reported by `/readyz`.
///
/// # Errors
/// When an address cannot be bound, or a file that was readable a moment ago no longer is.
pub async fn run(config: Config, reload: Reload, stopping: Shutdown) -> Result<Drained, StartError> {
    // What serves goes on until this one; what says whether we are ready looks at the first.
    let shutdown = stopping.delayed(config.server.shutdown_delay);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let listeners = Listeners::bind(&config.server, config.forward_auth.as_ref()).await?;
    let trust = UpstreamTrust::load(&config.upstream).map_err(while_("read upstream.ca_file"))?;
    let upstream = config.upstream.clone();
    let tls = config.tls.clone();
    let certificates = tls.map(Certificates::load).transpose().map_err(while_("read the certificate"))?;
    let parts = assemble(config, &clock).await?;

    let metrics = &parts.shared.metrics;
    if let Some(certificates) = &certificates {
        metrics.certificate_ends(certificates.ends());
    }
    let checks = ready::checks(&parts.store, &parts.keys, certificates.clone(), &clock);
    let admin = Admin::new(metrics.registry().clone(), checks, stopping.clone());
    tokio::spawn(admin.serve(listeners.admin));
    // Sessions that end elsewhere end here for as long as anything is served.
    let served_all = Shutdown::manual();
    tokio::spawn(Arc::clone(&parts.shared.vault).listen(served_all.clone()));
    let doors = Arc::new(Doors::new(&parts.shared.rules.load(), metrics));
    let reloaded = reload::Parts {
        shared: Arc::clone(&parts.shared),
        doors: Arc::clone(&doors),
        ring: parts.ring,
        clock: Arc::clone(&clock),
    };
    tokio::spawn(reload.watch(reloaded, shutdown.clone()));
    if let Some(certificates) = &certificates {
        let told = metrics.clone();
        let watch =
            Arc::clone(certificates).watch(shutdown.clone(), move |new| told.certificate_ends(new.ends));
        tokio::spawn(watch);
    }

    let shared = parts.shared;
    let vault = Arc::clone(&shared.vault);
    let (admission, may_ask) = (doors.public.clone(), doors.forward_auth.clone());
    let asked = answer_traefik(listeners.forward_auth, &shared, may_ask, shutdown.clone());
    let bound = listeners.public.counted_by(Arc::new(shared.metrics.public.connections.clone()));
    let handler = move || Pipeline {
        shared: Arc::clone(&shared),
        upstreams: Upstreams::new(&upstream, &trust),
        stopping: stopping.clone(),
    };
    let served = async {
        match certificates {
            Some(certificates) => {
                serve::run(bound, Tls::new(certificates), admission, handler, shutdown).await
            }
            None => serve::run(bound, Plain, admission, handler, shutdown).await,
        }
    };
    let drained = tokio::try_join!(served, asked);
    served_all.trigger();
    vault.landed().await;
    let (served, asked) = drained.map_err(while_("serve"))?;
    Ok(Drained { cut: served.cut + asked.cut })
}

/// Serves the ForwardAuth listener, where there is one.
fn answer_traefik(
    listener: Option<Bound>,
    shared: &Arc<Shared>,
    admission: Admission,
    shutdown: Shutdown,
) -> impl Future<Output = io::Result<Drained>> + use<> {
    let shared = Arc::clone(shared);
    async move {
        let Some(bound) = listener else { return Ok(Drained::default()) };
        let bound = bound.counted_by(Arc::new(shared.metrics.forward_auth.connections.clone()));
        let handler = ForwardAuth::new(shared);
        serve::run(bound, Plain, admission, move || handler.clone(), shutdown).await
    }
}

/// The listeners, bound before anything else is done.
struct Listeners {
    public: Bound,
    admin: TcpListener,
    forward_auth: Option<Bound>,
}

impl Listeners {
    async fn bind(
        server: &config::Server,
        forward_auth: Option<&config::ForwardAuth>,
    ) -> Result<Self, StartError> {
        let public = Bound::bind(server.listen, server.threads).map_err(while_("bind server.listen"))?;
        let admin =
            TcpListener::bind(server.admin_listen).await.map_err(while_("bind server.admin_listen"))?;
        let admin_addr = admin.local_addr().map_err(while_("bind server.admin_listen"))?;
        tracing::info!(listener = "public", addr = %public.local_addr(), "listening");
        tracing::info!(listener = "admin", addr = %admin_addr, "listening");
        let forward_auth = match forward_auth {
            Some(asked) => {
                let bound = Bound::bind(asked.listen, server.threads);
                let bound = bound.map_err(while_("bind forward_auth.listen"))?;
                tracing::info!(listener = "forward_auth", addr = %bound.local_addr(), "listening");
                Some(bound)
            }
            None => None,
        };
        Ok(Self { public, admin, forward_auth })
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        Self::other(error)
    }
}
