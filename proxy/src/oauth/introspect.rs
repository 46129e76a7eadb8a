//! Introspection (RFC 7662): whether a token of ours is good, and what it is good for.
//!
//! A confidential client may ask about its own tokens. A resource server that was given the introspection secret, and shows
//! it as `Basic introspection:<secret>` or as a bearer, may ask about all. Nobody else learns anything.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use service::Secret;

use super::clients::AuthMethod;
use super::credentials::basic;
use super::error::OAuthError;
use super::grants::RefreshToken;
use super::parameters::Parameters;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::terms::{ClientId, SessionId};
use crate::vault::{Session, VaultError};

/// What a resource server is called in `Basic`. No client can be: their ids begin otherwise.
const RESOURCE_SERVER: &str = "introspection";

/// Who asks.
enum Asker {
    /// Whoever holds the introspection secret.
    ResourceServer,
    /// A client that proved itself.
    Client(ClientId),
}

/// A token that is good, and its session.
struct Active {
    client: ClientId,
    description: Value,
}

impl OAuth {
    /// `POST /introspect`.
    pub(super) async fn introspect(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::Method("POST"));
        }
        let answered = self.introspected(request).await.map_err(Refusal::Json)?;
        Ok(Reply::Json(StatusCode::OK, answered.to_string().into()))
    }

    /// Whether the request shows the introspection secret: such a server asks for each of its own requests.
    #[must_use]
    pub fn is_resource_server(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(only), None) = (all.next(), all.next()) else { return false };
        let (Some(secret), Ok(shown)) = (&self.settings.introspection_secret, only.to_str()) else {
            return false;
        };
        let Some((scheme, value)) = shown.split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            return Secret::new(value.trim()) == *secret;
        }
        // Form-encoded first, as RFC 6749 section 2.3.1 has it, or as it is, as most servers send it.
        let encoded = basic(shown)
            .is_some_and(|(id, password)| id == RESOURCE_SERVER && Secret::new(password) == *secret);
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        let plain = || STANDARD.decode(value.trim()).ok().and_then(|pair| String::from_utf8(pair).ok());
        let expected = Secret::new(format!("{RESOURCE_SERVER}:{}", secret.expose()));
        encoded || (is_basic && plain().is_some_and(|pair| Secret::new(pair) == expected))
    }

    async fn introspected(&self, request: &OAuthRequest) -> Result<Value, OAuthError> {
        let form = Parameters::of_form(request)?;
        let asker = self.asker(request, &form).await?;
        let text = form.required("token", "token_missing", "send the token")?;
        let active = match RefreshToken::parse(text) {
            Some(token) => self.active_refresh_token(&token).await?,
            None => self.active_access_token(text).await?,
        };
        // The token of another client is none that this one may know of (RFC 7662 section 4).
        let told = active.filter(|active| match &asker {
            Asker::ResourceServer => true,
            Asker::Client(id) => *id == active.client,
        });
        Ok(told.map_or_else(|| json!({ "active": false }), |active| active.description))
    }

    async fn asker(&self, request: &OAuthRequest, form: &Parameters) -> Result<Asker, OAuthError> {
        if self.is_resource_server(&request.headers) {
            return Ok(Asker::ResourceServer);
        }
        if !request.headers.contains_key(AUTHORIZATION) && form.value("client_secret").is_none() {
            return Err(OAuthError::invalid_client("introspection_without_secret", true));
        }
        let client = self.authenticate(request, form).await?;
        // A public client proves nothing by its id, which anybody may know.
        if client.auth_method == AuthMethod::None {
            return Err(OAuthError::invalid_client("introspection_without_secret", true));
        }
        Ok(Asker::Client(client.id))
    }

    async fn active_access_token(&self, text: &str) -> Result<Option<Active>, OAuthError> {
        let Ok(claims) = self.tokens.checked(text, &self.vault).await? else { return Ok(None) };
        let Some(session) = self.living(&claims.sid).await? else { return Ok(None) };
        let is_its_own = session.client == claims.client
            && session.user.subject == claims.subject
            && session.resource == claims.resource;
        // Without the seconds that clocks are forgiven: nobody should start anything with it now.
        if !is_its_own || claims.expires <= self.clock.unix() {
            return Ok(None);
        }
        let description = json!({
            "active": true,
            "token_type": "Bearer",
            "scope": claims.scopes,
            "client_id": claims.client,
            "username": session.user.username,
            "sub": claims.subject,
            "aud": claims.resource,
            "iss": self.settings.issuer,
            "iat": claims.issued_at,
            "exp": claims.expires,
            "jti": claims.jti,
        });
        Ok(Some(Active { client: claims.client, description }))
    }

    async fn active_refresh_token(&self, token: &RefreshToken<'_>) -> Result<Option<Active>, OAuthError> {
        let Some(session) = self.living(&token.sid).await? else { return Ok(None) };
        let Some((client, scopes, since)) = self.good_refresh_token(token, &session).await? else {
            return Ok(None);
        };
        let description = json!({
            "active": true,
            // Its type and audience say that it is for us alone: no resource server should take it for a bearer.
            "token_type": "refresh_token",
            "aud": self.settings.issuer,
            "scope": scopes,
            "client_id": client,
            "username": session.user.username,
            "sub": session.user.subject,
            "iss": self.settings.issuer,
            "iat": since,
            "exp": session.ends,
        });
        Ok(Some(Active { client, description }))
    }

    /// The session, unless it is over: the store is asked each time, since a revocation counts at once.
    async fn living(&self, sid: &SessionId) -> Result<Option<Arc<Session>>, OAuthError> {
        match self.vault.open(sid).await {
            Ok(session) => Ok(Some(session)),
            Err(VaultError::Gone | VaultError::Ended) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
