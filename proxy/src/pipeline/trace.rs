//! The names a request goes by: our own id, and the W3C trace context it is part of.

use http::HeaderMap;

use crate::keys;

/// A new request id: 128 random bits in hex. The client's own `X-Request-Id` is not trusted to be one.
#[must_use]
pub(crate) fn new_request_id() -> String {
    hex(&keys::random::<16>())
}

/// The client's `traceparent` when it is one (W3C Trace Context, version 00), else a new, unsampled one.
#[must_use]
pub(super) fn traceparent(headers: &HeaderMap) -> String {
    let mut all = headers.get_all("traceparent").iter();
    match (all.next().and_then(|value| value.to_str().ok()), all.next()) {
        (Some(text), None) if is_traceparent(text) => text.to_owned(),
        _ => format!("00-{}-{}-00", hex(&keys::random::<16>()), hex(&keys::random::<8>())),
    }
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return false };
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    *version == "00" && hex(trace, 32) && set(trace) && hex(span, 16) && set(span) && hex(flags, 2)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_trace_context_is_kept_and_anything_else_is_replaced() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        headers.append("traceparent", valid.parse().unwrap());
        assert_eq!(traceparent(&headers), valid);
        headers.append("traceparent", valid.parse().unwrap());
        assert_ne!(traceparent(&headers), valid);
        assert!(!is_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("zz"));
    }
}
