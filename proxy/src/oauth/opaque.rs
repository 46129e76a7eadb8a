//! Opaque values: random text that means nothing, and the hash of it that is stored.

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys;

/// `N` random bytes as base64url.
pub(super) fn opaque<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(keys::random::<N>())
}

/// SHA-256 as base64url: what is stored of a value that has at least 128 random bits, so that it needs no key and
/// outlives every key rotation. Also the S256 transformation of RFC 7636 section 4.2.
pub(super) fn fingerprint(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Compares in constant time.
pub(super) fn same(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
