//! `[forward_auth]`: the way in beside the path, for Traefik.

use std::net::SocketAddr;

use super::{Server, found::Found, raw};
use crate::limits::TrustedProxies;

/// The listener that Traefik's ForwardAuth middleware asks.
#[derive(Debug, Clone)]
pub struct ForwardAuth {
    /// The listener.
    pub listen: SocketAddr,
    /// Who is answered: the answer hands out ID tokens.
    pub trusted_proxies: TrustedProxies,
}

/// None: there is no such listener, which is the default.
pub(super) fn resolve(
    raw: &raw::ForwardAuth,
    server: Option<&Server>,
    found: &mut Found,
) -> Option<ForwardAuth> {
    let mut trusted_proxies = TrustedProxies::none();
    for (index, text) in raw.trusted_proxies.iter().enumerate() {
        found.check(&format!("forward_auth.trusted_proxies[{index}]"), trusted_proxies.add(text));
    }
    if raw.listen.is_empty() {
        if !raw.trusted_proxies.is_empty() {
            found.say("forward_auth.trusted_proxies", "is of no use without forward_auth.listen");
        }
        return None;
    }
    if raw.trusted_proxies.is_empty() {
        let missing = "is missing: the addresses Traefik asks from, such as 10.0.0.7 or 10.42.0.0/16; nobody else is answered";
        found.say("forward_auth.trusted_proxies", missing);
    }
    let listen = found.address("forward_auth.listen", &raw.listen)?;
    // Listeners of one address share its connections (`SO_REUSEPORT`) instead of failing.
    let taken = server.is_some_and(|server| [server.listen, server.admin_listen].contains(&listen));
    if taken && listen.port() != 0 {
        found.say("forward_auth.listen", "must differ from server.listen and server.admin_listen");
    }
    Some(ForwardAuth { listen, trusted_proxies })
}
