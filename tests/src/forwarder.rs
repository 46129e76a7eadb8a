//! A signed-in client's network, for programs that know no OAuth: passes every request on and adds the bearer token they
//! cannot send. Nothing else is changed, except that its own address becomes the server's in `Host` and `Origin`.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderMap, ORIGIN, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use reqwest::{Certificate, redirect::Policy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::trouble::{Outcome, Trouble, While};

type Body = UnsyncBoxBody<Bytes, reqwest::Error>;

/// What belongs to one connection and not to the message (RFC 9110 section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 3] =
    [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")];

/// A running forwarder; stops when dropped.
#[derive(Debug)]
pub struct Forwarder {
    origin: String,
    _stop: DropGuard,
}

/// Where requests come from and go to.
#[derive(Debug)]
struct Way {
    http: reqwest::Client,
    ours: Url,
    theirs: Url,
    bearer: HeaderValue,
}

impl Forwarder {
    /// Starts on a free loopback port, in front of the server with the origin `server`.
    ///
    /// # Errors
    /// When no port can be had, or an argument cannot be read.
    pub async fn start(server: &str, bearer: &str, ca_pem: Option<&str>) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.while_doing("listen for the forwarder")?;
        let address = listener.local_addr().while_doing("read a listener's address")?;
        let origin = format!("http://{address}");
        // HTTP/1.1 lets `Host` differ from where the connection goes, which some checks are about.
        let mut builder =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().no_gzip().http1_only();
        if let Some(pem) = ca_pem {
            let ca = Certificate::from_pem(pem.as_bytes()).while_doing("read the CA certificate")?;
            builder = builder.tls_certs_only([ca]);
        }
        let way = Arc::new(Way {
            http: builder.build().while_doing("build a client")?,
            ours: Url::parse(&origin).while_doing("read the forwarder's own URL")?,
            theirs: Url::parse(server).while_doing("read the server's URL")?,
            bearer: format!("Bearer {bearer}").parse().while_doing("write a bearer token")?,
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, way, stop.clone())));
        Ok(Self { origin, _stop: stop.drop_guard() })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

async fn accept(listener: TcpListener, way: Arc<Way>, stop: CancellationToken) {
    while let Ok((tcp, _)) = listener.accept().await {
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve(tcp, Arc::clone(&way))));
    }
}

async fn serve(tcp: TcpStream, way: Arc<Way>) {
    let service = service_fn(async |request| Ok::<_, Infallible>(way.pass_on(request).await));
    // A client that goes away ends the connection, and with it the request to the server.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
}

impl Way {
    async fn pass_on(&self, request: Request<Incoming>) -> Response<Body> {
        self.exchange(request).await.unwrap_or_else(|trouble| {
            let text = Full::new(Bytes::from(trouble.to_string()));
            let mut response = Response::new(text.map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        })
    }

    async fn exchange(&self, request: Request<Incoming>) -> Outcome<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.while_doing("receive a request")?.to_bytes();
        let mut url = self.theirs.clone();
        url.set_path(head.uri.path());
        url.set_query(head.uri.query());
        let request = self.http.request(head.method, url).headers(self.translated(head.headers)?).body(body);
        let answer = request.send().await.while_doing("pass a request on")?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        OF_THE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
        let frames = answer.bytes_stream().map_ok(Frame::data);
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn translated(&self, mut headers: HeaderMap) -> Outcome<HeaderMap> {
        OF_THE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
        let authority = |url: &Url| url.authority().to_owned();
        let origin = |url: &Url| url.origin().ascii_serialization();
        replace(&mut headers, HOST, &authority(&self.ours), &authority(&self.theirs))?;
        replace(&mut headers, ORIGIN, &origin(&self.ours), &origin(&self.theirs))?;
        headers.entry(AUTHORIZATION).or_insert_with(|| self.bearer.clone());
        Ok(headers)
    }
}

/// Puts `theirs` where `ours` stands. Any other value is what a test wants the server to see.
fn replace(headers: &mut HeaderMap, name: HeaderName, ours: &str, theirs: &str) -> Outcome {
    if headers.get(&name).is_some_and(|value| value.as_bytes() == ours.as_bytes()) {
        let value =
            HeaderValue::from_str(theirs).map_err(|_| Trouble::new(format!("no header: {theirs}")))?;
        headers.insert(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::{Echo, Seen};

    async fn seen_after(
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> (Seen, Echo) {
        let echo = Echo::start().await.unwrap();
        let forwarder = Forwarder::start(echo.url(), "token", None).await.unwrap();
        let origin = forwarder.origin().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{origin}/mcp?a=b")).header(ORIGIN, &origin).body("four");
        let answer = change(request).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        (echo.last().unwrap(), echo)
    }

    #[tokio::test]
    async fn a_request_arrives_as_sent_with_a_token_and_the_servers_own_name() {
        let (seen, echo) = seen_after(|request| request.header("mcp-method", "ping")).await;
        assert_eq!((seen.target.as_str(), seen.body_bytes), ("/mcp?a=b", 4));
        assert_eq!(seen.values("authorization"), ["Bearer token"]);
        assert_eq!(seen.values("mcp-method"), ["ping"]);
        assert_eq!(seen.values("origin"), [echo.url()]);
        assert_eq!(seen.values("host"), [echo.url().trim_start_matches("http://")]);
    }

    #[tokio::test]
    async fn foreign_names_are_left_as_they_are() {
        let (seen, _echo) = seen_after(|request| request.header(HOST, "evil.example")).await;
        assert_eq!(seen.values("host"), ["evil.example"]);
    }
}
