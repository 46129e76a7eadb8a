//! The same in HTTP/2, frame by frame.

use std::io::{ErrorKind, Read, Write};

use stack::wire::http2::{CONTINUATION, DATA, END, HEADERS, RESET, WHOLE, block, frame, greet, read_until};

use super::Attacker;
use crate::tls::{self, Connection, Wanted};

async fn open(attacker: &Attacker) -> Connection {
    let wanted = Wanted { protocols: &["h2"], ..Wanted::default() };
    let mut connection = tls::connect(&attacker.stack, wanted).await.unwrap();
    greet(&mut connection).unwrap();
    connection
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
