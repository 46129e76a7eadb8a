//! The OAuth side of the client: discovery, registration, the authorization request, tokens.

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::{Answer, McpClient};
use crate::{
    browser::{Browser, Callback, Person, query_value},
    trouble::{Outcome, Trouble, While},
};

/// What discovery found out (RFC 9728, then RFC 8414).
#[derive(Debug, Clone)]
pub struct Discovery {
    /// The unauthenticated answer of the MCP endpoint.
    pub challenge: Answer,
    /// The protected resource's metadata.
    pub resource: Value,
    /// The authorization server's metadata.
    pub server: Value,
}

/// An authorization request that was made up but not sent yet.
#[derive(Debug, Clone)]
pub struct Authorization {
    /// Its URL, for the browser.
    pub url: Url,
    /// The PKCE verifier (RFC 7636).
    pub verifier: String,
    /// The client's state.
    pub state: String,
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// Lifetime of the access token in seconds.
    pub expires_in: u64,
}

/// A client that has come all the way.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The client.
    pub client: McpClient,
    /// Its server's metadata.
    pub discovery: Discovery,
    /// Its client id.
    pub client_id: String,
    /// Its tokens.
    pub tokens: Tokens,
}

/// The redirect URI registered by default. Nobody listens there: the browser hands over the URL instead.
pub const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";

impl McpClient {
    /// Finds the authorization server: unauthenticated request, resource metadata, server metadata.
    ///
    /// # Errors
    /// When a step does not give what the specification asks for.
    pub async fn discover(&self) -> Outcome<Discovery> {
        let challenge = self.send(self.request("GET", self.endpoint())?).await?.expect_status(401)?;
        let metadata = challenge.challenge("resource_metadata");
        let metadata = metadata.ok_or_else(|| Trouble::new("the challenge names no resource_metadata"))?;
        let resource = self.load(&metadata).await?.expect_status(200)?.json;
        if resource["resource"] != self.endpoint().as_str() {
            return Err(Trouble::new(format!("metadata of another resource: {resource}")));
        }
        let issuer = resource["authorization_servers"][0].as_str().unwrap_or_default().to_owned();
        let server = self.load(&format!("{issuer}/.well-known/oauth-authorization-server")).await?;
        let server = server.expect_status(200)?.json;
        if server["issuer"] != issuer.as_str() {
            return Err(Trouble::new(format!("metadata of another issuer: {server}")));
        }
        Ok(Discovery { challenge, resource, server })
    }

    /// Registers with the given metadata (RFC 7591).
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn register(&self, discovery: &Discovery, metadata: &Value) -> Outcome<Answer> {
        let url = discovery.endpoint("registration_endpoint")?;
        self.send(self.request("POST", &url)?.json(metadata)).await
    }

    /// Registers as most clients do and returns the client id.
    ///
    /// # Errors
    /// When the registration is refused.
    pub async fn register_publicly(&self, discovery: &Discovery) -> Outcome<String> {
        let metadata = json!({
            "client_name": "Stack test client",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let answer = self.register(discovery, &metadata).await?.expect_status(201)?;
        text_of(&answer.json, "client_id")
    }

    /// Makes an authorization request with fresh PKCE and state.
    ///
    /// # Errors
    /// When the metadata names no authorization endpoint.
    pub fn authorization(&self, discovery: &Discovery, client_id: &str) -> Outcome<Authorization> {
        let (verifier, state) = (random_text()?, random_text()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let mut url = discovery.endpoint("authorization_endpoint")?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", REDIRECT_URI)
            .append_pair("scope", "plane:read offline_access")
            .append_pair("state", &state)
            .append_pair("resource", discovery.resource["resource"].as_str().unwrap_or_default())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        self.remember(&verifier);
        Ok(Authorization { url, verifier, state })
    }

    /// Sends a form to the token endpoint.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn token(&self, discovery: &Discovery, form: &[(&str, &str)]) -> Outcome<Answer> {
        let url = discovery.endpoint("token_endpoint")?;
        self.send(self.request("POST", &url)?.form(form)).await
    }

    /// Redeems the code of a callback.
    ///
    /// # Errors
    /// When the callback has no code or the code is refused.
    pub async fn redeem(
        &self,
        discovery: &Discovery,
        client_id: &str,
        authorization: &Authorization,
        callback: &Callback,
    ) -> Outcome<Tokens> {
        let code = callback.code.as_deref().ok_or_else(|| Trouble::new(format!("no code: {callback:?}")))?;
        if callback.state.as_deref() != Some(&authorization.state) {
            return Err(Trouble::new("the callback carries another state"));
        }
        if callback.iss.as_deref() != discovery.server["issuer"].as_str() {
            return Err(Trouble::new(format!("the callback names another issuer: {:?}", callback.iss)));
        }
        self.remember(code);
        let resource = query_value(&authorization.url, "resource").unwrap_or_default();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", client_id),
            ("code_verifier", &authorization.verifier),
            ("resource", &resource),
        ];
        Tokens::read(self, &self.token(discovery, &form).await?.expect_status(200)?)
    }

    /// Goes all the way: discovery, registration, consent, sign-in, tokens.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn sign_in(&self, browser: &Browser, person: &Person) -> Outcome<SignedIn> {
        let discovery = self.discover().await?;
        let client_id = self.register_publicly(&discovery).await?;
        let authorization = self.authorization(&discovery, &client_id)?;
        let callback = browser.sign_in(&authorization.url, person).await?;
        let tokens = self.redeem(&discovery, &client_id, &authorization, &callback).await?;
        Ok(SignedIn { client: self.clone(), discovery, client_id, tokens })
    }
}

impl Discovery {
    /// An endpoint out of the server's metadata.
    ///
    /// # Errors
    /// When it is not there.
    pub fn endpoint(&self, name: &str) -> Outcome<Url> {
        Url::parse(&text_of(&self.server, name)?).while_doing(format_args!("read {name}"))
    }
}

impl Tokens {
    /// Reads a token response (RFC 6749 section 5.1) and remembers its secrets.
    ///
    /// # Errors
    /// When it lacks a token.
    pub fn read(client: &McpClient, answer: &Answer) -> Outcome<Self> {
        let access = text_of(&answer.json, "access_token")?;
        let refresh = text_of(&answer.json, "refresh_token")?;
        client.remember(&access);
        client.remember(&refresh);
        Ok(Self { access, refresh, expires_in: answer.json["expires_in"].as_u64().unwrap_or_default() })
    }
}

impl SignedIn {
    /// Sends the refresh token and returns the raw answer.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_refresh(&self) -> Outcome<Answer> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.tokens.refresh.as_str()),
            ("client_id", &self.client_id),
        ];
        self.client.token(&self.discovery, &form).await
    }

    /// Replaces the tokens by refreshed ones.
    ///
    /// # Errors
    /// When the refresh is refused.
    pub async fn refresh(&mut self) -> Outcome {
        let answer = self.try_refresh().await?.expect_status(200)?;
        self.tokens = Tokens::read(&self.client, &answer)?;
        Ok(())
    }

    /// Revokes the refresh token (RFC 7009), which ends the session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn revoke(&self) -> Outcome<Answer> {
        let url = self.discovery.endpoint("revocation_endpoint")?;
        let form = [("token", self.tokens.refresh.as_str()), ("client_id", &self.client_id)];
        self.client.send(self.client.request("POST", &url)?.form(&form)).await
    }
}

fn text_of(value: &Value, name: &str) -> Outcome<String> {
    let text = value[name].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| Trouble::new(format!("no {name}")))
}

fn random_text() -> Outcome<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Trouble::new("no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
