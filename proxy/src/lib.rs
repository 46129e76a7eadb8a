//! MCP Edge, the proxy: an OAuth authorization server for MCP clients and a reverse proxy that swaps the client's token
//! for the Cognito ID token of the person who signed in.
pub mod keys;
pub mod limits;
pub mod oauth;
pub mod provider;
pub mod store;
pub mod terms;
pub mod tokens;
pub mod vault;
