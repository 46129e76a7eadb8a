//! The identities tokens are checked against: issuers and app clients.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;
use url::{Host, Url};

/// A token issuer: an absolute `https` URL in its normal form and without a trailing slash.
///
/// Plain `http` is accepted for loopback hosts only, which is where test doubles live. Two issuers are equal when
/// their bytes are (RFC 8414 section 3.3): there is no normalising on comparison, so there is none to get wrong.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Issuer(Arc<str>);

/// Why a text is not an [`Issuer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidIssuer {
    /// It does not parse as an absolute URL with a host.
    #[error("is not an absolute URL")]
    NotAUrl,
    /// It is not `https`, and not `http` on a loopback host.
    #[error("must be https (http is for loopback hosts only)")]
    Insecure,
    /// It has a user name, password, query or fragment.
    #[error("must have no user info, query or fragment")]
    NotBare,
    /// It ends in a slash, which Cognito's issuers never do.
    #[error("must not end in a slash")]
    TrailingSlash,
    /// Written differently from its normal form (upper-case host, default port, dot segments, white space).
    #[error("is not in its normal form (lower-case host, no default port, no dot segments, no white space)")]
    NotNormal,
    /// The region is not a name like `eu-central-1`.
    #[error("has a region that is not a region name")]
    Region,
    /// The pool id is not of the form `<region>_<letters and digits>`, at most 55 characters.
    #[error("has a user pool id that is not of the form <region>_<letters and digits>")]
    PoolId,
}

/// Which of Cognito's two issuer formats a pool uses (`IssuerConfiguration.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssuerFormat {
    /// `https://cognito-idp.<region>.amazonaws.com/<pool>`
    #[default]
    Original,
    /// `https://issuer-cognito-idp.<region>.amazonaws.com/<pool>`, the multi-region one
    Updated,
}

impl Issuer {
    /// Reads an issuer as configured.
    ///
    /// # Errors
    /// The first rule of [`InvalidIssuer`] that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl)?;
        let host = url.host().ok_or(InvalidIssuer::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            _ => return Err(InvalidIssuer::Insecure),
        }
        let has_user_info = !url.username().is_empty() || url.password().is_some();
        if has_user_info || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::NotBare);
        }
        if text.ends_with('/') {
            return Err(InvalidIssuer::TrailingSlash);
        }
        // The parser writes an empty path as "/", which is the one difference that is not ours to refuse.
        if url.as_str() != text && url.as_str().strip_suffix('/') != Some(text) {
            return Err(InvalidIssuer::NotNormal);
        }
        Ok(Self(text.into()))
    }

    /// The issuer AWS gives a user pool, for the regions whose name decides the DNS suffix. Where it does not (a
    /// FIPS or private host), configure the whole issuer and use [`Issuer::parse`].
    ///
    /// # Errors
    /// [`InvalidIssuer::Region`] or [`InvalidIssuer::PoolId`].
    pub fn for_pool(region: &str, pool_id: &str, format: IssuerFormat) -> Result<Self, InvalidIssuer> {
        if !is_region(region) {
            return Err(InvalidIssuer::Region);
        }
        if !is_pool_id(pool_id) {
            return Err(InvalidIssuer::PoolId);
        }
        let service = match format {
            IssuerFormat::Original => "cognito-idp",
            IssuerFormat::Updated => "issuer-cognito-idp",
        };
        // The European Sovereign Cloud is the one partition with user pools and a suffix of its own.
        let suffix = if region.starts_with("eusc-") { "amazonaws.eu" } else { "amazonaws.com" };
        Self::parse(&format!("https://{service}.{region}.{suffix}/{pool_id}"))
    }

    /// The issuer, byte for byte as a token's `iss` must be.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A document below the issuer, such as `.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`InvalidIssuer::NotAUrl`] if the two do not make a URL, which no fixed path does.
    pub fn document(&self, path: &str) -> Result<Url, InvalidIssuer> {
        Url::parse(&format!("{}/{path}", self.0)).map_err(|_| InvalidIssuer::NotAUrl)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The id of an app client of a user pool: letters, digits, `_` and `+`, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

/// The text is not the id of an app client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not an app client id (letters, digits, _ and +, at most 128 characters)")]
pub struct InvalidClientId;

impl ClientId {
    /// Reads a client id as configured.
    ///
    /// # Errors
    /// [`InvalidClientId`] when it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, InvalidClientId> {
        let fits = !text.is_empty() && text.len() <= 128;
        if !fits || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+')) {
            return Err(InvalidClientId);
        }
        Ok(Self(text.into()))
    }

    /// The id as Cognito writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

