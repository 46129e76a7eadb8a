//! `[client_documents]` as it is written.

use serde::{Deserialize, Serialize};

/// `[client_documents]`: clients whose id is the URL of a document about them (CIMD), instead of registering.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientDocuments {
    /// Take such clients. Needs a way out to their hosts; without one, switch it off, and they register.
    pub enabled: bool,
    /// Hosts whose clients are taken, `claude.ai` or `*.example.com`; empty: any.
    pub allowed_hosts: Vec<String>,
    /// Fetch also from loopback, private and carrier networks, for clients that are kept in a closed network. Link-local
    /// and reserved addresses stay refused.
    pub private_networks: bool,
    /// PEM bundle that the hosts are checked against; empty: the system's.
    pub ca_file: String,
}

impl Default for ClientDocuments {
    fn default() -> Self {
        Self { enabled: true, allowed_hosts: Vec::new(), private_networks: false, ca_file: String::new() }
    }
}
