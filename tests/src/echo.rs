//! An upstream that records what reached it, and answers in the ways a test asks for by path:
//! `/…/slow` waits for [`Echo::release`], `/…/events` streams what [`Echo::emit`] sends, `/…/status/503` answers that
//! status, anything else answers 200 with the request as JSON.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Semaphore, broadcast},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    certificate::CertificateFiles,
    process::PATIENCE,
    trouble::{Outcome, Trouble, While},
};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// One request as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Path and query, untouched.
    pub target: String,
    /// Every header line in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Length of the body in bytes.
    pub body_bytes: usize,
}

impl Seen {
    /// All values of a header, in order.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The running upstream; stops when dropped.
#[derive(Debug)]
pub struct Echo {
    url: String,
    state: Arc<State>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct State {
    seen: Mutex<Vec<Seen>>,
    gate: Semaphore,
    events: broadcast::Sender<String>,
    abandoned: Mutex<usize>,
    connections: AtomicUsize,
}

impl Echo {
    /// Starts on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Outcome<Self> {
        Self::start_with(None).await
    }

    /// Starts on a free loopback port and speaks TLS with the given certificate.
    ///
    /// # Errors
    /// When no port can be had or the certificate cannot be read.
    pub async fn start_tls(certificate: &CertificateFiles) -> Outcome<Self> {
        let chain =
            CertificateDer::pem_file_iter(&certificate.cert_file).while_doing("read a certificate")?;
        let chain = chain.collect::<Result<Vec<_>, _>>().while_doing("read a certificate")?;
        let key = PrivateKeyDer::from_pem_file(&certificate.key_file).while_doing("read a key")?;
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().while_doing("choose TLS versions")?;
        let config =
            builder.with_no_client_auth().with_single_cert(chain, key).while_doing("use a certificate")?;
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.while_doing("listen for the echo upstream")?;
        let address = listener.local_addr().while_doing("read a listener's address")?;
        let state = Arc::new(State {
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            events: broadcast::channel(64).0,
            abandoned: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(
            listener,
            tls,
            Arc::clone(&state),
            stop.clone(),
        )));
        Ok(Self { url: format!("{scheme}://{address}"), state, _stop: stop.drop_guard() })
    }

    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.state.seen).clone()
    }

    /// The latest request.
    ///
    /// # Errors
    /// When there was none.
    pub fn last(&self) -> Outcome<Seen> {
        self.seen().pop().ok_or_else(|| Trouble::new("nothing reached the echo upstream"))
    }

    /// Lets one waiting (or coming) `/slow` request go on.
    pub fn release(&self) {
        self.state.gate.add_permits(1);
    }

    /// Sends one event to every open `/events` stream; waits until at least one is open.
    ///
    /// # Errors
    /// When none opens within [`PATIENCE`].
    pub async fn emit(&self, event: &str) -> Outcome {
        until("an event stream is open", || self.state.events.send(event.to_owned()).is_ok()).await
    }

    /// Waits until `count` requests have arrived.
    ///
    /// # Errors
    /// When they have not within [`PATIENCE`].
    pub async fn wait_seen(&self, count: usize) -> Outcome {
        until("the echo upstream has seen the request", || locked(&self.state.seen).len() >= count).await
    }

    /// Waits until the caller has gone away from `count` requests that were still running.
    ///
    /// # Errors
    /// When it has not within [`PATIENCE`].
    pub async fn wait_abandoned(&self, count: usize) -> Outcome {
        until("the disconnect has reached the upstream", || *locked(&self.state.abandoned) >= count).await
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) -> Outcome {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > PATIENCE {
            return Err(Trouble::new(format!("waited {} s in vain until {what}", PATIENCE.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>, stop: CancellationToken) {
    while let Ok((tcp, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::Relaxed);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            match tls {
                None => serve(tcp, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, state).await;
                    }
                }
            }
        }));
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let mut builder = hyper::server::conn::http1::Builder::new();
    // A connection that breaks is what some tests are about.
    let _ = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Counts a request as abandoned unless it was finished before it is dropped.
struct Unfinished {
    state: Arc<State>,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            *locked(&self.state.abandoned) += 1;
        }
    }
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Body>, Infallible> {
    let mut unfinished = Unfinished { state: Arc::clone(&state), finished: false };
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let wait_for_body = !path.ends_with("/slow");
    let body_bytes =
        if wait_for_body { body.collect().await.map_or(0, |all| all.to_bytes().len()) } else { 0 };
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let seen = Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: headers.collect(),
        body_bytes,
    };
    locked(&state.seen).push(seen.clone());
    if path.ends_with("/events") {
        return Ok(event_stream(unfinished));
    }
    if path.ends_with("/slow")
        && let Ok(permit) = state.gate.acquire().await
    {
        permit.forget();
    }
    unfinished.finished = true;
    let status =
        path.rsplit_once("/status/").and_then(|(_, code)| code.parse().ok()).unwrap_or(StatusCode::OK);
    let text = serde_json::to_vec(&seen).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn event_stream(unfinished: Unfinished) -> Response<Body> {
    let events = unfinished.state.events.subscribe();
    let frames = events_of(events, unfinished).map(|text| Ok(Frame::data(Bytes::from(text))));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream"));
    response
}

/// The events until one called `end`.
fn events_of(
    events: broadcast::Receiver<String>,
    unfinished: Unfinished,
) -> impl Stream<Item = String> + Send {
    stream::unfold((events, unfinished), async |(mut events, mut unfinished)| {
        let event = events.recv().await.unwrap_or_else(|_| "end".to_owned());
        if event == "end" {
            unfinished.finished = true;
            return None;
        }
        Some((format!("data: {event}\n\n"), (events, unfinished)))
    })
}
