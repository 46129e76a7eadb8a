//! An upstream that records what reached it, and answers in the ways a test asks for by path:
//! `/…/slow` waits for [`Echo::release`], `/…/events` streams what [`Echo::emit`] sends, `/…/status/503` answers that
//! status, anything else answers 200 with the request as JSON.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
use serde::Serialize;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, broadcast},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
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
    address: SocketAddr,
    state: Arc<State>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct State {
    seen: Mutex<Vec<Seen>>,
    gate: Semaphore,
    events: broadcast::Sender<String>,
    abandoned: Mutex<usize>,
}

impl Echo {
    /// Starts on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.while_doing("listen for the echo upstream")?;
        let address = listener.local_addr().while_doing("read a listener's address")?;
        let state = Arc::new(State {
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            events: broadcast::channel(64).0,
            abandoned: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(
            listener,
            Arc::clone(&state),
            stop.clone(),
        )));
        Ok(Self { address, state, _stop: stop.drop_guard() })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

async fn accept(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    while let Ok((tcp, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(tcp), service);
        tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
    }
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
