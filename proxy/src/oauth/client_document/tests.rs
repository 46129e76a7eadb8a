use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::url::Url;
use async_trait::async_trait;
use serde_json::json;
use service::ManualClock;

use super::*;

const ID: &str = "https://app.example/client.json";

/// Answers in the order given, the last one forever; waits a turn, so that parallel callers meet.
struct Host {
    answers: Mutex<VecDeque<Result<Fetched, DocumentError>>>,
    asked: AtomicUsize,
}

impl Host {
    fn new(answers: impl IntoIterator<Item = Result<Fetched, DocumentError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl FetchDocument for Host {
    async fn fetch(&self, _url: &Url, _: Place) -> Result<Fetched, DocumentError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
    }
}

fn good() -> Value {
    json!({ "client_id": ID, "client_name": "App", "redirect_uris": ["http://localhost/callback"] })
}

fn fetched(document: &Value, seconds: u64) -> Result<Fetched, DocumentError> {
    Ok(Fetched { body: document.to_string().into(), lifetime: Duration::from_secs(seconds) })
}

fn documents(host: &Arc<Host>, allowed: &[&str]) -> (ClientDocuments, ManualClock) {
    let clock = ManualClock::at(1_790_000_000);
    let allowed = allowed.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
    (ClientDocuments::new(allowed, Arc::clone(host) as _, Arc::new(clock.clone())), clock)
}

fn id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// Somebody of a network of their own.
fn asker(network: u8) -> ClientAddress {
    ClientAddress::of_peer([203, 0, network, 7].into())
}

async fn ask(documents: &ClientDocuments) -> Result<Client, DocumentError> {
    documents.client(&id(ID), asker(9), |_| true).await
}

#[test]
fn a_document_describes_a_public_client_of_its_own_url_only() {
    let read = |document: &Value| described(&id(ID), document.to_string().as_bytes(), 7);
    let client = read(&good()).unwrap();
    assert_eq!((client.name.as_str(), client.registered), ("App", 7));
    assert!(client.auth_method == AuthMethod::None && client.secret_hash.is_none());
    for (name, value, why) in [
        ("client_id", json!("https://app.example/other.json"), DocumentError::Other),
        ("client_id", json!("https://app.example/client.json/"), DocumentError::Other),
        ("client_id", json!(7), DocumentError::Unusable),
        ("client_id", Value::Null, DocumentError::Unusable),
        ("client_secret", json!("s3cret"), DocumentError::Secret),
        ("client_secret_expires_at", json!(0), DocumentError::Secret),
        ("token_endpoint_auth_method", json!("client_secret_basic"), DocumentError::Secret),
        ("token_endpoint_auth_method", json!("client_secret_post"), DocumentError::Secret),
        ("token_endpoint_auth_method", json!("client_secret_jwt"), DocumentError::Secret),
        ("token_endpoint_auth_method", json!("private_key_jwt"), DocumentError::Unusable),
        ("redirect_uris", json!([]), DocumentError::Unusable),
        ("redirect_uris", json!(vec!["http://localhost/"; 21]), DocumentError::Unusable),
        ("redirect_uris", json!("http://localhost/"), DocumentError::Unusable),
        ("redirect_uris", Value::Null, DocumentError::Unusable),
        ("grant_types", json!(["client_credentials"]), DocumentError::Unusable),
        ("response_types", json!(["token"]), DocumentError::Unusable),
    ] {
        let mut document = good();
        document[name] = value;
        assert_eq!(read(&document).err(), Some(why), "{document}");
    }
    for text in ["", "[]", "null", "\"x\"", "{", "{\"client_id\":\"x\"} x", "\u{feff}{}", "\0"] {
        let refused = described(&id(ID), text.as_bytes(), 7).err();
        assert_eq!(refused, Some(DocumentError::Unusable), "{text:?}");
    }
    let mut other = good();
    other["logo_uri"] = json!("https://evil.example/logo.svg");
    other["jwks_uri"] = json!("http://169.254.169.254/");
    other["client_name"] = json!("A\u{202e}p\np");
    assert_eq!(read(&other).unwrap().name, "App", "nothing else is looked at, and names do not disguise");
}

#[tokio::test]
async fn a_document_is_fetched_once_for_all_and_again_when_its_time_is_over() {
    let host = Host::new([fetched(&good(), 60)]);
    let (documents, clock) = documents(&host, &[]);
    let all = futures_util::future::join_all((0..20).map(|_| ask(&documents))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(host.asked(), 1, "in one flight");
    clock.advance(Duration::from_secs(59));
    ask(&documents).await.unwrap();
    assert_eq!(host.asked(), 1);
    clock.advance(Duration::from_secs(1));
    let again = futures_util::future::join_all((0..20).map(|_| ask(&documents))).await;
    assert!(again.iter().all(Result::is_ok));
    assert_eq!(host.asked(), 2);
}

#[tokio::test]
async fn what_went_wrong_is_not_remembered() {
    let bad = fetched(&json!({ "client_id": "https://evil.example/x" }), 86_400);
    let host =
        Host::new([Err(DocumentError::Unreachable), Err(DocumentError::Missing), bad, fetched(&good(), 60)]);
    let (documents, _) = documents(&host, &[]);
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Unreachable);
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Missing);
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Unusable);
    ask(&documents).await.unwrap();
}

