//! What became of one session, and what that means to people.

use crate::vault::EndReason;
use crate::vault::history::{Ending, Remembered, Stored};

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Live,
    /// The user has just signed in, and the client has not come for it yet.
    Waiting,
    /// It was ended before its time.
    Ended(Ending),
    /// Its time was up.
    Expired,
    /// The client never came for it.
    NeverRedeemed,
    /// It is sealed with a key that is not configured.
    KeyMissing(String),
    /// Its record cannot be read, though the key is there.
    Unreadable,
    /// Its record is gone, and nobody ended it.
    Lost,
}

impl Fate {
    /// What became of a session by `now` (unix seconds). Endings that nobody writes down show in what is left.
    pub(super) fn of(known: &Remembered, now: u64) -> Self {
        if let Some(ending) = &known.ending {
            return Self::Ended(ending.clone());
        }
        let story = known.story.as_ref();
        let over = story.is_some_and(|story| story.ends <= now);
        let redeemed = story.is_none_or(|story| story.redeemed);
        match &known.stored {
            _ if over => Self::Expired,
            Stored::Open if redeemed => Self::Live,
            Stored::Open => Self::Waiting,
            Stored::KeyMissing(id) => Self::KeyMissing(id.clone()),
            Stored::Unreadable => Self::Unreadable,
            Stored::Nothing if redeemed => Self::Lost,
            Stored::Nothing => Self::NeverRedeemed,
        }
    }

    /// A short fixed word.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Waiting => "waiting",
            Self::Ended(_) => "ended",
            Self::Expired => "expired",
            Self::NeverRedeemed => "never_redeemed",
            Self::KeyMissing(_) => "key_missing",
            Self::Unreadable => "unreadable",
            Self::Lost => "lost",
        }
    }

    /// What it means, as the rest of a sentence after "because" or a colon.
    pub(super) fn means(&self) -> String {
        match self {
            Self::Live => "it goes on".to_owned(),
            Self::Waiting => {
                "the person has just signed in, and the client has not come for its tokens yet".to_owned()
            }
            Self::Ended(ending) => ended(ending),
            Self::Expired => "its time was up: oauth.refresh_token_days after the sign-in".to_owned(),
            Self::NeverRedeemed => {
                "the person signed in, but the client never came for its tokens with the code it was given"
                    .to_owned()
            }
            Self::KeyMissing(id) => {
                format!(
                    "it is there, but sealed with the key {id}, which is not configured; its requests are answered 503"
                )
            }
            Self::Unreadable => {
                "its record cannot be read, though its key is configured; its requests are answered 503"
                    .to_owned()
            }
            Self::Lost => {
                "its record is gone from Valkey before its time, and no proxy ended it: an operator deleted it, or Valkey forgot it"
                    .to_owned()
            }
        }
    }

    /// What to do.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Live => String::new(),
            Self::Waiting => "Nothing, for a few minutes.".to_owned(),
            Self::Ended(ending) => what_to_do(ending.reason).to_owned(),
            Self::Expired => {
                "Nothing is wrong. For longer sessions raise oauth.refresh_token_days, and with it the refresh token expiration of the app client.".to_owned()
            }
            Self::NeverRedeemed => {
                "See the client's own log: it was closed, its redirect URI did not reach it, or /token refused it, which our log says (route /token) with a reason.".to_owned()
            }
            Self::KeyMissing(id) => format!(
                "Put the line of the key {id} back into vault.keys_file of every proxy: then the session goes on."
            ),
            Self::Unreadable => {
                "A newer version wrote it, or something changed it: bring every proxy to one version. Otherwise sign in again.".to_owned()
            }
            Self::Lost => {
                "If nobody deleted it (docs/incidents.md), look for what makes Valkey forget: maxmemory-policy other than noeviction, a restart without appendonly, FLUSHALL, a failover that lost the last writes. An ending that could not be noted looks the same: look for \"session ended\" and this id in the log.".to_owned()
            }
        }
    }
}

