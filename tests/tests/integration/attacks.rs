//! A hostile client on a raw connection: it is refused or cut, and nobody else notices.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::Value;
use stack::{client::SignedIn, process::PATIENCE, settings::route, stack::Stack};
use toml::Value as Toml;

use crate::tls::{self, Connection, Wanted};

mod http2;

/// Between two parts of what is sent on a connection: longer than an answer takes.
const PAUSE: Duration = Duration::from_millis(100);

/// After the answers that are due: nothing more comes.
const SILENCE: Duration = Duration::from_secs(2);

/// A signed-in client of `/echo`, and what every raw request of it begins with after its request line.
struct Attacker {
    stack: Stack,
    session: SignedIn,
}

impl Attacker {
    async fn start() -> Self {
        let stack = Stack::builder().echo_routes().start().await.unwrap();
        let session = stack.sign_in_at("/echo", "alice").await.unwrap();
        Self { stack, session }
    }

    fn host(&self) -> String {
        format!("Host: {}\r\n", self.stack.origin().trim_start_matches("https://"))
    }

    fn head(&self) -> String {
        format!("{}Authorization: Bearer {}\r\n", self.host(), self.session.tokens.access)
    }

    /// Sends `parts` one after the other and reads until the other side closes, or has given so many answers and says nothing
    /// more.
    async fn talk(&self, parts: Vec<String>, answers: usize) -> Talk {
        let connection = tls::connect(&self.stack, Wanted::default()).await.unwrap();
        connection.sock.set_read_timeout(Some(SILENCE)).unwrap();
        tokio::task::spawn_blocking(move || Talk::over(connection, &parts, answers)).await.unwrap()
    }

    /// One connection for each request, all at once; what came of them, in order.
    async fn talk_each(&self, requests: impl IntoIterator<Item = String>) -> Vec<Talk> {
        join_all(requests.into_iter().map(|request| self.talk(vec![request], 1))).await
    }
}

/// What came of a connection.
#[derive(Debug)]
struct Talk {
    answers: String,
    closed: bool,
}

impl Talk {
    fn over(mut connection: Connection, parts: &[String], answers: usize) -> Self {
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                std::thread::sleep(PAUSE);
            }
            // The other side may have closed already: what it said is what counts.
            if connection.write_all(part.as_bytes()).and_then(|()| connection.flush()).is_err() {
                break;
            }
        }
        let (began, mut buffer) = (Instant::now(), [0; 16 * 1024]);
        let mut talk = Self { answers: String::new(), closed: false };
        while !talk.closed {
            match connection.read(&mut buffer) {
                Ok(0) => talk.closed = true,
                Ok(read) => talk.answers.push_str(&String::from_utf8_lossy(&buffer[..read])),
                Err(error) if error.kind() != ErrorKind::WouldBlock => talk.closed = true,
                Err(_) if talk.statuses().len() >= answers || began.elapsed() > PATIENCE => break,
                Err(_) => {}
            }
        }
        talk
    }

    fn statuses(&self) -> Vec<u16> {
        let lines = self.answers.match_indices("HTTP/1.1 ");
        lines.filter_map(|(at, line)| self.answers[at + line.len()..].get(..3)?.parse().ok()).collect()
    }

    fn status(&self) -> u16 {
        self.statuses().first().copied().unwrap_or_default()
    }

    fn says_close(&self) -> bool {
        self.answers.to_ascii_lowercase().contains("connection: close")
    }
}

