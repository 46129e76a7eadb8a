//! A way in, and what an attacker has in hand there.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use http::HeaderName;
use serde_json::json;
use stack::{
    chain::{Chain, Way},
    client::{Era, SignedIn, rpc_body},
    plane::SeenRequest,
    process::PATIENCE,
    wire::{self, Wanted, http2},
};

use super::{PLANE, WAYS, http2::Stream};
use crate::{
    credentials::{CognitoTokens, cognito_tokens, cookies, sign_in_for_rest},
    same_user::identity_headers,
};

/// A server that shall refuse and says nothing for so long is waiting for more.
const SILENCE: Duration = Duration::from_secs(4);

pub(super) struct Target<'a> {
    chain: &'a Chain,
    column: usize,
    address: SocketAddr,
    /// As in `Host`.
    pub(super) host: String,
    /// Of a request that gets to Plane.
    pub(super) path: &'static str,
    /// Alice's token of the edge for this path.
    pub(super) token: String,
    /// One of hers whose session was ended.
    pub(super) stale: String,
    /// What alice has of Cognito; only the edge should.
    pub(super) cognito: CognitoTokens,
    /// Of bob's browser.
    pub(super) cookies: String,
    /// Bob's key of Plane.
    pub(super) key: String,
    /// Alice's identity as Plane is told it.
    identity: Vec<(String, String)>,
    /// How many requests reached Plane before the first row.
    prepared: usize,
}

impl<'a> Target<'a> {
    /// The MCP endpoint.
    pub(super) async fn mcp(chain: &'a Chain, column: usize) -> Self {
        let alice = chain.sign_in("alice").await.unwrap();
        let stale = chain.sign_in("alice").await.unwrap();
        Self::of(chain, column, "/mcp", alice, stale).await
    }

    /// Plane's REST API.
    pub(super) async fn rest(chain: &'a Chain, column: usize) -> Self {
        let alice = sign_in_for_rest(chain, "alice").await;
        let stale = sign_in_for_rest(chain, "alice").await;
        Self::of(chain, column, "/api/users/me/", alice, stale).await
    }

    async fn of(
        chain: &'a Chain,
        column: usize,
        path: &'static str,
        alice: SignedIn,
        stale: SignedIn,
    ) -> Self {
        assert_eq!(stale.revoke().await.unwrap().status, 200);
        let address = match chain.way {
            Way::Inline => chain.proxies[0].program.public(),
            Way::Behind | Way::ForwardAuth => chain.traefik.address(),
        };
        let mut target = Self {
            chain,
            column,
            address,
            host: chain.public_url.trim_start_matches("https://").to_owned(),
            path,
            token: alice.tokens.access.clone(),
            stale: stale.tokens.access.clone(),
            cognito: cognito_tokens(chain, "alice").await,
            cookies: cookies(chain, "bob").await,
            key: chain.plane.api_key_for("bob"),
            identity: Vec::new(),
            prepared: 0,
        };
        let before = target.seen().len();
        assert_eq!(target.send(target.with(""), [200; 4]).await, [200]);
        target.identity = sorted(&target.seen()[before]);
        assert!(target.identity.contains(&("x-auth-request-email".to_owned(), "alice".to_owned())));
        // What bob's browser asked for in the preparation was his own.
        target.prepared = target.seen().len();
        target
    }

