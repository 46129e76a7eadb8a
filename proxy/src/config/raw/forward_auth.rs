//! `[forward_auth]`, as written.

use serde::{Deserialize, Serialize};

/// `[forward_auth]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ForwardAuth {
    /// Where Traefik's ForwardAuth middleware asks, as ADDRESS:PORT; empty: it cannot.
    pub listen: String,
    /// Traefik's addresses or networks: nobody else is answered.
    pub trusted_proxies: Vec<String>,
}
