//! The answers of both hosts.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

/// A status, headers and a whole body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
            .with(header::CONTENT_TYPE.as_str(), "application/json;charset=UTF-8")
    }

    /// An OAuth error as the token and revocation endpoints write it: mostly without a description.
    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::json(status, &json!({ "error": code }))
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn html(status: u16, body: String) -> Self {
        Self { status, headers: Vec::new(), body }
            .with(header::CONTENT_TYPE.as_str(), "text/html;charset=UTF-8")
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::empty(302).with(header::LOCATION.as_str(), to)
    }

    /// A redirect to `uri` with `parameters` appended to whatever query it has.
    pub(super) fn redirect_with(uri: &str, parameters: &[(&str, &str)]) -> Self {
        match Url::parse(uri) {
            Ok(mut url) => {
                url.query_pairs_mut().extend_pairs(parameters);
                Self::redirect(url.as_str())
            }
            Err(_) => Self::error(400, "invalid_request"),
        }
    }

    /// A body given by a test, with the type it looks like.
    pub(super) fn given(status: u16, body: String) -> Self {
        let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
        Self { status, headers: Vec::new(), body }.with(header::CONTENT_TYPE.as_str(), kind)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder.body(Full::new(Bytes::from(self.body))).unwrap_or_else(|_| {
            let mut broken = Response::new(Full::default());
            *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            broken
        })
    }
}
