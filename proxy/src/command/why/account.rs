//! All that is told of a user's sessions, for people and for machines.

use std::fmt;

use serde::Serialize;
use service::probe::printable;

use super::fate::Fate;
use crate::oauth::{ClientDocuments, registered_name};
use crate::store::StoreDown;
use crate::terms::{ClientId, Resource, SessionId};
use crate::vault::EndReason;
use crate::vault::history::{Archive, Remembered};

/// What is told.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    asked: String,
    /// The latest first.
    sessions: Vec<Told>,
}

/// What is told of one session.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    whose: Option<Whose>,
    /// `live`, `waiting`, `ended`, `expired`, `never_redeemed`, `key_missing`, `unreadable` or `lost`.
    state: &'static str,
    ended: Option<String>,
    reason: Option<EndReason>,
    cognito_said: Option<String>,
    means: String,
    advice: String,
    /// Why the client may have asked to sign in although the session went on.
    notes: Vec<String>,
}

/// Whose session it is, and since when. Times are UTC, RFC 3339.
#[derive(Debug, Serialize)]
struct Whose {
    sid: SessionId,
    username: String,
    sub: String,
    issuer: String,
    client_id: ClientId,
    client_name: Option<String>,
    resource: Resource,
    opened: String,
    last_refreshed: Option<String>,
    expires: String,
}

impl Account {
    /// Reads and judges what is remembered of `who` at `now` (unix seconds).
    pub(super) async fn of(who: &str, archive: &Archive, now: u64) -> Result<Self, StoreDown> {
        let mut sessions = Vec::new();
        for known in archive.about(who).await? {
            sessions.push(told(&known, archive, now).await?);
        }
        note_later_sign_ins(&mut sessions);
        Ok(Self { asked: who.to_owned(), sessions })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

async fn told(known: &Remembered, archive: &Archive, now: u64) -> Result<Told, StoreDown> {
    let fate = Fate::of(known, now);
    let (mut whose, mut notes) = (None, Vec::new());
    if let Some(story) = &known.story {
        let registered = archive.client(&story.client).await?;
        if fate == Fate::Live {
            if !known.has_grant {
                notes.push("its refresh tokens are gone from Valkey, so that its client must sign in again when its access token ends: see what makes Valkey forget".to_owned());
            }
            if registered.is_none() && !ClientDocuments::is_meant(&story.client) {
                notes.push("the registration of its client is gone, after 90 days without use or from Valkey: the client must register anew and sign in again".to_owned());
            }
        }
        whose = Some(Whose {
            sid: story.sid.clone(),
            username: story.username.clone(),
            sub: story.subject.clone(),
            issuer: story.issuer.clone(),
            client_id: story.client.clone(),
            client_name: registered.as_deref().and_then(registered_name),
            resource: story.resource.clone(),
            opened: utc(story.opened),
            last_refreshed: story.refreshed.map(utc),
            expires: utc(story.ends),
        });
    }
    let ending = known.ending.as_ref();
    let ended = match (&fate, &known.story) {
        (Fate::Expired, Some(story)) => Some(utc(story.ends)),
        _ => ending.map(|ending| utc(ending.at)),
    };
    Ok(Told {
        whose,
        state: fate.word(),
        ended,
        reason: ending.map(|ending| ending.reason),
        cognito_said: ending.and_then(|ending| ending.said.clone()),
        means: fate.means(),
        advice: fate.advice(),
        notes,
    })
}

/// A client that signs in while it has a good session has lost its tokens: nothing of ours ended.
fn note_later_sign_ins(sessions: &mut [Told]) {
    for index in 1..sessions.len() {
        let (later, rest) = sessions.split_at_mut(index);
        let Some(one) = rest.first_mut().filter(|one| one.state == "live") else { continue };
        let Some(whose) = &one.whose else { continue };
        // The next one, of those after it.
        let again = later.iter().rev().filter_map(|other| other.whose.as_ref()).find(|other| {
            let same_name = other.client_name.is_some() && other.client_name == whose.client_name;
            let same = other.client_id == whose.client_id || same_name;
            same && other.resource == whose.resource && other.sub == whose.sub
        });
        if let Some(again) = again {
            one.notes.push(format!(
                "its client signed in again at {} although this session was good: the client had lost its tokens, or is another installation of the same",
                again.opened
            ));
        }
    }
}

/// RFC 3339 in UTC.
fn utc(unix: u64) -> String {
    let time = i64::try_from(unix).ok().and_then(|unix| jiff::Timestamp::from_second(unix).ok());
    time.map_or_else(|| "a time out of range".to_owned(), |time| time.to_string())
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = printable(&self.asked);
        match self.sessions.len() {
            0 => write!(
                f,
                "no sessions known of {asked}: nobody signed in by this cognito:username or sub, and no session has this id, or it was longer ago than vault.history_days. Mind capitals; that valkey.prefix and the vault's keys are the running proxy's; and that `mcp-edge-proxy keys status` tells of no key that is not configured, since what one sealed cannot be found by name."
            ),
            1 => write!(f, "1 session known of {asked}; times are UTC"),
            count => write!(f, "{count} sessions known of {asked}, the latest first; times are UTC"),
        }?;
        self.sessions.iter().try_for_each(|told| write!(f, "\n\n{told}"))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, state, ended, reason, means, advice, notes, .. } = self;
        match whose {
            None => write!(f, "{state}  whose it was is not known")?,
            Some(whose) => {
                let name = whose.client_name.as_deref().unwrap_or("a client without a name");
                writeln!(
                    f,
                    "{state}  session {}, of {} (sub {})",
                    whose.sid,
                    printable(&whose.username),
                    printable(&whose.sub)
                )?;
                writeln!(
                    f,
                    "    with {} ({}) at {}",
                    printable(name),
                    printable(whose.client_id.as_str()),
                    printable(whose.resource.as_str())
                )?;
                write!(f, "    opened {}", whose.opened)?;
                if let Some(refreshed) = &whose.last_refreshed {
                    write!(f, ", last refreshed {refreshed}")?;
                }
                if ended.is_none() {
                    write!(f, ", expires {}", whose.expires)?;
                }
            }
        }
        if let Some(ended) = ended {
            write!(f, ", ended {ended}")?;
        }
        let word = reason.map(|reason| format!(" [{}]", reason.as_str())).unwrap_or_default();
        write!(f, "\n    {means}{word}")?;
        for more in notes.iter().chain((!advice.is_empty()).then_some(advice)) {
            write!(f, "\n    {more}")?;
        }
        Ok(())
    }
}
