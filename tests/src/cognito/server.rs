//! The two listeners: read a request, write it down, apply the fault of its endpoint, answer.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use url::form_urlencoded;

use super::{
    answer::Answer,
    authorize,
    fault::{Fault, Faults},
    issuer, sign_out, token,
    world::World,
};

/// Longest body that is read; a refresh token has 1.7 kB.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Which of the two hosts a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The one that publishes keys.
    Issuer,
    /// The one that signs people in.
    Domain,
}

/// A request as it arrived, secrets and all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// When, in seconds since the epoch by the pool's clock.
    pub at: u64,
    /// At which host.
    pub host: Host,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Its form body, decoded, in order.
    pub form: Vec<(String, String)>,
    /// Whether it named a trace it is part of.
    pub names_a_trace: bool,
    /// Its `Authorization` header.
    pub authorization_header: Option<String>,
}

impl LoggedRequest {
    /// The first query parameter of that name.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The first form field of that name.
    #[must_use]
    pub fn form_value(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    /// Whether it asked the token endpoint for this grant type.
    #[must_use]
    pub fn asks_for(&self, grant_type: &str) -> bool {
        self.path == "/oauth2/token" && self.form_value("grant_type") == Some(grant_type)
    }
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    /// The query as it was written.
    pub(super) raw_query: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn form_value(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    pub(super) fn query_value(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    pub(super) fn has_form_body(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    }
}

/// What the listeners and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<LoggedRequest>>,
}

/// Ends a connection without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection cut by a fault")
    }
}

impl std::error::Error for Cut {}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self { world: Mutex::new(world), faults: Mutex::default(), log: Mutex::default() }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.faults)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        locked(&self.log)
    }

    async fn answer(&self, host: Host, call: Call) -> Result<Answer, Cut> {
        self.write_down(host, &call);
        let fault = self.faults().at(&call.path);
        match fault {
            None => Ok(self.carry_out(host, &call)),
            Some(Fault::Status(status, body)) => Ok(Answer::given(status, body)),
            Some(Fault::HtmlBody) => {
                Ok(Answer::html(200, "<html><body>Please wait</body></html>".to_owned()))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Drop) => Err(Cut),
            Some(Fault::DropAnswer) => {
                self.carry_out(host, &call);
                Err(Cut)
            }
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(self.carry_out(host, &call))
            }
            Some(Fault::LateAnswer(time)) => {
                let answer = self.carry_out(host, &call);
                tokio::time::sleep(time).await;
                Ok(answer)
            }
            Some(Fault::HeldAnswer) => {
                let answer = self.carry_out(host, &call);
                while self.faults().at(&call.path) == Some(Fault::HeldAnswer) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(answer)
            }
        }
    }

    fn write_down(&self, host: Host, call: &Call) {
        let at = self.world().now();
        self.log().push(LoggedRequest {
            at,
            host,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            form: call.form.clone(),
            names_a_trace: call.header("traceparent").is_some(),
            authorization_header: call.header("authorization").map(str::to_owned),
        });
    }

    fn carry_out(&self, host: Host, call: &Call) -> Answer {
        let mut world = self.world();
        if host == Host::Issuer {
            return issuer::answer(&world, call);
        }
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/oauth2/authorize") => authorize::authorize(&mut world, call),
            ("GET", "/login") => authorize::login_page(&world, call),
            ("POST", "/login") => authorize::login(&mut world, call),
            ("GET", "/error") => authorize::error_page(call),
            ("POST", "/oauth2/token") => token::token(&mut world, call),
            ("POST", "/oauth2/revoke") => sign_out::revoke(&mut world, call),
            ("GET" | "POST", "/oauth2/userInfo") => sign_out::user_info(&world, call),
            ("GET", "/logout") => sign_out::logout(&mut world, call),
            (_, "/oauth2/authorize" | "/oauth2/token" | "/oauth2/revoke" | "/logout") => Answer::empty(405),
            (_, _) => Answer::json(404, &json!({ "message": "Not Found" })),
        }
    }
}

/// Serves one listener until the task is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, host: Host, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| respond(Arc::clone(&shared), host, request));
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new());
                connections.spawn(server.serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(
    shared: Arc<Shared>,
    host: Host,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(Answer::empty(413).into_response());
    };
    let raw_query = head.uri.query().unwrap_or_default().to_owned();
    let is_form = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: pairs(raw_query.as_bytes()),
        raw_query,
        form: if is_form { pairs(&body.to_bytes()) } else { Vec::new() },
        headers: head.headers,
    };
    let mut response = shared.answer(host, call).await.map(Answer::into_response)?;
    let now = UNIX_EPOCH + Duration::from_secs(shared.world().now());
    // By the pool's clock, not by the one of the machine that plays it.
    if let Ok(date) = httpdate::fmt_http_date(now).parse() {
        response.headers_mut().insert(header::DATE, date);
    }
    Ok(response)
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
