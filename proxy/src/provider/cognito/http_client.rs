//! One HTTP request to Cognito: bounded in time and size, and never followed elsewhere.

use openidconnect::{HttpRequest, HttpResponse};
use service::traces;
use tracing::Instrument;

/// Largest answer; three tokens with many claims are about 30 kB.
const MAX_BODY_BYTES: usize = 512 * 1024;

/// Why there is no answer to conclude anything from. Holds nothing of the answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Not connected, cut off, or too slow.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// 429 or 5xx, or a redirect.
    #[error("answered with status {0}")]
    Status(u16),
    /// Longer than anything Cognito says.
    #[error("answer too large")]
    TooLarge,
    /// Neither tokens nor an OAuth error.
    #[error("answer is not one of the protocol")]
    Unreadable,
    /// An OAuth error that says to try again.
    #[error("answered that it is unavailable")]
    Busy,
    /// Asked a moment ago, and failed.
    #[error("failed a moment ago")]
    FailedBefore,
}

impl NoAnswer {
    /// One of few words, for traces.
    fn kind(&self) -> &'static str {
        match self {
            Self::Transport(error) if error.is_timeout() => "timeout",
            Self::Transport(_) => "no_answer",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Busy => "busy",
            Self::FailedBefore => "failed_before",
        }
    }
}

/// Sends a request and reads the whole answer. Statuses that are no OAuth answer are errors here. Its trace ends here, too:
/// Cognito is somebody else's, and is told no `traceparent`.
pub(super) async fn fetch(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
    let span = traces::part(|| {
        tracing::info_span!(
            target: traces::TARGET,
            "cognito",
            otel.kind = "client",
            otel.name = format!("{} {}", request.method(), request.uri().path()),
            otel.status_code = tracing::field::Empty,
            http.request.method = request.method().as_str(),
            http.response.status_code = tracing::field::Empty,
            server.address = request.uri().host(),
            url.path = request.uri().path(),
            error.type = tracing::field::Empty,
        )
    });
    let answer = send(http, request).instrument(span.clone()).await;
    match &answer {
        Ok(answer) => {
            span.record("http.response.status_code", i64::from(answer.status().as_u16()));
        }
        Err(error) => {
            if let NoAnswer::Status(status) = error {
                span.record("http.response.status_code", i64::from(*status));
            }
            traces::failed(&span, error.kind());
        }
    }
    answer
}

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
    let (parts, body) = request.into_parts();
    let sent = http
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .map_err(transport)?;
    let status = sent.status();
    if status.is_server_error() || status.is_redirection() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(NoAnswer::Status(status.as_u16()));
    }
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = status;
    *answer.headers_mut() = sent.headers().clone();
    *answer.body_mut() = read(sent).await?;
    Ok(answer)
}

async fn read(mut sent: reqwest::Response) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = sent.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(NoAnswer::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn transport(error: reqwest::Error) -> NoAnswer {
    NoAnswer::Transport(error.without_url())
}
