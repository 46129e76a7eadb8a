//! What the double answers, and Plane's exact words for each refusal.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// A view's outcome; a refusal travels as the error, so that a view can use `?`.
pub(super) type Outcome = Result<Answer, Answer>;

/// Status, headers beside the content type, and body.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Empty,
    Json(Value),
    Text(&'static str, &'static str),
}

impl Answer {
    fn new(status: StatusCode, body: Body) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self::new(status, Body::Json(body))
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Body::Empty)
    }

    pub(super) fn moved(location: String) -> Self {
        Self::new(StatusCode::MOVED_PERMANENTLY, Body::Empty).with(LOCATION, location)
    }

    pub(super) fn not_signed_in() -> Self {
        Self::json(
            StatusCode::UNAUTHORIZED,
            json!({"detail": "Authentication credentials were not provided."}),
        )
    }

    pub(super) fn bad_key() -> Self {
        Self::json(StatusCode::FORBIDDEN, json!({"detail": "Given API token is not valid"}))
    }

    pub(super) fn forbidden() -> Self {
        let detail = "You do not have permission to perform this action.";
        Self::json(StatusCode::FORBIDDEN, json!({"detail": detail}))
    }

    pub(super) fn no_row() -> Self {
        let error = "The requested resource does not exist.";
        Self::json(StatusCode::NOT_FOUND, json!({"error": error}))
    }

    /// As the app API says that there is no such row.
    pub(super) fn no_object() -> Self {
        let error = "The required object does not exist.";
        Self::json(StatusCode::NOT_FOUND, json!({"error": error}))
    }

    pub(super) fn no_route() -> Self {
        Self::json(StatusCode::NOT_FOUND, json!({"error": "Page not found."}))
    }

    pub(super) fn no_method(method: &Method) -> Self {
        let detail = format!("Method \"{method}\" not allowed.");
        Self::json(StatusCode::METHOD_NOT_ALLOWED, json!({"detail": detail}))
    }

    pub(super) fn unparsable(detail: &str) -> Self {
        Self::json(StatusCode::BAD_REQUEST, json!({"detail": detail}))
    }

    pub(super) fn invalid() -> Self {
        Self::json(StatusCode::BAD_REQUEST, json!({"error": "Please provide valid detail"}))
    }

    pub(super) fn crashed() -> Self {
        let error = "Something went wrong please try again later";
        Self::json(StatusCode::INTERNAL_SERVER_ERROR, json!({"error": error}))
    }

    pub(super) fn throttled(retry_after: u64) -> Self {
        let body = json!({"error_code": 5900, "error_message": "RATE_LIMIT_EXCEEDED"});
        Self::json(StatusCode::TOO_MANY_REQUESTS, body).with(RETRY_AFTER, retry_after.to_string())
    }

    /// oauth2-proxy's answer to a caller it does not know.
    pub(super) fn front_refusal() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Body::Text("text/plain; charset=utf-8", "Unauthorized\n"))
    }

    /// What Plane, or a gateway before it, says with this status when it fails.
    pub(super) fn fault(status: u16) -> Self {
        let page = "<html><head><title>error</title></head><body><h1>upstream error</h1></body></html>";
        match status {
            401 => Self::not_signed_in(),
            403 => Self::forbidden(),
            404 => Self::no_row(),
            429 => Self::throttled(30),
            500 => Self::crashed(),
            _ => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                Self::new(status, Body::Text("text/html", page))
            }
        }
    }

    /// Adds one header.
    pub(super) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (content_type, bytes) = match self.body {
            Body::Empty => ("text/html; charset=utf-8", Bytes::new()),
            Body::Json(value) => ("application/json", Bytes::from(value.to_string())),
            Body::Text(content_type, text) => (content_type, Bytes::from_static(text.as_bytes())),
        };
        let mut response = Response::new(Full::new(bytes));
        *response.status_mut() = self.status;
        if self.status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
