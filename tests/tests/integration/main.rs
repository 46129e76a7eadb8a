//! The programs as they are shipped, against real Valkey and doubles of Cognito and Plane. One module a feature.
//!
//! Each test starts a stack of its own on free ports, so all run at once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails says so by panicking, also in the functions beside the tests"
)]

mod adapter_doctor;
mod advisories;
mod api_key;
mod attacks;
mod bearers;
mod checklist;
mod client_documents;
mod clients;
mod cognito_faults;
mod cognito_outages;
mod configuration;
mod consent;
mod containers;
mod crashes;
mod demo;
mod doctor;
mod documentation;
mod evaluation;
mod framing;
mod identity;
mod lifecycle;
mod limits;
mod logs;
mod metrics;
mod oauth;
mod oauth_attacks;
mod openapi;
mod plane_credentials;
mod project_tools;
mod readiness;
mod reload;
mod replicas;
mod sign_in;
mod store_outages;
mod store_topologies;
mod stored_records;
mod streaming;
mod tls;
mod tokens;
mod tool_policy;
mod traces;
mod upstreams;
mod visibility;
mod why;
mod work_items;