    pub(super) fn way(&self) -> &'static str {
        WAYS[self.column]
    }

    pub(super) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// The body of a request that gets to Plane.
    pub(super) fn body(&self) -> String {
        let call = json!({"name": "get_me", "arguments": {}});
        let body = || rpc_body(Era::Modern, "tools/call", &call).to_string();
        if self.is_mcp() { body() } else { String::new() }
    }

    fn is_mcp(&self) -> bool {
        self.path == "/mcp"
    }

    pub(super) fn method(&self) -> &'static str {
        if self.is_mcp() { "POST" } else { "GET" }
    }

    /// The headers that such a request has beside host, token and framing.
    pub(super) fn usual(&self) -> Vec<(&'static str, &'static str)> {
        let mcp = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", Era::Modern.version()),
            ("mcp-method", "tools/call"),
            ("mcp-name", "get_me"),
        ];
        if self.is_mcp() { mcp.to_vec() } else { vec![("accept", "application/json")] }
    }

    /// A request of HTTP/1.1: its first line, the credentials, more headers with their line ends, the body with its framing.
    pub(super) fn request(&self, line: &str, credentials: &str, more: &str) -> String {
        let body = self.body();
        let framing = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.framed(line, &format!("{credentials}{more}"), &framing)
    }

    /// The same with a framing of its own.
    pub(super) fn framed(&self, line: &str, headers: &str, framing: &str) -> String {
        let usual: String = self.usual().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{line}\r\nHost: {}\r\n{usual}{headers}{framing}", self.host)
    }

    /// A good request with more headers.
    pub(super) fn with(&self, more: &str) -> String {
        self.request(&self.line(self.path), &self.bearer(), more)
    }

    /// A good request but for its credentials.
    pub(super) fn as_somebody(&self, credentials: &str) -> String {
        self.request(&self.line(self.path), credentials, "")
    }

    /// A good request to another path.
    pub(super) fn at(&self, path: &str) -> String {
        self.request(&self.line(path), &self.bearer(), "")
    }

    pub(super) fn line(&self, path: &str) -> String {
        format!("{} {path} HTTP/1.1", self.method())
    }

    /// What an attacker would hide behind a good request: to Plane, as bob.
    pub(super) fn smuggled(&self) -> String {
        format!(
            "GET /api/users/me/?smuggled HTTP/1.1\r\nHost: {}\r\nX-Auth-Request-Email: bob\r\n\r\n",
            self.host
        )
    }

    /// How long an answer is waited for. One that is due comes, however slow the machine.
    fn patience(&self, expected: [u16; 4]) -> Duration {
        if expected[self.column] == 0 { SILENCE } else { PATIENCE }
    }

    /// Sends bytes and gives the statuses that come back; 0 when none does.
    pub(super) async fn send(&self, request: String, expected: [u16; 4]) -> Vec<u16> {
        let (pem, patience) = (self.chain.authority.pem(), self.patience(expected));
        let answer = wire::exchange(self.address, &pem, request.into_bytes(), patience).await.unwrap();
        let statuses = wire::statuses(&answer);
        if statuses.is_empty() { vec![0] } else { statuses }
    }

    pub(super) async fn send_http2(&self, stream: &Stream, expected: [u16; 4]) -> u16 {
        let wanted = Wanted { protocols: &["h2"], ..Wanted::default() };
        let mut connection = wire::connect(self.address, &self.chain.authority.pem(), wanted).await.unwrap();
        connection.sock.set_read_timeout(Some(self.patience(expected))).unwrap();
        let frames = stream.frames();
        let sent = tokio::task::spawn_blocking(move || {
            http2::greet(&mut connection).unwrap();
            // The other side may have closed already: what it said is what counts.
            let _ = connection.write_all(&frames).and_then(|()| connection.flush());
            let status = http2::outcome(&mut connection, 1);
            // So that what it still does is done.
            let _ = connection.sock.set_read_timeout(Some(Duration::from_millis(50)));
            let _ = connection.read(&mut [0; 4096]);
            status
        });
        sent.await.unwrap()
    }

    /// What reached Plane since the preparation.
    pub(super) fn seen(&self) -> Vec<SeenRequest> {
        self.chain.plane.requests().split_off(self.prepared)
    }

    /// What is wrong with a row, if something is.
    pub(super) fn judge(
        &self,
        what: &str,
        statuses: &[u16],
        expected: [u16; 4],
        before: usize,
    ) -> Option<String> {
        let seen = &self.seen()[before..];
        let foreign = seen.iter().find_map(|seen| self.is_foreign(seen));
        let (status, expected) = (statuses[0], expected[self.column]);
        // The last is Traefik's own server's, for itself and not for a route.
        let arrives = expected > PLANE || expected == 200 && what != "OPTIONS *";
        let refused = expected == 0 && !(1..400).contains(&status);
        let wrong = if foreign.is_some() {
            foreign
        } else if status != expected % PLANE && !refused {
            Some(format!("{statuses:?} instead of {expected}"))
        } else if arrives == seen.is_empty() {
            Some(format!("{statuses:?}, and {} requests at Plane", seen.len()))
        } else {
            None
        };
        wrong.map(|wrong| format!("{}: {what}: {wrong}", self.way()))
    }

    /// What is not alice's about a request that reached Plane.
    pub(super) fn is_foreign(&self, seen: &SeenRequest) -> Option<String> {
        let normal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let alike = |name: &str| name.chars().map(normal).collect::<String>().starts_with("x-auth-request-");
        let names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).filter(|name| alike(name)).collect();
        // The adapter has a session at Plane of its own, so that a cookie as such may be there.
        let victims = self.cookies.split("; ").chain([self.key.as_str()]);
        let carries = |secret: &str| {
            seen.headers.values().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(secret))
        };
        let is_alice = seen.user.as_deref() == Some("alice@example.com")
            && sorted(seen) == self.identity
            && names.len() == self.identity.len()
            && !seen.query.contains("smuggled")
            && !victims.into_iter().any(carries);
        (!is_alice).then(|| {
            let names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
            format!("reached Plane as {:?}: {:?}, {names:?}", seen.user, sorted(seen))
        })
    }
}

fn sorted(seen: &SeenRequest) -> Vec<(String, String)> {
    let mut headers = identity_headers(&seen.headers);
    headers.retain(|(name, _)| name.starts_with("x-auth-request-"));
    headers.sort();
    headers
}
