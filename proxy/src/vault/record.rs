//! A session as it is written down: the one place where its secrets are turned into bytes, which only `seal` sees.

use serde::{Deserialize, Serialize, Serializer};
use service::Secret;

use super::{CognitoTokens, Session, User};
use crate::terms::{ClientId, Resource, Scopes, SessionId};

/// Layout of the JSON under the seal. Raise it when an old reader would misread a new record; adding an optional field
/// does not.
const LAYOUT: u32 = 1;

/// A session and where its refresh stands.
pub(super) struct Record {
    pub(super) session: Session,
    /// Counts refreshes, so that a reader can tell a refreshed record from one that was only sealed anew.
    pub(super) generation: u64,
    /// What the last refresh brought, until it is verified. The refresh token that came with it is in the session
    /// already: whatever becomes of these tokens, it is the one that is good at Cognito.
    pub(super) unverified: Option<Unverified>,
}

/// Tokens that Cognito's token endpoint answered and nobody has verified yet. Never handed out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Unverified {
    #[serde(serialize_with = "exposed")]
    pub(super) access: Secret,
    #[serde(serialize_with = "exposed_option", default)]
    pub(super) id: Option<Secret>,
    /// When they came (unix seconds).
    pub(super) since: u64,
}

/// The JSON form. Unknown fields are ignored, so that a replica of the last version reads what a newer one wrote.
#[derive(Serialize, Deserialize)]
struct Written {
    layout: u32,
    sid: SessionId,
    issuer: String,
    subject: String,
    username: String,
    groups: Vec<String>,
    client: ClientId,
    scopes: Scopes,
    resource: Resource,
    #[serde(serialize_with = "exposed")]
    access: Secret,
    access_expires: u64,
    #[serde(serialize_with = "exposed")]
    id: Secret,
    id_expires: u64,
    #[serde(serialize_with = "exposed_option", default)]
    refresh: Option<Secret>,
    created: u64,
    ends: u64,
    generation: u64,
    #[serde(default)]
    unverified: Option<Unverified>,
}

/// Bytes that are no record.
#[derive(Debug, thiserror::Error)]
#[error("not a session record this version can read")]
pub(super) struct Unreadable;

impl Record {
    pub(super) fn new(session: Session) -> Self {
        Self { session, generation: 0, unverified: None }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Session { sid, user, client, scopes, resource, tokens, created, ends } = self.session.clone();
        let written = Written {
            layout: LAYOUT,
            sid,
            issuer: user.issuer,
            subject: user.subject,
            username: user.username,
            groups: user.groups,
            client,
            scopes,
            resource,
            access: tokens.access,
            access_expires: tokens.access_expires,
            id: tokens.id,
            id_expires: tokens.id_expires,
            refresh: tokens.refresh,
            created,
            ends,
            generation: self.generation,
            unverified: self.unverified.clone(),
        };
        #[expect(clippy::expect_used, reason = "strings, numbers and lists of them have a JSON form")]
        serde_json::to_vec(&written).expect("a record has no map with keys that are not strings")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        // The parser's message could quote a token: it is dropped.
        let written: Written = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
        if written.layout != LAYOUT {
            return Err(Unreadable);
        }
        let user = User {
            issuer: written.issuer,
            subject: written.subject,
            username: written.username,
            groups: written.groups,
        };
        let tokens = CognitoTokens {
            access: written.access,
            access_expires: written.access_expires,
            id: written.id,
            id_expires: written.id_expires,
            refresh: written.refresh,
        };
        let Written { sid, client, scopes, resource, created, ends, generation, unverified, .. } = written;
        let session = Session { sid, user, client, scopes, resource, tokens, created, ends };
        Ok(Self { session, generation, unverified })
    }
}

fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn exposed_option<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose()),
        None => serializer.serialize_none(),
    }
}
