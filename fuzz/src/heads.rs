//! Request heads, as the pipeline reads them first.

use http::Request;
use proxy::pipeline::parse;

use crate::strangers::headers_of;

/// A method, a URI, and headers, a line each. What is let through is for our host, has one framing, and a path that the
/// next server reads as we do, decoded as often as it likes.
pub fn request_head(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.splitn(3, '\n');
    let (method, uri) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Some(headers) = headers_of(lines.next().unwrap_or_default()) else { return };
    let Ok(mut request) = Request::builder().method(method).uri(uri).body(()) else { return };
    *request.headers_mut() = headers;
    let hosts = ["edge.example".to_owned(), "edge.internal:8443".to_owned()];
    let Ok(parsed) = parse::parse(request.into_parts().0, &hosts) else { return };

    let headers = &parsed.parts.headers;
    let named = headers.get("host").map(|value| value.to_str().unwrap().to_ascii_lowercase());
    let authority = parsed.parts.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    for host in [&named, &authority].into_iter().flatten() {
        assert!(
            ["edge.example", "edge.example:443", "edge.internal:8443"].contains(&host.as_str()),
            "{host}"
        );
    }
    assert!(named.is_some() || authority.is_some(), "no host");
    assert!(
        !(headers.contains_key("transfer-encoding") && headers.contains_key("content-length")),
        "two framings"
    );
    assert!(!matches!(parsed.parts.method.as_str(), "CONNECT" | "TRACE"));

    let mut path = parsed.path().as_bytes().to_vec();
    let segments = path.split(|byte| *byte == b'/').count();
    for _ in 0..3 {
        path = decoded(&path);
        assert_eq!(path.split(|byte| *byte == b'/').count(), segments, "{uri}: decoding makes segments");
        assert!(
            !path.contains(&b'\\') && !path.iter().any(|byte| *byte < 32),
            "{uri}: decoding makes controls"
        );
        let mut names =
            path.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next());
        assert!(!names.any(|name| matches!(name, Some(b"." | b".."))), "{uri}: decoding makes dots");
        let empty = path.windows(2).any(|pair| pair == b"//");
        assert!(!empty, "{uri}: decoding makes an empty segment");
    }
    let query = parsed.parts.uri.query().unwrap_or_default();
    assert!(!query.split('&').any(|pair| pair.to_ascii_lowercase().starts_with("access_token=")), "{uri}");
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| str::from_utf8(hex).ok());
        let code = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes
}
