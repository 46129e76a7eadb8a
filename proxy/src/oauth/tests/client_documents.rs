//! Clients that are known by a document, through the whole server; and what bounds those that register.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::super::{
    ClientDocuments, DocumentError, FetchDocument, Fetched, HostPattern, OAuthSettings, Place,
    RedirectPattern,
};
use super::answers::{assert_error, assert_page, json, location, pair, query, reason, text};
use super::world::{CALLBACK, ISSUER, Jar, World, authorize_url, route};
use crate::store::Store;

const CLIENT: &str = "https://app.example/oauth/client.json";

/// A host with one document, which can go away.
struct Host {
    document: Value,
    gone: AtomicUsize,
    asked: AtomicUsize,
}

#[async_trait]
impl FetchDocument for Host {
    async fn fetch(&self, _url: &Url, _: Place) -> Result<Fetched, DocumentError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.gone.load(Ordering::SeqCst) > 0 {
            return Err(DocumentError::Unreachable);
        }
        Ok(Fetched { body: self.document.to_string().into(), lifetime: Duration::from_secs(60) })
    }
}

fn document(redirect_uris: &Value) -> Value {
    json!({
        "client_id": CLIENT, "client_name": "The App", "redirect_uris": redirect_uris,
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
    })
}

fn world_with(settings: OAuthSettings, document: Value) -> (World, Arc<Host>) {
    let mut world = World::with(settings);
    let host = Arc::new(Host { document, gone: AtomicUsize::new(0), asked: AtomicUsize::new(0) });
    let allowed = vec![HostPattern::parse("app.example").unwrap()];
    let documents = ClientDocuments::new(allowed, Arc::clone(&host) as _, Arc::new(world.clock.clone()));
    let oauth = Arc::into_inner(world.oauth).unwrap();
    world.oauth = Arc::new(oauth.with_client_documents(Some(documents)));
    (world, host)
}

fn settings() -> OAuthSettings {
    OAuthSettings::new(ISSUER, vec![route("/mcp")])
}

