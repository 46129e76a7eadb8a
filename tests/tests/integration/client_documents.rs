//! Clients that are known by a document at an https URL of theirs, and never register.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use stack::{
    browser::Page,
    certificate::Authority,
    stack::{Builder, Stack},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clients::{assert_all_steps, drive_against, tool};

/// An https server on loopback that serves documents by path; `/moved` redirects to the good one.
pub(crate) struct Documents {
    origin: String,
    pub(crate) authority: Authority,
    seen: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl Documents {
    pub(crate) async fn start() -> Self {
        let authority = Authority::new().unwrap();
        let files = authority.issue("documents").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        let chain = vec![CertificateDer::from_pem_file(&files.cert_file).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&files.key_file).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::default());
        let stop = CancellationToken::new();
        let served = serve(listener, acceptor, origin.clone(), Arc::clone(&seen));
        tokio::spawn(stop.clone().run_until_cancelled_owned(served));
        Self { origin, authority, seen, _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// A stack whose proxy trusts this server and may reach it.
    fn stack(&self) -> Builder {
        Stack::builder()
            .proxy_setting("client_documents.ca_file", self.authority.file().display().to_string())
            .proxy_setting("client_documents.private_networks", true)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, origin: String, seen: Arc<Mutex<Vec<String>>>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, origin, seen) = (acceptor.clone(), origin.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                seen.lock().unwrap().push(request.uri().path().to_owned());
                let answer = answer(&origin, request.uri().path());
                async { Ok::<_, Infallible>(answer) }
            });
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
        });
    }
}

fn answer(origin: &str, path: &str) -> Response<Full<bytes::Bytes>> {
    let mut document = json!({
        "client_id": format!("{origin}{path}"),
        "client_name": "A client with a document",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let mut response = Response::builder().header("cache-control", "max-age=600");
    match path {
        "/client.json" => {}
        "/moved" => response = response.status(302).header("location", "/client.json"),
        "/gone" => response = response.status(404),
        "/other" => document["client_id"] = format!("{origin}/client.json").into(),
        "/large" => document["padding"] = "x".repeat(6000).into(),
        "/secret" => document["client_secret"] = "s3cret".into(),
        _ => document = Value::Null,
    }
    response.body(Full::from(document.to_string())).unwrap()
}

/// What the browser is shown when a client with this id sends it.
async fn shown(stack: &Stack, client_id: &str) -> Page {
    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    let authorization = client.authorization(&found, client_id).unwrap();
    stack.browser().unwrap().visit(&authorization.url).await.unwrap()
}

#[tokio::test]
async fn the_python_sdk_signs_in_by_its_document_without_registering() {
    let documents = Documents::start().await;
    let stack = documents.stack().start().await.unwrap();
    let url = documents.url("/client.json");
    let more = ["--client-metadata-url", url.as_str()];
    let outcome = drive_against(&stack, &tool("MCP_PYTHON"), "python_client.py", &more).await;
    assert_all_steps(&stack, &outcome);
    let requests: Vec<&str> =
        outcome["requests"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!requests.iter().any(|line| line.contains("/register")), "{requests:?}");
    assert_eq!(documents.seen(), ["/client.json"], "fetched once, and not for the tokens");
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_on_a_page() {
    let documents = Documents::start().await;
    let stack = documents.stack().start().await.unwrap();
    let page = shown(&stack, &documents.url("/client.json")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let host = documents.origin.trim_start_matches("https://");
    assert!(page.body.contains(host) && page.body.contains("A client with a document"), "{}", page.body);
    let reasons: BTreeMap<&str, &str> = BTreeMap::from([
        ("/moved", "client_document_missing"),
        ("/gone", "client_document_missing"),
        ("/other", "client_document_other"),
        ("/large", "client_document_large"),
        ("/secret", "client_document_secret"),
        ("/null", "client_document_unusable"),
    ]);
    for (path, reason) in &reasons {
        let page = shown(&stack, &documents.url(path)).await;
        assert_eq!(page.status, 400, "{path}: {}", page.body);
        assert!(page.body.contains(reason) && !page.headers.contains_key("location"), "{}", page.body);
    }
    assert_eq!(documents.seen().len(), 1 + reasons.len(), "no redirect was followed");

    let away = shown(&stack, "https://127.0.0.1:1/client.json").await;
    assert_eq!(away.status, 503, "{}", away.body);
    assert!(away.headers.contains_key("retry-after"));
    let metadata = shown(&stack, "https://169.254.169.254/latest/meta-data").await;
    assert_eq!(metadata.status, 400, "{}", metadata.body);
}

#[tokio::test]
async fn loopback_is_not_fetched_from_unless_allowed_and_registrations_have_a_limit() {
    let documents = Documents::start().await;
    let stack = Stack::builder()
        .proxy_setting("client_documents.ca_file", documents.authority.file().display().to_string())
        .proxy_setting("limits.registrations_per_minute", 4)
        .start()
        .await
        .unwrap();
    let port = documents.origin.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
        // As a URL parser writes it: another spelling is refused before anything is looked at.
        let url = url::Url::parse(&format!("https://{host}:{port}/client.json")).unwrap();
        let page = shown(&stack, url.as_str()).await;
        assert_eq!(page.status, 400, "{host}: {}", page.body);
        assert!(page.body.contains("client_document_address"), "{host}: {}", page.body);
    }
    assert!(documents.seen().is_empty());

    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    assert_eq!(found.server["client_id_metadata_document_supported"], true);
    let metadata = json!({ "redirect_uris": ["http://127.0.0.1:9/callback"] });
    for _ in 0..2 {
        client.register(&found, &metadata).await.unwrap().expect_status(201).unwrap();
    }
    let limited = client.register(&found, &metadata).await.unwrap().expect_status(429).unwrap();
    assert!(!limited.header("retry-after").is_empty());
    assert_eq!(limited.json["error"], "temporarily_unavailable");
}
