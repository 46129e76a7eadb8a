//! What is remembered of sessions, for whoever asks why one ended: `doctor --why`. No token is among it.
//!
//! | key | holds | ends |
//! |---|---|---|
//! | `history:{sid}` | whose the session is or was, for which client, since when and until when | `vault.history_days` after its time is up |
//! | `ending:{sid}` | when and why it was ended before its time | `vault.history_days` later |
//! | `sessions-of:{mac}` | the ids of a person's latest sessions, once by user name and once by `sub` | with the last of them |
//!
//! All of it is sealed, and a person's name stands in keys only as a keyed hash. It is written beside what it tells of: a
//! failure to write it is logged and fails nothing. A session's record is written again at each refresh, by the current
//! key; its ending has a record of its own, which no belated writer can undo.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{EndReason, Session};
use crate::keys::{KeyRing, Purpose, SealError};
use crate::store::{Store, StoreDown, names};
use crate::terms::{ClientId, Resource, SessionId};

mod archive;

pub use archive::{Archive, Remembered, Stored};

/// How many sessions of a person are remembered; the oldest is forgotten for the next.
pub const SESSIONS: usize = 10;
/// How often a lost race for a person's list is run again.
const TRIES: usize = 5;

/// A session, without anything secret. Unknown fields are ignored, so that a replica of the last version reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The session.
    pub sid: SessionId,
    /// The user's issuer.
    pub issuer: String,
    /// Cognito's `sub`.
    pub subject: String,
    /// `cognito:username`.
    pub username: String,
    /// For which client.
    pub client: ClientId,
    /// At which resource.
    pub resource: Resource,
    /// When the user signed in (unix seconds).
    pub opened: u64,
    /// When it ends whatever happens (unix seconds).
    pub ends: u64,
    /// Whether the client came for it; until then it is kept for a few minutes only.
    pub redeemed: bool,
    /// When Cognito's tokens were last refreshed (unix seconds).
    pub refreshed: Option<u64>,
}

/// How a session ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When (unix seconds).
    pub at: u64,
    /// Why.
    pub reason: EndReason,
    /// What Cognito said of it, where it did.
    #[serde(default)]
    pub said: Option<String>,
}

/// What has just become of a session that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    SignedIn,
    Redeemed,
    Refreshed,
}

impl Story {
    fn of(session: &Session) -> Self {
        Self {
            sid: session.sid.clone(),
            issuer: session.user.issuer.clone(),
            subject: session.user.subject.clone(),
            username: session.user.username.clone(),
            client: session.client.clone(),
            resource: session.resource.clone(),
            opened: session.created,
            ends: session.ends,
            redeemed: true,
            refreshed: None,
        }
    }
}

/// The one writer of what is remembered.
pub(super) struct History {
    store: Arc<dyn Store>,
    seals: Seals,
    /// Nothing: no record is written.
    keep_for: Duration,
}

impl History {
    pub(super) fn new(store: Arc<dyn Store>, keys: Arc<KeyRing>, keep_for: Duration) -> Self {
        Self { store, seals: Seals(keys), keep_for }
    }

    /// Notes that a session has come so far at `now` (unix seconds).
    pub(super) async fn note(&self, session: &Session, step: Step, now: u64) {
        if self.keep_for.is_zero() {
            return;
        }
        let story = Story {
            redeemed: step != Step::SignedIn,
            refreshed: (step == Step::Refreshed).then_some(now),
            ..Story::of(session)
        };
        let ttl = session.time_left(now) + self.keep_for;
        let name = names::history(session.sid.as_str());
        let written = self.store.put(&name, self.seals.seal(&name, &story), ttl);
        let (written, listed) = tokio::join!(written, self.enlist(&story, ttl, step != Step::Refreshed));
        complain(&session.sid, written.and(listed));
    }

