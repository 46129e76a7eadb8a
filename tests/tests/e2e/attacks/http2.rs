//! HTTP/2: what a header may hold there and must not when it becomes HTTP/1.1.

use stack::wire::http2::{DATA, END, HEADERS, WHOLE, block, frame};

use super::{PLANE, target::Target};

type Row = (&'static str, fn(&Target<'_>) -> Stream, [u16; 4]);

/// A request as it is sent on a stream.
pub(super) struct Stream {
    lines: Vec<(String, String)>,
    body: String,
    trailers: Vec<(String, String)>,
}

impl Stream {
    fn good(target: &Target<'_>) -> Self {
        let pseudo = [
            (":method", target.method()),
            (":scheme", "https"),
            (":path", target.path),
            (":authority", &target.host),
        ];
        let lines = pseudo.into_iter().chain(target.usual());
        let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let this = Self { lines, body: target.body(), trailers: Vec::new() };
        this.with("authorization", &format!("Bearer {}", target.token))
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.lines
            .iter_mut()
            .filter(|(known, _)| known == name)
            .for_each(|line| value.clone_into(&mut line.1));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.lines.retain(|(known, _)| known != name);
        self
    }

    fn and_body(mut self, body: &str) -> Self {
        self.body.push_str(body);
        self
    }

    fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn frames(&self) -> Vec<u8> {
        let lines = |lines: &[(String, String)]| {
            block(&lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
        };
        let end = |last: bool| if last { END } else { 0 };
        let (no_body, no_trailers) = (self.body.is_empty(), self.trailers.is_empty());
        let mut all = frame(HEADERS, WHOLE | end(no_body && no_trailers), 1, &lines(&self.lines));
        if !no_body {
            all.extend(frame(DATA, end(no_trailers), 1, self.body.as_bytes()));
        }
        if !no_trailers {
            all.extend(frame(HEADERS, WHOLE | END, 1, &lines(&self.trailers)));
        }
        all
    }
}

pub(super) fn rows() -> Vec<Row> {
    [fields(), pseudo(), lengths()].concat()
}

fn fields() -> Vec<Row> {
    vec![
        ("nothing", Stream::good, [200; 4]),
        ("X-Auth-Request-Email", |t| Stream::good(t).with("x-auth-request-email", "bob"), [200; 4]),
        (
            "in another spelling",
            |t| Stream::good(t).with("x_auth_request_email", "bob").with("x.auth.request.user", "bob"),
            [200; 4],
        ),
        ("in capitals", |t| Stream::good(t).with("X-Auth-Request-Email", "bob"), [0; 4]),
        ("a space after the name", |t| Stream::good(t).with("x-auth-request-email ", "bob"), [0; 4]),
        ("a colon in the name", |t| Stream::good(t).with("x-auth-request-email: bob", "x"), [0; 4]),
        ("a line in the name", |t| Stream::good(t).with("x: a\r\nx-auth-request-email", "bob"), [0; 4]),
        ("a line in the value", |t| Stream::good(t).with("x", "a\r\nX-Auth-Request-Email: bob"), [0; 4]),
        ("a line feed in the value", |t| Stream::good(t).with("x", "a\nX-Auth-Request-Email: bob"), [0; 4]),
        ("a NUL in the value", |t| Stream::good(t).with("x", "a\0b"), [0; 4]),
        (
            "a request in the value",
            |t| Stream::good(t).with("x", &format!("a\r\n\r\n{}", t.smuggled())),
            [0; 4],
        ),
        ("two tokens", |t| Stream::good(t).with("authorization", "Bearer x"), [400; 4]),
        (
            "a victim's cookie in pieces",
            |t| t.cookies.split("; ").fold(Stream::good(t), |stream, pair| stream.with("cookie", pair)),
            [200; 4],
        ),
        (
            "a victim's cookie and a stale token",
            |t| {
                Stream::good(t)
                    .set("authorization", &format!("Bearer {}", t.stale))
                    .with("cookie", &t.cookies)
            },
            [401; 4],
        ),
        ("transfer-encoding", |t| Stream::good(t).with("transfer-encoding", "chunked"), [0; 4]),
        ("connection", |t| Stream::good(t).with("connection", "authorization"), [0; 4]),
        ("upgrade", |t| Stream::good(t).with("upgrade", "h2c"), [0; 4]),
        ("te: gzip", |t| Stream::good(t).with("te", "gzip"), [0; 4]),
        ("te: trailers", |t| Stream::good(t).with("te", "trailers"), [200; 4]),
        ("a trailer", |t| Stream::good(t).and_body(" ").trailer("x-auth-request-email", "bob"), [200; 4]),
        (
            "a trailer that frames",
            |t| Stream::good(t).and_body(" ").trailer("transfer-encoding", "chunked"),
            [0, 200, 200, 200],
        ),
        (
            "a pseudo-header as a trailer",
            |t| Stream::good(t).and_body(" ").trailer(":path", "/api/x"),
            [200, 0, 0, 0],
        ),
    ]
}

fn pseudo() -> Vec<Row> {
    vec![
        ("two paths", |t| Stream::good(t).with(":path", "/api/users/me/"), [0; 4]),
        ("two authorities", |t| Stream::good(t).with(":authority", "localhost"), [0; 4]),
        ("a path after the fields", |t| Stream::good(t).without(":path").with(":path", t.path), [0; 4]),
        ("no path", |t| Stream::good(t).without(":path"), [0; 4]),
        ("an empty path", |t| Stream::good(t).set(":path", ""), [0; 4]),
        (
            "a request in the path",
            |t| {
                Stream::good(t)
                    .set(":path", &format!("{} HTTP/1.1\r\nX-Auth-Request-Email: bob\r\nX: ", t.path))
            },
            [0; 4],
        ),
        (
            "a space in the path",
            |t| Stream::good(t).set(":path", &format!("{} HTTP/1.1", t.path)),
            [0, 404, 404, PLANE + 404],
        ),
        (
            "an absolute path",
            |t| Stream::good(t).set(":path", &format!("https://localhost{}", t.path)),
            [0, 200, 200, 200],
        ),
        ("//", |t| Stream::good(t).set(":path", &format!("/{}", t.path)), [400, 200, 200, 200]),
        ("%2e%2e", |t| Stream::good(t).set(":path", &format!("/x/%2e%2e{}", t.path)), [400, 200, 200, 200]),
        (
            "a request in the method",
            |t| {
                Stream::good(t).set(
                    ":method",
                    "GET /api/users/me/?smuggled HTTP/1.1\r\nX-Auth-Request-Email: bob\r\n\r\nPOST",
                )
            },
            [0; 4],
        ),
        (
            "a request in the authority",
            |t| Stream::good(t).set(":authority", &format!("{}\r\nX-Auth-Request-Email: bob", t.host)),
            [0; 4],
        ),
        (
            "a user in the authority",
            |t| Stream::good(t).set(":authority", &format!("bob@{}", t.host)),
            [0; 4],
        ),
        (
            "Plane's host in the authority",
            |t| Stream::good(t).set(":authority", "localhost"),
            [421, 403, 403, 403],
        ),
        ("Plane's host in Host", |t| Stream::good(t).with("host", "localhost"), [400, 200, 200, 200]),
        ("another scheme", |t| Stream::good(t).set(":scheme", "http"), [200; 4]),
        (
            "a request in the scheme",
            |t| Stream::good(t).set(":scheme", "https://localhost/api/users/me/?"),
            [0; 4],
        ),
        ("CONNECT", |t| Stream::good(t).set(":method", "CONNECT"), [0; 4]),
        (
            "extended CONNECT",
            |t| Stream::good(t).set(":method", "CONNECT").with(":protocol", "websocket"),
            [0; 4],
        ),
        ("an unknown pseudo-header", |t| Stream::good(t).with(":user", "bob"), [0; 4]),
    ]
}

fn lengths() -> Vec<Row> {
    vec![
        ("content-length", |t| Stream::good(t).with("content-length", &t.body().len().to_string()), [200; 4]),
        (
            "content-length below the body",
            |t| Stream::good(t).with("content-length", &t.body().len().to_string()).and_body(&t.smuggled()),
            [0; 4],
        ),
        (
            "content-length 0 and a body",
            |t| Stream::good(t).with("content-length", "0").and_body(&t.smuggled()),
            [0; 4],
        ),
        (
            "content-length above the body",
            |t| Stream::good(t).with("content-length", &(t.body().len() + 9).to_string()),
            [0, 0, 0, 200],
        ),
        (
            "two content-lengths",
            |t| {
                Stream::good(t)
                    .with("content-length", &t.body().len().to_string())
                    .with("content-length", "0")
            },
            [0, 200, 200, 200],
        ),
        (
            "content-length with a sign",
            |t| Stream::good(t).with("content-length", &format!("+{}", t.body().len())),
            [0, 0, 0, 200],
        ),
        ("content_length", |t| Stream::good(t).with("content_length", "0"), [200; 4]),
    ]
}
