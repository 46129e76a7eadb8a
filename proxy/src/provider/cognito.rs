//! Cognito itself: its discovery document, and its authorization, token and revocation endpoints.
//!
//! What is special about it: its discovery does not mention PKCE, which works and is always used;
//! it is sent a `resource` only where the settings say so; a public client must send no `Authorization`; and anything that is not a clear
//! OAuth error (429, 5xx, no JSON, no answer) says nothing about the grant.

use async_trait::async_trait;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse,
};
use openidconnect::{
    AuthType, AuthUrl, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyAdditionalClaims, EndpointNotSet, EndpointSet, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse, TokenUrl,
};
use service::Secret;
use url::Url;

use self::calls::Counter;
use self::discovery::{Discovery, Endpoints};
use self::http_client::{NoAnswer, fetch};
use self::token_response::CognitoTokenResponse;
use super::{IdentityProvider, ProviderError, SignIn, TokenSet};
use crate::metrics::Calls;

mod calls;
mod discovery;
mod http_client;
mod revocation;
mod token_response;

#[cfg(test)]
mod tests;

/// How Cognito knows us, and where it is.
#[derive(Debug, Clone)]
pub struct CognitoSettings {
    /// The issuer of the user pool: where the discovery document is.
    pub issuer: cognito::Issuer,
    /// Instead of the discovered one.
    pub authorization_endpoint: Option<Url>,
    /// Instead of the discovered one.
    pub token_endpoint: Option<Url>,
    /// Instead of the discovered one.
    pub revocation_endpoint: Option<Url>,
    /// Our app client.
    pub client_id: String,
    /// Its secret; none for a public client.
    pub client_secret: Option<Secret>,
    /// Our callback, exactly as registered at the app client.
    pub redirect_uri: Url,
    /// What to ask for. `openid` is always asked for: without it there is no ID token.
    pub scopes: Vec<String>,
    /// Whether to name the resource of a sign-in (RFC 8707), which makes it the `aud` of access tokens. It must be https.
    pub forward_resource: bool,
    /// Makes the requests. Must not follow redirects, and must have a time limit.
    pub http: reqwest::Client,
}

/// A Cognito user pool.
#[derive(Debug)]
pub struct Cognito {
    settings: Settings,
    discovery: Discovery,
    counter: Counter,
}

/// The settings in the types of the protocol library.
#[derive(Debug)]
struct Settings {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect_uri: RedirectUrl,
    scopes: Vec<Scope>,
    forward_resource: bool,
    http: reqwest::Client,
}

/// The protocol library's client; its many types say that only `authorize` and `token` are known, and that errors and
/// answers are the standard ones, except that the ID token is kept as text.
type Client = openidconnect::Client<
    EmptyAdditionalClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    OAuthErrorResponse,
    CognitoTokenResponse,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

type OAuthErrorResponse = StandardErrorResponse<CoreErrorResponseType>;

impl Cognito {
    /// A provider. Nothing is asked of Cognito before the first sign-in.
    #[must_use]
    #[expect(clippy::expect_used, reason = "an issuer is a checked URL")]
    pub fn new(settings: CognitoSettings) -> Self {
        let CognitoSettings { issuer, client_id, client_secret, redirect_uri, scopes, http, .. } = settings;
        let given = discovery::Given {
            authorization: settings.authorization_endpoint,
            token: settings.token_endpoint,
            revocation: settings.revocation_endpoint,
        };
        let issuer = IssuerUrl::new(issuer.as_str().to_owned()).expect("an issuer is a URL");
        Self {
            counter: Counter::default(),
            discovery: Discovery::new(issuer.clone(), given, http.clone()),
            settings: Settings {
                issuer,
                client_id: ClientId::new(client_id),
                client_secret: client_secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
                redirect_uri: RedirectUrl::from_url(redirect_uri),
                forward_resource: settings.forward_resource,
                // The library asks for `openid` by itself.
                scopes: scopes.into_iter().filter(|scope| scope != "openid").map(Scope::new).collect(),
                http,
            },
        }
    }

    /// Counts what is asked of Cognito.
    #[must_use]
    pub fn counted_by(mut self, calls: Calls) -> Self {
        self.counter = Counter::new(calls);
        self.discovery = self.discovery.counted_by(self.counter.clone());
        self
    }

