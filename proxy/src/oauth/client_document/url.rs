//! Which client ids name a document (draft-ietf-oauth-client-id-metadata-document-01, section 3), and whose we read.

use std::fmt;

use url::Url;

use super::DocumentError;

/// The URL of a client's document, which is the client's id too: https, with a path, and written exactly as a URL parser
/// writes it, so that no two texts mean one document (no dot segments, default port, upper-case host).
#[derive(Debug, Clone)]
pub(super) struct DocumentUrl(Url);

impl DocumentUrl {
    /// Whether a client id means a document. Ids that we give out never do.
    pub(super) fn is_meant(id: &str) -> bool {
        id.starts_with("https://")
    }

    /// Reads a client id.
    pub(super) fn parse(id: &str) -> Result<Self, DocumentError> {
        let url = Url::parse(id).map_err(|_| DocumentError::Url)?;
        let plain = url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.has_host();
        if !plain || url.path() == "/" || url.as_str() != id {
            return Err(DocumentError::Url);
        }
        Ok(Self(url))
    }

    /// The URL.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The host as text; an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The host, with the port where it is not 443: what a person recognises the client by.
    pub(super) fn shown(&self) -> String {
        self.0.port().map_or_else(|| self.host().to_owned(), |port| format!("{}:{port}", self.host()))
    }
}

/// Text that is no host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name such as claude.ai, or *.example.com for every name below one")]
pub struct InvalidHost;

/// Hosts whose documents are read: one, or every name below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    below: bool,
}

impl HostPattern {
    /// Reads `claude.ai` or `*.example.com`; the latter does not stand for `example.com` itself.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        let (host, below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        // Only what a URL can have as its host can ever match; an address is a host, but has nothing below it.
        let parsed = url::Host::parse(host).map_err(|_| InvalidHost)?;
        let named = matches!(parsed, url::Host::Domain(_)) || !below;
        let plain = !host.is_empty() && !host.contains(['*', '/', '@']);
        if plain && named { Ok(Self { host: parsed.to_string(), below }) } else { Err(InvalidHost) }
    }

    /// Whether `host`, as a URL writes it, is meant.
    pub(super) fn allows(&self, host: &str) -> bool {
        if !self.below {
            return host == self.host;
        }
        host.strip_suffix(&self.host).is_some_and(|first| first.len() > 1 && first.ends_with('.'))
    }

    /// Whether it is this host alone that is meant.
    pub(super) fn names(&self, host: &str) -> bool {
        !self.below && host == self.host
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.below { "*." } else { "" })?;
        f.write_str(&self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_url_is_https_with_a_path_and_written_in_one_way_only() {
        for good in [
            "https://claude.ai/oauth/claude-code-client-metadata",
            "https://app.example:8443/client.json",
            "https://app.example/a/",
            "https://[2606:4700::1111]/client.json",
        ] {
            assert!(DocumentUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example/client.json#a",
            "https://app.example/client.json#",
            "https://app.example/client.json?a=b",
            "https://app.example/client.json?",
            "https://user@app.example/client.json",
            "https://user:password@app.example/client.json",
            "https://app.example/a/../client.json",
            "https://app.example/./client.json",
            "https://app.example/%2e%2e/client.json",
            "https://app.example\\@evil.example/client.json",
            "https://APP.example/client.json",
            "https://app.example:443/client.json",
            "https://2130706433/client.json",
            "https://0x7f.1/client.json",
            "https:///client.json",
            "https://münchen.example/client.json",
        ] {
            assert!(DocumentUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_pattern_is_one_host_or_every_name_below_it() {
        let one = HostPattern::parse("Claude.ai").unwrap();
        assert!(one.allows("claude.ai"));
        assert!(!one.allows("x.claude.ai") && !one.allows("claude.ai.evil.example"));
        let below = HostPattern::parse("*.example.com").unwrap();
        assert!(below.allows("a.example.com") && below.allows("a.b.example.com"));
        assert!(!below.allows("example.com") && !below.allows(".example.com"));
        assert!(!below.allows("evilexample.com"));
        assert_eq!(below.to_string(), "*.example.com");
        for bad in ["", "*", "*.", "a*.example", "https://claude.ai", "claude.ai/x", "a b", "*.127.0.0.1"] {
            assert_eq!(HostPattern::parse(bad), Err(InvalidHost), "{bad}");
        }
    }
}
