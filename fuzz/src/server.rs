//! The authorization server with everything around it in memory. Its keys are made for the process: nothing in a corpus
//! can be signed or sealed with them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cognito::{Issuer, KeyPolicy, KeySet, KeySource, Verifier};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use proxy::keys::KeyRing;
use proxy::limits::ClientAddress;
use proxy::metrics::Metrics;
use proxy::oauth::{
    ClientDocuments, DocumentError, FetchDocument, Fetched, OAuth, OAuthRequest, OAuthSettings, Parts, Place,
    ProtectedResource, RedirectPattern,
};
use proxy::provider::{IdentityProvider, ProviderError, SignIn, TokenSet};
use proxy::store::memory::Memory;
use proxy::terms::{Resource, Scopes};
use proxy::tokens::AccessTokens;
use proxy::vault::{Vault, VaultPolicy};
use serde_json::{Value, json};
use service::{Clock, ManualClock, Secret};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::answers;
use crate::tokens::PublishedKeys;

/// Our issuer.
pub const ISSUER: &str = "https://edge.example";
/// The redirect URI of the client that is always registered.
pub const REDIRECT_URI: &str = "https://claude.ai/api/mcp/auth_callback";
/// The id of the client that is known by the document under test.
pub const DOCUMENT_ID: &str = "https://client.example/oauth/client.json";
/// What stands for the registered client's id in an input: the id itself is random.
pub const CLIENT: &str = "mcp-CLIENT";
/// The time at the start.
pub const NOW: u64 = 1_790_000_000;
/// Records kept; a fuzzer registers without end.
const RECORDS: usize = 500;

/// The server.
pub struct Server {
    oauth: OAuth,
    document: Arc<Document>,
    time: ManualClock,
}

impl Default for Server {
    fn default() -> Self {
        Self::allowing(RedirectPattern::known())
    }
}

impl Server {
    /// A server that allows these redirect URIs.
    pub fn allowing(patterns: Vec<RedirectPattern>) -> Self {
        // The vault listens beside the requests.
        let _inside = runtime().enter();
        let time = ManualClock::at(NOW);
        let clock: Arc<dyn Clock> = Arc::new(time.clone());
        let keys = Arc::new(KeyRing::ephemeral());
        let provider: Arc<dyn IdentityProvider> = Arc::new(NoProvider);
        let source = KeySource::of(Issuer::parse(crate::tokens::POOL).unwrap()).unwrap();
        let published = KeySet::new(
            vec![source],
            Arc::new(PublishedKeys::ours()),
            Arc::clone(&clock),
            KeyPolicy::default(),
        );
        let app_client = cognito::ClientId::parse(crate::tokens::APP_CLIENT).unwrap();
        let verifier = Arc::new(Verifier::new(
            Arc::new(published),
            vec![app_client],
            Arc::clone(&clock),
            Duration::from_secs(60),
        ));
        let store = Arc::new(Memory::new(Arc::clone(&clock), RECORDS));
        let vault = Vault::new(
            Arc::clone(&store) as _,
            Arc::clone(&keys),
            Arc::clone(&provider),
            Arc::clone(&verifier),
            Arc::clone(&clock),
            VaultPolicy::default(),
            Metrics::new([]).unwrap().vault,
        );
        let tokens = Arc::new(AccessTokens::new(ISSUER, Arc::clone(&keys), Arc::clone(&clock)));
        let mut settings = OAuthSettings::new(ISSUER, vec![resource("/mcp"), resource("/other")]);
        settings.allowed_redirect_uris = patterns;
        settings.registrations_per_minute = 0;
        settings.registrations_per_hour = 0;
        settings.sign_ins_per_minute = 0;
        let document = Arc::new(Document::default());
        let documents = ClientDocuments::new(Vec::new(), Arc::clone(&document) as _, Arc::clone(&clock));
        let parts = Parts { store, vault, provider, verifier, tokens, keys, clock };
        Self { oauth: OAuth::new(settings, parts).with_client_documents(Some(documents)), document, time }
    }