fn ended(ending: &Ending) -> String {
    match ending.reason {
        EndReason::SignedOut => "the client gave a token back: somebody signed out there, or removed the server".to_owned(),
        EndReason::CodeReused => {
            "the code of its sign-in was redeemed a second time: whoever was first may have been a thief, so nobody keeps anything".to_owned()
        }
        EndReason::RefreshTokenReused => {
            "a refresh token was used again more than a minute after another had replaced it: there are two copies of it, and one may be a thief's".to_owned()
        }
        EndReason::GrantRefused => {
            let said = ending.said.as_deref().map(|said| format!(", and said: {said}")).unwrap_or_default();
            format!("Cognito refused its refresh token (invalid_grant{said})")
        }
        EndReason::NoRefreshToken => "Cognito's tokens ran out, and it had given no refresh token".to_owned(),
        EndReason::SubjectChanged => "a refresh brought the tokens of another user".to_owned(),
    }
}

const fn what_to_do(reason: EndReason) -> &'static str {
    match reason {
        EndReason::SignedOut => "Nothing is wrong. Sign in again in the client, where it is wanted.",
        EndReason::CodeReused => {
            "Sign in again. A client that repeats its request to /token does this: see its log, and tell its makers. If it did not, somebody could read its codes."
        }
        EndReason::RefreshTokenReused => {
            "Sign in again. Two processes that share one client's stored tokens do this, and so does a backup of them that was restored; if neither was there, somebody copied them."
        }
        EndReason::GrantRefused => {
            "Look at the user in the pool: disabled, deleted, or signed out everywhere? Else the refresh token had ended: compare how long the session lasted with the refresh token expiration of the app client, and set oauth.refresh_token_days no longer than that. A pool that limits sessions a user drops the oldest. If all is well there, sign in again."
        }
        EndReason::NoRefreshToken => {
            "Let the app client give refresh tokens (ALLOW_REFRESH_TOKEN_AUTH, authorization code grant), then sign in again."
        }
        EndReason::SubjectChanged => {
            "This must not happen: see whether something other than Cognito answers at its token endpoint, and whether the pool was replaced."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{ClientId, Resource, SessionId};
    use crate::vault::history::Story;

    fn known(stored: Stored, redeemed: bool, reason: Option<EndReason>) -> Remembered {
        let story = Story {
            sid: SessionId::from_random([1; 16]),
            issuer: "https://issuer.example".to_owned(),
            subject: "sub".to_owned(),
            username: "alice".to_owned(),
            client: ClientId::from_random([2; 16]),
            resource: Resource::parse("https://edge.example/mcp").unwrap(),
            opened: 1_000,
            ends: 2_000,
            redeemed,
            refreshed: None,
        };
        let ending = reason.map(|reason| Ending { at: 1_500, reason, said: None });
        Remembered { story: Some(story), ending, stored, has_grant: true }
    }

    #[test]
    fn what_nobody_wrote_down_shows_in_what_is_left() {
        let key = Stored::KeyMissing("old".to_owned());
        let cases = [
            (known(Stored::Open, true, None), 1_999, "live"),
            (known(Stored::Open, false, None), 1_010, "waiting"),
            (known(Stored::Nothing, false, None), 1_999, "never_redeemed"),
            (known(Stored::Nothing, true, None), 1_999, "lost"),
            (known(Stored::Nothing, true, None), 2_000, "expired"),
            // Valkey's clock may be behind.
            (known(Stored::Open, true, None), 2_000, "expired"),
            (known(key.clone(), true, None), 1_999, "key_missing"),
            (known(Stored::Unreadable, true, None), 1_999, "unreadable"),
            (known(Stored::Nothing, true, Some(EndReason::SignedOut)), 9_000, "ended"),
            (Remembered { story: None, ending: None, stored: key, has_grant: true }, 9_000, "key_missing"),
        ];
        for (known, now, word) in cases {
            assert_eq!(Fate::of(&known, now).word(), word, "{known:?} at {now}");
        }
    }

    #[test]
    fn every_fate_has_words_of_its_own_and_all_but_the_good_one_advice() {
        let ended = |reason| Fate::Ended(Ending { at: 0, reason, said: None });
        let mut fates = vec![Fate::Waiting, Fate::Expired, Fate::NeverRedeemed, Fate::Unreadable, Fate::Lost];
        fates.push(Fate::KeyMissing("old".to_owned()));
        fates.extend(EndReason::ALL.map(ended));
        let mut said: Vec<String> = fates.iter().map(|fate| fate.means() + &fate.advice()).collect();
        assert!(fates.iter().all(|fate| !fate.advice().is_empty()) && Fate::Live.advice().is_empty());
        said.sort();
        said.dedup();
        assert_eq!(said.len(), fates.len());
    }
}
