//! Connections that ask without a pause, for a while.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::trouble::{Outcome, Trouble, While};

/// Answers before this much of a round has passed do not count: caches fill, connections open.
const WARM_UP: Duration = Duration::from_millis(300);
/// A peer that fails so often is not measured.
const MAX_FAILURES: usize = 20;

/// What one connection asks.
pub trait Asker: Send + Sync {
    /// The next request, in origin form.
    fn request(&self) -> Request<Full<Bytes>>;
    /// Whether that was the right answer.
    fn answered(&self, status: StatusCode, body: &[u8]) -> bool;
}

/// Where it is sent.
#[derive(Clone)]
pub struct Place {
    /// The address.
    pub address: SocketAddr,
    /// How it speaks TLS, if it does.
    pub tls: Option<TlsConnector>,
}

/// What a round measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Right answers a second.
    pub per_second: f64,
    /// How long half of them took at most, in microseconds.
    pub p50: f64,
    /// How long 99 of 100 took at most, in microseconds.
    pub p99: f64,
    /// Everything that was answered, also during the warm-up: what processor time is divided by.
    pub answered: usize,
    /// Wrong answers and broken connections.
    pub failed: usize,
}

impl Place {
    /// Trusts only the authority with this certificate.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn tls(address: SocketAddr, ca_pem: &str) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).while_doing("read the authority")?;
        roots.add(ca).while_doing("trust the authority")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.while_doing("set up TLS")?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    async fn connect(&self) -> Outcome<SendRequest<Full<Bytes>>> {
        let tcp = TcpStream::connect(self.address).await.while_doing("connect")?;
        tcp.set_nodelay(true).while_doing("set up the connection")?;
        match &self.tls {
            None => handshake(tcp).await,
            Some(tls) => {
                let name = ServerName::from(self.address.ip());
                handshake(tls.connect(name, tcp).await.while_doing("speak TLS")?).await
            }
        }
    }
}

async fn handshake(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Outcome<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(io)).await.while_doing("speak HTTP")?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Lets every asker ask over a connection of its own for as long as `lasting`.
///
/// # Errors
/// When a peer cannot be reached or fails again and again.
pub async fn round(place: &Place, askers: &[Arc<dyn Asker>], lasting: Duration) -> Outcome<Measured> {
    let began = Instant::now();
    let (counts, until) = (began + WARM_UP, began + WARM_UP + lasting);
    let tasks: Vec<_> = askers
        .iter()
        .map(|asker| tokio::spawn(ask(place.clone(), Arc::clone(asker), counts, until)))
        .collect();
    let (mut latencies, mut measured) = (Vec::new(), Measured::default());
    for task in tasks {
        let (own, warm_up, failed) = task.await.while_doing("ask")??;
        measured.answered += own.len() + warm_up;
        measured.failed += failed;
        latencies.extend(own);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a position in a list"
        )]
        let position = (latencies.len() as f64 * share) as usize;
        latencies.get(position.min(latencies.len().saturating_sub(1))).copied().map_or(0.0, f64::from)
    };
    (measured.p50, measured.p99) = (at(0.5), at(0.99));
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let count = latencies.len() as f64;
    measured.per_second = count / lasting.as_secs_f64();
    Ok(measured)
}

/// Asks until the end; gives the microseconds of every answer that counts, how many came before those, and how often it
/// failed.
async fn ask(
    place: Place,
    asker: Arc<dyn Asker>,
    counts: Instant,
    until: Instant,
) -> Outcome<(Vec<u32>, usize, usize)> {
    let mut sender = place.connect().await?;
    let (mut latencies, mut warm_up, mut failed) = (Vec::new(), 0, 0);
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok((latencies, warm_up, failed));
        }
        match once(&mut sender, &*asker).await {
            Ok(true) if began < counts => warm_up += 1,
            Ok(true) => latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)),
            Ok(false) => failed += 1,
            Err(_) => {
                failed += 1;
                sender = place.connect().await?;
            }
        }
        if failed > MAX_FAILURES {
            return Err(Trouble::new(format!("{} gives wrong answers or none", place.address)));
        }
    }
}

async fn once(sender: &mut SendRequest<Full<Bytes>>, asker: &dyn Asker) -> Outcome<bool> {
    sender.ready().await.while_doing("wait for the connection")?;
    let answer = sender.send_request(asker.request()).await.while_doing("ask")?;
    let status = answer.status();
    let body = answer.into_body().collect().await.while_doing("read the answer")?.to_bytes();
    Ok(asker.answered(status, &body))
}