    /// Answers a request; every answer is looked at by [`answers::check`].
    pub fn answer(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        more: Request<'_>,
    ) -> Response<Bytes> {
        let endpoint = self.oauth.endpoint(path).unwrap_or_else(|| panic!("{path} is no endpoint"));
        let request = OAuthRequest {
            method,
            query: query.map(str::to_owned),
            headers: more.headers,
            body: Bytes::copy_from_slice(more.body),
            client: ClientAddress::of_peer(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        let answer = runtime().block_on(self.oauth.answer(endpoint, request));
        answers::check(&answer);
        answer
    }

    /// `GET /authorize`.
    pub fn authorize(&self, query: &str, headers: HeaderMap) -> Response<Bytes> {
        self.answer(Method::GET, "/authorize", Some(query), Request { headers, body: &[] })
    }

    /// `POST /register`.
    pub fn register(&self, body: &[u8]) -> Response<Bytes> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        self.answer(Method::POST, "/register", None, Request { headers, body })
    }

    /// Registers a client with this redirect URI; its id, if that was allowed.
    pub fn registered(&self, redirect_uri: &str) -> Option<String> {
        let answer = self.register(json!({ "redirect_uris": [redirect_uri] }).to_string().as_bytes());
        (answer.status() == StatusCode::CREATED).then(|| {
            let answer: Value = serde_json::from_slice(answer.body()).unwrap();
            answer["client_id"].as_str().unwrap().to_owned()
        })
    }

    /// From now on [`DOCUMENT_ID`] is described by `body`, and may be asked for again: hosts are asked so often only.
    pub fn publish(&self, body: &[u8]) {
        self.time.advance(Duration::from_secs(10));
        *self.document.0.lock().unwrap() = Bytes::copy_from_slice(body);
    }
}

/// What all of it runs on: made once, since a server is made for every input of one target.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap())
}

/// What a request has beside its URL.
#[derive(Default)]
pub struct Request<'a> {
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// A good authorization request of `client`, URL-encoded by the caller where that is needed.
pub fn query_of(client: &str, redirect_uri: &str) -> String {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let parameters = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("state", "s"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("resource", "https://edge.example/mcp"),
    ];
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Where an answer sends the browser.
pub fn location(answer: &Response<Bytes>) -> Option<Url> {
    let location = answer.headers().get(LOCATION)?;
    Some(Url::parse(location.to_str().unwrap()).unwrap())
}

fn resource(path: &str) -> ProtectedResource {
    ProtectedResource {
        path: path.to_owned(),
        resource: Resource::parse(&format!("{ISSUER}{path}")).unwrap(),
        scopes: Scopes::parse("plane:read").unwrap(),
        name: "Plane".to_owned(),
    }
}

/// The document of [`DOCUMENT_ID`], never to be kept.
#[derive(Default)]
struct Document(Mutex<Bytes>);

#[async_trait]
impl FetchDocument for Document {
    async fn fetch(&self, _: &Url, _: Place) -> Result<Fetched, DocumentError> {
        Ok(Fetched { body: self.0.lock().unwrap().clone(), lifetime: Duration::ZERO })
    }
}

/// A provider nobody gets to: to reach it takes a form that we sealed.
struct NoProvider;

#[async_trait]
impl IdentityProvider for NoProvider {
    async fn sign_in_url(&self, _: &SignIn<'_>) -> Result<Url, ProviderError> {
        panic!("a stranger got past the consent page")
    }
    async fn exchange(&self, _: &Secret, _: &Secret) -> Result<TokenSet, ProviderError> {
        panic!("a stranger got to the code exchange")
    }
    async fn refresh(&self, _: &Secret) -> Result<TokenSet, ProviderError> {
        panic!("a stranger got a session refreshed")
    }
    async fn revoke(&self, _: &Secret) -> Result<(), ProviderError> {
        panic!("a stranger got a session revoked")
    }
}
