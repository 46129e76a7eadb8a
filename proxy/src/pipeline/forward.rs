//! Step 7. Sends what `rewrite` made over pooled connections and streams the answer back. Each serving thread has a pool
//! of its own, so that a request never changes cores.

use std::{fs, io, sync::Arc, time::Duration};

use http::Response;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::{body::RequestBody, rewrite::Outgoing};
use crate::{config, error::Error};

/// How many idle connections to one upstream a thread keeps.
const IDLE_PER_HOST: usize = 64;

/// What the upstreams of every thread share: which certificates they trust.
#[derive(Debug, Clone)]
pub struct UpstreamTrust(Arc<ClientConfig>);

impl UpstreamTrust {
    /// Reads the CA bundle, or takes the system's.
    ///
    /// # Errors
    /// When the bundle cannot be read, or holds no certificate.
    pub fn load(upstream: &config::Upstream) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        match &upstream.ca_file {
            Some(path) => {
                let pem = fs::read(path)?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let certificate = certificate.map_err(io::Error::other)?;
                    roots.add(certificate).map_err(io::Error::other)?;
                }
                if roots.is_empty() {
                    return Err(io::Error::other(format!("{} holds no certificate", path.display())));
                }
            }
            // One certificate of the system's that cannot be read must not take the others with it.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(Self(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())))
    }
}

/// Bytes of an answer that are read ahead for a client that does not take them, and the largest head of an answer.
const READ_AHEAD: usize = 128 * 1024;

/// One thread's connections to all upstreams.
pub struct Upstreams {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
}

impl Upstreams {
    /// An empty pool.
    #[must_use]
    pub fn new(settings: &config::Upstream, trust: &UpstreamTrust) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&trust.0))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(READ_AHEAD)
            .build(connector);
        Self { client }
    }

    /// Sends the request and waits for the head of the answer; its body streams on as it arrives. Dropping the answer
    /// closes the upstream's connection: that is how a client's disconnect gets there.
    ///
    /// # Errors
    /// [`Error::UpstreamTimeout`], [`Error::UpstreamFailed`], or what the client's own body failed with.
    pub async fn forward(&self, outgoing: Outgoing, timeout: Duration) -> Result<Response<Incoming>, Error> {
        let request = outgoing.into_request();
        let verdict = request.body().verdict();
        match tokio::time::timeout(timeout, self.client.request(request)).await {
            // Nobody asked for another protocol: `Upgrade` does not pass.
            Ok(Ok(response)) if response.status().is_informational() => {
                Err(Error::UpstreamFailed("switched protocols unasked".into()))
            }
            Ok(Ok(response)) => Ok(response),
            // A body that broke off breaks the connection to the upstream too: that is not the upstream's failure.
            Ok(Err(error)) => Err(verdict.error().unwrap_or_else(|| Error::UpstreamFailed(Box::new(error)))),
            Err(_) => Err(verdict.error().unwrap_or(Error::UpstreamTimeout)),
        }
    }
}
