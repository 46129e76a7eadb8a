use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::places::Places;
use super::*;
use crate::limits::ClientAddress;

/// Names as a test wants them; a name that is not there does not resolve. Answers are used up, the last one stays.
struct Names {
    addresses: HashMap<&'static str, Mutex<Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(names: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let addresses = names
            .iter()
            .map(|(name, answers)| (*name, Mutex::new(answers.iter().rev().map(parsed).collect())));
        Arc::new(Self { addresses: addresses.collect(), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = self.addresses.get(host).ok_or_else(|| io::Error::other("no such name"))?;
        let mut answers = answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() })
    }
}

fn places() -> (Arc<Places>, Place) {
    let places = Arc::<Places>::default();
    let place = places.take(ClientAddress::of_peer([203, 0, 113, 9].into()), false).unwrap();
    (places, place)
}

fn place() -> Place {
    places().1
}

/// An https server on loopback for `app.example`, `localhost` and `127.0.0.1` that gives one answer to everybody.
struct Server {
    port: u16,
    roots: Vec<reqwest::Certificate>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        let names = ["app.example", "localhost", "127.0.0.1"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                    let mut request = [0; 4096];
                    let _ = tls.read(&mut request).await;
                    let _ = tls.write_all(&answer).await;
                    // An answer of nothing is a server that never says anything.
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = tls.shutdown().await;
                });
            }
        });
        Self { port, roots: vec![reqwest::Certificate::from_der(cert.der()).unwrap()], connections }
    }

    fn documents(&self, names: &Arc<Names>, private_networks: bool) -> HttpDocuments {
        let lookup = Arc::clone(names) as _;
        HttpDocuments::with(lookup, private_networks, Some(self.roots.clone()), Duration::from_secs(5))
            .unwrap()
    }

    fn url(&self, host: &str) -> Url {
        Url::parse(&format!("https://{host}:{}/client.json", self.port)).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_document_is_fetched_with_its_lifetime() {
    let server = Server::answering(ok("cache-control: max-age=120\r\n", "{}")).await;
    let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
    let fetched = server.documents(&names, true).fetch(&server.url("app.example"), place()).await.unwrap();
    assert_eq!((&fetched.body[..], fetched.lifetime.as_secs()), (&b"{}"[..], 120));
}

#[tokio::test]
async fn cve_2026_45609_no_address_that_is_not_public_is_ever_connected_to() {
    let server = Server::answering(ok("", "{}")).await;
    let names = Names::new(&[
        ("app.example", &[&["127.0.0.1"]]),
        ("mixed.example", &[&["1.1.1.1", "127.0.0.1"]]),
        ("private.example", &[&["10.0.0.1"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
        ("nat64.example", &[&["64:ff9b::7f00:1"]]),
        ("localhost", &[&["::1", "127.0.0.1"]]),
    ]);
    let strict = server.documents(&names, false);
    for host in [
        "app.example",
        "mixed.example",
        "private.example",
        "metadata.example",
        "mapped.example",
        "nat64.example",
        "localhost",
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
    ] {
        let refused = strict.fetch(&server.url(host), place()).await.unwrap_err();
        assert_eq!(refused, DocumentError::Forbidden, "{host}");
    }
    // A closed network opens its own addresses, and no others.
    let closed = server.documents(&names, true);
    for host in ["metadata.example", "mapped.example", "nat64.example", "[fe80::1]", "169.254.169.254"] {
        let refused = closed.fetch(&server.url(host), place()).await.unwrap_err();
        assert_eq!(refused, DocumentError::Forbidden, "{host}");
    }
    assert_eq!(server.connections(), 0);
    closed.fetch(&server.url("127.0.0.1"), place()).await.unwrap();
    closed.fetch(&server.url("app.example"), place()).await.unwrap();
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_looked_at_each_time() {
    let server = Server::answering(ok("", "{}")).await;
    // Good at first, then the cloud's metadata service: what DNS rebinding does.
    let names = Names::new(&[("app.example", &[&["127.0.0.1"], &["169.254.169.254"]])]);
    let documents = server.documents(&names, true);
    documents.fetch(&server.url("app.example"), place()).await.unwrap();
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "what was checked is what was connected to");
    let refused = documents.fetch(&server.url("app.example"), place()).await.unwrap_err();
    assert_eq!(refused, DocumentError::Forbidden, "no connection was kept");
}

#[tokio::test]
async fn only_a_plain_200_of_at_most_5_kb_is_a_document() {
    let big = "x".repeat(MAX_BYTES + 1);
    let chunk = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(2));
    for (answer, why) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".into(),
            DocumentError::Missing,
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(), DocumentError::Missing),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), DocumentError::Missing),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".into(), DocumentError::Unreachable),
        ("HTTP/1.1 429 Slowly\r\ncontent-length: 0\r\n\r\n".into(), DocumentError::Unreachable),
        (ok("", &big), DocumentError::TooLarge),
        (chunked, DocumentError::TooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".into(), DocumentError::Unreachable),
        ("not http\r\n\r\n".into(), DocumentError::Unreachable),
    ] {
        let server = Server::answering(answer.clone()).await;
        let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
        let refused =
            server.documents(&names, true).fetch(&server.url("app.example"), place()).await.unwrap_err();
        assert_eq!(refused, why, "{}", answer.lines().next().unwrap_or_default());
        assert_eq!(server.connections(), 1, "nothing is followed and nothing repeated");
    }
    let exact = Server::answering(ok("", &"x".repeat(MAX_BYTES))).await;
    let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
    exact.documents(&names, true).fetch(&exact.url("app.example"), place()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_waited_for_only_so_long() {
    let server = Server::answering("").await;
    let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
    let patience = Duration::from_millis(300);
    let documents =
        HttpDocuments::with(Arc::clone(&names) as _, true, Some(server.roots.clone()), patience).unwrap();
    let refused = documents.fetch(&server.url("app.example"), place()).await.unwrap_err();
    assert_eq!(refused, DocumentError::Unreachable);
    let unknown = documents.fetch(&server.url("unknown.example"), place()).await.unwrap_err();
    assert_eq!(unknown, DocumentError::Unreachable);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_trust_is_refused() {
    let (server, other) = (Server::answering(ok("", "{}")).await, Server::answering("").await);
    let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
    let refused = other.documents(&names, true).fetch(&server.url("app.example"), place()).await.unwrap_err();
    assert_eq!(refused, DocumentError::Unreachable);
}

#[tokio::test]
async fn plain_http_is_not_spoken() {
    let server = Server::answering(ok("", "{}")).await;
    let names = Names::new(&[("app.example", &[&["127.0.0.1"]])]);
    let mut url = server.url("app.example");
    url.set_scheme("http").unwrap();
    assert!(server.documents(&names, true).fetch(&url, place()).await.is_err());
    assert_eq!(server.connections(), 0);
}

/// A resolver whose name server answers when the test says so.
struct Slow(tokio::sync::Notify);

#[async_trait]
impl Lookup for Slow {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.0.notified().await;
        Err(io::Error::other("no such name"))
    }
}

#[tokio::test]
async fn a_lookup_that_nobody_waits_for_any_more_keeps_its_place_until_it_ends() {
    let slow = Arc::new(Slow(tokio::sync::Notify::new()));
    let patience = Duration::from_millis(20);
    let documents = HttpDocuments::with(Arc::clone(&slow) as _, false, None, patience).unwrap();
    let url = Url::parse("https://slow.example/client.json").unwrap();
    let (places, place) = places();
    assert_eq!(documents.fetch(&url, place).await.unwrap_err(), DocumentError::Unreachable);
    assert_eq!(places.count(), 1, "it still runs");
    slow.0.notify_one();
    while places.count() > 0 {
        tokio::task::yield_now().await;
    }
}
