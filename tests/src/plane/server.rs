//! The two listeners and the state they share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::answer::Answer;
use super::api::{Call, State};
use super::front::Front;
use super::{Fault, PlaneOptions};

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Plane,
    Front,
}

/// What both listeners and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: PlaneOptions,
    front: Option<Front>,
    state: Mutex<State>,
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection cut by a fault")
    }
}

impl std::error::Error for Cut {}

impl Shared {
    pub(super) fn new(options: PlaneOptions) -> Self {
        let front = options.front.clone().map(Front::new);
        let state = State::new(options.sample, options.clock.unix());
        Self { options, front, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, door: Door, call: Call) -> Result<Answer, Cut> {
        match door {
            Door::Plane => self.plane(call, false).await,
            Door::Front => {
                let identity = match &self.front {
                    Some(front) => front.identify(&call.headers, self.options.clock.unix()).await,
                    None => None,
                };
                let asserted = identity.as_ref().map(|identity| identity.email.clone());
                self.state().seen_by_front.push(call.seen(asserted, true));
                match identity {
                    Some(identity) => self.plane(identity.forwarded(call), true).await,
                    None => Ok(Answer::front_refusal()),
                }
            }
        }
    }

    /// Plane's answer, or the fault queued before it.
    async fn plane(&self, call: Call, via_front: bool) -> Result<Answer, Cut> {
        let (answer, delay) = {
            let mut state = self.state();
            let fault = state.faults.pop_front();
            let delay = match fault {
                None => Duration::ZERO,
                Some(Fault::Delay(delay)) => delay,
                Some(Fault::Hang) => Duration::MAX,
                Some(Fault::Status(status)) => {
                    state.seen.push(call.seen(None, via_front));
                    return Ok(Answer::fault(status));
                }
                Some(Fault::Disconnect) => {
                    state.seen.push(call.seen(None, via_front));
                    return Err(Cut);
                }
            };
            let served = state.serve(&call, &self.options);
            state.seen.push(call.seen(served.user, via_front));
            (served.answer, delay)
        };
        if delay == Duration::MAX {
            return std::future::pending().await;
        }
        tokio::time::sleep(delay).await;
        Ok(answer)
    }
}

/// Serves one listener until the task is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, door: Door, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { respond(&shared, door, request).await }
                });
                connections.spawn(async move {
                    let mut server = http1::Builder::new();
                    // A cut connection or a client that went away is no event here: the tests see it from their side.
                    let _ = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(
    shared: &Shared,
    door: Door,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    shared.answer(door, call).await.map(Answer::into_response)
}
