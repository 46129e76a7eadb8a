//! The document with Cognito's keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::tokens::cognito_keys(input));