#[tokio::test]
async fn a_document_that_changed_to_a_bad_one_is_no_longer_good() {
    let host = Host::new([fetched(&good(), 60), Err(DocumentError::Missing)]);
    let (documents, clock) = documents(&host, &[]);
    ask(&documents).await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Missing);
}

#[tokio::test]
async fn nobody_can_turn_us_against_a_host() {
    let host = Host::new([Err(DocumentError::Missing)]);
    let (documents, clock) = documents(&host, &[]);
    for number in 0..100 {
        let url = id(&format!("https://app.example/{number}"));
        let _ = documents.client(&url, asker(number), |_| true).await;
    }
    assert_eq!(host.asked(), FETCHES_AT_ONCE as usize);
    let refused = documents.client(&id("https://app.example/x"), asker(200), |_| true).await.unwrap_err();
    assert_eq!(refused, DocumentError::TooOften);
    let other = documents.client(&id("https://other.example/x"), asker(200), |_| true).await.unwrap_err();
    assert_eq!(other, DocumentError::Missing, "another host is asked");
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Missing);
}

#[tokio::test]
async fn only_documents_of_allowed_hosts_are_asked_for() {
    let host = Host::new([fetched(&good(), 60)]);
    let (documents, _) = documents(&host, &["app.example", "*.apps.example"]);
    ask(&documents).await.unwrap();
    for refused in ["https://evil.example/x", "https://apps.example/x", "https://app.example.evil.example/x"]
    {
        let error = documents.client(&id(refused), asker(9), |_| true).await.unwrap_err();
        assert_eq!(error, DocumentError::HostNotAllowed, "{refused}");
        assert!(documents.granted(&id(refused)).is_err(), "nor are their grants good any longer");
    }
    assert_eq!(host.asked(), 1);
    assert!(documents.granted(&id("https://a.apps.example/x")).is_ok());
}

#[tokio::test]
async fn what_an_operator_allows_is_asked_each_time() {
    let host = Host::new([fetched(&good(), 60)]);
    let (documents, _) = documents(&host, &[]);
    ask(&documents).await.unwrap();
    let refused = documents.client(&id(ID), asker(9), |_| false).await.unwrap_err();
    assert_eq!(refused, DocumentError::Redirects);
}

#[test]
fn every_error_is_told_in_words_and_none_is_ours() {
    for error in [
        DocumentError::Url,
        DocumentError::HostNotAllowed,
        DocumentError::Forbidden,
        DocumentError::Missing,
        DocumentError::TooLarge,
        DocumentError::Unusable,
        DocumentError::Other,
        DocumentError::Secret,
        DocumentError::Redirects,
        DocumentError::Unreachable,
        DocumentError::TooOften,
    ] {
        let passing = matches!(error, DocumentError::Unreachable | DocumentError::TooOften);
        let told = OAuthError::from(error);
        let expected = if passing { ErrorCode::TemporarilyUnavailable } else { ErrorCode::InvalidClient };
        assert_eq!(told.code(), expected, "{error}");
        assert!(told.description().len() > 20 && !told.description().contains(['"', '\\']));
    }
}

