//! Against a little HTTP server that answers what the test says and remembers what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::terms::Resource;

#[derive(Debug, Clone)]
struct Asked {
    path: String,
    authorization: Option<String>,
    form: HashMap<String, String>,
}

/// Path → status and body.
type Answers = Arc<Mutex<HashMap<&'static str, (u16, String)>>>;

struct Server {
    origin: String,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (answers, asked) = (Answers::default(), Arc::<Mutex<Vec<Asked>>>::default());
        let (to_answer, to_note) = (Arc::clone(&answers), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, asked) = (Arc::clone(&to_answer), Arc::clone(&to_note));
                let service =
                    service_fn(move |request| answer(request, Arc::clone(&answers), Arc::clone(&asked)));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        let server = Self { origin, answers, asked };
        server.answers("/pool/.well-known/openid-configuration", 200, &server.document("/pool"));
        server
    }

    fn document(&self, issuer: &str) -> String {
        let origin = &self.origin;
        format!(
            r#"{{"issuer":"{origin}{issuer}","authorization_endpoint":"{origin}/oauth2/authorize","jwks_uri":"{origin}/jwks",
            "token_endpoint":"{origin}/oauth2/token","revocation_endpoint":"{origin}/oauth2/revoke"}}"#
        )
    }

    fn answers(&self, path: &'static str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(path, (status, body.to_owned()));
    }

    fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    fn discoveries(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path.starts_with("/pool")).count()
    }

    fn cognito(&self, secret: Option<&str>) -> Cognito {
        Cognito::new(CognitoSettings {
            issuer: ::cognito::Issuer::parse(&format!("{}/pool", self.origin)).unwrap(),
            authorization_endpoint: None,
            token_endpoint: None,
            revocation_endpoint: None,
            client_id: "app-client".to_owned(),
            client_secret: secret.map(Secret::new),
            redirect_uri: Url::parse("https://edge.example/auth/callback").unwrap(),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            forward_resource: false,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
        })
    }
}

async fn answer(
    request: http::Request<Incoming>,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let authorization = parts.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    asked.lock().unwrap().push(Asked { path: parts.uri.path().to_owned(), authorization, form });
    let (status, text) =
        answers.lock().unwrap().get(parts.uri.path()).cloned().unwrap_or((404, "<html>".to_owned()));
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response.headers_mut().insert("location", "/elsewhere".parse().unwrap());
    Ok(response)
}

const TOKENS: &str =
    r#"{"access_token":"a","id_token":"i","refresh_token":"r","token_type":"Bearer","expires_in":3600}"#;

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn kind(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::GrantRefused { .. } => "refused",
        ProviderError::Misconfigured { .. } => "misconfigured",
        ProviderError::Unavailable(_) => "unavailable",
    }
}

#[tokio::test]
async fn the_sign_in_url_has_pkce_and_nonce_and_no_resource() {
    let server = Server::start().await;
    let cognito = server.cognito(None);
    let resource = Resource::parse("https://edge.example/mcp").unwrap();
    let asked = SignIn { state: "s", nonce: "n", code_challenge: "c", resource: &resource };
    let url = cognito.sign_in_url(&asked).await.unwrap();
    assert!(url.as_str().starts_with(&format!("{}/oauth2/authorize?", server.origin)));
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "app-client"),
        ("redirect_uri", "https://edge.example/auth/callback"),
        ("scope", "openid email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", "c"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    assert_eq!(query.len(), 8);
}

#[tokio::test]
async fn the_resource_is_forwarded_where_the_settings_say_so() {
    let server = Server::start().await;
    let mut cognito = server.cognito(None);
    cognito.settings.forward_resource = true;
    let resource = Resource::parse("https://edge.example/mcp/").unwrap();
    let asked = SignIn { state: "s", nonce: "n", code_challenge: "c", resource: &resource };
    let url = cognito.sign_in_url(&asked).await.unwrap();
    let named = url.query_pairs().filter(|(name, _)| name == "resource").collect::<Vec<_>>();
    assert_eq!(named, [("resource".into(), "https://edge.example/mcp".into())]);
}

#[tokio::test]
async fn a_public_client_names_itself_in_the_body_and_a_confidential_one_in_the_header() {
    let server = Server::start().await;
    server.answers("/oauth2/token", 200, TOKENS);
    server.answers("/oauth2/revoke", 200, "");
    let (public, confidential) = (server.cognito(None), server.cognito(Some("s&cret")));
    let tokens = public.exchange(&secret("code"), &secret("verifier")).await.unwrap();
    assert_eq!((tokens.access.expose(), tokens.id.unwrap().expose()), ("a", "i"));
    assert_eq!(tokens.refresh.unwrap().expose(), "r");
    let asked = server.last();
    assert_eq!(asked.authorization, None);
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("client_id", "app-client"),
        ("code", "code"),
        ("code_verifier", "verifier"),
        ("redirect_uri", "https://edge.example/auth/callback"),
    ] {
        assert_eq!(asked.form[name], value, "{name}");
    }
    assert_eq!(asked.form.len(), 5);
    public.revoke(&secret("r")).await.unwrap();
    assert_eq!((server.last().form["client_id"].as_str(), server.last().authorization), ("app-client", None));

    confidential.refresh(&secret("r")).await.unwrap();
    let asked = server.last();
    assert!(asked.authorization.unwrap().starts_with("Basic "));
    assert_eq!(asked.form.len(), 2);
    assert_eq!(
        (asked.form["grant_type"].as_str(), asked.form["refresh_token"].as_str()),
        ("refresh_token", "r")
    );
    confidential.revoke(&secret("r")).await.unwrap();
    let asked = server.last();
    assert!(asked.authorization.unwrap().starts_with("Basic "));
    assert_eq!((asked.form.len(), asked.form["token"].as_str()), (1, "r"));
}

