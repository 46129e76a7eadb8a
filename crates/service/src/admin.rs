//! The admin listener: is the process alive, is it ready, and its metrics.
//!
//! It has a port of its own, so that nothing of it can be reached through the service's.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Shutdown;

mod healthcheck;
pub use healthcheck::healthcheck;

/// What a check may take; above it the check has failed. Less than the second that a kubelet waits for the answer.
const CHECK: Duration = Duration::from_millis(500);

/// What reading a request may take, and how long a connection may be idle; above it the connection is closed.
const READ: Duration = Duration::from_secs(30);

/// Connections at once; above it those there are closed, so that a scraper that leaks some cannot lock others out.
const CONNECTIONS: usize = 64;

/// Something without which the service cannot do its work.
pub trait ReadyCheck: Send + Sync {
    /// What it is called in the answer of `/readyz`.
    fn name(&self) -> &'static str;

    /// Until when it must pass.
    fn needed(&self) -> Needed {
        Needed::Always
    }

    /// Tries it; dropped when it takes too long. The error is shown to whoever can reach the admin port: words, no addresses and no secrets.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// Until when a check must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// Without it nobody should be sent here.
    Always,
    /// Without it nobody should be sent here the first time. After that the others have it no more than we do: if all
    /// stepped aside, clients would meet a closed door in place of an answer that tells them to come back.
    AtStart,
}

/// The admin listener's answers:
///
/// | path | answer |
/// |---|---|
/// | `/livez` | 200 `ok` while the process can answer at all |
/// | `/readyz` | 200 when every check that is [needed](Needed) passes and no shutdown was asked for, else 503; both `{"checks":{"<name>":"ok"}}` |
/// | `/metrics` | the registry, in the Prometheus text format |
pub struct Admin {
    registry: Registry,
    checks: Vec<Arc<dyn ReadyCheck>>,
    shutdown: Shutdown,
    /// Whether all checks have passed at once.
    started: AtomicBool,
}

impl Admin {
    /// Answers with `registry`'s metrics, and is ready while `checks` pass, as long as they are needed, and `shutdown` is not triggered.
    pub fn new(registry: Registry, checks: Vec<Arc<dyn ReadyCheck>>, shutdown: Shutdown) -> Self {
        Self { registry, checks, shutdown, started: AtomicBool::new(false) }
    }

    /// Serves on the current runtime until dropped: also while the service drains, when probes must still be answered.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        let admin = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept admin connections");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            if connections.len() >= CONNECTIONS {
                connections.abort_all();
            }
            connections.spawn(Arc::clone(&admin).connection(tcp));
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream) {
        let service = service_fn(|request| {
            let admin = Arc::clone(&self);
            async move { Ok::<_, Infallible>(admin.answer(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ)
            .serve_connection(TokioIo::new(tcp), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "admin connection ended");
        }
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let known = matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let results = join_all(self.checks.iter().map(|check| async move {
            let result = timeout(CHECK, check.check()).await;
            let late = |_| Err(format!("no answer within {} ms", CHECK.as_millis()));
            (check.name(), check.needed(), result.unwrap_or_else(late))
        }));
        let results = results.await;
        if results.iter().all(|(_, _, result)| result.is_ok()) {
            self.started.store(true, Ordering::Relaxed);
        }
        let started = self.started.load(Ordering::Relaxed);
        let passes = |needed: Needed, result: &Result<(), String>| {
            result.is_ok() || (started && needed == Needed::AtStart)
        };
        let stopping = self.shutdown.is_triggered();
        let status = match results.iter().all(|(_, needed, result)| passes(*needed, result)) && !stopping {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let word = |result: Result<(), String>| result.err().unwrap_or_else(|| "ok".to_owned());
        let mut words: BTreeMap<_, _> =
            results.into_iter().map(|(name, _, result)| (name, word(result))).collect();
        if stopping {
            words.insert("shutdown", "the service is stopping".to_owned());
        }
        let body = serde_json::json!({ "checks": words });
        respond(status, "application/json", body.to_string().into_bytes())
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let mut body = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut body) {
            Ok(()) => respond(StatusCode::OK, prometheus::TEXT_FORMAT, body),
            Err(error) => {
                tracing::error!(%error, "cannot encode the metrics");
                text(StatusCode::INTERNAL_SERVER_ERROR, "cannot encode the metrics\n")
            }
        }
    }
}

fn text(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", words.into())
}

fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
