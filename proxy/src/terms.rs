//! The field's words as types: each can only be made from text that was checked.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use url::Url;

/// Text that does not fit the type it was meant for. Holds the reason only, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub &'static str);

/// Names one session in the vault: 128 random bits, base64url. Not a credential: it travels inside signed tokens.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// Makes an id out of 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads an id as it stands in a token.
    ///
    /// # Errors
    /// When the text is not 22 base64url characters.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        if is_base64url(text, 22) { Ok(Self(text.to_owned())) } else { Err(Unfit("not a session id")) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An OAuth client identifier of this authorization server (RFC 6749 section 2.2): a random registered one, or, for a
/// client ID metadata document, an https URL.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(String);

impl ClientId {
    /// Makes a registered client's id out of 16 random bytes; never starts with `https://`.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("mcp-{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a client id from a request.
    ///
    /// # Errors
    /// When it is empty, longer than 512 bytes or holds anything but visible ASCII (RFC 6749 appendix A.1).
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        if text.is_empty() || text.len() > 512 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Unfit("not a client id"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A resource indicator (RFC 8707): the absolute URL of one protected route, without fragment and trailing slash.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Resource(String);

impl Resource {
    /// Reads a resource indicator; a trailing slash is dropped, since clients send both forms.
    ///
    /// # Errors
    /// When it is no absolute http or https URL, or has a fragment, a query or user information.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let url = Url::parse(text).map_err(|_| Unfit("not an absolute URL"))?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "https" | "http") || !plain || url.password().is_some() {
            return Err(Unfit("not a plain http(s) URL"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL as text, slash-less: the form that goes into metadata and tokens.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A set of scopes (RFC 6749 section 3.3), in the order given, without repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads a space-separated list; empty text is the empty set.
    ///
    /// # Errors
    /// When a scope holds a character outside RFC 6749 appendix A.4, or there are more than 32.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if scope.len() > 128
                || !scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
            {
                return Err(Unfit("not a scope"));
            }
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        if scopes.len() > 32 { Err(Unfit("too many scopes")) } else { Ok(Self(scopes)) }
    }

    /// Whether every scope of `wanted` is in this set.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|scope| self.0.contains(scope))
    }

    /// The scopes that are in both sets, in this set's order.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|scope| other.0.contains(scope)).cloned().collect())
    }

    /// The scopes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(other.0.iter().filter(|scope| !self.0.contains(scope)).cloned());
        Self(all)
    }

    /// The scopes, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether no scope is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn is_base64url(text: &str, length: usize) -> bool {
    text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Serde and formatting for the single-string types: reading goes through `parse`, so a stored value is checked again.
macro_rules! text_type {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = Unfit;
            fn try_from(text: String) -> Result<Self, Unfit> {
                Self::parse(&text)
            }
        }
    )+};
    (display $($name:ident),+) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}
text_type!(SessionId, ClientId, Resource, Scopes);
text_type!(display SessionId, ClientId, Resource);

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_drops_its_trailing_slash_and_refuses_fragments() {
        assert_eq!(
            Resource::parse("https://edge.example/mcp/").unwrap().as_str(),
            "https://edge.example/mcp"
        );
        assert_eq!(Resource::parse("https://edge.example").unwrap().as_str(), "https://edge.example");
        for bad in ["/mcp", "ftp://edge.example/", "https://edge.example/#x", "https://u:p@edge.example/"] {
            assert!(Resource::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_cover_only_what_they_hold() {
        let held = Scopes::parse("plane:read offline_access plane:read").unwrap();
        assert_eq!(held.to_string(), "plane:read offline_access");
        assert!(held.covers(&Scopes::parse("plane:read").unwrap()));
        assert!(!held.covers(&Scopes::parse("plane:write").unwrap()));
        assert!(Scopes::parse("quo\"te").is_err());
    }

    #[test]
    fn a_session_id_is_read_back_only_in_its_own_shape() {
        let sid = SessionId::from_random([7; 16]);
        assert_eq!(SessionId::parse(sid.as_str()).unwrap(), sid);
        assert!(SessionId::parse("../../other").is_err());
    }
}
