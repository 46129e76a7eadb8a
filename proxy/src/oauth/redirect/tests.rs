use super::*;

fn allowed(patterns: &[RedirectPattern], uri: &str) -> bool {
    RedirectUri::parse(uri).is_ok_and(|uri| patterns.iter().any(|pattern| pattern.allows(&uri)))
}

#[test]
fn the_known_clients_are_allowed() {
    let known = RedirectPattern::known();
    assert_eq!(known.len(), KNOWN.len());
    for uri in [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
        "http://localhost:3118",
        "http://127.0.0.1:6276/oauth/callback",
        "http://[::1]:9/cb?x=1",
        "http://localhost/callback",
        "https://claude.ai/api/mcp/auth_callback",
        "https://chatgpt.com/connector/oauth/abc",
    ] {
        assert!(allowed(&known, uri), "{uri}");
    }
}

#[test]
fn look_alikes_and_dangerous_uris_are_refused() {
    let known = RedirectPattern::known();
    for uri in [
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "https://claude.ai/api/mcp/auth_callback/../x",
        "https://claude.ai/api/mcp/auth_callback?next=evil",
        "http://claude.ai/api/mcp/auth_callback",
        "http://localhost:1@evil.example/callback",
        "http://localhost:1\\@evil.example/callback",
        "http://localhost.evil.example:1/callback",
        "http://localhost:1/callback#x",
        "http://192.168.0.1:1/callback",
        "javascript:alert(1)",
        "JavaScript://localhost/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "cursor://evil/oauth/callback",
        "com.example.app:/callback",
        "/callback",
        "",
        "http://localhost:1/callback?iss=https://other.example",
        "http://localhost:1/callback?a=b&c%6fde=x",
        "http://localhost:1/callback?state=",
    ] {
        assert!(!allowed(&known, uri), "{uri}");
    }
    assert!(RedirectUri::parse(&format!("https://claude.ai/{}", "x".repeat(MAX_URI_BYTES))).is_err());
}

#[test]
fn a_star_stays_in_its_part() {
    let patterns: Vec<_> = ["https://*.example.com/cb/*/end", "https://app.example:*/cb"]
        .map(|text| RedirectPattern::parse(text).unwrap())
        .into();
    for uri in [
        "https://a.example.com/cb/1/end",
        "https://a.b.example.com/cb/1/2/end",
        "https://app.example:8443/cb",
    ] {
        assert!(allowed(&patterns, uri), "{uri}");
    }
    for uri in [
        "https://example.com/cb/1/end",
        "https://evilexample.com/cb/1/end",
        "https://evil.example/a.example.com/cb/1/end",
        "https://a.example.com/cb/1/end?x=/end",
        "https://a.example.com:8443/cb/1/end",
        "https://a.example.com/cb/end",
        "https://app.example/cb/x",
    ] {
        assert!(!allowed(&patterns, uri), "{uri}");
    }
}

#[test]
fn patterns_that_would_allow_too_much_are_refused() {
    for text in [
        "*",
        "https://*/cb",
        "https://*",
        "http://*:*/*",
        "https://ex*mple.com/",
        "http://evil.example/*",
        "javascript:*",
        "https://a.example/*#x",
        "*://localhost/*",
    ] {
        assert!(RedirectPattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn only_the_port_of_one_loopback_host_may_differ() {
    let registered = RedirectUri::parse("http://localhost/callback").unwrap();
    let same = |uri: &str| RedirectUri::parse(uri).unwrap().equals_registered(&registered);
    assert!(same("http://localhost/callback"));
    assert!(same("http://localhost:50123/callback"));
    for uri in [
        "http://127.0.0.1:50123/callback",
        "http://localhost:50123/other",
        "http://localhost:1/callback?x=1",
        "http://localhost:1/x/../callback",
        "http://LOCALHOST:1/callback",
        "http://localhost:1/callbac%6b",
    ] {
        assert!(!same(uri), "{uri}");
    }
    let https = RedirectUri::parse("https://claude.ai/cb").unwrap();
    assert!(!RedirectUri::parse("https://claude.ai:8443/cb").unwrap().equals_registered(&https));
}

#[test]
fn the_way_back_keeps_query_and_state_and_names_the_issuer_once() {
    let uri = RedirectUri::parse("http://localhost:1/cb?keep=a%20b").unwrap();
    let url = ClientRedirect::new(uri, Some("s&t=a te/+%")).with("https://edge.example", &[("code", "c")]);
    assert_eq!(
        url.as_str(),
        "http://localhost:1/cb?keep=a%20b&code=c&state=s%26t%3Da+te%2F%2B%25&iss=https%3A%2F%2Fedge.example"
    );
    let cursor = RedirectUri::parse("cursor://anysphere.cursor-mcp/oauth/callback").unwrap();
    let url = ClientRedirect::new(cursor, None).with("https://edge.example", &[("code", "c")]);
    assert!(url.as_str().starts_with("cursor://anysphere.cursor-mcp/oauth/callback?code=c&iss="));
}

#[test]
fn a_page_that_forwards_to_whom_state_names_is_no_owner() {
    let uri = |text: &str| RedirectUri::parse(text).unwrap();
    for text in ["https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"] {
        assert!(uri(text).forwards() && uri(text).is_local(), "{text}");
    }
    let owned = uri("https://claude.ai/api/mcp/auth_callback");
    assert!(!owned.forwards() && !owned.is_local());
}
