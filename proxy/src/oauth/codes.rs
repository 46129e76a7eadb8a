//! Authorization codes: one use, short-lived, bound to client, redirect URI and PKCE challenge.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::OAuth;
use super::error::OAuthError;
use super::opaque::{fingerprint, opaque};
use crate::keys::Purpose;
use crate::store::names;
use crate::terms::{ClientId, Resource, Scopes, SessionId};

/// How long it is remembered that a code was spent, so that its second use ends the session.
const SPENT_FOR: Duration = Duration::from_secs(10 * 60);

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    /// The session that began.
    pub(super) sid: SessionId,
    /// For whom.
    pub(super) client: ClientId,
    /// Where the code was sent.
    pub(super) redirect_uri: String,
    /// The client's PKCE challenge, S256.
    pub(super) challenge: String,
    /// What was granted.
    pub(super) scopes: Scopes,
    /// Where.
    pub(super) resource: Resource,
    /// When the code ends (unix seconds).
    pub(super) expires: u64,
}

/// One record for both states, so that going from one to the other is a single swap.
#[derive(Debug, Serialize, Deserialize)]
enum Record {
    Fresh(Code),
    Spent { sid: SessionId },
}

/// What a presented code is.
pub(super) enum Presented {
    /// Never used. Spend it with the bytes that were read.
    Fresh(Code, Bytes),
    /// Used before: stolen, or sent twice. Its session must end (RFC 6749 section 4.1.2).
    Spent(SessionId),
    /// Not ours, or too old.
    Unknown,
}

impl OAuth {
    /// Makes a code.
    pub(super) async fn issue_code(&self, code: Code) -> Result<String, OAuthError> {
        let text = opaque::<32>();
        let ttl = self.settings.code;
        self.records.write(Purpose::Transaction, &key(&text), &Record::Fresh(code), ttl).await?;
        Ok(text)
    }

    /// Looks a code up, without spending it.
    pub(super) async fn presented(&self, code: &str) -> Result<Presented, OAuthError> {
        Ok(match self.records.read::<Record>(Purpose::Transaction, &key(code)).await? {
            Some(held) => match held.value {
                Record::Fresh(code) if code.expires <= self.clock.unix() => Presented::Unknown,
                Record::Fresh(code) => Presented::Fresh(code, held.stored),
                Record::Spent { sid } => Presented::Spent(sid),
            },
            None => Presented::Unknown,
        })
    }

    /// Spends a code; of several at once exactly one does.
    pub(super) async fn spend(&self, text: &str, held: &Bytes, sid: &SessionId) -> Result<bool, OAuthError> {
        let spent = Record::Spent { sid: sid.clone() };
        self.records.swap(Purpose::Transaction, &key(text), (held, &spent), SPENT_FOR).await
    }
}

fn key(code: &str) -> String {
    names::code(&fingerprint(code))
}
