//! The programs as they are shipped, against real Valkey and doubles of Cognito and Plane. One module a feature.
//!
//! Each test starts a stack of its own on free ports, so all run at once.

mod api_key;
mod clients;
mod cognito_outages;
mod configuration;
mod identity;
mod lifecycle;
mod limits;
mod logs;
mod oauth;
mod sign_in;
mod store_outages;
mod streaming;
mod tls;
mod tokens;
