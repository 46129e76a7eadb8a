//! The adapter as its clients see it: a running server on a free port, a canned Plane behind it, tokens of a test pool.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: what cannot go on panics"
)]

mod authentication;
mod canned;
mod client;
mod contract;
mod credentials;
mod failures;
mod panics;
mod planning;
mod policy;
mod pool;
mod program;
mod projects;
mod protocol;
mod tools;
mod wire;
mod work_items;
