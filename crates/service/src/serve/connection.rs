//! One connection: HTTP/1.1 or HTTP/2, with limits, closed when idle and on shutdown.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

use super::{Body, BoxError, Handler, Limits, Peer};
use crate::Shutdown;

/// As many headers as hyper parses without an allocation for them.
pub(super) const USUAL_HEADERS: usize = 100;

/// The least hyper accepts as a buffer.
const LEAST_HEADER_BYTES: usize = 8192;

/// How often an HTTP/2 peer is asked whether it is still there, and how long it has to answer; else it is gone.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// HTTP/2 streams a peer may reset before the connection counts as an attack ("rapid reset", CVE-2023-44487).
const RESETS: usize = 64;

/// Bytes of an answer that an HTTP/2 stream holds while its peer does not read; hyper's own 400 KiB would be 50 MiB for
/// each connection.
const SEND_BUFFER: usize = 64 * 1024;

/// The least time between two looks at whether a connection is idle.
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Serves connections with one handler. Clones share all.
pub(super) struct Connections<H>(Arc<Shared<H>>);

struct Shared<H> {
    handler: H,
    shutdown: Shutdown,
}

impl<H> Clone for Connections<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Handler> Connections<H> {
    pub(super) fn new(handler: H, shutdown: Shutdown) -> Self {
        Self(Arc::new(Shared { handler, shutdown }))
    }

    /// Serves until the peer closes, is idle for too long, breaks the protocol, or the shutdown lets it end.
    pub(super) async fn serve<I>(&self, io: I, peer: Peer, limits: &Limits)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shutdown = &self.0.shutdown;
        // Made for each connection, by the limits of its beginning: little beside the connection itself.
        let http = builder(limits);
        let activity = Arc::new(Activity::new());
        let (shared, requests) = (Arc::clone(&self.0), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let (shared, running) = (Arc::clone(&shared), Running::start(&requests, request.version()));
            async move {
                let is_http1 = request.version() < Version::HTTP_2;
                // Here, since the streams of HTTP/2 are tasks that nobody asks how they ended.
                let handled = AssertUnwindSafe(shared.handler.handle(request, peer)).catch_unwind().await;
                let panicked = handled.is_err();
                let mut response = handled.unwrap_or_else(|_| internal_error());
                if is_http1 && (panicked || shared.shutdown.is_triggered()) {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response.map(|body| TrackedBody::new(body, running)))
            }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(io), service));
        let mut farewell = pin!(async {
            shutdown.wait().await;
            // HTTP/2 can say which requests still count.
            if !activity.is_http2() {
                sleep(limits.lingers()).await;
            }
        });
        let mut closing = false;
        let ended = loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => break ended,
                () = &mut farewell, if !closing => {}
                // Idle and told so before: the peer does not read.
                () = activity.idle(limits) => match closing {
                    true => return,
                    false => activity.change(|state| state.quiet_since = Instant::now()),
                },
            }
            closing = true;
            connection.as_mut().graceful_shutdown();
        };
        if let Err(error) = ended {
            // What peers do to their connections is no event of the service.
            tracing::debug!(client.addr = %peer.addr, %error, "connection ended");
        }
    }
}

/// What a request is told whose handler panicked.
fn internal_error() -> Response<Body> {
    // The panic's own message has gone to standard error through the panic hook.
    tracing::error!("a request panicked");
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1
        .timer(TokioTimer::new())
        // Hyper's timer would run between requests too; `Activity` bounds both waits, each with its own limit.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(LEAST_HEADER_BYTES));
    if limits.headers != USUAL_HEADERS {
        http1.max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}

/// How many requests are in progress on a connection, and since when none is.
struct Activity(Mutex<State>);

struct State {
    running: usize,
    served: bool,
    http2: bool,
    quiet_since: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(State { running: 0, served: false, http2: false, quiet_since: Instant::now() }))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether a request told that the connection speaks HTTP/2.
    fn is_http2(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).http2
    }

    /// How long the connection may stay quiet from now on; `None` while a request is in progress.
    fn left(&self, limits: &Limits) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = if state.served { limits.idle } else { limits.header_read };
        (state.running == 0).then(|| allowed.saturating_sub(state.quiet_since.elapsed()))
    }

    /// Resolves once no request was in progress for the allowed time, or up to as long again: looking now and then is
    /// cheaper than a timer that every request sets and unsets.
    async fn idle(&self, limits: &Limits) {
        let pause = limits.idle.max(LEAST_PAUSE);
        loop {
            match self.left(limits) {
                Some(Duration::ZERO) => return,
                left => sleep(left.map_or(pause, |left| left.min(pause))).await,
            }
        }
    }
}

/// Marks a request as in progress until dropped, but not while a part of its answer waits for the peer to take it: a peer
/// that does not read counts as idle.
struct Running {
    activity: Arc<Activity>,
    is_our_turn: bool,
}

impl Running {
    fn start(activity: &Arc<Activity>, version: Version) -> Self {
        activity.change(|state| {
            state.running += 1;
            state.served = true;
            state.http2 = version == Version::HTTP_2;
        });
        Self { activity: Arc::clone(activity), is_our_turn: true }
    }

    fn our_turn(&mut self) {
        if !std::mem::replace(&mut self.is_our_turn, true) {
            self.activity.change(|state| state.running += 1);
        }
    }

    fn peers_turn(&mut self) {
        if std::mem::replace(&mut self.is_our_turn, false) {
            self.activity.change(|state| {
                state.running -= 1;
                state.quiet_since = Instant::now();
            });
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.peers_turn();
    }
}

/// A response body; its request is in progress until the body has ended. It is asked for a part only when there is room
/// for it, so that between two parts it is the peer's turn.
struct TrackedBody {
    body: Body,
    running: Running,
}

impl TrackedBody {
    fn new(body: Body, mut running: Running) -> Self {
        running.peers_turn();
        Self { body, running }
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.running.our_turn();
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.running.peers_turn();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
