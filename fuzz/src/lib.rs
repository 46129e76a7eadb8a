//! What the fuzz targets share: an authorization server in memory, a user pool with keys of its own, and the properties
//! that hold whatever a stranger sends.
//!
//! A target in `fuzz_targets/` is a name and a line; what it does is a function here. A property that does not hold is a
//! panic, which the fuzzer reports like a crash.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken property is told by panicking")]

pub mod answers;
pub mod heads;
pub mod server;
pub mod strangers;
pub mod tokens;
