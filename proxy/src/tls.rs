//! The certificate we show: read from files, checked before it is taken, re-read when the files change. Connections that
//! are open keep what they were made with.

use std::{
    fmt, fs, io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ::aws_lc_rs::digest::{self, Digest};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use service::{Shutdown, serve::Acceptor};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::TlsFiles;

/// How often the files are looked at. Kubernetes swaps a symlink, which file watchers miss and reading does not.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a certificate is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, #[source] io::Error),
    /// A file is no PEM, or lacks what it must hold.
    #[error("{0} holds no {1}")]
    Empty(String, &'static str),
    /// The key is not the leaf's, or of a kind we do not sign with.
    #[error("the key does not fit the certificate")]
    KeyDoesNotFit(#[source] rustls::Error),
    /// The leaf cannot be parsed.
    #[error("the certificate cannot be parsed")]
    Malformed,
}

/// A certificate with its key, fit to be shown.
#[derive(Debug)]
pub struct Certificate {
    certified: Arc<CertifiedKey>,
    /// SHA-256 of both files: tells a change without keeping the key twice.
    digest: Digest,
    /// When the leaf ends, unix seconds.
    pub ends: i64,
}

/// Reads chain and key and checks that they belong together.
///
/// # Errors
/// With the file and what is wrong with it; never with a part of the key.
pub fn read_certificate(files: &TlsFiles) -> Result<Certificate, CertificateError> {
    let read = |path: &std::path::Path| {
        fs::read(path).map_err(|error| CertificateError::Unreadable(path.display().to_string(), error))
    };
    let (cert, key) = (read(&files.cert)?, read(&files.key)?);
    let named = |path: &std::path::Path, what| CertificateError::Empty(path.display().to_string(), what);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&cert)
        .collect::<Result<_, _>>()
        .map_err(|_| named(&files.cert, "PEM certificate"))?;
    let leaf = chain.first().ok_or_else(|| named(&files.cert, "PEM certificate"))?;
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::Malformed)?;
    let ends = parsed.validity().not_after.timestamp();
    let private = PrivateKeyDer::from_pem_slice(&key).map_err(|_| named(&files.key, "PEM private key"))?;
    let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
        .map_err(CertificateError::KeyDoesNotFit)?;
    let digest = digest::digest(&digest::SHA256, &[cert, key].concat());
    Ok(Certificate { certified: Arc::new(certified), digest, ends })
}

/// The certificate of the moment, shared by all threads.
pub struct Certificates {
    files: TlsFiles,
    current: ArcSwap<Certificate>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// As [`read_certificate`].
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, CertificateError> {
        let current = ArcSwap::from_pointee(read_certificate(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// When the leaf ends, unix seconds.
    #[must_use]
    pub fn ends(&self) -> i64 {
        self.current.load().ends
    }

    /// Whether the leaf is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(now).map_or(true, |now| self.ends() <= now)
    }

    /// Looks at the files until the shutdown and takes what is new and whole; what is not is reported once and left.
    pub async fn watch(self: Arc<Self>, shutdown: Shutdown, taken: impl Fn(&Certificate)) {
        let mut refused = String::new();
        while tokio::time::timeout(LOOK_EVERY, shutdown.wait()).await.is_err() {
            match read_certificate(&self.files) {
                Ok(new) if new.digest.as_ref() != self.current.load().digest.as_ref() => {
                    tracing::info!(ends = new.ends, "certificate reloaded");
                    taken(&new);
                    self.current.store(Arc::new(new));
                    refused.clear();
                }
                Ok(_) => refused.clear(),
                Err(error) if error.to_string() == refused => {}
                Err(error) => {
                    refused = error.to_string();
                    tracing::error!(error = %refused, "new certificate refused; the old one stays");
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

/// TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1 by ALPN, showing the certificate of the moment.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Shows what `certificates` holds at each handshake.
    #[must_use]
    pub fn new(certificates: Arc<Certificates>) -> Self {
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(certificates);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Acceptor for Tls {
    type Io = TlsStream<TcpStream>;

    async fn accept(&self, tcp: TcpStream) -> io::Result<Self::Io> {
        self.0.accept(tcp).await
    }

    fn is_tls(&self) -> bool {
        true
    }
}
