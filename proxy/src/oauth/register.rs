//! Dynamic client registration (RFC 7591).

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::clients::{AuthMethod, Client};
use super::error::{ErrorCode, OAuthError};
use super::opaque::{fingerprint, opaque};
use super::parameters::expect_type;
use super::redirect::RedirectUri;
use super::reply::{Answer, Refusal, Reply};
use super::{OAuth, OAuthRequest};
use crate::keys;
use crate::terms::{ClientId, Scopes};

/// Most redirect URIs of one client.
const MAX_REDIRECT_URIS: usize = 10;
/// Most bytes of them together: strangers can fill the store with them. The known clients need less than 300.
const MAX_REDIRECT_BYTES: usize = 4096;
/// Longest name that is kept, in characters; the rest is cut off.
const MAX_NAME_CHARS: usize = 200;

/// What a client asks for. Members we do not know are ignored (RFC 7591 section 2).
#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    application_type: Option<String>,
}

/// What it gets: the metadata as registered (RFC 7591 section 3.2.1).
#[derive(Serialize)]
struct Registered<'a> {
    client_id: &'a ClientId,
    client_id_issued_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    /// 0: it does not expire. Only with a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u64>,
    redirect_uris: &'a [String],
    grant_types: Vec<&'static str>,
    response_types: [&'static str; 1],
    token_endpoint_auth_method: AuthMethod,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scopes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<&'static str>,
}

impl OAuth {
    /// `POST /register`.
    pub(super) async fn register(&self, request: &OAuthRequest) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::Method("POST, OPTIONS"));
        }
        self.registered(request).await.map_err(Refusal::Json)
    }

    async fn registered(&self, request: &OAuthRequest) -> Result<Reply, OAuthError> {
        expect_type(request, "application/json")?;
        let asked: Registration = serde_json::from_slice(&request.body).map_err(|_| {
            bad("registration_malformed", "send the client metadata of RFC 7591 as a JSON object")
        })?;
        self.check_redirect_uris(&asked.redirect_uris)?;
        let auth_method = auth_method(asked.token_endpoint_auth_method.as_deref())?;
        let grant_types = grant_types(asked.grant_types.as_deref())?;
        if asked.response_types.as_ref().is_some_and(|types| !types.iter().any(|kind| kind == "code")) {
            return Err(bad("response_types", "response_types must contain code"));
        }
        self.registrations.check(request.client).await?;
        let secret = (auth_method != AuthMethod::None).then(opaque::<32>);
        let client = Client {
            id: ClientId::from_random(keys::random::<16>()),
            name: shown_name(asked.client_name.as_deref().unwrap_or_default()),
            redirect_uris: asked.redirect_uris,
            auth_method,
            secret_hash: secret.as_deref().map(fingerprint),
            registered: self.clock.unix(),
            used: false,
        };
        self.keep_client(&client).await?;
        tracing::info!(client.id = %client.id, client.ip = %request.client, "client registered");
        let answer = Registered {
            client_id: &client.id,
            client_id_issued_at: client.registered,
            client_secret: secret.as_deref(),
            client_secret_expires_at: secret.as_ref().map(|_| 0),
            redirect_uris: &client.redirect_uris,
            grant_types,
            response_types: ["code"],
            token_endpoint_auth_method: auth_method,
            client_name: &client.name,
            scope: asked.scope.and_then(|scope| Scopes::parse(&scope).ok()).filter(|scope| !scope.is_empty()),
            application_type: application_type(asked.application_type.as_deref()),
        };
        let body = serde_json::to_vec(&answer)
            .map_err(|error| OAuthError::server_error("answer_unwritable", error))?;
        Ok(Reply::Json(StatusCode::CREATED, body.into()))
    }

    fn check_redirect_uris(&self, uris: &[String]) -> Result<(), OAuthError> {
        let refused =
            |reason, description| Err(OAuthError::new(ErrorCode::InvalidRedirectUri, reason, description));
        if uris.is_empty() {
            return refused("redirect_uris_missing", "give at least one redirect URI");
        }
        if uris.len() > MAX_REDIRECT_URIS {
            return refused("redirect_uris_too_many", "give at most 10 redirect URIs");
        }
        if uris.iter().map(String::len).sum::<usize>() > MAX_REDIRECT_BYTES {
            return refused("redirect_uris_too_long", "the redirect URIs may have 4096 bytes together");
        }
        let mut others = uris.iter();
        while let Some(uri) = others.next() {
            if others.as_slice().contains(uri) {
                return refused("redirect_uri_repeated", "give each redirect URI once");
            }
        }
        for text in uris {
            let Ok(uri) =
                RedirectUri::parse(text).inspect_err(|reason| tracing::debug!(reason, "redirect uri"))
            else {
                return refused(
                    "redirect_uri_unusable",
                    "a redirect URI must be https, or http on a loopback address, without fragment and user",
                );
            };
            if !self.allows(&uri) {
                return refused(
                    "redirect_uri_not_allowed",
                    "a redirect URI is not on the list of this server: ask its administrator to allow it",
                );
            }
        }
        Ok(())
    }
}

fn bad(reason: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, reason, description)
}

/// Absent means `none`, against RFC 7591: clients that leave it out are public ones, and fail when given a secret.
fn auth_method(asked: Option<&str>) -> Result<AuthMethod, OAuthError> {
    match asked {
        None | Some("none" | "") => Ok(AuthMethod::None),
        Some("client_secret_basic") => Ok(AuthMethod::Basic),
        Some("client_secret_post") => Ok(AuthMethod::Post),
        Some(_) => Err(bad(
            "auth_method_unsupported",
            "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post",
        )),
    }
}

/// Of the asked ones those that exist here; the authorization code must be among them.
fn grant_types(asked: Option<&[String]>) -> Result<Vec<&'static str>, OAuthError> {
    let ours = ["authorization_code", "refresh_token"];
    let Some(asked) = asked else { return Ok(ours.to_vec()) };
    if !asked.iter().any(|kind| kind == "authorization_code") {
        return Err(bad("grant_types", "grant_types must contain authorization_code"));
    }
    Ok(ours.into_iter().filter(|kind| asked.iter().any(|one| one == kind)).collect())
}

fn application_type(asked: Option<&str>) -> Option<&'static str> {
    match asked {
        Some("native") => Some("native"),
        Some("web") => Some("web"),
        _ => None,
    }
}

/// The name without what could disguise it: controls, and marks that turn the direction of text.
pub(super) fn shown_name(name: &str) -> String {
    let disguise = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    name.chars().filter(|c| !disguise(*c)).take(MAX_NAME_CHARS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_undisguised() {
        assert_eq!(shown_name(" Claude\u{202e}\n\u{7} Code "), "Claude Code");
        assert_eq!(shown_name(&"ä".repeat(500)).chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_client_that_names_no_method_is_public() {
        assert_eq!(auth_method(None).unwrap(), AuthMethod::None);
        assert!(auth_method(Some("private_key_jwt")).is_err());
    }
}
