//! Redirect URIs: which may be registered, when one equals another, and the way back to the client.

use std::fmt;

use url::{Host, Url};

/// Longest redirect URI, in bytes.
const MAX_URI_BYTES: usize = 2048;
/// What an authorization response carries; no redirect URI may bring its own.
const RESPONSE_PARAMETERS: [&str; 5] = ["code", "error", "error_description", "iss", "state"];

/// A redirect URI that may be used in principle: absolute, without fragment and user information, and neither a script
/// nor a document (RFC 6749 section 3.1.2, OAuth 2.1 section 2.3).
#[derive(Debug, Clone)]
pub(super) struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// Reads a redirect URI; the reason why not is for the log.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_URI_BYTES {
            return Err("redirect_uri_too_long");
        }
        // URL parsers drop or rewrite these characters, each in its own way.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte)) {
            return Err("redirect_uri_characters");
        }
        let url = Url::parse(text).map_err(|_| "redirect_uri_malformed")?;
        if text.contains('#') {
            return Err("redirect_uri_fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("redirect_uri_userinfo");
        }
        // What we add must be there once: of two `iss` or `code`, clients read this one or that (RFC 9207 section 2.4).
        if url.query_pairs().any(|(name, _)| RESPONSE_PARAMETERS.contains(&&*name)) {
            return Err("redirect_uri_parameter");
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("redirect_uri_insecure"),
            "javascript" | "data" | "file" | "vbscript" | "blob" | "about" | "ws" | "wss" | "ftp" => {
                return Err("redirect_uri_scheme");
            }
            // A scheme of the client's own. Only a listed one gets past the patterns.
            _ => {}
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The URI as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is this registered one: the same text, except for the port of a loopback address (RFC 8252
    /// section 7.3). `localhost` and `127.0.0.1` are not the same.
    pub(super) fn equals_registered(&self, registered: &Self) -> bool {
        self.text == registered.text || self.equals_but_port(&registered.text)
    }

    /// By the text, so that no other spelling of the address and no way around through `..` counts as the same.
    fn equals_but_port(&self, other: &str) -> bool {
        self.url.scheme() == "http"
            && is_loopback(&self.url)
            && without_port(&self.text) == without_port(other)
    }

    /// What a person can recognise the client by: the host, or the scheme where that is the client's own.
    pub(super) fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match (self.url.scheme(), self.url.port()) {
            ("http" | "https", Some(port)) => format!("{host}:{port}"),
            ("http" | "https", None) => host.to_owned(),
            (scheme, _) => format!("{scheme}://{host}"),
        }
    }

    /// Whether the code goes to a program on the person's own machine.
    pub(super) fn is_local(&self) -> bool {
        self.url.scheme() != "https" || self.forwards()
    }

    /// Whether the page there sends the code on to a program that `state` names, so that its owner is not who gets it.
    pub(super) fn forwards(&self) -> bool {
        matches!(self.url.host_str(), Some("vscode.dev" | "insiders.vscode.dev"))
    }
}

/// What comes before the port of a URL, and what comes behind it.
fn without_port(text: &str) -> (&str, &str) {
    let begin = text.find("://").map_or(0, |at| at + 3);
    let end =
        text.bytes().skip(begin).position(|byte| b"/?".contains(&byte)).map_or(text.len(), |at| begin + at);
    let (origin, rest) = text.split_at(end);
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let host = origin.rsplit_once(':').filter(|(_, end)| port(end)).map_or(origin, |(host, _)| host);
    (host, rest)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// The way back to a client, proven: its redirect URI and the `state` it sent.
#[derive(Debug, Clone)]
pub(super) struct ClientRedirect {
    uri: RedirectUri,
    state: Option<String>,
}

impl ClientRedirect {
    /// To a URI that was checked against the client's registration.
    pub(super) fn new(uri: RedirectUri, state: Option<&str>) -> Self {
        Self { uri, state: state.map(str::to_owned) }
    }

    /// The URL with these parameters, `state` as it came and `iss` (RFC 9207), behind the query it was registered with.
    pub(super) fn with(&self, issuer: &str, parameters: &[(&str, &str)]) -> Url {
        let mut url = self.uri.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(parameters);
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", issuer);
        }
        url
    }
}

/// Text that is no redirect pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(pub &'static str);

/// Which redirect URIs may be registered: an exact URI, or one with `*` for the port, for the first labels of the host,
/// or anywhere in the path. Compared part by part, so that no `*` reaches from the path into the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectPattern {
    text: String,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Exact(String),
    Parts { scheme: String, host: String, port: Port, path: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Any,
    Of(Option<u16>),
}

/// The callbacks of the clients people use, and the loopback addresses native clients listen on.
const KNOWN: &[&str] = &[
    "http://localhost:*/*",
    "http://127.0.0.1:*/*",
    "http://[::1]:*/*",
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    // No period in its scheme, so against RFC 8252 section 7.1, but Cursor registers it beside the other two.
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "https://vscode.dev/redirect",
    "https://insiders.vscode.dev/redirect",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://chatgpt.com/connector/oauth/*",
];

impl RedirectPattern {
    /// The built-in list: Claude, Cursor, VS Code, ChatGPT, and loopback on any port.
    #[must_use]
    pub fn known() -> Vec<Self> {
        KNOWN.iter().filter_map(|text| Self::parse(text).ok()).collect()
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is neither a usable redirect URI nor one with `*` in port, path or the first labels of the host.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim().to_owned();
        if !text.contains('*') {
            let uri = RedirectUri::parse(&text).map_err(|_| InvalidPattern("not a redirect URI"))?;
            return Ok(Self { text, shape: Shape::Exact(uri.text) });
        }
        let shape = parts(&text)?;
        Ok(Self { text, shape })
    }

    /// Whether a client may register this URI.
    pub(super) fn allows(&self, uri: &RedirectUri) -> bool {
        match &self.shape {
            Shape::Exact(exact) => *exact == uri.text || uri.equals_but_port(exact),
            Shape::Parts { scheme, host, port, path } => {
                uri.url.scheme() == scheme
                    && host_fits(host, uri.url.host_str().unwrap_or_default())
                    && port_fits(*port, uri.url.port())
                    && (uri.url.query().is_none() || path.ends_with('*'))
                    && path_fits(path, uri.url.path())
            }
        }
    }
}

impl fmt::Display for RedirectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parts(text: &str) -> Result<Shape, InvalidPattern> {
    let (scheme, rest) =
        text.split_once("://").ok_or(InvalidPattern("a pattern needs scheme://host/path"))?;
    let (authority, path) = rest.split_once('/').ok_or(InvalidPattern("a pattern needs a path"))?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, "*")) => (host, Port::Any),
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().map_err(|_| InvalidPattern("a port is a number or *"))?;
            (host, Port::Of(Some(port)))
        }
        _ => (authority, Port::Of(None)),
    };
    if host.strip_prefix("*.").unwrap_or(host).contains('*') {
        return Err(InvalidPattern("in a host, * may only stand for the first labels: *.example.com"));
    }
    // What is left without the stars must itself be a usable redirect URI.
    let port_text = match port {
        Port::Of(Some(port)) => format!(":{port}"),
        Port::Any | Port::Of(None) => String::new(),
    };
    let plain_path = path.replace('*', "x");
    let plain = format!("{scheme}://{}{port_text}/{plain_path}", host.replacen("*.", "x.", 1));
    let plain = RedirectUri::parse(&plain).map_err(|_| InvalidPattern("not a redirect URI pattern"))?;
    if plain.url.query().is_some() {
        return Err(InvalidPattern("a pattern with * has no query"));
    }
    let (scheme, host) = (plain.url.scheme().to_owned(), host.to_ascii_lowercase());
    // The scheme's own port is written as none, as in a parsed URL.
    let port = if port == Port::Any { port } else { Port::Of(plain.url.port()) };
    Ok(Shape::Parts { scheme, host, port, path: format!("/{path}") })
}

fn host_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        // `.example.com`: at least one label must stand before it.
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

fn port_fits(pattern: Port, port: Option<u16>) -> bool {
    match pattern {
        Port::Any => true,
        Port::Of(wanted) => wanted == port,
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
