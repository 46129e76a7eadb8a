//! Step 3. The bearer: exactly one, of the kind the route takes, and good for this route.

use std::sync::Arc;
use std::time::Duration;

use cognito::{AccessToken, KeySet, Verifier};
use http::{HeaderMap, header};
use service::{Clock, Secret};

use crate::{
    config::{CognitoBearers, Route, RouteKind},
    error::Error,
    metrics::Metrics,
    terms::Resource,
    tokens::{AccessClaims, AccessTokens, TokenRefused},
    vault::Vault,
};

/// A bearer that was checked as far as it can be without asking anybody.
#[derive(Debug)]
pub enum Credential {
    /// One of our access tokens, for this route.
    Token(AccessClaims),
    /// One of Cognito's own access tokens, verified. It names a person but no session, and is never forwarded.
    Cognito {
        /// What it says.
        token: AccessToken,
        /// The route's resource: where its session must be good.
        resource: Resource,
    },
    /// What may be a Plane API key: its shape fits, Plane is the judge.
    ApiKey(Secret),
}

/// Verifies Cognito's own access tokens as bearers: of the same issuers and keys as a sign-in's, of other app clients too.
#[derive(Debug)]
pub struct Bearers(Verifier);

impl Bearers {
    /// Takes what the settings say. Its keys are those the process has anyhow.
    #[must_use]
    pub fn new(
        settings: &CognitoBearers,
        keys: &Arc<KeySet>,
        clock: &Arc<dyn Clock>,
        leeway: Duration,
    ) -> Self {
        Self(Verifier::new(Arc::clone(keys), settings.client_ids.clone(), Arc::clone(clock), leeway))
    }

    async fn verify(&self, bearer: &str, route: &Route) -> Result<Credential, Error> {
        let token = self.0.access_token(bearer).await.map_err(|error| {
            if error.is_ours() {
                Error::Unavailable { part: "keys", source: Box::new(error) }
            } else {
                Error::InvalidToken(error.reason())
            }
        })?;
        // Cognito puts `aud` in only when its client asked for a resource (RFC 8707): then this must be it.
        let is_meant = match token.aud.as_deref() {
            None => true,
            Some([only]) => Resource::parse(only).is_ok_and(|resource| resource == route.resource),
            Some(_) => false,
        };
        if !is_meant {
            return Err(Error::InvalidToken("wrong_resource"));
        }
        Ok(Credential::Cognito { token, resource: route.resource.clone() })
    }
}

/// Finds and checks the bearer, and counts that; `bearers` where Cognito's own tokens are taken.
///
/// # Errors
/// [`Error::SeveralCredentials`], [`Error::NoToken`], [`Error::InvalidToken`]; [`Error::Unavailable`] without the
/// keys, Cognito's or ours.
pub async fn authenticate(
    headers: &HeaderMap,
    route: &Route,
    (tokens, vault): (&AccessTokens, &Vault),
    bearers: Option<&Bearers>,
    metrics: &Metrics,
) -> Result<Credential, Error> {
    let bearer = bearer(headers)?;
    let (kind, checked) = match route.kind {
        RouteKind::ApiKey => ("api_key", api_key(bearer)),
        _ => match (tokens.checked(bearer, vault).await, bearers) {
            // What does not even claim to be ours. Cognito's tokens have no `typ` and can be long.
            (Ok(Err(TokenRefused::WrongType | TokenRefused::TooLarge)), Some(bearers)) => {
                ("cognito", bearers.verify(bearer, route).await)
            }
            (Ok(verified), _) => ("access", ours(verified, route)),
            (Err(down), _) => ("access", Err(down.into())),
        },
    };
    metrics.token_checked(kind, checked.as_ref().map_or_else(Error::reason, |_| "ok"));
    checked
}

/// A token is good for the one resource it was asked for (RFC 8707 section 2).
fn ours(verified: Result<AccessClaims, TokenRefused>, route: &Route) -> Result<Credential, Error> {
    match verified {
        Ok(claims) if claims.resource != route.resource => Err(Error::InvalidToken("wrong_resource")),
        Ok(claims) => Ok(Credential::Token(claims)),
        Err(refused) => Err(Error::InvalidToken(refused.reason())),
    }
}

/// The one bearer token (RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let first = all.next().ok_or(Error::NoToken)?;
    if all.next().is_some() {
        return Err(Error::SeveralCredentials);
    }
    let text = first.to_str().map_err(|_| Error::InvalidToken("malformed_token"))?;
    let (scheme, token) = text.split_once(' ').ok_or(Error::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::NoToken);
    }
    let token = token.trim_matches(' ');
    // RFC 6750 b64token: whatever else it is, it is not a token, and a second one after a comma is not one either.
    let shaped = !token.is_empty()
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    if shaped { Ok(token) } else { Err(Error::InvalidToken("malformed_token")) }
}

fn api_key(bearer: &str) -> Result<Credential, Error> {
    // A JWT on this route is a token of somebody, and Plane has no use for it: it must not leave us.
    if bearer.len() > 256 || bearer.contains('.') {
        return Err(Error::InvalidToken("not_an_api_key"));
    }
    Ok(Credential::ApiKey(Secret::new(bearer.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn exactly_one_bearer_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(read(&["bEaReR  abc.def"]).unwrap(), "abc.def");
        assert!(matches!(read(&[]), Err(Error::NoToken)));
        assert!(matches!(read(&["Bearer a", "Bearer a"]), Err(Error::SeveralCredentials)));
        assert!(matches!(read(&["Basic YTpi"]), Err(Error::NoToken)));
        for bad in ["Bearer ", "Bearer a, Bearer b", "Bearer a b", "Bearer \"a\""] {
            assert!(matches!(read(&[bad]), Err(Error::InvalidToken("malformed_token"))), "{bad}");
        }
    }

    #[test]
    fn a_jwt_is_no_api_key() {
        assert!(api_key("plane_api_0123456789abcdef").is_ok());
        assert!(api_key("eyJhbGciOiJub25lIn0.e30.").is_err());
    }
}
