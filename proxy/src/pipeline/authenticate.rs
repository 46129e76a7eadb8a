//! Step 3. The bearer: exactly one, of the kind the route takes, and good for this route.

use http::{HeaderMap, header};
use service::Secret;

use crate::{
    config::{Route, RouteKind},
    error::Error,
    tokens::{AccessClaims, AccessTokens},
};

/// A bearer that was checked as far as it can be without asking anybody.
#[derive(Debug)]
pub enum Credential {
    /// One of our access tokens, for this route.
    Token(AccessClaims),
    /// What may be a Plane API key: its shape fits, Plane is the judge.
    ApiKey(Secret),
}

/// Finds and checks the bearer.
///
/// # Errors
/// [`Error::SeveralCredentials`], [`Error::NoToken`], [`Error::InvalidToken`].
pub fn authenticate(headers: &HeaderMap, route: &Route, tokens: &AccessTokens) -> Result<Credential, Error> {
    let bearer = bearer(headers)?;
    match route.kind {
        RouteKind::ApiKey => api_key(bearer),
        RouteKind::Mcp | RouteKind::Http => {
            let claims = tokens.verify(bearer).map_err(|refused| Error::InvalidToken(refused.reason()))?;
            // A token is good for the one resource it was asked for (RFC 8707 section 2).
            if claims.resource != route.resource {
                return Err(Error::InvalidToken("wrong_resource"));
            }
            Ok(Credential::Token(claims))
        }
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
