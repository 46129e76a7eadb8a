//! What strangers send to the authorization server: queries, forms, registrations, documents, cookies, redirect URIs.

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proxy::keys::{KeyRing, Purpose};
use proxy::oauth::RedirectPattern;
use serde_json::Value;
use url::Url;

use crate::server::{CLIENT, DOCUMENT_ID, ISSUER, REDIRECT_URI, Request, Server, location, query_of};

/// The query of `/authorize`: a browser is sent to the registered redirect URI and to no other place, with `iss`.
pub fn authorize_query(input: &[u8]) {
    thread_local!(static SERVER: (Server, String) = {
        let server = Server::default();
        let client = server.registered(REDIRECT_URI).unwrap();
        (server, client)
    });
    let Ok(query) = str::from_utf8(input) else { return };
    // What hyper lets through as a query.
    if format!("/?{query}").parse::<http::Uri>().is_err() || query.contains('#') {
        return;
    }
    SERVER.with(|(server, client)| {
        let answer = server.authorize(&query.replace(CLIENT, client), HeaderMap::new());
        let Some(to) = location(&answer) else { return };
        assert!(to.as_str().starts_with(&format!("{REDIRECT_URI}?")), "sent to {to}");
        let said = |wanted: &str| to.query_pairs().filter(|(name, _)| name == wanted).count();
        assert_eq!((said("iss"), said("error"), said("code")), (1, 1, 0), "{to}");
        assert!(to.query_pairs().any(|(name, value)| name == "iss" && value == ISSUER), "{to}");
    });
}

/// A registration: what is registered can be used, and only for redirect URIs that are on the list.
pub fn registration(input: &[u8]) {
    thread_local!(static SERVER: Server = Server::default());
    SERVER.with(|server| {
        let answer = server.register(input);
        if answer.status() != StatusCode::CREATED {
            return;
        }
        let client: Value = serde_json::from_slice(answer.body()).unwrap();
        let id = client["client_id"].as_str().unwrap();
        assert!(!id.starts_with("https://"), "{id} would be a document's");
        let public = client["token_endpoint_auth_method"] == "none";
        assert_eq!(client.get("client_secret").is_none(), public, "{client}");
        for uri in client["redirect_uris"].as_array().unwrap() {
            let uri = uri.as_str().unwrap();
            check_destination(uri);
            let page = server.authorize(&query_of(id, uri), HeaderMap::new());
            assert_eq!(page.status(), StatusCode::OK, "{uri} is registered and of no use: {page:?}");
        }
    });
}

/// A client's document: no document opens the way to a redirect URI that is not on the list, and none stands for another.
pub fn client_document(input: &[u8]) {
    thread_local!(static SERVER: Server = Server::default());
    SERVER.with(|server| {
        server.publish(input);
        for uri in [REDIRECT_URI, "http://127.0.0.1:3118/callback", "https://evil.example/callback"] {
            let page = server.authorize(&query_of(DOCUMENT_ID, uri), HeaderMap::new());
            if page.status() != StatusCode::OK {
                continue;
            }
            check_destination(uri);
            let document: Value = serde_json::from_slice(input).unwrap();
            assert_eq!(document["client_id"], DOCUMENT_ID, "a document spoke for another client");
            assert!(document.get("client_secret").is_none(), "a document with a secret was taken");
        }
    });
}

/// Cookies: nobody's browser is known by a cookie that we did not make.
pub fn cookie(input: &[u8]) {
    thread_local!(static SERVER: (Server, String) = {
        let server = Server::default();
        let client = server.registered(REDIRECT_URI).unwrap();
        (server, client)
    });
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(COOKIE, value);
    }
    SERVER.with(|(server, client)| {
        let page = server.authorize(&query_of(client, REDIRECT_URI), headers.clone());
        assert_eq!(page.status(), StatusCode::OK, "{page:?}");
        let cookie = page.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
        let id = cookie.strip_prefix("__Host-mcp-edge=").and_then(|rest| rest.split('.').next()).unwrap();
        assert!(!contains(input, id.as_bytes()), "a cookie that was made up names a browser");
        let back = server.answer(
            Method::GET,
            "/auth/callback",
            Some("state=x&code=y"),
            Request { headers, body: &[] },
        );
        assert_eq!(back.status(), StatusCode::BAD_REQUEST);
    });
}

/// Forms at `/token`, `/revoke` and `/consent`, with or without an `Authorization` line before them.
pub fn form(input: &[u8]) {
    thread_local!(static SERVER: (Server, String) = {
        let server = Server::default();
        let client = server.registered(REDIRECT_URI).unwrap();
        (server, client)
    });
    let Some((which, rest)) = input.split_first() else { return };
    let (line, body) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Ok(value) = HeaderValue::from_bytes(line)
        && !line.is_empty()
    {
        headers.insert(AUTHORIZATION, value);
    }
    SERVER.with(|(server, client)| {
        let body = String::from_utf8_lossy(body.strip_prefix(b"\n").unwrap_or(body)).replace(CLIENT, client);
        let path = ["/token", "/revoke", "/consent"][usize::from(which % 3)];
        let answer = server.answer(Method::POST, path, None, Request { headers, body: body.as_bytes() });
        // A stranger's token is revoked in the words for one that was (RFC 7009 section 2.2); nothing else can succeed.
        let done = path == "/revoke" && answer.status() == StatusCode::OK;
        assert!(done || answer.status().is_client_error(), "{path}: {answer:?}");
    });
}

