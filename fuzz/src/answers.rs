//! What every answer of the authorization server keeps to, whatever was asked.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_FRAME_OPTIONS};
use http::{Response, StatusCode};
use serde_json::Value;

/// Panics when an answer is our fault, is not to be read, or could be kept or framed by somebody.
pub fn check(answer: &Response<Bytes>) {
    let status = answer.status();
    let passing = status == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key("retry-after");
    assert!(!status.is_server_error() || passing, "our fault: {answer:?}");
    assert_eq!(status.is_redirection(), answer.headers().contains_key(LOCATION), "{answer:?}");
    let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    assert!(
        header(CACHE_CONTROL).contains("no-store"),
        "an answer to one may be kept for others: {answer:?}"
    );
    match header(CONTENT_TYPE) {
        "application/json" => {
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body.get("error").is_some(), !status.is_success(), "{answer:?}");
        }
        "text/html; charset=utf-8" => {
            let page = str::from_utf8(answer.body()).unwrap();
            assert!(!page.contains("<script"), "{page}");
            assert_eq!(header(X_FRAME_OPTIONS), "DENY");
            assert!(header(CONTENT_SECURITY_POLICY).contains("default-src 'none'"));
        }
        "" => assert!(answer.body().is_empty(), "a body of no type: {answer:?}"),
        other => panic!("a body of type {other}"),
    }
}
