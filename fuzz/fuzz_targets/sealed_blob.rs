//! What the store gives back.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::strangers::sealed_blob(input));
