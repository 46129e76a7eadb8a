//! The upstream that everybody forwards to: it answers any path, and `…/sse` with a stream.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::trouble::{Outcome, While};

/// A small answer of a tool.
pub const JSON: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"ENG-42 Login button does nothing on Safari (In Progress, urgent, assigned to Alice Example, due 2026-12-01)"}],"structuredContent":{"id":"0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f","name":"Login button does nothing on Safari","state":"In Progress","priority":"urgent"},"isError":false}}"#;
/// One event of a stream.
const EVENT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"total\":50}}\n\n";
/// How many there are.
pub const EVENTS: usize = 50;

/// Serves on a free port until the process ends; `listening` is told where.
///
/// # Errors
/// When there is no port.
pub async fn serve(listening: impl FnOnce(SocketAddr)) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.while_doing("bind the upstream")?;
    listening(listener.local_addr().while_doing("read the upstream's address")?);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// The length of what a path is answered with.
#[must_use]
pub fn length(path: &str) -> usize {
    if path.ends_with("/sse") { EVENTS * EVENT.len() } else { JSON.len() }
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let stream = request.uri().path().ends_with("/sse");
    let _ = request.into_body().collect().await;
    let (kind, body) = if stream {
        ("text/event-stream", StreamBody::new(events()).boxed_unsync())
    } else {
        ("application/json", Full::new(Bytes::from_static(JSON.as_bytes())).boxed_unsync())
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    Ok(response)
}

/// Each event is written when it is there, not with the next.
fn events() -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    stream::unfold(0, async |sent| {
        if sent == EVENTS {
            return None;
        }
        tokio::task::yield_now().await;
        Some((Ok(Frame::data(Bytes::from_static(EVENT.as_bytes()))), sent + 1))
    })
}
