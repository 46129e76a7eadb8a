use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

mod addresses;

/// Long enough for anything that should happen, so that a failing test ends.
const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

/// What a test and its handlers share.
#[derive(Clone)]
struct Stage {
    /// Requests for `/gate` and the bodies of `/stream` end once a permit is here.
    gate: Arc<Semaphore>,
    /// A permit for every request that reached a handler.
    reached: Arc<Semaphore>,
}

impl Handler for Stage {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        assert!(!peer.tls && peer.addr.ip().is_loopback());
        self.reached.add_permits(1);
        let gate = Arc::clone(&self.gate);
        match request.uri().path() {
            "/gate" => gate.acquire().await.unwrap().forget(),
            "/forever" => std::future::pending().await,
            "/panic" => panic!("as the test asked for"),
            "/stream" => {
                let last = async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(http_body::Frame::data(Bytes::from_static(b"done")))
                };
                return Response::new(StreamBody::new(futures_util::stream::once(last)).boxed_unsync());
            }
            "/flood" => {
                let guard = Ended(gate);
                let more = futures_util::stream::repeat_with(move || {
                    let _held = &guard;
                    Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))
                });
                return Response::new(StreamBody::new(more).boxed_unsync());
            }
            _ => {}
        }
        Response::new(Full::from("done").map_err(Into::into).boxed_unsync())
    }
}

