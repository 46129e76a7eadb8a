//! `[client_documents]`: which clients are taken by a document of theirs.

use std::path::PathBuf;

use super::{found::Found, raw};
use crate::oauth::HostPattern;

/// Clients whose id is the URL of a document about them.
#[derive(Debug, Clone)]
pub struct ClientDocuments {
    /// Whether there are any.
    pub enabled: bool,
    /// Hosts whose clients are taken; empty: any.
    pub allowed_hosts: Vec<HostPattern>,
    /// Whether documents are fetched also from networks that are not public.
    pub private_networks: bool,
    /// PEM bundle that the hosts are checked against; none: the system's.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn resolve(raw: &raw::ClientDocuments, found: &mut Found) -> ClientDocuments {
    let mut allowed_hosts = Vec::new();
    for (index, text) in raw.allowed_hosts.iter().enumerate() {
        let key = format!("client_documents.allowed_hosts[{index}]");
        allowed_hosts.extend(found.check(&key, HostPattern::parse(text)));
    }
    ClientDocuments {
        enabled: raw.enabled,
        allowed_hosts,
        private_networks: raw.private_networks,
        ca_file: found.file("client_documents.ca_file", &raw.ca_file),
    }
}
