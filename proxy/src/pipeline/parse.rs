//! Step 1. A request that can be read in one way only: one host, one path, one framing. What is ambiguous is refused, since
//! the next server might read it the other way.

use http::{HeaderMap, Method, header, request::Parts, uri::Authority};

use super::route::HEALTH;
use crate::error::Error;

/// A request head read in the one possible way.
#[derive(Debug)]
pub struct Parsed {
    /// The head as it came.
    pub parts: Parts,
}

impl Parsed {
    /// The path, free of empty, dot and encoded segments.
    #[must_use]
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }
}

/// Reads the request, if it is for one of `hosts`.
///
/// # Errors
/// [`Error::Ambiguous`], [`Error::ForeignHost`], [`Error::MethodNotAllowed`], [`Error::TokenInQuery`].
pub fn parse(parts: Parts, hosts: &[String]) -> Result<Parsed, Error> {
    check_method(&parts.method)?;
    check_framing(&parts.headers)?;
    check_path(parts.uri.path())?;
    check_host(&parts, hosts)?;
    check_query(parts.uri.query())?;
    Ok(Parsed { parts })
}

fn check_method(method: &Method) -> Result<(), Error> {
    // CONNECT would tunnel past us; TRACE echoes credentials.
    if *method == Method::CONNECT || *method == Method::TRACE { Err(Error::MethodNotAllowed) } else { Ok(()) }
}

/// RFC 9112 section 6.3: both framings at once is how requests are smuggled. Any coding beside `chunked` would be lost
/// with the header, and the upstream would read the coded bytes as the message.
fn check_framing(headers: &HeaderMap) -> Result<(), Error> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if headers.contains_key(header::CONTENT_LENGTH) || codings.next().is_some() {
        return Err(Error::Ambiguous("two_framings"));
    }
    if coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        Ok(())
    } else {
        Err(Error::Ambiguous("unknown_framing"))
    }
}

fn check_path(path: &str) -> Result<(), Error> {
    let ambiguous = Err(Error::Ambiguous("ambiguous_path"));
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return ambiguous;
    }
    // Servers disagree on when to decode: a letter would hide from our routes the path that the upstream then reads, and
    // a slash, backslash, percent or control character would change it. The last are no UTF-8, which some take for more.
    let mut rest = path;
    while let Some((_, after)) = rest.split_once('%') {
        let Some(code) = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
            return ambiguous;
        };
        let unreserved = code.is_ascii_alphanumeric() || b"-._~".contains(&code);
        if unreserved || matches!(code, b'/' | b'\\' | b'%' | 0..=31 | 127 | 0xc0 | 0xc1 | 0xf5..) {
            return ambiguous;
        }
        rest = after;
    }
    // A single trailing slash is fine; `//` inside and dot segments are not.
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        // Servers of the Java kind read `..;x` as `..`.
        let name = segment.split(';').next().unwrap_or(segment);
        if (segment.is_empty() && !last) || name == "." || name == ".." {
            return ambiguous;
        }
    }
    Ok(())
}

/// The one host the request names: `Host`, `:authority` or absolute form; they must agree, and the host must be ours.
fn check_host(parts: &Parts, hosts: &[String]) -> Result<(), Error> {
    let mut named = parts.headers.get_all(header::HOST).iter();
    let header = named.next();
    if named.next().is_some() {
        return Err(Error::Ambiguous("several_hosts"));
    }
    let header = match header {
        Some(value) => Some(value.to_str().map_err(|_| Error::Ambiguous("malformed_host"))?),
        None => None,
    };
    let authority = parts.uri.authority().map(Authority::as_str);
    if let (Some(header), Some(authority)) = (header, authority)
        && !header.eq_ignore_ascii_case(authority)
    {
        return Err(Error::Ambiguous("several_hosts"));
    }
    let host = authority.or(header).ok_or(Error::Ambiguous("no_host"))?;
    // Load balancers ask for the health of an address.
    if parts.uri.path() == HEALTH
        || hosts.iter().any(|ours| ours.eq_ignore_ascii_case(without_default_port(host, ours)))
    {
        Ok(())
    } else {
        Err(Error::ForeignHost)
    }
}

/// `host:443` is `host` where ours is written without a port.
fn without_default_port<'a>(host: &'a str, ours: &str) -> &'a str {
    let ours_has_port = ours.rsplit(']').next().is_some_and(|end| end.contains(':'));
    if ours_has_port { host } else { host.strip_suffix(":443").unwrap_or(host) }
}

/// RFC 6750 section 2.3 is not supported: URLs end up in logs.
fn check_query(query: Option<&str>) -> Result<(), Error> {
    let named =
        |pair: &str| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("access_token"));
    if query.is_some_and(|query| query.split('&').any(named)) { Err(Error::TokenInQuery) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(header: Option<&str>, uri: &str) -> Result<(), Error> {
        let mut request = http::Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header("host", header);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check_host(&parts, &["edge.example".into(), "edge.internal:8443".into()])
    }

    #[test]
    fn paths_that_servers_read_differently_are_refused() {
        for bad in [
            "/a//b",
            "/./mcp",
            "/mcp/..",
            "/%2e%2e/mcp",
            "/a%2Fb",
            "/a%5cb",
            "/a%00",
            "/a%zz",
            "/a%2",
            "*",
            "/a\\b",
            "/%252e",
            "/%6dcp",
            "/mcp/%7E",
            "/mcp/..;/x",
            "/mcp/..;x=1",
            "/mcp/%c0%ae",
        ] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
        for good in ["/", "/mcp", "/mcp/", "/api/v1/workspaces/a%20b/", "/a;b", "/%c3%a4", "/.well-known/x"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_request_has_one_framing_that_is_passed_on_as_it_is() {
        let framing = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::TRANSFER_ENCODING, value.parse().unwrap());
            }
            check_framing(&headers)
        };
        assert!(framing(&[]).is_ok() && framing(&["Chunked"]).is_ok());
        for bad in [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"]] {
            assert!(framing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_our_hosts_are_served_and_only_one_may_be_named() {
        assert!(host(Some("EDGE.example"), "/mcp").is_ok());
        assert!(host(Some("edge.example:443"), "/mcp").is_ok());
        assert!(host(Some("edge.internal:8443"), "/mcp").is_ok());
        assert!(matches!(host(Some("edge.internal"), "/mcp"), Err(Error::ForeignHost)));
        assert!(host(Some("10.0.0.7:8443"), "/healthz").is_ok(), "load balancers name an address");
        assert!(matches!(host(Some("10.0.0.7:8443"), "/healthz/"), Err(Error::ForeignHost)));
        assert!(matches!(host(Some("evil.example"), "/mcp"), Err(Error::ForeignHost)));
        assert!(matches!(host(None, "/mcp"), Err(Error::Ambiguous("no_host"))));
        assert!(matches!(
            host(Some("edge.example"), "http://evil.example/mcp"),
            Err(Error::Ambiguous("several_hosts"))
        ));
    }

    #[test]
    fn a_token_in_the_query_is_refused_however_it_is_spelled() {
        assert!(matches!(check_query(Some("a=b&Access_Token=x")), Err(Error::TokenInQuery)));
        assert!(check_query(Some("cursor=access_token")).is_ok());
    }
}
