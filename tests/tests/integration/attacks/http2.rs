//! The same in HTTP/2, frame by frame.

use std::io::{ErrorKind, Read, Write};

use super::Attacker;
use crate::tls::{self, Connection, Wanted};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

/// Flags of HEADERS: the stream ends, the headers end.
const END: u8 = 1;
const WHOLE: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header lines as HPACK literals without indexing; none is longer than 126 bytes unless it has two bytes of length.
fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = text.len();
        let mut all = match length.checked_sub(127) {
            None => vec![u8::try_from(length).unwrap()],
            Some(more) => {
                vec![127, u8::try_from(more % 128).unwrap() | 128, u8::try_from(more / 128).unwrap()]
            }
        };
        all.extend(text.bytes());
        all
    };
    lines.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

async fn open(attacker: &Attacker) -> Connection {
    let wanted = Wanted { protocols: &["h2"], ..Wanted::default() };
    let mut connection = tls::connect(&attacker.stack, wanted).await.unwrap();
    connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    connection.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    connection
}

/// Reads frames until one of `kind` for `stream`; none when the other side closes first.
fn read_until(connection: &mut Connection, kind: u8, stream: u32) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        connection.read_exact(&mut payload).ok()?;
        if head[3] == kind && head[5..] == stream.to_be_bytes() {
            return Some(payload);
        }
    }
}

/// Whether the other side closes. It says why, but a reset connection may lose that.
fn is_over(connection: &mut Connection) -> bool {
    let mut all = Vec::new();
    connection.read_to_end(&mut all).err().is_none_or(|error| error.kind() != ErrorKind::WouldBlock)
}

#[tokio::test]
async fn floods_of_resets_and_continuations_end_the_connection() {
    let attacker = Attacker::start().await;
    let host = attacker.stack.origin().trim_start_matches("https://").to_owned();
    let request =
        block(&[(":method", "GET"), (":scheme", "https"), (":path", "/healthz"), (":authority", &host)]);

    let mut resets = open(&attacker).await;
    for number in 0..10_000 {
        let stream = 2 * number + 1;
        let pair = [frame(HEADERS, END | WHOLE, stream, &request), frame(RESET, 0, stream, &[0, 0, 0, 8])];
        if resets.write_all(&pair.concat()).is_err() {
            break;
        }
    }
    assert!(is_over(&mut resets), "resets");

    let mut endless = open(&attacker).await;
    endless.write_all(&frame(HEADERS, END, 1, &request)).unwrap();
    for _ in 0..10_000 {
        if endless.write_all(&frame(CONTINUATION, 0, 1, &block(&[("x", "y")]))).is_err() {
            break;
        }
    }
    assert!(is_over(&mut endless), "continuations");
    assert_eq!(attacker.session.client.load("/healthz").await.unwrap().status, 200);
}

#[tokio::test]
async fn malformed_requests_are_reset_and_reach_nobody() {
    let attacker = Attacker::start().await;
    let host = attacker.stack.origin().trim_start_matches("https://").to_owned();
    let bearer = format!("Bearer {}", attacker.session.tokens.access);
    let usual = [(":method", "GET"), (":scheme", "https"), (":path", "/echo"), (":authority", host.as_str())];
    let cases: [&[(&str, &str)]; 8] = [
        &[("transfer-encoding", "chunked")],
        &[("connection", "close")],
        &[("upgrade", "h2c")],
        &[("proxy-connection", "close")],
        &[("te", "gzip")],
        &[(":path", "/echo/admin")],
        &[(":protocol", "websocket")],
        &[("content-length", "5")],
    ];
    for case in cases {
        let lines = [&usual[..], case, &[("authorization", bearer.as_str())]].concat();
        let mut connection = open(&attacker).await;
        connection.write_all(&frame(HEADERS, END | WHOLE, 1, &block(&lines))).unwrap();
        assert!(read_until(&mut connection, RESET, 1).is_some(), "{case:?}");
    }
    assert!(attacker.stack.echo.seen().is_empty());
}

#[tokio::test]
async fn early_answers_keep_the_connection_however_many_bodies_come_late() {
    let attacker = Attacker::start().await;
    let host = attacker.stack.origin().trim_start_matches("https://").to_owned();
    let post = block(&[(":method", "POST"), (":scheme", "https"), (":path", "/echo"), (":authority", &host)]);
    let mut connection = open(&attacker).await;
    for number in 0..200 {
        let stream = 2 * number + 1;
        connection.write_all(&frame(HEADERS, WHOLE, stream, &post)).unwrap();
        connection.flush().unwrap();
        assert!(read_until(&mut connection, HEADERS, stream).is_some(), "request {number}");
        connection.write_all(&frame(DATA, END, stream, b"late")).unwrap();
    }
}
