//! The authorization server in one process: a store in memory that can be stopped, a Cognito that signs real tokens, and
//! a browser that keeps one cookie.

mod answers;
mod approvals;
mod authorization;
mod client_documents;
mod doubles;
mod interleaving;
mod interruptions;
mod introspection;
mod metadata;
mod outages;
mod redemption;
mod refresh;
mod registration;
mod revocation;
mod rotation;
mod sign_in;
mod world;
