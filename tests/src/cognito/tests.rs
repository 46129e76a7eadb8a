//! The double is held to what Cognito does, with our own verifier as the second opinion on its tokens.

mod failures;
mod refresh;
mod sign_in;
mod tokens;

use std::{sync::Arc, time::Duration};

use ::cognito::{ClientId, HttpKeys, Issuer, KeyPolicy, KeySet, KeySource, Nonce, Verifier};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, redirect::Policy};
use serde_json::Value;
use service::ManualClock;
use url::Url;

use super::{Behaviour, CognitoDouble, CognitoOptions};
use crate::browser::query_value;

const NOW: u64 = 1_790_000_000;
const CALLBACK: &str = "https://edge.example/oauth/callback";
const VERIFIER: &str = "verifier-of-this-test-with-at-least-43-characters";

/// A pool in its own time, a browser, and the client's side of the sign-in.
struct Pool {
    clock: ManualClock,
    cognito: CognitoDouble,
    http: Client,
}

impl Pool {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn behaving(change: impl FnOnce(&mut Behaviour)) -> Self {
        Self::with(|options| change(&mut options.behaviour)).await
    }

    async fn with(change: impl FnOnce(&mut CognitoOptions)) -> Self {
        let clock = ManualClock::at(NOW);
        let mut options = CognitoOptions {
            clock: Arc::new(clock.clone()),
            redirect_uris: vec![CALLBACK.to_owned()],
            logout_uris: vec!["https://edge.example/".to_owned()],
            ..CognitoOptions::default()
        };
        change(&mut options);
        let cognito = CognitoDouble::start(options).await.unwrap();
        let http = Client::builder().redirect(Policy::none()).cookie_store(true).no_proxy().build().unwrap();
        Self { clock, cognito, http }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.cognito.domain_url())).unwrap()
    }

    /// The authorization URL of a proper request, with parameters changed; an empty value leaves one out.
    fn authorize_url(&self, changes: &[(&str, &str)]) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let client_id = self.cognito.client_id.clone();
        let usual = [
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email"),
            ("state", "st-1"),
            ("nonce", "no-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = self.url("/oauth2/authorize");
        for (name, value) in usual {
            let value =
                changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let added = changes.iter().filter(|(name, _)| !usual.iter().any(|(known, _)| known == name));
        url.query_pairs_mut().extend_pairs(added);
        url
    }

    /// One GET; where it redirects to.
    async fn visit(&self, url: &Url) -> (u16, Option<Url>) {
        let response = self.http.get(url.clone()).send().await.unwrap();
        let location = response.headers().get("location").map(|to| url.join(to.to_str().unwrap()).unwrap());
        (response.status().as_u16(), location)
    }

    /// Signs in on the page at `authorize` and returns the callback URL.
    async fn sign_in(&self, authorize: &Url, username: &str, password: &str) -> Option<Url> {
        let (_, login) = self.visit(authorize).await;
        let login = login.unwrap();
        let form = [("username", username), ("password", password)];
        let response = self.http.post(login).form(&form).send().await.unwrap();
        response.headers().get("location").map(|to| Url::parse(to.to_str().unwrap()).unwrap())
    }

    /// A code for alice.
    async fn code(&self, changes: &[(&str, &str)]) -> String {
        let callback =
            self.sign_in(&self.authorize_url(changes), "alice", CognitoDouble::PASSWORD).await.unwrap();
        query_value(&callback, "code").unwrap()
    }

    /// One request to the token endpoint with HTTP Basic; status and body.
    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(self.url("/oauth2/token")).form(form);
        let request = request.basic_auth(&self.cognito.client_id, self.cognito.client_secret.as_deref());
        answer(request).await
    }

    async fn redeem(&self, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(&form).await
    }

    async fn refresh(&self, refresh_token: &str) -> (u16, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn user_info(&self, access_token: &str) -> (u16, Value) {
        answer(self.http.get(self.url("/oauth2/userInfo")).bearer_auth(access_token)).await
    }

    /// Our verifier, set up for this pool.
    fn verifier(&self) -> Verifier {
        let source = KeySource::of(Issuer::parse(self.cognito.issuer_url()).unwrap()).unwrap();
        let fetch = Arc::new(HttpKeys::with(Client::builder().no_proxy()).unwrap());
        let clock = Arc::new(self.clock.clone());
        let keys = KeySet::new(vec![source], fetch, clock.clone(), KeyPolicy::default());
        let client = ClientId::parse(&self.cognito.client_id).unwrap();
        Verifier::new(Arc::new(keys), vec![client], clock, Duration::from_secs(60))
    }

    /// Why our verifier refuses an ID token, or "ok".
    async fn id_reason(&self, raw: &str) -> &'static str {
        self.verifier().id_token(raw, Nonce::Unchecked).await.map_or_else(|error| error.reason(), |_| "ok")
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn member_names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