#[tokio::test]
async fn a_refresh_may_bring_no_refresh_and_no_id_token() {
    let server = Server::start().await;
    server.answers("/oauth2/token", 200, r#"{"access_token":"a","id_token":"","token_type":"bearer"}"#);
    let tokens = server.cognito(None).refresh(&secret("r")).await.unwrap();
    assert!(tokens.refresh.is_none() && tokens.id.is_none());
}

#[tokio::test]
async fn only_invalid_grant_refuses_and_only_clear_errors_are_our_fault() {
    let server = Server::start().await;
    let cognito = server.cognito(None);
    for (status, body, expected) in [
        (400, r#"{"error":"invalid_grant"}"#, "refused"),
        (400, r#"{"error":"invalid_client"}"#, "misconfigured"),
        (400, r#"{"error":"unauthorized_client","error_description":"invalid_redirect"}"#, "misconfigured"),
        (400, r#"{"error":"something_new"}"#, "misconfigured"),
        (400, r#"{"error":"temporarily_unavailable"}"#, "unavailable"),
        (400, "<html>", "unavailable"),
        (400, "", "unavailable"),
        (429, r#"{"error":"invalid_grant"}"#, "unavailable"),
        (500, r#"{"error":"invalid_grant"}"#, "unavailable"),
        (503, "", "unavailable"),
        (302, TOKENS, "unavailable"),
        (200, "<html>", "unavailable"),
        (200, "{}", "unavailable"),
    ] {
        server.answers("/oauth2/token", status, body);
        let error = cognito.refresh(&secret("r")).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{status} {body}");
    }
    let huge = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "x".repeat(600 * 1024));
    server.answers("/oauth2/token", 200, &huge);
    assert_eq!(kind(&cognito.refresh(&secret("r")).await.unwrap_err()), "unavailable");
}

#[tokio::test]
async fn no_error_shows_what_was_sent_or_answered() {
    let server = Server::start().await;
    let cognito = server.cognito(Some("client-secret"));
    server.answers("/oauth2/token", 200, r#"{"access_token":"leaked","token_type":5}"#);
    let error = cognito.refresh(&secret("sent-secret")).await.unwrap_err();
    let told = format!("{error:?} {error} {cognito:?}");
    assert!(
        !told.contains("leaked") && !told.contains("sent-secret") && !told.contains("client-secret"),
        "{told}"
    );
}

#[tokio::test]
async fn discovery_is_asked_once_and_its_failure_not_at_every_request() {
    let server = Server::start().await;
    server.answers("/oauth2/token", 200, TOKENS);
    let cognito = server.cognito(None);
    let token = secret("r");
    let (one, two, three) =
        tokio::join!(cognito.refresh(&token), cognito.refresh(&token), cognito.refresh(&token));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(server.discoveries(), 1);

    let blind = server.cognito(None);
    server.answers("/pool/.well-known/openid-configuration", 500, "");
    for _ in 0..3 {
        assert_eq!(kind(&blind.refresh(&token).await.unwrap_err()), "unavailable");
    }
    assert_eq!(server.discoveries(), 2);
    // Known endpoints stay in use.
    cognito.discovery.grow_old();
    assert!(cognito.refresh(&token).await.is_ok());
    assert_eq!(server.discoveries(), 3);
}

#[tokio::test]
async fn a_discovery_of_another_issuer_or_to_unsafe_places_is_not_used() {
    let server = Server::start().await;
    server.answers("/pool/.well-known/openid-configuration", 200, &server.document("/other"));
    let error = server.cognito(None).refresh(&secret("r")).await.unwrap_err();
    assert_eq!(kind(&error), "misconfigured");
    let elsewhere = server
        .document("/pool")
        .replace(&format!("{}/oauth2/token", server.origin), "http://token.example/oauth2/token");
    server.answers("/pool/.well-known/openid-configuration", 200, &elsewhere);
    let error = server.cognito(None).refresh(&secret("r")).await.unwrap_err();
    assert!(matches!(error, ProviderError::Misconfigured { code } if code == "endpoint_insecure"));
}

#[tokio::test]
async fn configured_endpoints_need_no_discovery() {
    let server = Server::start().await;
    server.answers("/token", 200, TOKENS);
    let mut cognito = server.cognito(None);
    let at = |path: &str| Url::parse(&format!("{}{path}", server.origin)).unwrap();
    let given = discovery::Given {
        authorization: Some(at("/authorize")),
        token: Some(at("/token")),
        revocation: Some(at("/revoke")),
    };
    cognito.discovery = Discovery::new(cognito.settings.issuer.clone(), given, cognito.settings.http.clone());
    assert!(cognito.refresh(&secret("r")).await.is_ok());
    assert_eq!(server.discoveries(), 0);
}
