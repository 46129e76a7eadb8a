//! An HTTP/1.1 and HTTP/2 server that uses one core a thread: each thread has a socket of its own on the same port
//! (`SO_REUSEPORT`), a single-threaded runtime, and a handler of its own, so that a request never changes cores.
//!
//! [`Bound`] holds the sockets, an [`Acceptor`] turns a TCP stream into what HTTP is spoken over, a [`Handler`] answers
//! requests, [`Limits`] bounds what a peer may take, [`Admission`] lets peers in by them, and [`run`] puts them together until the [`Shutdown`].

mod admission;
mod bound;
mod census;
mod connection;
mod thread;

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub use self::admission::{Admission, Exempt};
pub use self::bound::Bound;
pub use self::census::{Census, Refused};
use crate::Shutdown;

/// What a body may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a response. Any body becomes one with `.map_err(Into::into).boxed_unsync()` (of `BodyExt`).
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Turns an accepted TCP stream into the stream HTTP is spoken over.
pub trait Acceptor: Clone + Send + Sync + 'static {
    /// The stream HTTP is spoken over.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Does the handshake, if there is one; [`Limits::handshake`] bounds it. An error closes the connection.
    fn accept(&self, tcp: TcpStream) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// Whether the stream is encrypted.
    fn is_tls(&self) -> bool;
}

/// HTTP straight over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Acceptor for Plain {
    type Io = TcpStream;

    async fn accept(&self, tcp: TcpStream) -> io::Result<TcpStream> {
        Ok(tcp)
    }

    fn is_tls(&self) -> bool {
        false
    }
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the TCP connection.
    pub addr: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// Answers requests. A panic in it is answered with 500, and costs a connection of HTTP/1, nothing else.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Dropped when the client goes away before the answer began, and when a drain ends.
    fn handle(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<Body>> + Send;
}

impl<H: Handler> Handler for Arc<H> {
    fn handle(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<Body>> + Send {
        self.as_ref().handle(request, peer)
    }
}

/// What peers may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's line and headers; above it the answer is 431. At least 8192.
    pub header_bytes: usize,
    /// Headers of an HTTP/1 request; above it the answer is 431.
    pub headers: usize,
    /// From the accepted connection to its first whole request head; above it the connection is closed.
    pub header_read: Duration,
    /// What [`Acceptor::accept`] may take; above it the connection is closed.
    pub handshake: Duration,
    /// From the end of one request to the whole head of the next, and how long a peer may leave an answer unread; above
    /// it the connection is closed.
    pub idle: Duration,
    /// Connections served at once, over all threads. At the limit each thread holds one more that is not served yet;
    /// others wait in the kernel's backlog, where clients see a slow connect and no refused one.
    pub connections: usize,
    /// Connections of one address at once, of IPv6 of one network of 64 bits; further ones are closed before anything is
    /// read from them, so that one peer cannot take all there are. Nor can the network around it (of 24 bits, of IPv6 of
    /// 48): it has half of `connections`, or as many as one address where that is more. [`Admission`] exempts some.
    pub connections_per_address: usize,
    /// HTTP/2: requests in progress at once on one connection; a client that obeys the protocol waits.
    pub streams: u32,
    /// How long running requests may go on after the shutdown; then they are cut.
    pub drain: Duration,
    /// How long after the shutdown a connection that is idle stays open, at most half of `drain`: a peer that does not know
    /// yet, such as a load balancer, may just be sending a request on it, which HTTP/1 does not let it repeat. It is
    /// answered with `Connection: close`.
    pub linger: Duration,
}

impl Limits {
    fn lingers(&self) -> Duration {
        self.linger.min(self.drain / 2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            headers: connection::USUAL_HEADERS,
            header_read: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            connections: 10_000,
            connections_per_address: usize::MAX,
            streams: 128,
            drain: Duration::from_secs(25),
            linger: Duration::from_secs(1),
        }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still busy when [`Limits::drain`] was over, and were closed nevertheless.
    pub cut: usize,
}

/// Serves by `admission` (or by [`Limits`] that do not change) until `shutdown`, then drains: no new connection, requests that run or are on their way on a connection there is
/// end, and what runs for longer than [`Limits::drain`] is cut. `make_handler` is called once on each thread, inside its runtime. Dropping the future
/// shuts down as well.
///
/// A task that a handler spawns lives on the thread's runtime and ends with it after the drain; spawn one that must
/// not be lost on the runtime that called `run`.
///
/// # Errors
/// When a thread or its runtime cannot be started. Nothing that a peer does is an error.
pub async fn run<A, H, F>(
    bound: Bound,
    acceptor: A,
    admission: impl Into<Admission>,
    make_handler: F,
    shutdown: Shutdown,
) -> io::Result<Drained>
where
    A: Acceptor,
    H: Handler,
    F: Fn() -> H + Send + Sync + 'static,
{
    // A failure on the way triggers the guard, which ends the threads that run already.
    let shutdown = shutdown.child();
    let _guard = shutdown.clone().on_drop();
    let make_handler = Arc::new(make_handler);
    let admission = admission.into();
    let mut threads = Vec::new();
    let (listeners, census) = bound.into_parts();
    for (index, listener) in listeners.into_iter().enumerate() {
        let thread = thread::Thread {
            acceptor: acceptor.clone(),
            admission: admission.clone(),
            census: Arc::clone(&census),
            // A child of its own: connections of different threads then share no lock.
            shutdown: shutdown.child(),
        };
        let make_handler = Arc::clone(&make_handler);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (report, reported) = oneshot::channel();
        std::thread::Builder::new().name(format!("serve-{index}")).spawn(move || {
            let cut = runtime.block_on(async { thread.serve(listener, make_handler()).await });
            // Ends what handlers left behind before the thread counts as drained.
            drop(runtime);
            let _ = report.send(cut);
        })?;
        threads.push(reported);
    }
    let mut drained = Drained::default();
    for reported in threads {
        drained.cut += reported.await.map_err(|_| io::Error::other("a serving thread panicked"))??;
    }
    Ok(drained)
}

#[cfg(test)]
mod tests;
