//! Being a good service: what every binary of this workspace needs before it does anything of its own.
//!
//! ```text
//! main ── config      defaults < file < environment; every problem at once, or a whole, valid value
//!    ├─── reload      the configuration read again while running, taken whole or not at all
//!    ├─── output      what a command prints
//!    ├─── probe       what a doctor tries, and what it says of it
//!    ├─── telemetry   log format and a filter that can change while running
//!    ├─── metrics     declared in a line each, and registered
//!    ├─── traces      which trace a request belongs to, and the export of what is recorded
//!    ├─── Shutdown    one signal, seen everywhere
//!    ├─── admin       /livez /readyz /metrics on a listener of their own
//!    └─── serve       one socket, runtime and handler a core; limits; drain
//!         Secret, Clock: values that must not be printed, and time that can be set
//! ```
//!
//! Nothing here knows what the service is for.

pub mod admin;
#[cfg(target_env = "musl")]
mod allocator;
mod clock;
pub mod config;
pub mod metrics;
pub mod output;
pub mod probe;
pub mod reload;
pub mod secret;
pub mod serve;
mod shutdown;
pub mod telemetry;
pub mod traces;

pub use clock::{Clock, ManualClock, SystemClock};
pub use secret::Secret;
pub use shutdown::Shutdown;

/// The exit status of a process whose configuration is not usable: `EX_USAGE` of `sysexits.h`.
pub const EXIT_BAD_CONFIG: u8 = 64;
