//! The official MCP conformance suite against the programs as they are shipped; README.md says what runs and what may fail.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails says so by panicking, also in the functions beside the tests"
)]

mod authorization;
mod expectations;
mod portability;
mod report;
mod server;
mod suite;
