//! Revocation (RFC 7009). By hand, because the library sends it to https only, and so never to a test's double.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use openidconnect::HttpRequest;
use serde::Deserialize;
use service::Secret;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::http_client::{NoAnswer, fetch};
use super::{Settings, oauth_error};
use crate::provider::ProviderError;

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Revokes a refresh token; Cognito takes no other. An unknown or revoked one is answered 200.
pub(super) async fn revoke(settings: &Settings, endpoint: &Url, token: &Secret) -> Result<(), ProviderError> {
    let request = request(settings, endpoint, token)
        .map_err(|_| ProviderError::Misconfigured { code: "revocation_unusable".to_owned() })?;
    let answer = fetch(settings.http.clone(), request)
        .await
        .map_err(|cause| ProviderError::Unavailable(Box::new(cause)))?;
    if answer.status().is_success() {
        return Ok(());
    }
    match serde_json::from_slice::<Refusal>(answer.body()) {
        Ok(refusal) => Err(oauth_error(&refusal.error, None)),
        Err(_) => Err(ProviderError::Unavailable(Box::new(NoAnswer::Unreadable))),
    }
}

fn request(settings: &Settings, endpoint: &Url, token: &Secret) -> Result<HttpRequest, http::Error> {
    let mut form = Serializer::new(String::new());
    form.append_pair("token", token.expose());
    let mut request = http::Request::post(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    match &settings.client_secret {
        Some(secret) => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&settings.client_id), encoded(secret.secret()));
            request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
        }
        None => {
            form.append_pair("client_id", &settings.client_id);
        }
    }
    request.body(form.finish().into_bytes())
}
