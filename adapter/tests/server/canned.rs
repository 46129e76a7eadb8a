//! A Plane that answers from the captured responses and remembers what it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// In place of a status: no answer.
const NEVER: u16 = 0;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// One request as Plane saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    /// None, while the connection stays open.
    pub(crate) fn never() -> Self {
        Self { status: NEVER, headers: Vec::new(), body: String::new() }
    }

    /// A captured response, with its status and the headers that matter.
    pub(crate) fn captured(name: &str) -> Self {
        let path = format!("{}/../tests/fixtures/plane/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let capture: Value = serde_json::from_str(&text).unwrap();
        let mut reply = Self::json(capture["status"].as_u64().unwrap().try_into().unwrap(), &capture["body"]);
        for (name, value) in capture["headers"].as_object().unwrap() {
            if name.starts_with("X-RateLimit") || name == "Retry-After" {
                reply.headers.push((name.to_lowercase(), value.as_str().unwrap().to_owned()));
            }
        }
        reply
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Answer = Arc<dyn Fn(Seen) -> Reply + Send + Sync>;

/// Serves `answer` on a free port until the test's runtime ends.
pub(crate) async fn listen(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (parts, _) = request.into_parts();
                let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
                let reply = answer(Seen {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: query.into_owned().collect(),
                    headers: parts.headers,
                });
                async move {
                    if reply.status == NEVER {
                        std::future::pending::<()>().await;
                    }
                    let mut response = Response::builder().status(reply.status);
                    for (name, value) in reply.headers {
                        response = response.header(name, value);
                    }
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(reply.body))).unwrap())
                }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    address
}

/// Answers by path; a path may have several answers, the last of which stays.
#[derive(Clone, Default)]
pub(crate) struct Plane {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: BTreeMap<String, Vec<Reply>>,
    seen: Vec<Seen>,
    sessions: usize,
}

pub(crate) const ENG: &str = "b5d6a26a-13ba-41aa-a751-be52ae59154d";
pub(crate) const MKT: &str = "0415ff12-16d2-493d-af08-21c9644005f7";
pub(crate) const ITEM: &str = "f5aa9d34-3fb1-4244-8ff0-0c3943394ed0";

impl Plane {
    /// The sample workspace as alice sees it.
    pub(crate) fn of_alice() -> Self {
        let plane = Self::default();
        let item = |project: &str| format!("/api/v1/workspaces/acme/projects/{project}/work-items/");
        for (path, name) in [
            ("/api/v1/users/me/".to_owned(), "get_me"),
            ("/api/users/me/".to_owned(), "app_users_me"),
            ("/api/users/me/workspaces/".to_owned(), "app_list_workspaces"),
            ("/api/v1/workspaces/acme/projects/".to_owned(), "list_projects"),
            (format!("/api/v1/workspaces/acme/projects/{ENG}/"), "retrieve_project"),
            (item(ENG), "list_work_items_expand"),
            (format!("{}{ITEM}/", item(ENG)), "retrieve_work_item_expand"),
            (
                "/api/v1/workspaces/acme/work-items/ENG-1/".to_owned(),
                "retrieve_work_item_by_identifier_expand",
            ),
            ("/api/v1/workspaces/acme/work-items/ENG-9999/".to_owned(), "err_unknown_identifier"),
            ("/api/v1/workspaces/acme/work-items/search/".to_owned(), "search_work_items"),
            ("/api/v1/workspaces/acme/members/".to_owned(), "list_workspace_members"),
            (format!("/api/v1/workspaces/acme/projects/{ENG}/states/"), "list_states"),
            (format!("/api/v1/workspaces/acme/projects/{ENG}/labels/"), "list_labels"),
            (format!("/api/v1/workspaces/acme/projects/{ENG}/cycles/"), "list_cycles"),
            (format!("/api/v1/workspaces/acme/projects/{ENG}/modules/"), "list_modules"),
            ("/api/workspaces/acme/states/".to_owned(), "app_workspace_states"),
            ("/api/workspaces/acme/labels/".to_owned(), "app_workspace_labels"),
            ("/api/workspaces/acme/issues/".to_owned(), "app_workspace_issues"),
            ("/api/workspaces/acme/entity-search/".to_owned(), "app_entity_search"),
            (format!("/api/workspaces/acme/projects/{ENG}/issues/"), "app_list_issues"),
            (format!("{}{ITEM}/comments/", item(ENG)), "list_work_item_comments"),
            (format!("{}{ITEM}/links/", item(ENG)), "list_work_item_links"),
            (format!("{}{ITEM}/activities/", item(ENG)), "list_work_item_activities"),
            (format!("{}{ITEM}/relations/", item(ENG)), "list_work_item_relations"),
            (format!("{}{ITEM}/attachments/", item(ENG)), "list_work_item_attachments"),
            ("/api/workspaces/acme/work-items/ENG-9999/".to_owned(), "err_unknown_identifier"),
        ] {
            plane.answer(&path, Reply::captured(name));
        }
        plane
    }

    /// Replaces the answers of a path.
    pub(crate) fn answers(&self, path: &str, replies: Vec<Reply>) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), replies);
    }

    pub(crate) fn answer(&self, path: &str, reply: Reply) {
        self.answers(path, vec![reply]);
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Sessions opened so far: one for each signed-in request without a cookie.
    pub(crate) fn sessions(&self) -> usize {
        self.state.lock().unwrap().sessions
    }

    pub(crate) async fn start(&self) -> String {
        let plane = self.clone();
        format!("http://{}", listen(Arc::new(move |seen| plane.reply(seen))).await)
    }

    fn reply(&self, seen: Seen) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.seen.push(seen.clone());
        // Who is not a member is forbidden, and so is everything about what does not exist.
        let outside = || Reply::captured("err_unknown_workspace");
        let mut reply = match state.answers.get_mut(&seen.path) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies.first().cloned().unwrap_or_else(outside),
            None => outside(),
        };
        let signed_in = seen.headers.contains_key("authorization");
        // Plane counts requests by key and tells nobody else.
        reply.headers.retain(|(name, _)| !signed_in || !name.starts_with("x-ratelimit"));
        if signed_in && reply.status < 400 && !seen.headers.contains_key("cookie") {
            state.sessions += 1;
            let cookie = format!("session-id=s{}; Path=/; HttpOnly", state.sessions);
            reply = reply.with_header("set-cookie", &cookie).with_header("set-cookie", "_oauth2_proxy=x");
        }
        reply
    }
}
