//! Which `Host` and `Origin` values are served: the defence against DNS rebinding and foreign web pages
//! (MCP, transports: servers must validate `Origin`).

use http::Uri;
use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::Authority;
use url::{Host, Url};

use crate::error::Refusal;

/// Hosts served beside loopback.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<Place>);

/// Origins served.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<(String, Place)>);

/// A host, and the port when only one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
}

impl AllowedHosts {
    /// Reads `mcp.example.com` (any port) or `mcp.example.com:8443`.
    ///
    /// # Errors
    /// Which entry is none.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let read = |entry: &String| {
            place(entry).filter(|_| !entry.contains('*')).ok_or_else(|| {
                format!(
                    "\"{entry}\" must be a host, or a host and a port; every host (\"*\") cannot be allowed"
                )
            })
        };
        entries.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Checks the host a request was sent to.
    ///
    /// # Errors
    /// [`Refusal::HostRefused`], also when there is none or more than one.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut named = headers.get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok().and_then(place),
            // HTTP/2 has it in the request line.
            (None, _) => uri.authority().and_then(|authority| place(authority.as_str())),
            (Some(_), Some(_)) => None,
        };
        let served = host.is_some_and(|host| {
            is_loopback(&host.host) || self.0.iter().any(|allowed| allowed.covers(&host))
        });
        if served { Ok(()) } else { Err(Refusal::HostRefused) }
    }
}

impl AllowedOrigins {
    /// Reads `https://app.example.com`, `https://app.example.com:8443` or `http://localhost:*`.
    ///
    /// # Errors
    /// Which entry is none.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let read = |entry: &String| {
            allowed_origin(entry).ok_or_else(|| {
                format!(
                    "\"{entry}\" must be an origin, such as https://app.example.com or http://localhost:*"
                )
            })
        };
        entries.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Checks the web page a request comes from. No `Origin` means no web page.
    ///
    /// # Errors
    /// [`Refusal::OriginRefused`]; `null` and anything unreadable are never allowed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut named = headers.get_all(ORIGIN).iter();
        let origin = match (named.next(), named.next()) {
            (None, _) => return Ok(()),
            (Some(origin), None) => origin.to_str().ok().and_then(exact_origin),
            (Some(_), Some(_)) => None,
        };
        let served = origin.is_some_and(|(scheme, place)| {
            self.0.iter().any(|(allowed, at)| *allowed == scheme && at.covers(&place))
        });
        if served { Ok(()) } else { Err(Refusal::OriginRefused) }
    }
}

impl Place {
    fn covers(&self, other: &Self) -> bool {
        self.host == other.host && (self.port.is_none() || self.port == other.port)
    }
}

fn place(text: &str) -> Option<Place> {
    let text = text.trim();
    let authority: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then(|| Place { host, port: authority.port_u16() })
}

/// An entry of the allow-list: a port of `*` is every port, none is the scheme's own.
fn allowed_origin(entry: &str) -> Option<(String, Place)> {
    let Some(anywhere) = entry.trim().strip_suffix(":*") else { return exact_origin(entry.trim()) };
    let (scheme, place) = exact_origin(anywhere)?;
    Some((scheme, Place { port: None, ..place }))
}

fn exact_origin(text: &str) -> Option<(String, Place)> {
    let url = Url::parse(text).ok()?;
    let nobody = url.username().is_empty() && url.password().is_none();
    let bare = nobody && url.query().is_none() && url.fragment().is_none() && url.path() == "/";
    let port = url.port_or_known_default()?;
    let host = url.host_str().filter(|_| bare && !text.ends_with('/'))?.to_owned();
    Some((url.scheme().to_owned(), Place { host, port: Some(port) }))
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(Host::Ipv6(ip)) => ip.is_loopback(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(allowed: &[&str], host: &'static str) -> bool {
        let entries: Vec<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        AllowedHosts::parse(&entries).unwrap().check(&Uri::from_static("/"), &headers).is_ok()
    }

    fn origin(allowed: &[&str], origin: &'static str) -> bool {
        let entries: Vec<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        let headers = HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
        AllowedOrigins::parse(&entries).unwrap().check(&headers).is_ok()
    }

    #[test]
    fn loopback_and_listed_hosts_are_served_and_no_other() {
        for good in ["localhost:8211", "127.0.0.1", "[::1]:8211", "LOCALHOST"] {
            assert!(host(&[], good), "{good}");
        }
        assert!(host(&["mcp.example.com"], "MCP.example.com:444"));
        assert!(host(&["mcp.example.com:444"], "mcp.example.com:444"));
        assert!(!host(&["mcp.example.com:444"], "mcp.example.com"));
        assert!(!host(&["mcp.example.com"], "evil.example.com"));
        assert!(!host(&[], "localhost.evil.example"));
        assert!(!host(&[], "user@localhost"));
    }

    #[test]
    fn no_entry_allows_every_host() {
        assert!(AllowedHosts::parse(&["*".to_owned()]).is_err());
        assert!(AllowedHosts::parse(&[String::new()]).is_err());
    }

    #[test]
    fn an_origin_is_served_only_when_listed() {
        assert!(!origin(&[], "https://app.example.com"));
        assert!(origin(&["https://app.example.com"], "https://app.example.com:443"));
        assert!(!origin(&["https://app.example.com"], "http://app.example.com"));
        assert!(!origin(&["https://app.example.com"], "https://app.example.com:8443"));
        assert!(origin(&["http://localhost:*"], "http://localhost:6274"));
        assert!(!origin(&["http://localhost:*"], "null"));
        assert!(!origin(&["http://localhost:*"], "http://:password@localhost:6274"));
    }
}
