//! `[cognito]`, the part about Cognito's own access tokens as bearers.

use super::{found::Found, raw};
use crate::vault::index::Index;

/// Which of Cognito's own access tokens are taken as bearers.
#[derive(Debug, Clone)]
pub struct CognitoBearers {
    /// The app clients they may be issued to, our own first.
    pub client_ids: Vec<cognito::ClientId>,
    /// How the session behind one is found.
    pub index: Index,
}

/// None: they are not taken, which is the default.
pub(super) fn resolve(raw: &raw::Cognito, found: &mut Found) -> Option<CognitoBearers> {
    let mut client_ids = Vec::new();
    if let Ok(own) = cognito::ClientId::parse(&raw.client_id) {
        client_ids.push(own);
    }
    for (index, text) in raw.additional_client_ids.iter().enumerate() {
        let key = format!("cognito.additional_client_ids[{index}]");
        client_ids.extend(found.check(&key, cognito::ClientId::parse(text)));
    }
    if raw.accept_access_tokens {
        let index = if raw.match_by_sub { Index::OriginOrSubject } else { Index::Origin };
        return Some(CognitoBearers { client_ids, index });
    }
    let idle = "is of no use without cognito.accept_access_tokens = true";
    if raw.match_by_sub {
        found.say("cognito.match_by_sub", idle);
    }
    if !raw.additional_client_ids.is_empty() {
        found.say("cognito.additional_client_ids", idle);
    }
    None
}
