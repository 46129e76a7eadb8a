//! The query of the authorization endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::strangers::authorize_query(input));
