//! Headers that name a user, in every spelling; where a request says it comes from or goes to; paths.

use super::{PLANE, Row};

pub(super) fn rows() -> Vec<Row> {
    [aliases(), connection(), forwarded(), paths(), targets()].concat()
}

fn aliases() -> Vec<Row> {
    vec![
        ("nothing", |t| t.with(""), [200; 4]),
        ("X-Auth-Request-Email", |t| t.with("X-Auth-Request-Email: bob\r\n"), [200; 4]),
        ("in capitals", |t| t.with("X-AUTH-REQUEST-EMAIL: bob\r\n"), [200; 4]),
        ("in small letters", |t| t.with("x-auth-request-email: bob\r\n"), [200; 4]),
        ("with _", |t| t.with("X_Auth_Request_Email: bob\r\n"), [200; 4]),
        ("with .", |t| t.with("X.Auth.Request.Email: bob\r\n"), [200; 4]),
        ("with - and _", |t| t.with("X-Auth_Request-Email: bob\r\nx_auth-request.user: bob\r\n"), [200; 4]),
        ("twice", |t| t.with("X-Auth-Request-Email: bob\r\nX-Auth-Request-Email: bob\r\n"), [200; 4]),
        (
            "everything oauth2-proxy can say",
            |t| {
                let names = ["User", "Email", "Groups", "Preferred-Username", "Access-Token", "Redirect"];
                t.with(&names.map(|name| format!("X-Auth-Request-{name}: bob\r\n")).concat())
            },
            [200; 4],
        ),
        ("a space before the colon", |t| t.with("X-Auth-Request-Email : bob\r\n"), [400; 4]),
        ("a tab before the colon", |t| t.with("X-Auth-Request-Email\t: bob\r\n"), [400; 4]),
        ("a space before the name", |t| t.with(" X-Auth-Request-Email: bob\r\n"), [400, 401, 401, 401]),
        ("folded", |t| t.with("X-A: a\r\n X-Auth-Request-Email: bob\r\n"), [400, 200, 200, 200]),
        ("behind a line feed", |t| t.with("X-A: a\nX-Auth-Request-Email: bob\r\n"), [200; 4]),
        ("behind a carriage return", |t| t.with("X-A: a\rX-Auth-Request-Email: bob\r\n"), [400; 4]),
        ("behind a NUL", |t| t.with("X-A: a\0X-Auth-Request-Email: bob\r\n"), [400; 4]),
        ("no name", |t| t.with(": bob\r\n"), [400; 4]),
        (
            "as a trailer",
            |t| {
                let (body, line) = (t.body(), t.line(t.path));
                let chunk =
                    if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
                let framing = format!(
                    "Transfer-Encoding: chunked\r\nTrailer: X-Auth-Request-Email\r\n\r\n{chunk}0\r\nX-Auth-Request-Email: bob\r\n\r\n"
                );
                t.framed(&line, &t.bearer(), &framing)
            },
            [200; 4],
        ),
    ]
}

fn connection() -> Vec<Row> {
    vec![
        (
            "Connection lists Authorization",
            |t| t.with("Connection: close, Authorization\r\n"),
            [200, 401, 401, 401],
        ),
        (
            "Connection lists X-Auth-Request-Email",
            |t| t.with("Connection: X-Auth-Request-Email\r\n"),
            [200; 4],
        ),
        (
            "and it is there",
            |t| t.with("Connection: X-Auth-Request-Email\r\nX-Auth-Request-Email: bob\r\n"),
            [200; 4],
        ),
        (
            "Connection lists what Traefik says",
            |t| {
                t.with("Connection: X-Forwarded-Uri, X-Forwarded-Host, X-Forwarded-Method, X-Forwarded-For, X-Real-Ip\r\n")
            },
            [200; 4],
        ),
        (
            "Connection lists X-Mcp-Scope",
            |t| t.with("Connection: X-Mcp-Scope\r\nX-Mcp-Scope: all\r\n"),
            [200; 4],
        ),
        (
            "Connection lists Cookie",
            |t| t.with(&format!("Connection: Cookie\r\nCookie: {}\r\n", t.cookies)),
            [200; 4],
        ),
        (
            "Keep-Alive, TE, Upgrade",
            |t| t.with("Connection: upgrade, te\r\nTE: trailers\r\nUpgrade: h2c\r\n"),
            [200; 4],
        ),
    ]
}

fn forwarded() -> Vec<Row> {
    vec![
        ("X-Forwarded-For", |t| t.with("X-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n"), [200; 4]),
        ("X-Forwarded-Host", |t| t.with("X-Forwarded-Host: localhost\r\n"), [200; 4]),
        ("X-Forwarded-Proto", |t| t.with("X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"), [200; 4]),
        (
            "X-Forwarded-Uri",
            |t| t.with("X-Forwarded-Uri: /oauth2/callback\r\nX-Forwarded-Prefix: /ping\r\n"),
            [200; 4],
        ),
        (
            "X-Forwarded-Uri of the other route",
            |t| t.with("X-Forwarded-Uri: /mcp\r\nX_Forwarded_Uri: /api/x\r\n"),
            [200; 4],
        ),
        ("X-Forwarded-Method", |t| t.with("X-Forwarded-Method: OPTIONS\r\n"), [200; 4]),
        (
            "X-Forwarded-User",
            |t| t.with("X-Forwarded-User: bob\r\nX-Forwarded-Email: bob\r\nX-Forwarded-Groups: bob\r\n"),
            [200; 4],
        ),
        ("Forwarded", |t| t.with("Forwarded: for=127.0.0.1;host=localhost;proto=http\r\n"), [200; 4]),
        (
            "X-Original-URL",
            |t| t.with("X-Original-URL: /oauth2/sign_in\r\nX-Rewrite-URL: /ping\r\n"),
            [200; 4],
        ),
        ("X-HTTP-Method-Override", |t| t.with("X-HTTP-Method-Override: OPTIONS\r\n"), [200; 4]),
        ("Remote-User", |t| t.with("Remote-User: bob\r\nX-Remote-User: bob\r\nGAP-Auth: bob\r\n"), [200; 4]),
        ("User-Agent of a health check", |t| t.with("User-Agent: GoogleHC/1.0\r\n"), [200; 4]),
        ("a foreign Origin", |t| t.with("Origin: https://evil.example\r\n"), [403; 4]),
    ]
}

