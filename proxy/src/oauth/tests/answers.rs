//! Reading what the server answered.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::super::Outcome;
use super::world::{CALLBACK, ISSUER};

pub(super) fn transaction_in(page: &Response<Bytes>) -> String {
    let html = text(page);
    let (_, rest) = html.split_once("name=\"transaction\" value=\"").expect("no consent form");
    rest.split('"').next().unwrap().to_owned()
}

pub(super) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

pub(super) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|_| panic!("not JSON: {response:?}"))
}

/// Access and refresh token of a token response.
pub(super) fn pair(response: &Response<Bytes>) -> (String, String) {
    let body = json(response);
    let of = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}: {body}")).to_owned();
    (of("access_token"), of("refresh_token"))
}

pub(super) fn location(response: &Response<Bytes>) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?} {}", text(response));
    Url::parse(response.headers()[LOCATION].to_str().unwrap()).unwrap()
}

pub(super) fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

pub(super) fn reason(response: &Response<Bytes>) -> &'static str {
    response.extensions().get::<Outcome>().expect("no outcome").reason
}

/// Asserts an RFC 6749 section 5.2 body.
pub(super) fn assert_error(response: &Response<Bytes>, status: u16, error: &str, why: &str) {
    assert_eq!((response.status().as_u16(), reason(response)), (status, why), "{}", text(response));
    assert_eq!(json(response)["error"], error);
    assert_eq!(response.headers()["cache-control"], "no-store");
}

/// Asserts an error that went to the client's redirect URI.
pub(super) fn assert_redirected(response: &Response<Bytes>, error: &str, why: &str) {
    let to = location(response);
    assert!(to.as_str().starts_with(CALLBACK), "{to}");
    let answered = query(&to);
    assert_eq!((answered["error"].as_str(), reason(response)), (error, why));
    assert_eq!(answered["iss"], ISSUER);
    assert_eq!(answered["state"], "s-1");
}

/// Asserts a page: nothing was sent to the client.
pub(super) fn assert_page(response: &Response<Bytes>, status: u16, why: &str) {
    assert_eq!((response.status().as_u16(), reason(response)), (status, why), "{}", text(response));
    assert!(response.headers().get(LOCATION).is_none());
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(response.headers()["x-frame-options"], "DENY");
}
