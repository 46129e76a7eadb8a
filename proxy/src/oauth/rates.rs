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
    of: Whose,
    /// The key of the configuration, for the log.
    setting: &'static str,
}

#[derive(Clone, Copy)]
enum Whose {
    OneNetwork,
    All,
}

impl Rates {
    /// Of the clients that register.
    pub(super) fn of_registrations(
        settings: &OAuthSettings,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (minute, hour) = (settings.registrations_per_minute, settings.registrations_per_hour);
        let share = |uses: u32| uses.div_ceil(ONE_NETWORK);
        let limit = |what, rate, of, setting| Limit::new(what, rate, of, setting, (store, clock));
        let (per_minute, per_hour) = ("limits.registrations_per_minute", "limits.registrations_per_hour");
        // Who is over a share of one network takes nothing from what there is for all.
        let limits = vec![
            limit("register-minute", of_minute(share(minute)), Whose::OneNetwork, per_minute),
            limit("register-hour", of_hour(share(hour)), Whose::OneNetwork, per_hour),
            limit("register-minute", of_minute(minute), Whose::All, per_minute),
            limit("register-hour", of_hour(hour), Whose::All, per_hour),
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
        let one = settings.sign_ins_per_minute;
        let limit =
            |rate, of| Limit::new("sign-in", rate, of, "limits.oauth_requests_per_minute", (store, clock));
        let limits = vec![
            limit(of_minute(one), Whose::OneNetwork),
            limit(of_minute(one.saturating_mul(SIGN_IN_NETWORKS)), Whose::All),
        ];
        let refusal = ("sign_ins_limited", "too many sign-ins begin at the moment: try again later");
        Self { limits, what: "sign-in", refusal }
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

impl Limit {
    fn new(
        what: &'static str,
        rate: Option<Rate>,
        of: Whose,
        setting: &'static str,
        (store, clock): (&Arc<dyn Store>, &Arc<dyn Clock>),
    ) -> Self {
        let counts = SharedLimiter::new(what, rate, Arc::clone(store), Arc::clone(clock));
        Self { counts, of, setting }
    }
}

fn of_minute(uses: u32) -> Option<Rate> {
    Rate::per_minute(uses, uses)
}

fn of_hour(uses: u32) -> Option<Rate> {
    Rate::per_hour(uses, uses)
}
