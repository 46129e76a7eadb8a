//! TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, and certificates that change while connections stay.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
pub(crate) use stack::wire::{Connection, Wanted, read_to_end};
use stack::{stack::Stack, wire};

/// Connects to the first proxy and completes the handshake.
pub(crate) async fn connect(stack: &Stack, wanted: Wanted) -> Result<Connection, std::io::Error> {
    wire::connect(stack.proxies[0].program.public(), &stack.authority.pem(), wanted).await
}

/// One request on a connection that stays open; returns the status line.
fn ask(connection: &mut Connection, host: &str) -> String {
    write!(connection, "GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    connection.flush().unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.contains("\r\n\r\n") {
        let read = connection.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn the_protocol_is_agreed_on_by_alpn() {
    let stack = Stack::start().await.unwrap();
    let cases: [(&[&str], Option<&str>); 3] =
        [(&["h2", "http/1.1"], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)];
    for (protocols, agreed) in cases {
        let wanted = Wanted { protocols, ..Wanted::default() };
        let connection = connect(&stack, wanted).await.unwrap();
        assert_eq!(connection.conn.alpn_protocol(), agreed.map(str::as_bytes));
    }
}

#[tokio::test]
async fn tls_1_3_and_1_2_are_served_and_1_1_is_not() {
    let stack = Stack::start().await.unwrap();
    for (version, expected) in [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)] {
        let wanted = Wanted { versions: vec![version], ..Wanted::default() };
        let connection = connect(&stack, wanted).await.unwrap();
        assert_eq!(connection.conn.protocol_version(), Some(expected));
    }
    let address = stack.proxies[0].program.public();
    let answer = tokio::task::spawn_blocking(move || {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp.write_all(&client_hello_of_tls_1_1()).unwrap();
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    // A fatal alert: content type 21, level 2, description 70 (protocol_version).
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    assert_eq!(answer.get(5..7), Some(&[2, 70][..]), "{answer:?}");
}

/// A hello that offers at most TLS 1.1 (0x0302), with a cipher suite of that time. No client here can still send one.
fn client_hello_of_tls_1_1() -> Vec<u8> {
    let mut body = vec![0x03, 0x02];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    // Groups, point formats and signature algorithms any server takes: the version alone shall be the reason.
    let extensions =
        [0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1];
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let mut handshake = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    handshake.extend(body);
    let mut record = vec![22, 0x03, 0x01, 0, u8::try_from(handshake.len()).unwrap()];
    record.extend(handshake);
    record
}

#[tokio::test]
async fn http_2_carries_requests() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let stack = Stack::start().await.unwrap();
    let connection = connect(&stack, Wanted { protocols: &["h2"], ..Wanted::default() }).await.unwrap();
    assert_eq!(connection.conn.alpn_protocol(), Some(&b"h2"[..]));
    drop(connection);

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(stack.authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(stack.proxies[0].program.public()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let url = format!("{}/healthz", stack.origin());
        let request = http::Request::get(url).body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_dropping_connections() {
    let stack = Stack::start().await.unwrap();
    let host = stack.origin().trim_start_matches("https://").to_owned();
    let mut old = connect(&stack, Wanted::default()).await.unwrap();
    let shown = |connection: &Connection| connection.conn.peer_certificates().unwrap()[0].as_ref().to_vec();
    let before = shown(&old);
    assert!(ask(&mut old, &host).contains("200"));

    stack.authority.issue("edge").unwrap();
    let started = Instant::now();
    let mut new = loop {
        let connection = connect(&stack, Wanted::default()).await.unwrap();
        if shown(&connection) != before {
            break connection;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "still the old certificate");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(ask(&mut new, &host).contains("200"));
    assert!(ask(&mut old, &host).contains("200"), "the old connection still serves");

    // A broken file is not taken: the good one stays in use.
    fs::write(&stack.surroundings.certificate.cert_file, "not a certificate").unwrap();
    stack.proxies[0].program.signal("HUP").unwrap();
    assert!(ask(&mut connect(&stack, Wanted::default()).await.unwrap(), &host).contains("200"));
}