#[tokio::test]
async fn a_connection_that_ends_early_says_so_and_one_that_does_not_stays_usable() {
    let attacker = Attacker::start().await;
    let (host, head) = (attacker.host(), attacker.head());
    let next = format!("GET /healthz HTTP/1.1\r\n{host}\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let cases = [
        (
            "401, body late",
            format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 4\r\n\r\n"),
            "abcd".to_owned(),
        ),
        (
            "404, body late",
            format!("POST /no HTTP/1.1\r\n{host}Content-Length: 4\r\n\r\n"),
            "abcd".to_owned(),
        ),
        ("401, body never", format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 4\r\n\r\n"), String::new()),
        (
            "401, body waits for 100",
            format!("POST /echo HTTP/1.1\r\n{host}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"),
            String::new(),
        ),
        (
            "413 by length",
            format!("POST /echo HTTP/1.1\r\n{head}Content-Length: 99999999\r\n\r\n"),
            "x".repeat(99_999),
        ),
        (
            "413 by chunks",
            format!("POST /token HTTP/1.1\r\n{host}{form}Transfer-Encoding: chunked\r\n\r\n"),
            format!("20000\r\n{}\r\n", "x".repeat(0x20000)),
        ),
        (
            "broken chunk",
            format!("POST /echo HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"),
            "zz\r\n".to_owned(),
        ),
    ];
    let talks = cases.map(|(what, request, body)| {
        let talk = attacker.talk(vec![request, body, next.clone()], 2);
        async move { (what, talk.await) }
    });
    for (what, talk) in join_all(talks).await {
        assert!((400..500).contains(&talk.status()), "{what}: {talk:?}");
        let went_on = talk.statuses().len() == 2 && talk.statuses()[1] == 200 && !talk.closed;
        assert!(went_on || (talk.says_close() && talk.closed), "{what}: {talk:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_each_for_itself() {
    let attacker = Attacker::start().await;
    let (host, head) = (attacker.host(), attacker.head());
    let requests = [
        format!("GET /echo/1 HTTP/1.1\r\n{head}\r\n"),
        format!("POST /echo/2 HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"),
        format!("GET /echo/3 HTTP/1.1\r\n{host}\r\n"),
        format!("GET /echo/4 HTTP/1.1\r\n{head}\r\n"),
    ];
    let talk = attacker.talk(vec![requests.concat()], 4).await;
    assert_eq!(talk.statuses(), [200, 401, 401, 200], "{talk:?}");
    let seen: Vec<_> = attacker.stack.echo.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(seen, ["/echo/1", "/echo/4"]);
}

#[tokio::test]
async fn no_framing_trick_makes_two_requests_of_one() {
    let attacker = Attacker::start().await;
    let head = attacker.head();
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    let cases = [
        ("TE gzip, chunked", format!("Transfer-Encoding: gzip, chunked\r\n\r\n{chunks}"), 400),
        (
            "TE twice",
            format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
            400,
        ),
        ("TE not last", format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunks}"), 400),
        ("TE unknown", format!("Transfer-Encoding: xchunked\r\n\r\n{chunks}"), 400),
        ("TE with a vertical tab", format!("Transfer-Encoding: \u{b}chunked\r\n\r\n{chunks}"), 400),
        ("TE before a space", format!("Transfer-Encoding : chunked\r\n\r\n{chunks}"), 400),
        ("TE folded", format!("Transfer-Encoding:\r\n chunked\r\n\r\n{chunks}"), 400),
        ("TE in odd case", format!("transfer-encoding:\tCHUNKED\r\n\r\n{chunks}"), 200),
        ("chunk size in bare lines", "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n".to_owned(), 408),
        ("chunk size too large", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_owned(), 408),
        ("chunk extension", "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n".to_owned(), 200),
        ("two lengths in one", "Content-Length: 3, 3\r\n\r\nabc".to_owned(), 400),
        ("a signed length", "Content-Length: +3\r\n\r\nabc".to_owned(), 400),
        ("a carriage return", "X: a\rAuthorization: b\r\n\r\n".to_owned(), 400),
        ("a NUL", "X: a\0b\r\n\r\n".to_owned(), 400),
    ];
    let requests = cases.iter().map(|(_, rest, _)| format!("POST /echo HTTP/1.1\r\n{head}{rest}"));
    for ((what, _, expected), talk) in cases.iter().zip(attacker.talk_each(requests).await) {
        assert_eq!(talk.statuses(), [*expected], "{what}: {talk:?}");
    }
    let old = format!("POST /echo HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(attacker.talk(vec![old], 1).await.status(), 400);
    for seen in attacker.stack.echo.seen() {
        assert!(seen.target == "/echo" && seen.body_bytes == 3, "{seen:?}");
    }
}

#[tokio::test]
async fn a_path_in_another_spelling_does_not_pass_a_narrower_route_by() {
    // `/echo/admin` is a route with a token of its own, below `/echo` and with the same upstream.
    let mut stack = Stack::builder().echo_routes().start().await.unwrap();
    let mut settings = stack.proxies[0].settings.clone();
    settings.push("routes", route("/echo/admin", "http", stack.echo.url()));
    stack.proxies.clear();
    stack.proxies.push(stack::proxy::Proxy::start(settings, &stack.environment()).await.unwrap());
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let attacker = Attacker { stack, session };
    let cases = [
        ("/echo/other", 200),
        ("/echo/admin", 401),
        ("/echo/%61dmin", 400),
        ("/echo/admi%6E/", 400),
        ("/echo/x/../admin", 400),
        ("/echo/x/..;/admin", 400),
        ("/echo//admin", 400),
        ("/echo/%c0%ae%c0%ae/echo/admin", 400),
    ];
    let requests = cases.map(|(path, _)| format!("GET {path} HTTP/1.1\r\n{}\r\n", attacker.head()));
    for ((path, expected), talk) in cases.iter().zip(attacker.talk_each(requests).await) {
        assert_eq!(talk.status(), *expected, "{path}: {talk:?}");
    }
    assert_eq!(attacker.stack.echo.seen().len(), 1);
}

#[tokio::test]
async fn a_request_has_one_host_one_form_and_one_credential() {
    let attacker = Attacker::start().await;
    let (host, head) = (attacker.host(), attacker.head());
    let bearer = head.trim_start_matches(&host).to_owned();
    let name = host.trim_start_matches("Host: ").trim().to_owned();
    let cases = [
        (format!("GET /echo HTTP/1.1\r\nHost: a@{name}\r\n{bearer}\r\n"), 421),
        (format!("GET /echo HTTP/1.1\r\nHost: {name}.\r\n{bearer}\r\n"), 421),
        (format!("GET /echo HTTP/1.1\r\nHost: {name}, evil\r\n{bearer}\r\n"), 421),
        (format!("GET /echo HTTP/1.1\r\nHost: [::1]\r\n{bearer}\r\n"), 421),
        (format!("GET /echo HTTP/1.1\r\nHost:\r\n{bearer}\r\n"), 421),
        (format!("GET https://a@{name}/echo HTTP/1.1\r\n{head}\r\n"), 400),
        (format!("GET https://evil.example/echo HTTP/1.1\r\n{head}\r\n"), 400),
        (format!("OPTIONS * HTTP/1.1\r\n{head}\r\n"), 400),
        (format!("TRACE /echo HTTP/1.1\r\n{head}\r\n"), 405),
        (format!("CONNECT {name} HTTP/1.1\r\n{head}\r\n"), 405),
        (format!("GET /echo HTTP/1.1\r\n{head}{bearer}\r\n"), 400),
        (format!("GET /echo HTTP/1.1\r\n{}, Bearer x\r\n\r\n", head.trim_end()), 401),
        (format!("GET /echo HTTP/1.1\r\n{head}X-Auth-Request-Email : evil\r\n\r\n"), 400),
    ];
    let requests = cases.iter().map(|(request, _)| request.clone());
    for ((request, expected), talk) in cases.iter().zip(attacker.talk_each(requests).await) {
        assert_eq!(talk.status(), *expected, "{request}: {talk:?}");
    }
    assert!(attacker.stack.echo.seen().is_empty());
}

#[tokio::test]
async fn what_an_upstream_folds_into_an_identity_or_an_upgrade_does_not_pass() {
    let attacker = Attacker::start().await;
    let names =
        ["X+Auth+Request+Email", "x~forwarded~user", "X.Remote.User", "X_Amzn_Oidc_Identity", "X-Forwarded"];
    let evil: String = names.iter().map(|name| format!("{name}: evil\r\n")).collect();
    let request = format!(
        "GET /echo HTTP/1.1\r\n{}{evil}Content_Length: 5\r\nConnection: upgrade, HTTP2-Settings, authorization\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nX-Kept: yes\r\n\r\n",
        attacker.head()
    );
    assert_eq!(attacker.talk(vec![request], 1).await.status(), 200);
    let seen = attacker.stack.echo.last().unwrap();
    let ours = ["authorization", "host", "traceparent", "x-kept", "x-request-id"];
    for (name, value) in &seen.headers {
        assert!(ours.contains(&name.as_str()) || name.starts_with("x-forwarded-"), "{name}: {value}");
        assert_ne!(value, "evil", "{name}");
    }
    assert_eq!(seen.values("authorization").len(), 1);
}

#[tokio::test]
async fn nobody_makes_up_a_metric_or_a_line_of_the_log() {
    let attacker = Attacker::start().await;
    let (host, head) = (attacker.host(), attacker.head());
    let program = &attacker.stack.proxies[0].program;
    let known = |text: &str| text.lines().filter(|line| line.contains("made-up")).count();
    let requests = (0..20).map(|number| match number % 5 {
        0 => format!("GET /made-up-{number} HTTP/1.1\r\n{host}\r\n"),
        1 => format!("MADE-UP-{number} /echo/made-up-{number} HTTP/1.1\r\n{head}\r\n"),
        2 => format!("GET /echo HTTP/1.1\r\nHost: made-up-{number}\r\n\r\n"),
        3 => format!("GET /echo HTTP/1.1\r\n{host}Authorization: Bearer made-up-{number}\r\n\r\n"),
        _ => format!("GET /echo/a%20{{}} HTTP/1.1\r\n{head}User-Agent: \u{1b}[2Jmade-up\r\n\r\n"),
    });
    attacker.talk_each(requests).await;
    let (_, metrics) = program.admin("/metrics").await.unwrap();
    assert_eq!(known(&metrics), 0, "{metrics}");
    for line in program.log().lines() {
        assert!(
            serde_json::from_str::<Value>(&line).is_ok_and(|event| event["timestamp"].is_string()),
            "{line}"
        );
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

#[tokio::test]
async fn clients_that_go_away_at_any_moment_leave_nothing_behind() {
    let mut attacker = Attacker::start().await;
    let head = attacker.head();
    let stages = [
        "GET /ec".to_owned(),
        format!("POST /echo HTTP/1.1\r\n{head}Content-Length: 100000\r\n\r\nabc"),
        format!("POST /echo HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        format!("GET /echo/slow HTTP/1.1\r\n{head}\r\n"),
        format!("GET /echo/events HTTP/1.1\r\n{head}\r\n"),
    ];
    let process = attacker.stack.proxies[0].program.process().id();
    let open = || std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let before = open();
    for _ in 0..20 {
        for stage in &stages {
            let mut connection = tls::connect(&attacker.stack, Wanted::default()).await.unwrap();
            connection.write_all(stage.as_bytes()).unwrap();
            connection.flush().unwrap();
        }
    }
    let started = Instant::now();
    loop {
        let (_, metrics) = attacker.stack.proxies[0].program.admin("/metrics").await.unwrap();
        // A few connections to the upstream may stay in the pools.
        if metrics.contains("proxy_requests_in_flight{listener=\"public\"} 0") && open() <= before + 16 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{} files open, {before} before", open());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!attacker.stack.logs().contains("panicked"));
}

#[tokio::test]
async fn a_broken_configuration_file_is_refused_and_the_old_one_stays() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let proxy = &stack.proxies[0];
    let mut broken = proxy.settings.clone();
    broken.set("mcp.enabled", false);
    broken.set("limits.header_bytes", Toml::from(1));
    proxy.program.rewrite(&broken).unwrap();
    proxy.program.signal("HUP").unwrap();
    let started = Instant::now();
    while !proxy.program.log().text().contains("new configuration refused") {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing is said about it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 200);
}