fn paths() -> Vec<Row> {
    vec![
        ("%2f", |t| t.at(&t.path.replacen('/', "/%2f", 1)), [400, 400, 404, 404]),
        ("%2e%2e", |t| t.at(&format!("/x/%2e%2e{}", t.path)), [400, 200, 200, 200]),
        ("%2f..%2f", |t| t.at(&format!("{}%2f..%2f..%2fapi%2fusers%2fme%2f", t.path)), [400; 4]),
        (
            "..",
            |t| t.at(&format!("{}/../api/users/me/", t.path.trim_end_matches('/'))),
            [400, 404, 401, PLANE + 404],
        ),
        ("..;", |t| t.at(&format!("{}/..;/api/users/me/", t.path.trim_end_matches('/'))), [400; 4]),
        ("//", |t| t.at(&format!("/{}", t.path)), [400, 200, 200, 200]),
        ("a backslash", |t| t.at(&format!("{}\\..\\x", t.path)), [400; 4]),
        ("%5c", |t| t.at(&format!("{}%5c..%5cx", t.path)), [400; 4]),
        (
            "a letter encoded",
            |t| t.at(&t.path.replace("mcp", "%6dcp").replace("api", "%61pi")),
            [400, 200, 200, 200],
        ),
        ("%252f", |t| t.at(&format!("{}%252f..", t.path)), [400; 4]),
        ("%00", |t| t.at(&format!("{}%00", t.path)), [400; 4]),
        ("%0d%0a", |t| t.at(&format!("{}%0d%0aX-Auth-Request-Email:%20bob", t.path)), [400; 4]),
        ("an overlong /", |t| t.at(&format!("{}%c0%af..", t.path)), [400; 4]),
        ("a token in the query", |t| t.at(&format!("{}?access_token={}", t.path, t.token)), [400; 4]),
        ("a path of oauth2-proxy", |t| t.at("/oauth2/auth"), [404; 4]),
        ("the proxy's own path", |t| t.at("/forward-auth"), [404; 4]),
        (
            "out of the route",
            |t| t.at(&format!("{}/%2e%2e/../../../god-mode/", t.path)),
            [400, 404, 404, 404],
        ),
        ("Plane past the route", |t| t.at("/god-mode/"), [404; 4]),
    ]
}

fn targets() -> Vec<Row> {
    vec![
        ("absolute form", |t| t.at(&format!("https://{}{}", t.host, t.path)), [200; 4]),
        ("absolute form, http", |t| t.at(&format!("http://{}{}", t.host, t.path)), [200; 4]),
        (
            "absolute form, another host",
            |t| t.at(&format!("https://evil.example{}", t.path)),
            [400, 404, 404, 404],
        ),
        (
            "absolute form, Plane's host",
            |t| t.at(&format!("https://localhost{}", t.path)),
            [400, 403, 403, 403],
        ),
        (
            "absolute form, a user",
            |t| t.at(&format!("https://bob@{}{}", t.host, t.path)),
            [400, 200, 200, 200],
        ),
        (
            "CONNECT",
            |t| t.request(&format!("CONNECT {} HTTP/1.1", t.host), &t.bearer(), ""),
            [405, 501, 501, 501],
        ),
        (
            "CONNECT with a path",
            |t| t.request(&format!("CONNECT {} HTTP/1.1", t.path), &t.bearer(), ""),
            [405, 501, 501, 501],
        ),
        ("TRACE", |t| t.request(&format!("TRACE {} HTTP/1.1", t.path), &t.bearer(), ""), [405; 4]),
        ("OPTIONS *", |t| t.request("OPTIONS * HTTP/1.1", &t.bearer(), ""), [400, 200, 200, 200]),
        ("no path", |t| t.at("mcp"), [400; 4]),
        ("two hosts", |t| t.with("Host: localhost\r\n"), [400; 4]),
        (
            "another host",
            |t| t.with("").replace(&format!("Host: {}", t.host), "Host: evil.example"),
            [421, 404, 404, 404],
        ),
        (
            "Plane's host",
            |t| t.with("").replace(&format!("Host: {}", t.host), "Host: localhost"),
            [421, 403, 403, 403],
        ),
        ("a user in the host", |t| t.with("").replace("Host: ", "Host: bob@"), [421, 400, 400, 400]),
        ("HTTP/1.0", |t| t.with("").replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n"), [200; 4]),
        ("HTTP/9.9", |t| t.with("").replace(" HTTP/1.1\r\n", " HTTP/9.9\r\n"), [400, 505, 505, 505]),
        ("a space in the first line", |t| t.with("").replace(" HTTP/1.1\r\n", " x HTTP/1.1\r\n"), [400; 4]),
    ]
}
