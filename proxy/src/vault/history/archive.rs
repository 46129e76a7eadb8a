//! Reading what is remembered: for an operator, never for a request.

use std::sync::Arc;

use super::{Ending, SESSIONS, Seals, Story};
use crate::keys::{KeyRing, Purpose, SealError};
use crate::store::{Store, StoreDown, names};
use crate::terms::{ClientId, SessionId};
use crate::vault::record::Record;

/// What is known of one session.
#[derive(Debug)]
pub struct Remembered {
    /// Whose and since when; not known of a session of which only the ending is.
    pub story: Option<Story>,
    /// How it ended, where somebody ended it.
    pub ending: Option<Ending>,
    /// What is stored of the session itself.
    pub stored: Stored,
    /// Whether the refresh tokens of its client are still known.
    pub has_grant: bool,
}

/// What is stored of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Nothing: it is over.
    Nothing,
    /// A record that can be opened: it goes on.
    Open,
    /// A record that was sealed with this key, which is not configured.
    KeyMissing(String),
    /// A record that cannot be read for another reason.
    Unreadable,
}

/// The reader. It writes nothing.
pub struct Archive {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    seals: Seals,
}

impl Archive {
    /// Reads what a vault with these keys wrote to this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Arc<KeyRing>) -> Self {
        let seals = Seals(Arc::clone(&keys));
        Self { store, keys, seals }
    }

    /// The latest sessions of a person, by user name or `sub`, or the one session of that id; the latest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn about(&self, who: &str) -> Result<Vec<Remembered>, StoreDown> {
        // In the order they began: that of the lists, those by older keys first.
        let mut sids: Vec<SessionId> = SessionId::parse(who).into_iter().collect();
        let names: Vec<String> = self.seals.lists(who).collect();
        for name in names.into_iter().rev() {
            let Some(blob) = self.store.get(&name).await? else { continue };
            let listed: Vec<SessionId> = self.seals.open(&name, &blob).unwrap_or_default();
            sids.retain(|sid| !listed.contains(sid));
            sids.extend(listed);
        }
        let mut found: Vec<Remembered> = Vec::new();
        for sid in sids.into_iter().rev() {
            found.extend(self.session(&sid).await?);
        }
        // Sign-ins of one second stay in that order.
        found.sort_by_key(|one| std::cmp::Reverse(one.story.as_ref().map(|story| story.opened)));
        found.truncate(SESSIONS);
        Ok(found)
    }

    async fn session(&self, sid: &SessionId) -> Result<Option<Remembered>, StoreDown> {
        let (history, ending) = (names::history(sid.as_str()), names::ending(sid.as_str()));
        let session = names::session(sid.as_str());
        let blob = self.store.get(&session).await?;
        let record = blob.as_deref().map(|blob| self.record(&session, blob));
        let (stored, live) = match record {
            None => (Stored::Nothing, None),
            Some(Ok(record)) => (Stored::Open, Some(Story::of(&record.session))),
            Some(Err(stored)) => (stored, None),
        };
        let story = match self.store.get(&history).await? {
            Some(blob) => self.seals.open(&history, &blob).ok(),
            None => None,
        };
        let ending = match self.store.get(&ending).await? {
            Some(blob) => self.seals.open(&ending, &blob).ok(),
            None => None,
        };
        let has_grant = self.store.get(&names::grant(sid.as_str())).await?.is_some();
        let story = story.or(live);
        let known = story.is_some() || ending.is_some() || stored != Stored::Nothing;
        Ok(known.then_some(Remembered { story, ending, stored, has_grant }))
    }

    fn record(&self, name: &str, blob: &[u8]) -> Result<Record, Stored> {
        let opened =
            self.keys.open(Purpose::Session, name.as_bytes(), blob).map_err(|error| match error {
                SealError::UnknownKey => {
                    Stored::KeyMissing(KeyRing::sealed_with(blob).unwrap_or_default().to_owned())
                }
                SealError::Broken => Stored::Unreadable,
            })?;
        Record::from_bytes(&opened.plain).map_err(|_| Stored::Unreadable)
    }

    /// What a registered client is stored as, if it still is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn client(&self, id: &ClientId) -> Result<Option<bytes::Bytes>, StoreDown> {
        self.store.get(&names::client(id.as_str())).await
    }
}
