//! One serving thread: accept, spawn, and drain in the end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::admission::Place;
use super::census::Open;
use super::connection::Connections;
use super::{Acceptor, Admission, Census, Handler, Peer, Refused};
use crate::Shutdown;

/// The pause after a failed accept. Out of file descriptors, a retry at once would only burn the core that could
/// close some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one thread serves with.
pub(super) struct Thread<A> {
    pub(super) acceptor: A,
    /// Shared by all threads.
    pub(super) admission: Admission,
    pub(super) census: Arc<dyn Census>,
    pub(super) shutdown: Shutdown,
}

impl<A: Acceptor> Thread<A> {
    /// Serves until the shutdown and drains. Returns how many connections were cut.
    pub(super) async fn serve<H: Handler>(
        self,
        listener: std::net::TcpListener,
        handler: H,
    ) -> io::Result<usize> {
        let listener = TcpListener::from_std(listener)?;
        let mut running = JoinSet::new();
        let connections = Connections::new(handler, self.shutdown.clone());
        self.accept(&listener, &connections, &mut running).await;
        // Closes the socket: the kernel sends new connections to other processes, or refuses them.
        self.accept_queued(&listener.into_std()?, &connections, &mut running);
        Ok(drain(running, self.admission.limits().drain).await)
    }

    /// Accepts what the kernel has taken for us already: their peers are connected, and a closed socket would reset them.
    fn accept_queued<H: Handler>(
        &self,
        listener: &std::net::TcpListener,
        connections: &Connections<H>,
        running: &mut JoinSet<()>,
    ) {
        loop {
            let (tcp, addr) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if belongs_to_the_connection(&error) => continue,
                Err(_) => return,
            };
            let place = match self.admission.take(addr.ip()) {
                Ok(place) => place,
                Err(why) => {
                    self.census.refused(why);
                    continue;
                }
            };
            let usable = tcp.set_nonblocking(true).and_then(|()| tcp.set_nodelay(true));
            if let (Ok(()), Ok(tcp)) = (usable, TcpStream::from_std(tcp)) {
                running.spawn(self.connect(tcp, addr, place, connections.clone()));
            }
        }
    }

    /// Accepts connections into `running` until the shutdown.
    async fn accept<H: Handler>(
        &self,
        listener: &TcpListener,
        connections: &Connections<H>,
        running: &mut JoinSet<()>,
    ) {
        // Kept over turns of the loop: it may hold a connection that waits for its permit.
        let mut next = pin!(self.next(listener));
        loop {
            tokio::select! {
                () = self.shutdown.wait() => return,
                Some(ended) = running.join_next() => log_panic(ended),
                (tcp, addr, place) = &mut next => {
                    running.spawn(self.connect(tcp, addr, place, connections.clone()));
                    next.set(self.next(listener));
                }
            }
        }
    }

    /// Does the handshake and serves the connection.
    fn connect<H: Handler>(
        &self,
        tcp: TcpStream,
        addr: SocketAddr,
        place: Place,
        connections: Connections<H>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (acceptor, shutdown, limits) =
            (self.acceptor.clone(), self.shutdown.clone(), self.admission.limits());
        let open = Open::new(&self.census);
        async move {
            let (_place, _open) = (place, open);
            let too_late = async {
                shutdown.wait().await;
                sleep(limits.lingers()).await;
            };
            let handshake = tokio::select! {
                biased;
                handshake = timeout(limits.handshake, acceptor.accept(tcp)) => handshake,
                () = too_late => return,
            };
            match handshake {
                Ok(Ok(io)) => connections.serve(io, Peer { addr, tls: acceptor.is_tls() }, &limits).await,
                Ok(Err(error)) => tracing::debug!(client.addr = %addr, %error, "handshake failed"),
                Err(_) => tracing::debug!(client.addr = %addr, "handshake took too long"),
            }
        }
    }

    /// The next connection, with its place. Those of an address that has too many are closed before anything is read.
    async fn next(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Place) {
        loop {
            let (tcp, addr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if belongs_to_the_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Answers are whole when written, so waiting to fill a segment only delays them.
            if tcp.set_nodelay(true).is_err() {
                continue; // The peer is gone already.
            }
            match self.admission.wait(addr.ip(), || self.census.refused(Refused::Limit)).await {
                Ok(place) => return (tcp, addr, place),
                Err(why) => self.census.refused(why),
            }
        }
    }
}

/// Waits for the connections for at most `bound`, and cuts the rest. Returns how many that were.
async fn drain(mut running: JoinSet<()>, bound: Duration) -> usize {
    let all_ended = async {
        while let Some(ended) = running.join_next().await {
            log_panic(ended);
        }
    };
    let _ = timeout(bound, all_ended).await;
    let cut = running.len();
    running.shutdown().await;
    cut
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        // The panic's own message has gone to standard error through the panic hook.
        tracing::error!("a request panicked, its connection is closed");
    }
}

/// Errors of `accept` that say something about one connection, and nothing about the socket.
fn belongs_to_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
