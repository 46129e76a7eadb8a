//! Two requests in one: where one server sees the end of a body and the next one does not.

use super::{Row, target::Target};

pub(super) fn rows() -> Vec<Row> {
    [codings(), lengths()].concat()
}

/// The body as chunks.
fn chunks(target: &Target<'_>) -> String {
    let body = target.body();
    let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
    format!("{chunk}0\r\n\r\n")
}

/// A good request with these framing headers, its body in chunks, and a second request behind it.
fn coded(target: &Target<'_>, headers: &str) -> String {
    let framing = format!("{headers}\r\n\r\n{}{}", chunks(target), target.smuggled());
    target.framed(&target.line(target.path), &target.bearer(), &framing)
}

/// The same with a plain body.
fn plain(target: &Target<'_>, headers: &str) -> String {
    let framing = format!("{headers}\r\n\r\n{}{}", target.body(), target.smuggled());
    target.framed(&target.line(target.path), &target.bearer(), &framing)
}

fn codings() -> Vec<Row> {
    vec![
        ("chunked, and a second request", |t| coded(t, "Transfer-Encoding: chunked"), [200; 4]),
        (
            "TE and CL of everything",
            |t| {
                let length = chunks(t).len() + t.smuggled().len();
                coded(t, &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"))
            },
            [200; 4],
        ),
        ("TE and CL 0", |t| coded(t, "Transfer-Encoding: chunked\r\nContent-Length: 0"), [200; 4]),
        ("TE and CL 4", |t| coded(t, "Content-Length: 4\r\nTransfer-Encoding: chunked"), [200; 4]),
        (
            "TE in another spelling and CL",
            |t| plain(t, &format!("Transfer_Encoding: chunked\r\nContent-Length: {}", t.body().len())),
            [200; 4],
        ),
        (
            "CL in another spelling and TE",
            |t| coded(t, "Content_Length: 4\r\nTransfer-Encoding: chunked"),
            [200; 4],
        ),
        (
            "TE twice",
            |t| coded(t, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            [400, 501, 501, 501],
        ),
        ("TE twice in one", |t| coded(t, "Transfer-Encoding: chunked, chunked"), [400, 501, 501, 501]),
        (
            "TE chunked and identity",
            |t| coded(t, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
            [400, 501, 501, 501],
        ),
        ("TE gzip, chunked", |t| coded(t, "Transfer-Encoding: gzip, chunked"), [400, 501, 501, 501]),
        ("TE unknown", |t| coded(t, "Transfer-Encoding: xchunked"), [400, 501, 501, 501]),
        (
            "TE unknown and CL",
            |t| plain(t, &format!("Transfer-Encoding: x\r\nContent-Length: {}", t.body().len())),
            [400, 501, 501, 501],
        ),
        ("TE with a parameter", |t| coded(t, "Transfer-Encoding: chunked;a=b"), [400, 501, 501, 501]),
        ("TE in quotes", |t| coded(t, "Transfer-Encoding: \"chunked\""), [400, 501, 501, 501]),
        ("TE with a vertical tab", |t| coded(t, "Transfer-Encoding: \u{b}chunked"), [400; 4]),
        ("TE with a space before the colon", |t| coded(t, "Transfer-Encoding : chunked"), [400; 4]),
        ("TE folded", |t| coded(t, "Transfer-Encoding:\r\n chunked"), [400, 200, 200, 200]),
        ("TE behind a line feed", |t| coded(t, "X: a\nTransfer-Encoding: chunked"), [200; 4]),
        ("TE in odd case", |t| coded(t, "tRANSFER-eNCODING: ChUnKeD"), [200; 4]),
        (
            "TE in HTTP/1.0",
            |t| coded(t, "Transfer-Encoding: chunked").replacen("HTTP/1.1", "HTTP/1.0", 1),
            [400, 400, 400, 200],
        ),
        (
            "a chunk's size with 0x",
            |t| coded(t, "Transfer-Encoding: chunked").replace("\r\n\r\n", "\r\n\r\n0x"),
            [408, 0, 0, 0],
        ),
        (
            "a chunk's size with a sign",
            |t| coded(t, "Transfer-Encoding: chunked").replacen("\r\n\r\n", "\r\n\r\n+", 1),
            [408, 0, 0, 0],
        ),
        (
            "a chunk's extension with a line feed",
            |t| coded(t, "Transfer-Encoding: chunked").replacen("\r\n\r\n", "\r\n\r\n0;\n", 1),
            [408, 0, 0, 0],
        ),
        (
            "a chunk's size too large",
            |t| coded(t, "Transfer-Encoding: chunked").replacen("\r\n\r\n", "\r\n\r\nffffffffffffffff0", 1),
            [408, 0, 0, 0],
        ),
    ]
}

fn lengths() -> Vec<Row> {
    vec![
        ("CL, and a second request", |t| plain(t, &format!("Content-Length: {}", t.body().len())), [200; 4]),
        (
            "CL twice, different",
            |t| {
                let length = t.body().len();
                plain(
                    t,
                    &format!("Content-Length: {length}\r\nContent-Length: {}", length + t.smuggled().len()),
                )
            },
            [400; 4],
        ),
        (
            "CL twice, the same",
            |t| plain(t, &format!("Content-Length: {0}\r\nContent-Length: {0}", t.body().len())),
            [200; 4],
        ),
        ("CL as a list", |t| plain(t, &format!("Content-Length: {0}, {0}", t.body().len())), [400; 4]),
        ("CL with a sign", |t| plain(t, &format!("Content-Length: +{}", t.body().len())), [400; 4]),
        ("CL below 0", |t| plain(t, "Content-Length: -1"), [400; 4]),
        ("CL in hexadecimal", |t| plain(t, &format!("Content-Length: 0x{:x}", t.body().len())), [400; 4]),
        ("CL with a space in it", |t| plain(t, "Content-Length: 1 0"), [400; 4]),
        ("CL too large", |t| plain(t, "Content-Length: 18446744073709551617"), [400; 4]),
        ("CL empty", |t| plain(t, "Content-Length: "), [400; 4]),
        (
            "CL in another spelling too",
            |t| plain(t, &format!("Content-Length: {}\r\nContent_Length: 0", t.body().len())),
            [200; 4],
        ),
        (
            "an Upgrade, and a second request",
            |t| {
                let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7";
                plain(t, &format!("{headers}\r\nContent-Length: {}", t.body().len()))
            },
            [200; 4],
        ),
        (
            "Expect, and a second request",
            |t| plain(t, &format!("Expect: 100-continue\r\nContent-Length: {}", t.body().len())),
            [200; 4],
        ),
        (
            "Expect of something else",
            |t| plain(t, &format!("Expect: x\r\nContent-Length: {}", t.body().len())),
            [200, 417, 417, 417],
        ),
    ]
}
