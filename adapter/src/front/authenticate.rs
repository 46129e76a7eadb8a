//! From headers to a proven [`Caller`]. Identity headers a reverse proxy may set are never looked at: only a token
//! the adapter verifies itself, or a key Plane judges, says who asks.

use cognito::{Nonce, TokenError, Verifier};
use http::HeaderName;
use http::header::{AUTHORIZATION, HeaderMap};
use service::Secret;

use crate::caller::{Caller, Credential, Granted, Identity, Origin};
use crate::error::Refusal;
use crate::metrics::Metrics;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const WORKSPACE: HeaderName = HeaderName::from_static("x-workspace-slug");
/// The scopes of the client's token; written by the edge, which removes the client's own.
const SCOPE: HeaderName = HeaderName::from_static("x-mcp-scope");
/// Longer keys do not exist; Plane's are 42 characters.
const KEY_BYTES: usize = 512;

/// Proves who asks, or says why not.
///
/// # Errors
/// No credential or a bad one (401), more than one (400), or keys that cannot be had (503).
pub async fn authenticate(
    headers: &HeaderMap,
    verifier: &Verifier,
    metrics: &Metrics,
    request_id: &str,
) -> Result<Caller, Refusal> {
    let bearer = single(headers, &AUTHORIZATION, "Send exactly one Authorization header.")?;
    let key = single(headers, &API_KEY, "Send exactly one X-Api-Key header.")?;
    let scopes = single(headers, &SCOPE, "Send at most one X-Mcp-Scope header.")?;
    let granted = scopes.map_or_else(Granted::default, Granted::only);
    let caller = |credential, workspace| {
        let origin = Origin { request_id: request_id.to_owned(), trace: None };
        Caller { credential, workspace, origin, granted }
    };
    match (bearer, key) {
        (Some(_), Some(_)) => {
            Err(Refusal::AmbiguousCredential("Send either Authorization or X-Api-Key, not both."))
        }
        (None, None) => Err(Refusal::MissingCredential),
        (Some(bearer), None) => {
            Ok(caller(Credential::Identity(identify(bearer, verifier, metrics).await?), None))
        }
        (None, Some(key)) => {
            let workspace = single(headers, &WORKSPACE, "Send at most one X-Workspace-slug header.")?;
            let workspace = workspace.map(str::trim).filter(|slug| !slug.is_empty()).map(str::to_owned);
            Ok(caller(Credential::ApiKey(api_key(key)?), workspace))
        }
    }
}

/// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
async fn identify(authorization: &str, verifier: &Verifier, metrics: &Metrics) -> Result<Identity, Refusal> {
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(Refusal::MissingCredential),
    };
    // The nonce was checked where the user signed in.
    let checked = verifier.id_token(token, Nonce::Unchecked).await;
    metrics.token_checked(checked.as_ref().map_or_else(TokenError::reason, |_| "ok"));
    let claims = checked.map_err(|error| refused(&error))?;
    Ok(Identity {
        issuer: claims.iss.as_str().to_owned(),
        subject: claims.sub,
        username: claims.username,
        email: claims.email,
        id_token: Secret::new(token),
        expires: claims.exp,
    })
}

fn refused(error: &TokenError) -> Refusal {
    if error.is_ours() {
        tracing::warn!(error = error as &dyn std::error::Error, "cannot verify tokens");
        return Refusal::KeysUnavailable;
    }
    tracing::debug!(reason = error.reason(), "id token refused");
    Refusal::InvalidToken(error.reason())
}

fn api_key(text: &str) -> Result<Secret, Refusal> {
    let plain = text.len() <= KEY_BYTES && !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if plain { Ok(Secret::new(text)) } else { Err(Refusal::AmbiguousCredential("X-Api-Key cannot be read.")) }
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    message: &'static str,
) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refusal::AmbiguousCredential(message)),
        (Some(_), Some(_)) => Err(Refusal::AmbiguousCredential(message)),
    }
}