fn is_region(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 32 && text.bytes().all(allowed) && !text.starts_with('-')
}

fn is_pool_id(text: &str) -> bool {
    let Some((region, id)) = text.rsplit_once('_') else { return false };
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let region_fits = !region.is_empty() && region.bytes().all(word);
    text.len() <= 55 && region_fits && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_issuer_formats_are_built_from_region_and_pool() {
        let build = |format| Issuer::for_pool("eu-central-1", "eu-central-1_AbC123", format).unwrap();
        assert_eq!(
            build(IssuerFormat::Original).as_str(),
            "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC123"
        );
        assert_eq!(
            build(IssuerFormat::Updated).as_str(),
            "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC123"
        );
        let sovereign =
            Issuer::for_pool("eusc-de-east-1", "eusc-de-east-1_a", IssuerFormat::Original).unwrap();
        assert_eq!(sovereign.as_str(), "https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_a");
    }

    #[test]
    fn a_region_or_pool_that_would_change_the_url_is_refused() {
        let build = |region, pool| Issuer::for_pool(region, pool, IssuerFormat::Original);
        for region in ["", "eu/central", "evil.example#", "EU-central-1", "-x"] {
            assert_eq!(build(region, "eu_A"), Err(InvalidIssuer::Region), "{region}");
        }
        for pool in
            ["", "nounderscore", "eu_", "_A", "eu_A/../x", "eu_A?x", &format!("eu_{}", "a".repeat(60))]
        {
            assert_eq!(build("eu-west-1", pool), Err(InvalidIssuer::PoolId), "{pool}");
        }
    }

    #[test]
    fn an_issuer_is_accepted_only_in_its_one_spelling() {
        for good in ["https://idp.example", "https://idp.example/pool_1", "https://idp.example:8443/p"] {
            assert_eq!(Issuer::parse(good).map(|i| i.to_string()), Ok(good.to_owned()));
        }
        let bad = [
            ("idp.example/pool", InvalidIssuer::NotAUrl),
            ("", InvalidIssuer::NotAUrl),
            ("data:text/plain,x", InvalidIssuer::NotAUrl),
            ("ftp://idp.example/p", InvalidIssuer::Insecure),
            ("http://idp.example/p", InvalidIssuer::Insecure),
            ("https://u@idp.example/p", InvalidIssuer::NotBare),
            ("https://idp.example/p?x=1", InvalidIssuer::NotBare),
            ("https://idp.example/p#x", InvalidIssuer::NotBare),
            ("https://idp.example/", InvalidIssuer::TrailingSlash),
            ("https://idp.example/p/", InvalidIssuer::TrailingSlash),
            ("https://IDP.example/p", InvalidIssuer::NotNormal),
            ("https://idp.example:443/p", InvalidIssuer::NotNormal),
            ("https://idp.example/a/../p", InvalidIssuer::NotNormal),
            (" https://idp.example/p", InvalidIssuer::NotNormal),
        ];
        for (text, problem) in bad {
            assert_eq!(Issuer::parse(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_hosts_only() {
        for good in ["http://127.0.0.1:9229/p", "http://localhost:9229/p", "http://[::1]:9229/p"] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://10.0.0.1/p", "http://localhost.example/p", "http://127.0.0.1.example/p"] {
            assert_eq!(Issuer::parse(bad), Err(InvalidIssuer::Insecure), "{bad}");
        }
    }

    #[test]
    fn client_ids_hold_only_what_cognito_makes() {
        assert!(ClientId::parse("1h57kf5cpq17m0eml12EXAMPLE+_").is_ok());
        for bad in ["", "a b", "a-b", "é", &"a".repeat(129)] {
            assert_eq!(ClientId::parse(bad), Err(InvalidClientId), "{bad}");
        }
    }
}
