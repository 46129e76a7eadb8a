//! A request's method, URI and headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::heads::request_head(input));
