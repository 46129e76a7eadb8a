//! The one place that turns an outcome into HTTP.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use service::Shutdown;
use service::serve::Body;

use crate::error::Refusal;

/// Seconds after which trying again is worth it, when the identity provider's keys cannot be had.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// `GET /healthz`: whether requests may be sent here.
pub(super) fn healthy(stopping: &Shutdown) -> Result<Response<Body>, Refusal> {
    if stopping.is_triggered() {
        return Err(Refusal::Stopping);
    }
    Ok(json_response(StatusCode::OK, &json!({"status": "ok"})))
}

/// A refusal as HTTP, with a JSON-RPC error as body: clients of both protocol eras look for one.
pub(super) fn refusal(refusal: &Refusal, id: Option<&Value>) -> Response<Body> {
    let mut data = json!({"reason": refusal.reason()});
    if let (Refusal::UnsupportedVersion, Some(data)) = (refusal, data.as_object_mut()) {
        let served: Vec<&str> = crate::server::VERSIONS.iter().map(|version| version.as_str()).collect();
        data.insert("supported".to_owned(), served.into());
    }
    let error = json!({"code": refusal.code(), "message": refusal.public_message(), "data": data});
    // An error about a message whose id cannot be read has no id (MCP 2026-07-28, basic).
    let body = match id {
        Some(id) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        None => json!({"jsonrpc": "2.0", "error": error}),
    };
    let mut response = json_response(refusal.status(), &body);
    let headers = response.headers_mut();
    match refusal {
        Refusal::MissingCredential => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Refusal::InvalidToken(_) => {
            // RFC 6750 section 3.1.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
        }
        Refusal::MethodNotAllowed => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::KeysUnavailable => {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        _ => {}
    }
    response
}

/// rmcp's answer, with what it says in plain text about its insides replaced by our own words.
pub(super) fn scrubbed(response: Response<BoxBody<Bytes, Infallible>>) -> Result<Response<Body>, Refusal> {
    let status = response.status();
    if status.is_server_error() {
        return Err(Refusal::Internal("protocol layer"));
    }
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if status.is_client_error() && !content_type.starts_with(b"application/json") {
        return Err(Refusal::InvalidRequest("This is no MCP message."));
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Response::from_parts(parts, body.map_err(|never| match never {}).boxed_unsync()))
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(body_of(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn body_of(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, content_type: &str, text: &'static str) -> Result<Response<Body>, Refusal> {
        let body = Full::new(Bytes::from_static(text.as_bytes())).boxed();
        let response = Response::builder().status(status).header(CONTENT_TYPE, content_type);
        scrubbed(response.body(body).unwrap())
    }

    #[test]
    fn what_the_protocol_layer_says_about_its_insides_is_never_passed_on() {
        for (status, content_type) in [(500, "text/plain"), (503, "application/json")] {
            let refusal = said(status, content_type, "channel closed at src/insides.rs").unwrap_err();
            assert!(matches!(refusal, Refusal::Internal(_)));
            assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert!(!refusal.public_message().contains("protocol"), "{}", refusal.public_message());
        }
        let refusal = said(422, "text/plain", "missing field `method`").unwrap_err();
        assert!(!refusal.public_message().contains("field"));
        let kept = said(404, "application/json", "{}").unwrap();
        assert_eq!(
            (kept.status(), &kept.headers()[CACHE_CONTROL]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("no-store"))
        );
    }
}
