//! MCP Edge, the proxy: the OAuth authorization server that MCP clients talk to, and the reverse proxy that swaps the
//! client's token for the Cognito ID token of the person who signed in.
//!
//! ```text
//! one request    parse ─▶ route ─▶ authenticate ─▶ identify ─▶ admit ─▶ rewrite ─▶ forward ─▶ respond     (pipeline)
//!                (or answered to Traefik after `admit`: forward_auth)
//!                           └─▶ metadata · register · authorize · consent · callback · token · revoke     (oauth)
//! one session    vault: L1 cache ─▶ store (Valkey or memory), sealed by keys ─▶ refreshed at Cognito      (provider)
//! one process    command ─▶ reload::Source ─▶ config ─▶ edge: listeners, threads, admin, drain            (tls, metrics)
//!                                     config ─▶ rules, taken by each request; a reload puts new ones there (reload)
//! ```
//!
//! Only `pipeline::rewrite` can make what `pipeline::forward` sends; only `pipeline::respond` turns an error into HTTP;
//! the store and the vault know no HTTP.

pub mod command;
pub mod config;
pub mod edge;
pub mod error;
pub mod forward_auth;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod oauth;
pub mod pipeline;
pub mod provider;
mod ready;
pub mod reload;
pub mod rules;
pub mod store;
pub mod terms;
pub mod tls;
pub mod tokens;
pub mod vault;
