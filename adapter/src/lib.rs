//! plane-mcp-adapter: read-only Plane tools over MCP, acting as exactly the user who asks.
//!
//! ```text
//! request ─▶ front           host, origin, credential, size, one well-formed message; the log line
//!              │ authenticate  Cognito ID token (verified here) or Plane API key ─▶ Caller
//!              ▼
//!            server          rmcp: protocol versions, tools/list, tools/call
//!              ▼
//!            tools           one static table; one file a resource; failures a model can act on
//!              ▼
//!            plane           the REST client: credential, session cookies, budget, shapes ─▶ Plane
//! ```
//!
//! [`config`] is whole and valid before anything is bound, and [`reload`] keeps it so while it changes; what the operator
//! lets the tools show is a [`policy`]; [`metrics`] holds every metric's name, and `trace` what traces tell.

pub mod caller;
mod command_line;
pub mod config;
mod doctor;
pub mod error;
pub mod front;
pub mod metrics;
pub mod plane;
pub mod policy;
pub mod reload;
mod run;
mod serve;
pub mod server;
pub mod tools;
mod trace;

pub use command_line::{Arguments, Command, failure_text};
pub use doctor::{Doctor, doctor};
pub use run::{Listeners, RunError, run};
pub use serve::serve;
