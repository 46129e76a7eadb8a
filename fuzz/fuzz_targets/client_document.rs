//! A client ID metadata document.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::strangers::client_document(input));
