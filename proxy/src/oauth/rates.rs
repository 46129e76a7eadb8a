//! How often strangers may have us keep something: anybody may register a client and begin a sign-in, and each is a record
//! in the store. Of those that are not used there are never more than come in the time that one is kept, whatever
//! strangers do and however many replicas there are.

use std::sync::Arc;

use service::Clock;

use super::OAuthSettings;
use super::error::OAuthError;
use crate::limits::{ClientAddress, Rate, SharedLimiter};
use crate::store::Store;

/// One network may use up this part (a half) of the registrations that are possible.
const ONE_NETWORK: u32 = 2;
/// So many networks may begin sign-ins at their full rate: more than thousands of people need, and still few records.
const SIGN_IN_NETWORKS: u32 = 10;

/// The rates of one kind of record: of one network, so that no stranger can keep all others from it, and of all, since
/// addresses are cheap.
pub(super) struct Rates {
    limits: Vec<Limit>,
    /// What is limited, for the log.
    what: &'static str,
    /// What a client is told that is over a limit: the reason, and the sentence.
    refusal: (&'static str, &'static str),
}

struct Limit {
    counts: SharedLimiter,
    rate: RateOf,
    of: Whose,
    /// The key of the configuration, for the log.
    setting: &'static str,
}

#[derive(Clone, Copy)]
enum Whose {
    OneNetwork,
    All,
}

/// The rate of a limit, by the settings of the moment.
type RateOf = fn(&OAuthSettings) -> Option<Rate>;

impl Rates {
    /// Of the clients that register.
    pub(super) fn of_registrations(
        settings: &OAuthSettings,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let limit = |what, of, rate: RateOf, setting| Limit {
            counts: SharedLimiter::new(what, rate(settings), Arc::clone(store), Arc::clone(clock)),
            rate,
            of,
            setting,
        };
        let (per_minute, per_hour) = ("limits.registrations_per_minute", "limits.registrations_per_hour");
        let share_of_minute: RateOf = |set| of_minute(set.registrations_per_minute.div_ceil(ONE_NETWORK));
        let share_of_hour: RateOf = |set| of_hour(set.registrations_per_hour.div_ceil(ONE_NETWORK));
        // Who is over a share of one network takes nothing from what there is for all.
        let limits = vec![
            limit("register-minute", Whose::OneNetwork, share_of_minute, per_minute),
            limit("register-hour", Whose::OneNetwork, share_of_hour, per_hour),
            limit("register-minute", Whose::All, |set| of_minute(set.registrations_per_minute), per_minute),
            limit("register-hour", Whose::All, |set| of_hour(set.registrations_per_hour), per_hour),
        ];
        let refusal = ("registrations_limited", "too many clients register at the moment: try again later");
        Self { limits, what: "registration", refusal }
    }

    /// Of the sign-ins that begin.
    pub(super) fn of_sign_ins(
        settings: &OAuthSettings,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let limit = |of, rate: RateOf| Limit {
            counts: SharedLimiter::new("sign-in", rate(settings), Arc::clone(store), Arc::clone(clock)),
            rate,
            of,
            setting: "limits.oauth_requests_per_minute",
        };
        let limits = vec![
            limit(Whose::OneNetwork, |set| of_minute(set.sign_ins_per_minute)),
            limit(Whose::All, |set| of_minute(set.sign_ins_per_minute.saturating_mul(SIGN_IN_NETWORKS))),
        ];
        let refusal = ("sign_ins_limited", "too many sign-ins begin at the moment: try again later");
        Self { limits, what: "sign-in", refusal }
    }

    /// The limits by other settings, with the counts of these.
    pub(super) fn at(&self, settings: &OAuthSettings) -> Self {
        let again = |limit: &Limit| Limit { counts: limit.counts.at((limit.rate)(settings)), ..*limit };
        Self { limits: self.limits.iter().map(again).collect(), ..*self }
    }

    /// Counts one. What is refused for another reason does not count.
    pub(super) async fn check(&self, by: ClientAddress) -> Result<(), OAuthError> {
        for limit in &self.limits {
            let (key, of_all) = match limit.of {
                Whose::OneNetwork => (by.network(), false),
                Whose::All => ("all".to_owned(), true),
            };
            if let Err(wait) = limit.counts.check(&key).await {
                let (what, setting) = (self.what, limit.setting);
                tracing::warn!(client.ip = %by, setting, of_all, "{what} refused: over the limit");
                let (reason, description) = self.refusal;
                return Err(OAuthError::too_many(reason, description, wait.0));
            }
        }
        Ok(())
    }
}

fn of_minute(uses: u32) -> Option<Rate> {
    Rate::per_minute(uses, uses)
}

fn of_hour(uses: u32) -> Option<Rate> {
    Rate::per_hour(uses, uses)
}
