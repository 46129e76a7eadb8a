//! One HTTP request of a probe: bounded in time and size, never followed elsewhere.

use std::{error::Error, fs, io, path::Path, time::Duration};

use http::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect, tls::TlsInfo};
use serde_json::Value;
use url::Url;

use super::causes;
use crate::Clock;

/// Largest answer that is read.
const MAX_BODY: usize = 512 * 1024;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<Url>,
    /// The certificate of a TLS connection, DER, where the client keeps it.
    pub certificate: Option<Vec<u8>>,
    /// How many seconds the server's clock is ahead of ours.
    pub ahead: Option<i64>,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// In words, without the URL.
    pub said: String,
    /// Whether it is the certificate that was not taken.
    pub by_certificate: bool,
}

/// A client as probes use it, which trusts the authorities in `ca_file`, or the system's.
///
/// # Errors
/// When the file is of no use, in words.
pub fn client(builder: ClientBuilder, ca_file: Option<&Path>, limit: Duration) -> Result<Client, String> {
    let builder = match ca_file {
        None => builder,
        Some(path) => {
            let pem = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let roots = Certificate::from_pem_bundle(&pem).map_err(|error| causes(&error))?;
            builder.tls_certs_only(roots)
        }
    };
    let client = builder.redirect(redirect::Policy::none()).timeout(limit).tls_info(true).build();
    client.map_err(|error| causes(&error))
}

/// Asks for `url`.
///
/// # Errors
/// When no whole answer comes.
pub async fn get(http: &Client, url: Url, clock: &dyn Clock) -> Result<Answer, NoAnswer> {
    ask(http.get(url), clock).await
}

/// Sends a request.
///
/// # Errors
/// When no whole answer comes.
pub async fn ask(request: RequestBuilder, clock: &dyn Clock) -> Result<Answer, NoAnswer> {
    let before = clock.unix();
    let mut response = request.send().await.map_err(no_answer)?;
    let midway = i64::try_from(before.midpoint(clock.unix())).unwrap_or(i64::MAX);
    let header = |name| response.headers().get(name)?.to_str().ok();
    let ahead = header("date").and_then(seconds).map(|theirs| theirs - midway);
    let location = header("location").and_then(|to| response.url().join(to).ok());
    let certificate = peer_certificate(&response);
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(NoAnswer { said: "the answer is too large".to_owned(), by_certificate: false });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, location, certificate, ahead, headers, body })
}

impl Answer {
    /// What came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The JSON of a good answer.
    ///
    /// # Errors
    /// What it is instead, in words.
    pub fn json(&self) -> Result<Value, String> {
        if self.status != 200 {
            return Err(format!("answered with status {}", self.status));
        }
        serde_json::from_slice(&self.body).map_err(|_| "answered with something that is not JSON".to_owned())
    }
}

fn seconds(date: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn peer_certificate(response: &Response) -> Option<Vec<u8>> {
    response.extensions().get::<TlsInfo>()?.peer_certificate().map(<[u8]>::to_vec)
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    let error = error.without_url();
    NoAnswer { by_certificate: is_about_the_certificate(&error), said: causes(&error) }
}

fn is_about_the_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        // An I/O error is not the source of itself: what it was made of is looked at here.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    false
}
