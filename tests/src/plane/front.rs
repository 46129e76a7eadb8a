//! Traefik with oauth2-proxy in front of Plane, bearer path only: a valid token becomes `X-Auth-Request-*`, anything else is 401.
//!
//! As configured in the field: `skip_jwt_bearer_tokens`, `user_id_claim = cognito:username`, no fallback to a cookie session, the
//! client's own `X-Auth-Request-*` headers deleted under every spelling.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::Mutex;

use super::FrontOptions;
use super::api::Call;

/// The claim that names the user; when it is missing, `sub` does.
const USER_ID_CLAIM: &str = "cognito:username";

/// The token check with the keys it has fetched.
#[derive(Debug)]
pub(super) struct Front {
    options: FrontOptions,
    client: reqwest::Client,
    keys: Mutex<Vec<Jwk>>,
}

/// What the front tells Plane.
#[derive(Debug)]
pub(super) struct Identity {
    /// `X-Auth-Request-User`: the `sub`.
    user: String,
    /// `X-Auth-Request-Email`: the user id claim.
    pub(super) email: String,
}

impl Front {
    pub(super) fn new(options: FrontOptions) -> Self {
        // Loopback only: a proxy named in the environment must not see it.
        let client = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
        Self { options, client, keys: Mutex::new(Vec::new()) }
    }

    /// Who the one bearer token is for; none when it is not valid at `now` (Unix seconds), or not alone.
    pub(super) async fn identify(&self, headers: &HeaderMap, now: u64) -> Option<Identity> {
        let token = bearer(headers)?;
        let claims = self.verified(token).await?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let is_current = claims.get("exp").and_then(Value::as_u64).is_some_and(|expires| expires > now);
        if !is_current || text("iss") != Some(&self.options.issuer) || !self.has_audience(&claims) {
            return None;
        }
        let user = text("sub")?.to_owned();
        let email = text(USER_ID_CLAIM).map_or_else(|| user.clone(), str::to_owned);
        Some(Identity { user, email })
    }

    /// The first audience claim that exists decides.
    fn has_audience(&self, claims: &Value) -> bool {
        let claim = self.options.audience_claims.iter().find_map(|name| claims.get(name));
        match claim {
            Some(Value::String(audience)) => *audience == self.options.audience,
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(&self.options.audience)),
            _ => false,
        }
    }

    /// The claims, once the signature is verified; time and audience are the caller's.
    async fn verified(&self, token: &str) -> Option<Value> {
        let kid = decode_header(token).ok()?.kid;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        for key in self.keys_named(kid.as_deref()).await {
            let Ok(key) = DecodingKey::from_jwk(&key) else { continue };
            if let Ok(token) = decode::<Value>(token, &key, &validation) {
                return Some(token.claims);
            }
        }
        None
    }

    /// The keys with this id (all of them when the token names none), fetched anew when there is none.
    async fn keys_named(&self, kid: Option<&str>) -> Vec<Jwk> {
        let fits = |key: &&Jwk| kid.is_none() || key.common.key_id.as_deref() == kid;
        let mut keys = self.keys.lock().await;
        if !keys.iter().any(|key| fits(&key))
            && let Some(fetched) = self.fetch().await
        {
            *keys = fetched.keys;
        }
        keys.iter().filter(fits).cloned().collect()
    }

    async fn fetch(&self) -> Option<JwkSet> {
        let response = self.client.get(&self.options.jwks_url).send().await.ok()?;
        response.error_for_status().ok()?.json().await.ok()
    }
}

impl Identity {
    /// The request as Plane gets it: without the token, with this identity and no other.
    pub(super) fn forwarded(self, mut call: Call) -> Call {
        let spoofed: Vec<HeaderName> =
            call.headers.keys().filter(|name| is_identity(name)).cloned().collect();
        for name in spoofed {
            call.headers.remove(name);
        }
        call.headers.remove(AUTHORIZATION);
        for (name, value) in [("x-auth-request-user", self.user), ("x-auth-request-email", self.email)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                call.headers.insert(HeaderName::from_static(name), value);
            }
        }
        call
    }
}

fn is_identity(name: &HeaderName) -> bool {
    name.as_str().replace(['_', '.'], "-").starts_with("x-auth-request-")
}

/// The token of the only `Authorization` header: scheme exactly `Bearer`, one space, three parts of which two are JSON objects.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
    let parts: Vec<&str> = token.split('.').collect();
    matches!(*parts.as_slice(), [head, claims, _] if head.starts_with("ey") && claims.starts_with("ey"))
        .then_some(token)
}
