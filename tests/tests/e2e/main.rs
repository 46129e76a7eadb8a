//! The real stack: Traefik and oauth2-proxy as teams run them, Valkey, our programs, real clients, and an independent OpenID
//! provider in Cognito's place. `make e2e` installs what this needs and runs it; `cargo test` alone does not.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so by panicking, also in the functions beside the tests"
)]

mod attacks;
mod clients;
mod compose;
mod credentials;
mod forward_auth;
mod kubernetes;
mod middlewares;
mod replicas;
mod rolling;
mod rollout;
mod same_user;
mod traces;
