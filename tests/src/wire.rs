//! Bytes on a TLS connection, as no client library would send them.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

pub mod http2;

/// How long a read waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// After an answer: nothing more comes.
const SILENCE: Duration = Duration::from_millis(150);

/// A connection after its handshake. A read that waits longer than 20 s fails.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What a client offers.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Versions of TLS.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Protocols (ALPN).
    pub protocols: &'static [&'static str],
}

impl Default for Wanted {
    fn default() -> Self {
        Self { versions: vec![&TLS13, &TLS12], protocols: &["http/1.1"] }
    }
}

/// Connects to `localhost` at `address`, trusting only the authority with certificate `ca_pem`.
///
/// # Errors
/// When nobody listens, or the handshake fails.
pub async fn connect(address: SocketAddr, ca_pem: &str, wanted: Wanted) -> io::Result<Connection> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(io::Error::other)?;
    roots.add(ca).map_err(io::Error::other)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&wanted.versions).map_err(io::Error::other)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = wanted.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let handshake = tokio::task::spawn_blocking(move || {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, tcp);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(stream)
    });
    handshake.await.map_err(io::Error::other)?
}

/// Everything until the other side closes, in whatever way.
pub fn read_to_end(connection: &mut Connection) -> String {
    let mut all = Vec::new();
    // How it ends is not the question; what came before is.
    let _ = connection.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends bytes as they are and gives what comes back until the other side closes, or has answered and says nothing more, or
/// has not answered within `patience`.
///
/// # Errors
/// When the connection cannot be had; not when it breaks.
pub async fn exchange(
    address: SocketAddr,
    ca_pem: &str,
    request: Vec<u8>,
    patience: Duration,
) -> io::Result<String> {
    let mut connection = connect(address, ca_pem, Wanted::default()).await?;
    connection.sock.set_read_timeout(Some(SILENCE))?;
    let answer = tokio::task::spawn_blocking(move || {
        // The other side may have closed already: what it said is what counts.
        let _ = connection.write_all(&request).and_then(|()| connection.flush());
        let (started, mut all, mut buffer) = (Instant::now(), Vec::new(), [0; 16 * 1024]);
        loop {
            match connection.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => all.extend(buffer.iter().take(read)),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                Err(_) if answered(&all) || started.elapsed() > patience => break,
                Err(_) => {}
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    answer.await.map_err(io::Error::other)
}

/// Whether an answer has begun that is not one of 1xx.
fn answered(bytes: &[u8]) -> bool {
    !statuses(&String::from_utf8_lossy(bytes)).is_empty()
}

/// The statuses of the HTTP/1 answers in `text`, in order, those of 1xx left out.
#[must_use]
pub fn statuses(text: &str) -> Vec<u16> {
    let after = text.split("HTTP/1.").skip(1);
    let all = after.filter_map(|answer| answer.get(2..5)?.parse().ok());
    all.filter(|status| *status >= 200).collect()
}
