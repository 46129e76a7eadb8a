//! The forms of token, revocation and consent endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::strangers::form(input));
