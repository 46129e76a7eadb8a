//! The claims as they stand in the payload, before anything vouches for them.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::TokenError;

/// Every claim we read, of both token uses. Unknown claims are skipped, because Cognito adds new ones without
/// notice; a known claim of the wrong type, or given twice, makes the whole token malformed (CVE-2026-25537: a
/// verifier that skips an `exp` it cannot read accepts a token for ever).
#[derive(Deserialize)]
pub(super) struct Unverified {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) token_use: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub(super) aud: Option<Vec<String>>,
    pub(super) client_id: Option<String>,
    pub(super) username: Option<String>,
    #[serde(rename = "cognito:username")]
    pub(super) cognito_username: Option<String>,
    #[serde(rename = "cognito:groups")]
    pub(super) groups: Option<Vec<String>>,
    pub(super) email: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) exp: Option<u64>,
    pub(super) nbf: Option<u64>,
    pub(super) iat: Option<u64>,
    pub(super) auth_time: Option<u64>,
    pub(super) origin_jti: Option<String>,
    pub(super) jti: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) at_hash: Option<String>,
}

/// The text of a claim that must be there and say something.
pub(super) fn filled(claim: Option<String>, name: &'static str) -> Result<String, TokenError> {
    match claim {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) | None => Err(TokenError::MissingClaim(name)),
    }
}

/// `aud` is a string or a list of strings (RFC 7519 section 4.1.3).
fn one_or_many<'de, D>(deserializer: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a list of strings")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![text.to_owned()]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = list.next_element()? {
                all.push(text);
            }
            Ok(Some(all))
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}
