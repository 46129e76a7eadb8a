//! How a client says who it is at the token and revocation endpoints (RFC 6749 section 2.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use service::Secret;

use super::clients::{AuthMethod, Client};
use super::error::OAuthError;
use super::opaque::{fingerprint, same};
use super::parameters::Parameters;
use super::{OAuth, OAuthRequest};
use crate::terms::ClientId;

/// What a client says of itself, not yet checked.
struct Credentials {
    id: ClientId,
    secret: Option<Secret>,
    /// Whether it was said in the `Authorization` header.
    header: bool,
}

impl OAuth {
    /// The client that makes this request, proven as it registered. A confidential client may use header or form.
    pub(super) async fn authenticate(
        &self,
        request: &OAuthRequest,
        form: &Parameters,
    ) -> Result<Client, OAuthError> {
        let said = credentials(request, form)?;
        let Some(client) = self.granted_client(&said.id).await? else {
            return Err(OAuthError::invalid_client("client_unknown", said.header));
        };
        let proven = match (&client.auth_method, &client.secret_hash, &said.secret) {
            (AuthMethod::None, _, _) => true,
            (AuthMethod::Basic | AuthMethod::Post, Some(hash), Some(secret)) => {
                same(&fingerprint(secret.expose()), hash)
            }
            (AuthMethod::Basic | AuthMethod::Post, _, _) => false,
        };
        if !proven {
            return Err(OAuthError::invalid_client("client_secret_wrong", said.header));
        }
        Ok(client)
    }
}

fn credentials(request: &OAuthRequest, form: &Parameters) -> Result<Credentials, OAuthError> {
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let (header, second) = (headers.next(), headers.next());
    if second.is_some() {
        return Err(OAuthError::invalid_request("two_authorizations", "send one Authorization header"));
    }
    let in_form = form.value("client_id");
    let Some(header) = header else {
        let id = in_form
            .ok_or_else(|| OAuthError::invalid_request("client_id_missing", "say who the client is"))?;
        let id = ClientId::parse(id).map_err(|_| OAuthError::invalid_client("client_id_malformed", false))?;
        return Ok(Credentials { id, secret: form.value("client_secret").map(Secret::new), header: false });
    };
    let malformed = || OAuthError::invalid_client("client_credentials_malformed", true);
    let (id, secret) = header.to_str().ok().and_then(basic).ok_or_else(malformed)?;
    let id = ClientId::parse(&id).map_err(|_| malformed())?;
    if form.value("client_secret").is_some() || in_form.is_some_and(|other| other != id.as_str()) {
        return Err(OAuthError::invalid_request(
            "two_client_credentials",
            "say who the client is in one way",
        ));
    }
    Ok(Credentials {
        id,
        secret: Some(secret).filter(|secret| !secret.is_empty()).map(Secret::new),
        header: true,
    })
}

/// Id and secret of `Basic …`, each form-encoded before it was joined (RFC 6749 section 2.3.1).
pub(super) fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    // A name without a value is decoded as one pair; `&` and `=` cannot stand in it unencoded.
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (None, _) => Some(String::new()),
        (Some((name, value)), None) if value.is_empty() => Some(name.into_owned()),
        _ => None,
    }
}
