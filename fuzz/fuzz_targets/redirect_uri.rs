//! A pattern of the allow-list, and a redirect URI.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_edge_fuzz::strangers::redirect_uri(input));