/// A pattern of the allow-list and a redirect URI, a line each: what is allowed is where the pattern says.
pub fn redirect_uri(input: &[u8]) {
    let Some((pattern, uri)) = str::from_utf8(input).ok().and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Ok(parsed) = RedirectPattern::parse(pattern) else { return };
    assert_eq!(parsed.to_string(), pattern.trim());
    let server = Server::allowing(vec![parsed]);
    let Some(client) = server.registered(uri) else { return };
    let url = Url::parse(uri).unwrap();
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{uri}");
    let scheme = pattern.trim().split(':').next().unwrap();
    assert!(url.scheme().eq_ignore_ascii_case(scheme), "{uri} of the scheme of {pattern}");
    let host = host_of(pattern.trim());
    let wanted = host.strip_prefix('*').unwrap_or(&host);
    let found = url.host_str().unwrap_or_default().to_ascii_lowercase();
    if !pattern.contains('*') {
        assert!(
            uri == pattern.trim() || url.host() == Url::parse(pattern.trim()).unwrap().host(),
            "{uri}: {pattern}"
        );
    } else if host.starts_with('*') {
        assert!(found.ends_with(wanted) && found.len() > wanted.len(), "{uri} under {pattern}");
    } else {
        assert_eq!(found, wanted, "{uri} under {pattern}");
    }
    // Its own client can use it, and a redirect that differs in more than a loopback's port is another.
    let page = server.authorize(&query_of(&client, uri), HeaderMap::new());
    assert_eq!(page.status(), StatusCode::OK, "{uri} under {pattern}: {page:?}");
    let other = server.authorize(&query_of(&client, &format!("{uri}x")), HeaderMap::new());
    if other.status() == StatusCode::OK {
        let other = Url::parse(&format!("{uri}x")).unwrap();
        assert!(url.scheme() == "http" && (url.host(), url.path()) == (other.host(), other.path()), "{uri}x");
    }
}

/// Blobs: what we did not seal, or not for this, does not open, and one changed bit is enough.
pub fn sealed_blob(input: &[u8]) {
    thread_local!(static KEYS: KeyRing = KeyRing::ephemeral());
    KEYS.with(|keys| {
        assert!(keys.open(Purpose::Session, b"record", input).is_err(), "a made-up blob opens");
        let Some((at, plain)) = input.split_first_chunk::<2>() else { return };
        let mut blob = keys.seal(Purpose::Session, b"record", plain);
        assert_eq!(keys.open(Purpose::Session, b"record", &blob).unwrap().plain, plain);
        assert!(keys.open(Purpose::Session, b"another", &blob).is_err(), "a moved blob opens");
        assert!(keys.open(Purpose::Grant, b"record", &blob).is_err(), "a blob of another purpose opens");
        let at = usize::from(u16::from_le_bytes(*at));
        let byte = at / 8 % blob.len();
        if let Some(byte) = blob.get_mut(byte) {
            *byte ^= 1 << (at % 8);
        }
        assert!(keys.open(Purpose::Session, b"record", &blob).is_err(), "a changed blob opens");
        blob.truncate(byte);
        assert!(keys.open(Purpose::Session, b"record", &blob).is_err(), "half a blob opens");
    });
}

/// Headers made of lines `name: value`; none when a line is no header.
pub(crate) fn headers_of(lines: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.lines() {
        let (name, value) = line.split_once(':')?;
        headers.append(name.trim().parse::<HeaderName>().ok()?, value.trim().parse().ok()?);
    }
    Some(headers)
}

/// The list of the server, written down a second time: the built-in patterns by scheme and host.
fn check_destination(uri: &str) {
    let url = Url::parse(uri).unwrap();
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{uri}");
    let known = match (url.scheme(), url.host_str().unwrap_or_default()) {
        ("http", "localhost" | "127.0.0.1" | "[::1]") => true,
        ("https", "claude.ai" | "claude.com" | "www.cursor.com" | "vscode.dev" | "insiders.vscode.dev") => {
            true
        }
        ("https", "chatgpt.com") => true,
        ("cursor", host) => host == "anysphere.cursor-mcp",
        _ => false,
    };
    assert!(known, "{uri} is on no list");
}

fn host_of(pattern: &str) -> String {
    let rest = pattern.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let port = authority.rfind(':').filter(|at| !authority.get(*at..).unwrap_or_default().contains(']'));
    authority.get(..port.unwrap_or(authority.len())).unwrap_or_default().to_ascii_lowercase()
}

fn contains(input: &[u8], wanted: &[u8]) -> bool {
    input.windows(wanted.len()).any(|window| window == wanted)
}
