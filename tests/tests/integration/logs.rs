//! No secret in any log line at any level.

use serde_json::json;
use stack::{
    client::Era,
    stack::{Stack, Store},
};

#[tokio::test]
async fn no_secret_is_logged_even_at_trace_level() {
    let stack = Stack::builder()
        .store(Store::Valkey)
        .echo_routes()
        .proxy_setting("log.filter", "trace")
        .adapter_setting("log.filter", "trace")
        .start()
        .await
        .unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    session.refresh().await.unwrap();
    session.tool(Era::Modern, "list_projects", &json!({})).await.unwrap();
    let elsewhere = stack.sign_in_at("/echo", "bob").await.unwrap();
    // Failures log more: a bad token, a bad code, a replayed refresh token, a revoked session, an API key.
    let stolen = stack.cognito.mint_id_token("bob", &json!({})).unwrap();
    session.client.probe(&stolen).await.unwrap();
    session.client.probe(&elsewhere.tokens.access).await.unwrap();
    let key = stack.plane.api_key_for("alice");
    let by_key = stack.client("/api-key/mcp").unwrap();
    by_key.probe(&key).await.unwrap();
    session.client.load(&format!("/mcp?access_token={}", session.tokens.access)).await.unwrap();
    session.revoke().await.unwrap();
    session.try_refresh().await.unwrap();

    let mut secrets = [session.client.secrets(), elsewhere.client.secrets()].concat();
    secrets.extend([stolen, key, stack::cognito::CognitoDouble::PASSWORD.to_owned()]);
    secrets.extend(stack.surroundings.client_secret.clone());
    let vault_key = stack.surroundings.vault_keys.split_once(':').unwrap().1;
    secrets.push(vault_key.to_owned());
    for request in stack.cognito.requests() {
        let named = ["code", "refresh_token", "code_verifier", "token"];
        secrets.extend(named.iter().filter_map(|name| request.form_value(name)).map(str::to_owned));
        secrets.extend(request.query_value("nonce").map(str::to_owned));
    }
    for request in stack.plane.front_requests() {
        let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        secrets.extend(bearer.map(|value| value.trim_start_matches("Bearer ").to_owned()));
    }
    assert!(secrets.len() > 12, "the test knows too few secrets");

    let logs = stack.logs();
    assert!(logs.contains("TRACE") && logs.contains("DEBUG"), "the run was not a trace run");
    for line in logs.lines() {
        for secret in secrets.iter().filter(|secret| secret.len() >= 12) {
            assert!(!line.contains(secret.as_str()), "a secret is logged: {line}");
            // Signatures alone would do to forge nothing, but a cut token is a token all the same.
            let end = secret.rsplit('.').next().unwrap();
            assert!(end.len() < 20 || !line.contains(end), "the end of a secret is logged: {line}");
        }
        assert!(!line.split(|c: char| !is_token_character(c)).any(is_jwt), "a JWT is logged: {line}");
    }
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// Whether a word begins like the encoded header of a JWT: `{"…`.
fn is_jwt(word: &str) -> bool {
    word.starts_with("eyJ") && word.len() > 20
}
