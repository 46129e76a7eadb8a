//! Our access tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::tokens::access_token(input));