    /// The protocol library's client for these endpoints. Made for each request, which is cheap beside the request.
    fn client(&self, endpoints: &Endpoints) -> Client {
        let settings = &self.settings;
        let client = openidconnect::Client::new(
            settings.client_id.clone(),
            settings.issuer.clone(),
            JsonWebKeySet::default(),
        )
        .set_auth_uri(AuthUrl::from_url(endpoints.authorization.clone()))
        .set_token_uri(TokenUrl::from_url(endpoints.token.clone()))
        .set_redirect_uri(settings.redirect_uri.clone());
        // Without a secret the library puts the client id into the body and sends no `Authorization`.
        match &settings.client_secret {
            Some(secret) => client.set_client_secret(secret.clone()).set_auth_type(AuthType::BasicAuth),
            None => client,
        }
    }
}

#[async_trait]
impl IdentityProvider for Cognito {
    async fn sign_in_url(&self, request: &SignIn<'_>) -> Result<Url, ProviderError> {
        let endpoints = self.discovery.endpoints().await?;
        let client = self.client(&endpoints);
        let (state, nonce) = (request.state.to_owned(), request.nonce.to_owned());
        let mut asked = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(self.settings.scopes.iter().cloned())
            .add_extra_param("code_challenge", request.code_challenge)
            .add_extra_param("code_challenge_method", "S256");
        if self.settings.forward_resource {
            asked = asked.add_extra_param("resource", request.resource.as_str());
        }
        let (url, _, _) = asked.url();
        Ok(url)
    }

    async fn exchange(&self, code: &Secret, code_verifier: &Secret) -> Result<TokenSet, ProviderError> {
        let endpoints = self.discovery.endpoints().await?;
        let http = |request| fetch(self.settings.http.clone(), request);
        let client = self.client(&endpoints);
        let asked = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(code_verifier.expose().to_owned()))
            .request_async(&http);
        self.counter.count("token", async { asked.await.map(TokenSet::from).map_err(refused) }).await
    }

    async fn refresh(&self, refresh_token: &Secret) -> Result<TokenSet, ProviderError> {
        let endpoints = self.discovery.endpoints().await?;
        let http = |request| fetch(self.settings.http.clone(), request);
        let client = self.client(&endpoints);
        let held = RefreshToken::new(refresh_token.expose().to_owned());
        let asked = client.exchange_refresh_token(&held).request_async(&http);
        self.counter.count("refresh", async { asked.await.map(TokenSet::from).map_err(refused) }).await
    }

    async fn revoke(&self, refresh_token: &Secret) -> Result<(), ProviderError> {
        let endpoints = self.discovery.endpoints().await?;
        let Some(endpoint) = &endpoints.revocation else {
            return Err(ProviderError::Misconfigured { code: "no_revocation_endpoint".to_owned() });
        };
        self.counter.count("revoke", revocation::revoke(&self.settings, endpoint, refresh_token)).await
    }
}

/// What a failed request means. Only a clear `invalid_grant` is one: a body that cannot be read proves nothing.
fn refused(error: RequestTokenError<NoAnswer, OAuthErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            oauth_error(answer.error().as_ref(), answer.error_description().map(String::as_str))
        }
        RequestTokenError::Request(no_answer) => ProviderError::Unavailable(Box::new(no_answer)),
        // Never with the body, which may hold tokens.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            ProviderError::Unavailable(Box::new(NoAnswer::Unreadable))
        }
    }
}

fn oauth_error(code: &str, description: Option<&str>) -> ProviderError {
    match code {
        "invalid_grant" => ProviderError::GrantRefused { said: description.and_then(words) },
        "temporarily_unavailable" | "server_error" => ProviderError::Unavailable(Box::new(NoAnswer::Busy)),
        _ => {
            let code = code.chars().filter(char::is_ascii_graphic).take(64).collect();
            ProviderError::Misconfigured { code }
        }
    }
}

/// What of a description can go into a log: short words, and few of them, so that no token can be among them.
fn words(description: &str) -> Option<String> {
    let plain = description.replace(['+', '_'], " ");
    let words: Vec<&str> = plain
        .split_whitespace()
        .filter(|word| {
            word.len() <= 20 && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
        })
        .take(16)
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}
