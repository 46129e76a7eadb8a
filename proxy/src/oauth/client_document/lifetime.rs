//! How long a fetched document counts: as long as its server says (RFC 9111), within our bounds.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// Not shorter, whatever the server says: a sign-in looks at the document more than once.
const LEAST: Duration = Duration::from_secs(60);
/// Not longer, so that a client that was taken back is gone within a day.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// When the server says nothing.
const DEFAULT: Duration = Duration::from_secs(60 * 60);

/// How long the answer with these headers may be used.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let mut said: Option<u64> = None;
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    for directive in lines.flat_map(|line| line.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return LEAST,
            // What cannot be read is taken as stale (RFC 9111 section 4.2.1), and of two the shorter.
            "max-age" => {
                let seconds = value.trim_matches('"').parse().unwrap_or(0);
                said = Some(said.map_or(seconds, |known| known.min(seconds)));
            }
            _ => {}
        }
    }
    let Some(seconds) = said else { return DEFAULT };
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    Duration::from_secs(seconds.saturating_sub(age)).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_document_lives_as_long_as_its_server_says_within_bounds() {
        for (cache_control, age, seconds) in [
            (None, "0", 3600),
            (Some("public"), "0", 3600),
            (Some("public, max-age=600"), "0", 600),
            (Some("Max-Age=\"600\""), "500", 100),
            (Some("max-age=600"), "900", 60),
            (Some("max-age=0"), "0", 60),
            (Some("max-age=soon"), "0", 60),
            (Some("max-age=99999999"), "0", 86_400),
            (Some("max-age=600, no-store"), "0", 60),
            (Some("no-cache"), "0", 60),
            (Some("max-age=900, max-age=300"), "0", 300),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(text) = cache_control {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(text));
            }
            headers.insert(AGE, HeaderValue::from_static(age));
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{cache_control:?}");
        }
    }
}
