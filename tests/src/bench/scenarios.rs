//! What is asked, and the askers that ask it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    load::{Asker, Place},
    upstream,
    usage::Programs,
};
use crate::{
    client::{Era, SignedIn, rpc_body},
    trouble::{Outcome, While},
};

/// One comparison.
pub struct Scenario {
    /// In the report: a word.
    pub name: &'static str,
    /// In the table.
    pub title: &'static str,
    /// Who is asked; the first is us.
    pub contestants: Vec<Contestant>,
}

/// Somebody who is asked.
pub struct Contestant {
    /// In the report and in the table.
    pub name: &'static str,
    /// Where.
    pub place: Place,
    /// A connection each.
    pub askers: Vec<Arc<dyn Asker>>,
    /// What is measured while it is asked.
    pub programs: Programs,
}

/// The same request again and again.
struct Same {
    request: Request<Full<Bytes>>,
    /// How long the right answer is, where that is known.
    length: Option<usize>,
}

impl Asker for Same {
    fn request(&self) -> Request<Full<Bytes>> {
        self.request.clone()
    }

    fn answered(&self, status: StatusCode, body: &[u8]) -> bool {
        let refused = || String::from_utf8_lossy(body).contains(r#""isError":true"#);
        status.is_success() && self.length.map_or_else(|| !refused(), |length| body.len() == length)
    }
}

/// So many connections that all ask the same.
fn alike(count: usize, request: &Request<Full<Bytes>>, length: Option<usize>) -> Vec<Arc<dyn Asker>> {
    (0..count).map(|_| Arc::new(Same { request: request.clone(), length }) as Arc<dyn Asker>).collect()
}

/// `tools/call` at a path.
///
/// # Errors
/// When it cannot be said.
pub fn tool_calls(
    count: usize,
    (host, path): (&str, &str),
    tool: &str,
    bearer: &str,
) -> Outcome<Vec<Arc<dyn Asker>>> {
    let body = rpc_body(Era::Modern, "tools/call", &json!({ "name": tool, "arguments": {} })).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", Era::Modern.version())
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
        .body(Full::new(Bytes::from(body)))
        .while_doing("say a tool call")?;
    let of_the_upstream = path.starts_with("/bench/").then(|| upstream::length(path));
    Ok(alike(count, &request, of_the_upstream))
}

/// What Traefik asks a ForwardAuth service about a tool call.
///
/// # Errors
/// When it cannot be said.
pub fn forward_auth(count: usize, path: &str, host: &str, bearer: &str) -> Outcome<Vec<Arc<dyn Asker>>> {
    let request = Request::builder()
        .uri(path)
        .header(header::HOST, host)
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", host)
        .header("x-forwarded-uri", "/bench/mcp")
        .header("x-forwarded-for", "127.0.0.1")
        .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
        .body(Full::default())
        .while_doing("say a forward-auth request")?;
    Ok(alike(count, &request, None))
}

/// A session that refreshes its token, and then with the new one again.
pub struct Refresher {
    host: String,
    client_id: String,
    token: Mutex<String>,
}

impl Refresher {
    /// For a session.
    #[must_use]
    pub fn new(host: &str, session: &SignedIn) -> Self {
        let token = Mutex::new(session.tokens.refresh.clone());
        Self { host: host.to_owned(), client_id: session.client_id.clone(), token }
    }
}

impl Asker for Refresher {
    fn request(&self) -> Request<Full<Bytes>> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={}", self.client_id);
        let mut request = Request::new(Full::new(Bytes::from(form)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/token");
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Ok(host) = header::HeaderValue::from_str(&self.host) {
            headers.insert(header::HOST, host);
        }
        request
    }

    fn answered(&self, status: StatusCode, body: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let next = answer.get("refresh_token").and_then(Value::as_str);
        let Some(next) = next.filter(|_| status == StatusCode::OK) else {
            return false;
        };
        next.clone_into(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner));
        true
    }
}
