//! Connections of one address, on real sockets: loopback has many addresses.

use std::sync::atomic::AtomicUsize;

use tokio::net::TcpSocket;

use super::*;
use crate::serve::{Admission, Census, Refused};

/// Connects from an address of ours, `127.0.0.HOST`.
async fn connect_from(server: &Server, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("127.0.0.{host}:0").parse().unwrap()).unwrap();
    socket.connect(server.addr).await.unwrap()
}

/// Whether a request on this connection is answered; else the connection is closed.
async fn is_served(tcp: &mut TcpStream) -> bool {
    let _ = tcp.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut first = [0; 12];
    let read = timeout(SOON, tcp.read_exact(&mut first)).await.expect("an answer or an end");
    read.is_ok_and(|_| &first == b"HTTP/1.1 200")
}

/// Counts what it hears.
#[derive(Debug, Default)]
struct Heard {
    open: AtomicUsize,
    refused: AtomicUsize,
}

impl Census for Heard {
    fn opened(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    fn refused(&self, why: Refused) {
        assert_eq!(why, Refused::Address);
        self.refused.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server with two threads that lets in by `admission`, and what it tells.
fn start(admission: &Admission) -> (Server, Arc<Heard>) {
    let (heard, admission) = (Arc::<Heard>::default(), admission.clone());
    let server = Server::start_bound(admission, 2, Plain, |bound| bound.counted_by(heard.clone()));
    (server, heard)
}

async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("not so: {what}"));
}

#[tokio::test]
async fn one_address_cannot_take_all_connections_and_they_are_free_again_when_it_goes() {
    let limits = Limits { connections: 12, connections_per_address: 4, ..Limits::default() };
    let admission = Admission::from(limits);
    let (server, heard) = start(&admission);
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut tcp = connect_from(&server, 2).await;
        assert!(is_served(&mut tcp).await);
        greedy.push(tcp);
    }
    for _ in 0..20 {
        assert!(!is_served(&mut connect_from(&server, 2).await).await, "the fifth");
    }
    assert_eq!(heard.refused.load(Ordering::SeqCst), 20);
    // Others are served.
    let mut others = [connect_from(&server, 3).await, connect_from(&server, 4).await];
    for other in &mut others {
        assert!(is_served(other).await);
    }
    assert_eq!((admission.count(), heard.open.load(Ordering::SeqCst)), ((6, 4), 6));

    drop(greedy);
    wait_until("four places are free", || admission.count() == (2, 3)).await;
    assert!(is_served(&mut connect_from(&server, 2).await).await);
    drop(others);
    wait_until("nothing is counted any more", || admission.count() == (0, 0)).await;
    wait_until("nothing is open any more", || heard.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn other_limits_hold_for_connections_that_come_and_not_for_those_that_are_there() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let admission = Admission::from(limits.clone());
    let (server, _) = start(&admission);
    let mut first = connect_from(&server, 2).await;
    assert!(is_served(&mut first).await);
    assert!(!is_served(&mut connect_from(&server, 2).await).await);
    let exempt: crate::serve::Exempt = Arc::new(|address| address.to_string() == "127.0.0.2");
    admission.set(Limits { headers: 4, ..limits }, exempt);
    // Exempt now, and held to fewer headers, which the first is not.
    let many = "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n";
    let mut second = connect_from(&server, 2).await;
    send(&mut second, "/", many).await;
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 431"));
    let mut unread = [0; 4096];
    let _ = first.read(&mut unread).await.unwrap();
    send(&mut first, "/", many).await;
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
}
