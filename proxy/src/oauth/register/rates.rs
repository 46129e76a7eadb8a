//! How many clients may register. Anybody may, and each is a record in the store: of those that are not used there are
//! never more than come in the time that one is kept, whatever strangers do and however many replicas there are.

use std::sync::Arc;

use service::Clock;

use super::super::OAuthSettings;
use super::super::error::OAuthError;
use crate::limits::{ClientAddress, Rate, SharedLimiter};
use crate::store::Store;

/// One network may use up this part (a half) of the registrations that are possible.
const ONE_NETWORK: u32 = 2;

/// The rates of registrations: of one network, so that no stranger can keep all others from registering, and of all, since
/// addresses are cheap.
pub(in crate::oauth) struct Registrations {
    limits: [Limit; 4],
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

impl Registrations {
    pub(in crate::oauth) fn new(
        settings: &OAuthSettings,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (minute, hour) = (settings.registrations_per_minute, settings.registrations_per_hour);
        let share = |uses: u32| uses.div_ceil(ONE_NETWORK);
        let limit = |what, rate, of, setting| {
            let counts = SharedLimiter::new(what, rate, Arc::clone(store), Arc::clone(clock));
            Limit { counts, of, setting }
        };
        let (per_minute, per_hour) = ("limits.registrations_per_minute", "limits.registrations_per_hour");
        // Who is over a share of one network takes nothing from what there is for all.
        let limits = [
            limit("register-minute", of_minute(share(minute)), Whose::OneNetwork, per_minute),
            limit("register-hour", of_hour(share(hour)), Whose::OneNetwork, per_hour),
            limit("register-minute", of_minute(minute), Whose::All, per_minute),
            limit("register-hour", of_hour(hour), Whose::All, per_hour),
        ];
        Self { limits }
    }

    /// Counts one registration. What is refused for another reason does not count.
    pub(in crate::oauth) async fn check(&self, by: ClientAddress) -> Result<(), OAuthError> {
        for limit in &self.limits {
            let (key, of_all) = match limit.of {
                Whose::OneNetwork => (by.network(), false),
                Whose::All => ("all".to_owned(), true),
            };
            if let Err(wait) = limit.counts.check(&key).await {
                let setting = limit.setting;
                tracing::warn!(client.ip = %by, setting, of_all, "registration refused: over the limit");
                let description = "too many clients register at the moment: try again later";
                return Err(OAuthError::too_many("registrations_limited", description, wait.0));
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