#[tokio::test]
async fn a_client_known_by_its_document_signs_in_with_any_loopback_port() {
    // Without a port, as Claude Code writes them; the request names one.
    let uris = json!(["http://127.0.0.1/callback", "http://localhost/callback"]);
    let (world, host) = world_with(settings(), document(&uris));
    let page = world.get(&authorize_url(CLIENT, &[]), &mut Jar::default()).await;
    assert_eq!(page.status(), StatusCode::OK, "{}", text(&page));
    for shown in ["The App", "app.example", "localhost:3118"] {
        assert!(text(&page).contains(shown), "{shown}");
    }
    let code = world.code(CLIENT).await;
    let answer = world.redeem(CLIENT, &code, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    let (_, refresh) = pair(&answer);
    assert_eq!(host.asked.load(Ordering::SeqCst), 1);

    // Its host may be away for good: the session does not hang on it.
    host.gone.store(1, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(600));
    let answer = world.refresh(CLIENT, &refresh, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    let page = world.get(&authorize_url(CLIENT, &[]), &mut Jar::default()).await;
    assert_page(&page, 503, "client_document_unreachable");
    assert!(page.headers().contains_key("retry-after"));
    assert_eq!(host.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_code_or_refresh_token_of_one_document_is_no_good_for_another() {
    let (world, _) = world_with(settings(), document(&json!([CALLBACK])));
    let other = "https://app.example/oauth/other.json";
    let code = world.code(CLIENT).await;
    assert_eq!(world.redeem(other, &code, &[]).await.status(), StatusCode::BAD_REQUEST);
    let (_, refresh) = pair(&world.redeem(CLIENT, &code, &[]).await);
    assert_eq!(world.refresh(other, &refresh, &[]).await.status(), StatusCode::BAD_REQUEST);
    let registered = world.register().await;
    assert_eq!(world.refresh(&registered, &refresh, &[]).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_can_make_the_token_endpoint_fetch() {
    let (world, host) = world_with(settings(), document(&json!([CALLBACK])));
    for client in [CLIENT, "https://app.example/x", "https://evil.example/x", "https://app.example/../x"] {
        let answer = world.refresh(client, "mer.AAAA.AAAA", &[]).await;
        assert!(answer.status().is_client_error(), "{client}: {answer:?}");
    }
    let unlisted = world.refresh("https://evil.example/x", "mer.AAAA.AAAA", &[]).await;
    assert_error(&unlisted, 401, "invalid_client", "client_unknown");
    assert_eq!(host.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_bad_document_client_is_a_page_and_never_a_redirect() {
    let (world, _) = world_with(settings(), document(&json!([CALLBACK])));
    for (client, why) in [
        ("https://evil.example/client.json", "client_document_host"),
        ("https://app.example/oauth/other.json", "client_document_other"),
        ("https://app.example/", "client_document_url"),
        ("https://app.example/client.json?x=y", "client_document_url"),
        ("http://app.example/oauth/client.json", "client_unknown"),
        ("HTTPS://app.example/oauth/client.json", "client_unknown"),
    ] {
        assert_page(&world.get(&authorize_url(client, &[]), &mut Jar::default()).await, 400, why);
    }
    let wrong = authorize_url(CLIENT, &[("redirect_uri", "http://localhost:3118/other")]);
    assert_page(&world.get(&wrong, &mut Jar::default()).await, 400, "redirect_uri_unregistered");
}

#[tokio::test]
async fn the_list_of_redirect_uris_holds_for_documents_also_when_none_is_named() {
    let mut strict = settings();
    strict.allowed_redirect_uris =
        vec![RedirectPattern::parse("https://claude.ai/api/mcp/auth_callback").unwrap()];
    let evil = "https://evil.example/callback";
    let (world, _) = world_with(strict.clone(), document(&json!([evil])));
    for changes in [&[("redirect_uri", evil)][..], &[("redirect_uri", "")][..]] {
        let answer = world.get(&authorize_url(CLIENT, changes), &mut Jar::default()).await;
        assert_page(&answer, 400, "redirect_uri_not_allowed");
    }
    // One allowed beside it does not let the other in, nor is it chosen for want of a name.
    let both = json!([evil, "https://claude.ai/api/mcp/auth_callback"]);
    let (world, _) = world_with(strict, document(&both));
    for (changes, why) in [
        (&[("redirect_uri", evil)][..], "redirect_uri_not_allowed"),
        (&[("redirect_uri", "")][..], "redirect_uri_missing"),
    ] {
        let answer = world.get(&authorize_url(CLIENT, changes), &mut Jar::default()).await;
        assert_page(&answer, 400, why);
    }
    let good = authorize_url(CLIENT, &[("redirect_uri", "https://claude.ai/api/mcp/auth_callback")]);
    assert_eq!(world.get(&good, &mut Jar::default()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metadata_says_whether_documents_are_taken() {
    const METADATA: &str = "/.well-known/oauth-authorization-server";
    let (world, _) = world_with(settings(), document(&json!([CALLBACK])));
    let metadata = json(&world.get(METADATA, &mut Jar::default()).await);
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&json!("none")), "Claude asks for this too before it uses its document");
    let without = World::new();
    let metadata = json(&without.get(METADATA, &mut Jar::default()).await);
    assert_eq!(metadata["client_id_metadata_document_supported"], false);
    let page = without.get(&authorize_url(CLIENT, &[]), &mut Jar::default()).await;
    assert_page(&page, 400, "client_unknown");
}

#[tokio::test]
async fn registrations_are_limited_as_a_whole() {
    let mut few = settings();
    few.registrations_per_minute = 6; // of which one network gets half
    let world = World::with(few);
    for _ in 0..3 {
        world.register().await;
    }
    let refused = world.register_with(json!({ "redirect_uris": [CALLBACK] })).await;
    assert_error(&refused, 429, "temporarily_unavailable", "registrations_limited");
    assert!(refused.headers().contains_key("retry-after"));
    world.clock.advance(Duration::from_secs(20));
    world.register().await;
}

#[tokio::test]
async fn a_client_is_forgotten_when_it_was_never_used_and_never_while_it_is() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut long = settings();
    long.refresh_token = 120 * DAY;
    long.session_max = 1000 * DAY;
    let world = World::with(long);
    let unused = world.register().await;
    let used = world.signed_in().await;
    world.clock.advance(HOUR);
    let page = world.get(&authorize_url(&unused, &[]), &mut Jar::default()).await;
    assert_eq!(reason(&page), "client_unknown");
    let page = world.get(&authorize_url(&used.client, &[]), &mut Jar::default()).await;
    assert_eq!(page.status(), StatusCode::OK);
    world.clock.advance(HOUR / 2);
    let known = async |client: &str| world.store.get(&format!("client:{client}")).await.unwrap().is_some();
    assert!(!known(&unused).await && known(&used.client).await);

    // Silent for as long as its refresh token lasts, which is longer than clients are kept otherwise.
    world.clock.advance(119 * DAY);
    let answer = world.refresh(&used.client, &used.refresh, &[]).await;
    assert_ne!(reason(&answer), "client_unknown", "{answer:?}");
    assert!(known(&used.client).await);
}

#[tokio::test]
async fn a_sign_in_that_begins_in_a_new_client_s_last_second_can_be_finished() {
    let world = World::new();
    let client = world.register().await;
    world.clock.advance(Duration::from_secs(60 * 60 - 1));
    let mut jar = Jar::default();
    let page = world.get(&authorize_url(&client, &[]), &mut jar).await;
    world.clock.advance(Duration::from_secs(599));
    let onward = world.decide(&page, &jar, "approve").await;
    let state = query(&location(&onward))["state"].clone();
    world.clock.advance(Duration::from_secs(599));
    let back = world.get(&format!("/auth/callback?code=cognito-code&state={state}"), &mut jar).await;
    world.clock.advance(Duration::from_secs(59));
    let answer = world.redeem(&client, &query(&location(&back))["code"], &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    world.clock.advance(Duration::from_secs(60 * 60));
    let page = world.get(&authorize_url(&client, &[]), &mut Jar::default()).await;
    assert_eq!(page.status(), StatusCode::OK, "in use");
}