#[tokio::test]
async fn one_network_cannot_use_up_what_a_host_may_be_asked() {
    let host = Host::new([Err(DocumentError::Missing)]);
    let (documents, _) = documents(&host, &[]);
    for number in 0..100 {
        let _ = documents.client(&id(&format!("https://claude.ai/{number}")), asker(1), |_| true).await;
    }
    assert_eq!(host.asked(), FETCHES_FOR_ONE_NETWORK.1 as usize);
    let other = documents.client(&id("https://claude.ai/x"), asker(2), |_| true).await.unwrap_err();
    assert_eq!(other, DocumentError::Missing, "another network still may");
}

#[tokio::test]
async fn strangers_cannot_keep_a_client_that_was_good_from_being_fetched_again() {
    let host = Host::new([fetched(&good(), 60), Err(DocumentError::Unreachable)]);
    let (documents, clock) = documents(&host, &[]);
    ask(&documents).await.unwrap();
    clock.advance(Duration::from_secs(60));
    for number in 0..100 {
        let _ =
            documents.client(&id(&format!("https://app.example/{number}")), asker(number), |_| true).await;
    }
    let refused = documents.client(&id("https://app.example/x"), asker(200), |_| true).await.unwrap_err();
    assert_eq!(refused, DocumentError::TooOften);
    assert_eq!(ask(&documents).await.unwrap_err(), DocumentError::Unreachable, "it was asked for");
    host.answers.lock().unwrap()[0] = fetched(&good(), 60);
    ask(&documents).await.unwrap();
    // But not without end either.
    host.answers.lock().unwrap()[0] = Err(DocumentError::Unreachable);
    clock.advance(Duration::from_secs(60));
    let before = host.asked();
    for number in 0..100 {
        let _ = documents.client(&id(ID), asker(number), |_| true).await;
    }
    assert_eq!(host.asked() - before, FETCHES_AT_ONCE as usize);
}

/// A host that never answers.
struct Silent;

#[async_trait]
impl FetchDocument for Silent {
    async fn fetch(&self, _: &Url, _place: Place) -> Result<Fetched, DocumentError> {
        std::future::pending().await
    }
}

/// Begins so many fetches for a network, each to a host of its own.
fn begin(
    documents: &Arc<ClientDocuments>,
    (network, below): (u8, &str),
    count: usize,
    tasks: &mut Vec<tokio::task::JoinHandle<()>>,
) {
    for number in 0..count {
        let (documents, url) = (Arc::clone(documents), format!("https://h{network}-{number}.{below}/x"));
        tasks.push(tokio::spawn(async move {
            let _ = documents.client(&id(&url), asker(network), |_| true).await;
        }));
    }
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn strangers_with_slow_hosts_leave_room_for_others_and_for_the_known_ones() {
    for (allowed, known) in
        [(&[][..], "claude.ai"), (&["*.apps.example", "client.example"], "client.example")]
    {
        let clock = Arc::new(ManualClock::at(1_790_000_000));
        let allowed = allowed.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
        let documents = Arc::new(ClientDocuments::new(allowed, Arc::new(Silent), clock));
        let mut tasks = Vec::new();
        begin(&documents, (1, "apps.example"), 30, &mut tasks);
        settle().await;
        assert_eq!(documents.places.count(), places::FOR_ONE_NETWORK, "one network has its share");
        for network in 2..100 {
            begin(&documents, (network, "apps.example"), 4, &mut tasks);
        }
        settle().await;
        assert_eq!(documents.places.count(), places::TO_UNNAMED, "all strangers together have theirs");
        let url = format!("https://{known}/client.json");
        let (waiting, asked) = (Arc::clone(&documents), url.clone());
        // Of a network whose share of the others is used up.
        let known = tokio::spawn(async move { waiting.client(&id(&asked), asker(1), |_| true).await });
        settle().await;
        assert!(!known.is_finished(), "{url} is being fetched");
        assert_eq!(documents.places.count(), places::TO_UNNAMED + 1);
        // Who hangs up leaves nothing behind.
        tasks.into_iter().for_each(|task| task.abort());
        known.abort();
        settle().await;
        assert_eq!(documents.places.count(), 0);
    }
}
