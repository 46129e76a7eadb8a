//! An MCP client over plain HTTP, not an SDK: every step of the specification can be taken singly, and wrongly.
#![expect(
    clippy::indexing_slicing,
    reason = "reading an index of a JSON value never panics: what is missing is null"
)]

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use reqwest::{Certificate, RequestBuilder, redirect::Policy};
use serde_json::Value;
use url::Url;

use crate::trouble::{Outcome, Trouble, While};

mod calls;
mod oauth;
pub use calls::{Era, rpc_body};
pub use oauth::{Authorization, Discovery, REDIRECT_URI, SignedIn, Tokens};

/// A client that knows one MCP endpoint and trusts one certificate authority.
#[derive(Debug, Clone)]
pub struct McpClient {
    http: reqwest::Client,
    endpoint: Url,
    /// Where it connects to, when that is not where its URLs point: another replica behind the same name.
    replica: Option<Url>,
    secrets: Arc<Mutex<Vec<String>>>,
}

/// An HTTP answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON (of the last event, for an event stream), `null` when it is none.
    pub json: Value,
}

impl McpClient {
    /// A client of the MCP endpoint at `endpoint`.
    ///
    /// # Errors
    /// When the URL or the certificate cannot be read.
    pub fn new(endpoint: &str, ca_pem: &str) -> Outcome<Self> {
        let endpoint = Url::parse(endpoint).while_doing("read the MCP endpoint's URL")?;
        let ca = Certificate::from_pem(ca_pem.as_bytes()).while_doing("read the CA certificate")?;
        let builder = reqwest::Client::builder().tls_certs_only([ca]).redirect(Policy::none()).no_proxy();
        let http = builder.build().while_doing("build a client")?;
        Ok(Self { http, endpoint, replica: None, secrets: Arc::default() })
    }

    /// The same client connecting to another replica, which it reaches at `origin`; URLs and `Host` stay as they are.
    ///
    /// # Errors
    /// When `origin` is no URL.
    pub fn through(&self, origin: &str) -> Outcome<Self> {
        let replica = Url::parse(origin).while_doing("read the replica's URL")?;
        Ok(Self { replica: Some(replica), ..self.clone() })
    }

    /// The same client for another endpoint.
    ///
    /// # Errors
    /// When `endpoint` is no URL.
    pub fn at(&self, endpoint: &str) -> Outcome<Self> {
        let endpoint = Url::parse(endpoint).while_doing("read an endpoint's URL")?;
        Ok(Self { endpoint, ..self.clone() })
    }

    /// The MCP endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Every secret this client (and its clones) sent or received: none of them may show up in a log.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a secret for [`McpClient::secrets`].
    pub fn remember(&self, secret: &str) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    /// A request to a URL of the server, with `Host` as the URL has it.
    ///
    /// # Errors
    /// When the URL has no host.
    pub fn request(&self, method: &str, url: &Url) -> Outcome<RequestBuilder> {
        let method = method.parse().while_doing("name a method")?;
        let Some(replica) = &self.replica else { return Ok(self.http.request(method, url.clone())) };
        let mut target = url.clone();
        let moved = target.set_host(replica.host_str()).is_ok() && target.set_port(replica.port()).is_ok();
        let (true, Some(host)) = (moved, url.host_str()) else {
            return Err(Trouble::new(format!("{url} cannot be reached through {replica}")));
        };
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(self.http.request(method, target).header("host", host))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn send(&self, request: RequestBuilder) -> Outcome<Answer> {
        let response = request.send().await.while_doing("get an answer")?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.while_doing("read an answer")?;
        Ok(Answer { status, headers, json: json_of(&text), text })
    }

    /// Loads a URL.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn load(&self, url: &str) -> Outcome<Answer> {
        let url = self.endpoint.join(url).while_doing(format_args!("read the URL {url}"))?;
        self.send(self.request("GET", &url)?).await
    }
}

impl Answer {
    /// A header's value, empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer itself when its status is `status`.
    ///
    /// # Errors
    /// Otherwise; the sentence shows the answer.
    pub fn expect_status(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        let text: String = self.text.chars().take(600).collect();
        Err(Trouble::new(format!("status {} where {status} was expected: {text}", self.status)))
    }

    /// A parameter of the Bearer challenge (RFC 6750 section 3), such as `resource_metadata`.
    #[must_use]
    pub fn challenge(&self, parameter: &str) -> Option<String> {
        let challenge = self.header("www-authenticate").strip_prefix("Bearer ")?;
        let mut parts = challenge.split(", ").filter_map(|part| part.trim().split_once('='));
        parts.find(|(name, _)| *name == parameter).map(|(_, value)| value.trim_matches('"').to_owned())
    }
}

fn json_of(text: &str) -> Value {
    let event = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(event.unwrap_or_default()))
        .unwrap_or_default()
}