/// Opens the gate once when dropped.
struct Ended(Arc<Semaphore>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

struct Server {
    addr: SocketAddr,
    stage: Stage,
    shutdown: Shutdown,
    running: JoinHandle<io::Result<Drained>>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::start_with(limits, 1, Plain)
    }

    fn start_with(limits: Limits, threads: usize, acceptor: impl Acceptor) -> Self {
        Self::start_bound(limits.into(), threads, acceptor, |bound| bound)
    }

    fn start_bound(
        admission: Admission,
        threads: usize,
        acceptor: impl Acceptor,
        told: impl FnOnce(Bound) -> Bound,
    ) -> Self {
        let stage = Stage { gate: Arc::new(Semaphore::new(0)), reached: Arc::new(Semaphore::new(0)) };
        let bound = told(Bound::bind("127.0.0.1:0".parse().unwrap(), threads).unwrap());
        let (addr, shutdown, handler) = (bound.local_addr(), Shutdown::manual(), stage.clone());
        let running =
            tokio::spawn(run(bound, acceptor, admission, move || handler.clone(), shutdown.clone()));
        Self { addr, stage, shutdown, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends a request on a connection of its own, which the server closes after the answer.
    async fn ask(&self, path: &str) -> TcpStream {
        let mut tcp = self.connect().await;
        send(&mut tcp, path, "connection: close\r\n").await;
        tcp
    }

    async fn reached(&self) {
        timeout(SOON, self.stage.reached.acquire()).await.expect("the request arrives").unwrap().forget();
    }

    async fn drained(self) -> Drained {
        timeout(SOON, self.running).await.expect("the drain ends").unwrap().unwrap()
    }
}

async fn send(tcp: &mut TcpStream, path: &str, headers: &str) {
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes()).await.unwrap();
}

/// Everything up to the end of the connection.
async fn rest(tcp: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end as well.
    let _ = timeout(SOON, tcp.read_to_end(&mut text)).await.expect("the server closes the connection");
    String::from_utf8(text).unwrap()
}

/// One answer that ends with `done`, on a connection that stays open.
async fn answer(tcp: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"done") {
        let read = timeout(SOON, tcp.read_buf(&mut text)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn http1_and_http2_are_answered_on_one_port() {
    let server = Server::start(Limits::default());
    assert!(rest(&mut server.ask("/").await).await.starts_with("HTTP/1.1 200"));

    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
}

#[tokio::test]
async fn every_thread_gets_a_handler_of_its_own() {
    let made = Arc::new(AtomicUsize::new(0));
    let (count, shutdown) = (Arc::clone(&made), Shutdown::manual());
    let stage = Stage { gate: Arc::new(Semaphore::new(0)), reached: Arc::new(Semaphore::new(0)) };
    let make = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Arc::new(stage.clone())
    };
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    shutdown.trigger();
    assert_eq!(run(bound, Plain, Limits::default(), make, shutdown).await.unwrap(), Drained { cut: 0 });
    assert_eq!(made.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn drain_lets_a_running_request_finish_and_takes_no_new_one() {
    let server = Server::start(Limits::default());
    let mut waiting = server.connect().await;
    send(&mut waiting, "/gate", "").await;
    server.reached().await;
    let mut idle = server.connect().await;
    send(&mut idle, "/", "").await;
    answer(&mut idle).await;
    let mut unused = server.connect().await;

    server.shutdown.trigger();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut unused).await, "");
    assert!(TcpStream::connect(server.addr).await.is_err());

    server.stage.gate.add_permits(1);
    let text = rest(&mut waiting).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text}");
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn what_is_on_its_way_when_the_drain_begins_is_answered_and_the_connection_closed_after_it() {
    let limits = Limits { linger: Duration::from_secs(5), ..Limits::default() };
    let server = Server::start_with(limits, 2, Plain);
    let mut idle = server.connect().await;
    send(&mut idle, "/", "").await;
    answer(&mut idle).await;
    let unused = server.connect().await;
    let mut connections = vec![idle, unused];
    for _ in 0..20 {
        connections.push(server.connect().await);
    }
    server.shutdown.trigger();
    for tcp in &mut connections {
        send(tcp, "/", "").await;
    }
    for tcp in &mut connections {
        let text = rest(tcp).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text:?}");
        assert!(text.contains("connection: close\r\n"), "{text}");
    }
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn drain_cuts_what_exceeds_its_bound() {
    let server = Server::start_with(Limits { drain: SHORT, ..Limits::default() }, 2, Plain);
    let mut waiting = server.ask("/forever").await;
    server.reached().await;
    let mut streaming = server.ask("/stream").await;
    server.reached().await;
    server.shutdown.trigger();
    assert_eq!(rest(&mut waiting).await, "");
    assert!(!rest(&mut streaming).await.contains("done"));
    assert_eq!(server.drained().await, Drained { cut: 2 });
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let server = Server::start(Limits { drain: SHORT, ..Limits::default() });
    let mut waiting = server.ask("/forever").await;
    server.reached().await;
    server.running.abort();
    assert_eq!(rest(&mut waiting).await, "");
    assert!(!server.shutdown.is_triggered());
}

#[tokio::test]
async fn a_panic_is_answered_and_costs_nobody_else_anything() {
    let server = Server::start(Limits::default());
    let mut tcp = server.connect().await;
    send(&mut tcp, "/panic", "").await;
    let text = rest(&mut tcp).await;
    assert!(text.starts_with("HTTP/1.1 500") && text.contains("connection: close\r\n"), "{text}");
    assert!(rest(&mut server.ask("/").await).await.ends_with("done"));

    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (path, status) in [("panic", 500), ("", 200)] {
        let request = Request::get(format!("http://a/{path}")).body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), status, "on one connection");
    }
    drop(client);
    server.shutdown.trigger();
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn too_large_or_too_many_headers_are_refused_with_431() {
    let server = Server::start(Limits { header_bytes: 8192, headers: 4, ..Limits::default() });
    for headers in [format!("a: {}\r\n", "x".repeat(9000)), "a: b\r\n".repeat(5)] {
        let mut tcp = server.connect().await;
        send(&mut tcp, "/", &headers).await;
        assert!(rest(&mut tcp).await.starts_with("HTTP/1.1 431"));
    }
    let mut tcp = server.connect().await;
    send(&mut tcp, "/", "a: b\r\n").await;
    assert!(answer(&mut tcp).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_first_head_is_closed() {
    let server = Server::start(Limits { header_read: SHORT, ..Limits::default() });
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut slow).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_streaming_one_is_not() {
    let server = Server::start(Limits { idle: SHORT, ..Limits::default() });
    let mut streaming = server.connect().await;
    send(&mut streaming, "/stream", "connection: close\r\n").await;
    server.reached().await;
    let mut idle = server.connect().await;
    send(&mut idle, "/", "").await;
    answer(&mut idle).await;
    // Half a head between requests does not count as being busy.
    idle.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut idle).await, "");
    server.stage.gate.add_permits(1);
    assert!(rest(&mut streaming).await.contains("done"));
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answer_is_closed() {
    let server = Server::start(Limits { idle: SHORT, ..Limits::default() });
    let mut silent = server.connect().await;
    send(&mut silent, "/flood", "").await;
    timeout(SOON, server.stage.gate.acquire()).await.expect("the answer is given up").unwrap().forget();
}

#[tokio::test]
async fn a_peer_that_gives_no_window_for_its_answer_is_closed() {
    let server = Server::start(Limits { idle: SHORT, ..Limits::default() });
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/flood").body(Empty::<Bytes>::new()).unwrap();
    // The window opens as the body is read, which it is not.
    let _unread = client.send_request(request).await.unwrap();
    timeout(SOON, server.stage.gate.acquire()).await.expect("the answer is given up").unwrap().forget();
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_one_to_end() {
    let server = Server::start(Limits { connections: 1, ..Limits::default() });
    let mut first = server.ask("/gate").await;
    server.reached().await;
    let mut second = server.ask("/").await;
    let mut third = server.ask("/").await;
    assert!(timeout(SHORT, server.stage.reached.acquire()).await.is_err(), "served above the limit");
    server.stage.gate.add_permits(1);
    for tcp in [&mut first, &mut second, &mut third] {
        assert!(rest(tcp).await.ends_with("done"));
    }
}

/// Shakes hands only with those who say `h`.
#[derive(Clone)]
struct Greeting;

impl Acceptor for Greeting {
    type Io = TcpStream;

    async fn accept(&self, mut tcp: TcpStream) -> io::Result<TcpStream> {
        match tcp.read_u8().await? {
            b'h' => Ok(tcp),
            _ => Err(io::Error::other("impolite")),
        }
    }

    fn is_tls(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_failed_or_endless_handshake_is_closed_and_holds_up_nobody() {
    // Time enough for who is polite on a slow machine, and still less than `rest` waits for.
    let limits = Limits { handshake: Duration::from_secs(2), ..Limits::default() };
    let server = Server::start_with(limits, 1, Greeting);
    let mut silent = server.connect().await;
    let mut impolite = server.connect().await;
    impolite.write_all(b"x").await.unwrap();
    let mut polite = server.connect().await;
    polite.write_all(b"h").await.unwrap();
    send(&mut polite, "/", "").await;
    assert!(answer(&mut polite).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut impolite).await, "");
    assert_eq!(rest(&mut silent).await, "");
}