    /// Notes an ending. `session` is not known where its record could not be opened.
    pub(super) async fn ended(&self, sid: &SessionId, session: Option<&Session>, ending: &Ending) {
        if self.keep_for.is_zero() {
            return;
        }
        let name = names::ending(sid.as_str());
        let noted = self.store.put(&name, self.seals.seal(&name, ending), self.keep_for);
        // Of a session that an older version began, nothing has been written yet.
        let told = async {
            let Some(session) = session else { return Ok(()) };
            let (name, story) = (names::history(sid.as_str()), Story::of(session));
            let ttl = session.time_left(ending.at) + self.keep_for;
            self.store.put_new(&name, self.seals.seal(&name, &story), ttl).await?;
            self.enlist(&story, ttl, true).await
        };
        let (noted, told) = tokio::join!(noted, told);
        complain(sid, noted.and(told));
    }

    /// Sees to it that a session stands in the lists of its person. A refresh, which comes again and again, pushes out
    /// nothing (`is_news` is false): more live sessions than a list holds would push out all that has ended.
    async fn enlist(&self, story: &Story, ttl: Duration, is_news: bool) -> Result<(), StoreDown> {
        let by_name = self.enlist_under(&story.username, &story.sid, ttl, is_news);
        if story.username == story.subject {
            return by_name.await;
        }
        let by_subject = self.enlist_under(&story.subject, &story.sid, ttl, is_news);
        let (by_name, by_subject) = tokio::join!(by_name, by_subject);
        by_name.and(by_subject)
    }

    async fn enlist_under(
        &self,
        who: &str,
        sid: &SessionId,
        ttl: Duration,
        is_news: bool,
    ) -> Result<(), StoreDown> {
        let name = self.seals.current_list(who);
        for _ in 0..TRIES {
            let held = self.store.get(&name).await?;
            // A list that cannot be read is of no use to anybody.
            let mut listed: Vec<SessionId> =
                held.as_deref().and_then(|blob| self.seals.open(&name, blob).ok()).unwrap_or_default();
            if listed.contains(sid) || (listed.len() >= SESSIONS && !is_news) {
                return Ok(());
            }
            listed.push(sid.clone());
            let kept = listed.split_off(listed.len().saturating_sub(SESSIONS));
            let blob = self.seals.seal(&name, &kept);
            let done = match &held {
                Some(held) => self.store.swap(&name, held, blob, ttl).await?,
                None => self.store.put_new(&name, blob, ttl).await?,
            };
            if done {
                for forgotten in listed {
                    self.store.delete(&names::history(forgotten.as_str())).await?;
                    self.store.delete(&names::ending(forgotten.as_str())).await?;
                }
                return Ok(());
            }
        }
        Ok(())
    }
}

fn complain(sid: &SessionId, written: Result<(), StoreDown>) {
    if let Err(down) = written {
        tracing::warn!(%sid, error = %down.source, "what became of a session was not noted for `doctor --why`");
    }
}

/// The seals of these records, and the names that hide a person's.
struct Seals(Arc<KeyRing>);

impl Seals {
    #[expect(clippy::expect_used, reason = "strings, numbers and lists of them have a JSON form")]
    fn seal(&self, name: &str, value: &impl Serialize) -> Bytes {
        let plain = serde_json::to_vec(value).expect("no map has keys that are not strings");
        self.0.seal(Purpose::History, name.as_bytes(), &plain).into()
    }

    fn open<T: DeserializeOwned>(&self, name: &str, blob: &[u8]) -> Result<T, SealError> {
        let opened = self.0.open(Purpose::History, name.as_bytes(), blob)?;
        serde_json::from_slice(&opened.plain).map_err(|_| SealError::Broken)
    }

    fn current_list(&self, who: &str) -> String {
        list(&self.0.mac(Purpose::History, who.as_bytes()))
    }

    /// A person's list by each key, the current one first.
    fn lists(&self, who: &str) -> impl Iterator<Item = String> {
        self.0.macs(Purpose::History, who.as_bytes()).map(|mac| list(&mac))
    }
}

fn list(mac: &[u8; 32]) -> String {
    names::sessions_of(&URL_SAFE_NO_PAD.encode(mac))
}
