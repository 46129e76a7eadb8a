//! `doctor --why`: each way a session can end is caused, and told in its own words.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use stack::{
    client::SignedIn,
    cognito::{Fault, Faults},
    process::{Process, our_binary},
    proxy::fresh_key,
    scratch::Scratch,
    stack::{Stack, Store},
};

/// What the command said.
struct Said {
    code: Option<i32>,
    output: String,
}

impl Said {
    fn json(&self) -> Value {
        let line = self.output.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no JSON in:\n{}", self.output))).unwrap()
    }

    /// The only session that was told.
    fn only(&self) -> Value {
        let told = self.json();
        let sessions = told["sessions"].as_array().unwrap();
        assert_eq!((sessions.len(), self.code), (1, Some(0)), "{}", self.output);
        sessions[0].clone()
    }
}

async fn run(stack: &Stack, environment: &BTreeMap<String, String>, more: &[&str]) -> Said {
    let scratch = Scratch::new("why").unwrap();
    let settings = stack.proxies[0].settings.text();
    let config = scratch.write("config.toml", settings).unwrap().display().to_string();
    let mut arguments = vec!["--config", &config, "doctor", "--why"];
    arguments.extend(more);
    let program = our_binary("mcp-edge-proxy", "PROXY_BIN").unwrap();
    let mut process = Process::start("why", program.as_os_str(), arguments, environment).unwrap();
    let code = process.wait_ended().await.unwrap().code();
    Said { code, output: process.log().text() }
}

async fn why(stack: &Stack, who: &str) -> Said {
    run(stack, &stack.environment(), &[who, "--json"]).await
}

/// The session, as it stands in the log.
fn sid(session: &SignedIn) -> String {
    let payload = URL_SAFE_NO_PAD.decode(session.tokens.access.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["sid"].as_str().unwrap().to_owned()
}

/// With tokens that are to be refreshed with the next request, where `short`.
async fn signed_in(stack: &Stack, user: &str, short: bool) -> SignedIn {
    stack.cognito.add_user(user, &format!("{user}@example.com"), &[]);
    let usual = Duration::from_secs(3600);
    let lifetime = if short { Duration::from_secs(4) } else { usual };
    stack.cognito.behave(|behaviour| behaviour.id_token_lifetime = lifetime);
    let session = stack.sign_in(user).await.unwrap();
    stack.cognito.behave(|behaviour| behaviour.id_token_lifetime = usual);
    session
}

async fn is_signed_out(session: &SignedIn) {
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text);
}

/// Causes an ending of a kind for the user of its name.
async fn end(stack: &Stack, kind: &str) -> SignedIn {
    match kind {
        "signed_out" => {
            let session = signed_in(stack, kind, false).await;
            session.revoke().await.unwrap().expect_status(200).unwrap();
            session
        }
        "refresh_token_reused" => {
            let mut session = signed_in(stack, kind, false).await;
            let first = session.tokens.refresh.clone();
            session.refresh().await.unwrap();
            session.refresh().await.unwrap();
            session.tokens.refresh = first;
            session.try_refresh().await.unwrap().expect_status(400).unwrap();
            session
        }
        "code_reused" => code_reused(stack, kind).await,
        "grant_refused" => {
            let session = signed_in(stack, kind, true).await;
            let body =
                r#"{"error":"invalid_grant","error_description":"User+is_disabled. eyJhbGciOiJSUzI1NiJ9.x"}"#;
            let token = Some(Fault::Status(400, body.to_owned()));
            stack.cognito.set_faults(Faults { token, ..Faults::default() });
            is_signed_out(&session).await;
            stack.cognito.set_faults(Faults::default());
            session
        }
        "no_refresh_token" => {
            stack.cognito.behave(|behaviour| behaviour.sign_in_omits_refresh_token = true);
            let session = signed_in(stack, kind, true).await;
            stack.cognito.behave(|behaviour| behaviour.sign_in_omits_refresh_token = false);
            is_signed_out(&session).await;
            session
        }
        _ => {
            let session = signed_in(stack, kind, true).await;
            stack.cognito.behave(|behaviour| behaviour.refresh_changes_subject = true);
            is_signed_out(&session).await;
            stack.cognito.behave(|behaviour| behaviour.refresh_changes_subject = false);
            session
        }
    }
}

async fn code_reused(stack: &Stack, user: &str) -> SignedIn {
    stack.cognito.add_user(user, "reused@example.com", &[]);
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let discovery = client.discover().await.unwrap();
    let client_id = client.register_publicly(&discovery).await.unwrap();
    let asked = client.authorization(&discovery, &client_id).unwrap();
    let callback = browser.sign_in(&asked.url, &stack.person(user)).await.unwrap();
    let tokens = client.redeem(&discovery, &client_id, &asked, &callback).await.unwrap();
    client.redeem(&discovery, &client_id, &asked, &callback).await.unwrap_err();
    SignedIn { client, discovery, client_id, tokens }
}

#[tokio::test]
async fn each_ending_is_told_by_name_by_sub_and_by_session_and_stands_in_the_log_once() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let words = [
        ("signed_out", "the client gave a token back", "Nothing is wrong"),
        ("code_reused", "redeemed a second time", "repeats its request to /token"),
        ("refresh_token_reused", "used again", "Two processes"),
        ("grant_refused", "invalid_grant, and said: User is disabled.", "Look at the user in the pool"),
        ("no_refresh_token", "no refresh token", "ALLOW_REFRESH_TOKEN_AUTH"),
        ("subject_changed", "another user", "must not happen"),
    ];
    let mut secrets = Vec::new();
    for (kind, means, advice) in words {
        let session = end(&stack, kind).await;
        let (sid, sub) = (sid(&session), stack.cognito.user(kind).unwrap().sub);
        for who in [kind, &sub, &sid] {
            let told = why(&stack, who).await.only();
            assert_eq!(
                (told["state"].as_str(), told["reason"].as_str()),
                (Some("ended"), Some(kind)),
                "{told}"
            );
            assert_eq!(
                (&told["sid"], &told["username"], &told["sub"]),
                (&sid.as_str().into(), &kind.into(), &sub.as_str().into())
            );
            assert!(told["ended"].as_str().unwrap() >= told["opened"].as_str().unwrap(), "{told}");
        }
        let read = run(&stack, &stack.environment(), &[kind]).await;
        for text in [means, advice, &sid, kind, "ended 20", "times are UTC"] {
            assert!(read.output.contains(text), "{kind}: no {text:?} in\n{}", read.output);
        }
        assert!(!read.output.contains("eyJ"), "{}", read.output);
        let log = stack.proxies[0].program.log().lines();
        let ended = log.iter().filter(|line| line.contains("session ended") && line.contains(&sid));
        let ended: Vec<&String> = ended.collect();
        assert!(
            matches!(&ended[..], [line] if line.contains(&format!("\"reason\":\"{kind}\""))),
            "{ended:?}"
        );
        secrets.extend([session.tokens.access.clone(), session.tokens.refresh.clone(), sub]);
    }
    for (name, value) in stack.valkey.as_ref().unwrap().dump().unwrap() {
        for secret in secrets.iter().map(String::as_str).chain(words.map(|(user, ..)| user)) {
            assert!(!name.contains(secret) && !value.contains(secret), "{secret} in {name}");
        }
    }
}

#[tokio::test]
async fn what_ends_or_hinders_a_session_without_anybody_writing_it_down_is_told_too() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let valkey = stack.valkey.as_ref().unwrap();
    let state = async |who: &str| why(&stack, who).await.only()["state"].as_str().unwrap().to_owned();

    // The client does not come for its tokens.
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let discovery = client.discover().await.unwrap();
    let client_id = client.register_publicly(&discovery).await.unwrap();
    let asked = client.authorization(&discovery, &client_id).unwrap();
    browser.sign_in(&asked.url, &stack.person("bob")).await.unwrap();
    assert_eq!(state("bob").await, "waiting");
    let waiting = why(&stack, "bob").await.only()["sid"].as_str().unwrap().to_owned();
    // As in a quarter of an hour.
    assert_eq!(valkey.command(&format!("PEXPIRE mcp-edge:session:{waiting} 1")).unwrap(), ":1");
    while valkey.command(&format!("EXISTS mcp-edge:session:{waiting}")).unwrap() != ":0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(state("bob").await, "never_redeemed");

    // One goes on, and is refreshed.
    let session = signed_in(&stack, "alice", true).await;
    session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
    let sid = sid(&session);
    let live = why(&stack, "alice").await.only();
    assert_eq!((&live["state"], &live["notes"]), (&"live".into(), &Value::Array(Vec::new())), "{live}");
    assert!(live["last_refreshed"].as_str().unwrap() >= live["opened"].as_str().unwrap());
    assert!(live["client_name"].is_string(), "{live}");

    // Its key is taken away.
    let mut environment = stack.environment();
    let other = fresh_key("other").unwrap();
    environment.insert("PROXY_VAULT__KEYS".to_owned(), other.clone());
    let missing = run(&stack, &environment, &[&sid]).await;
    assert!(
        missing.output.contains("sealed with the key test, which is not configured"),
        "{}",
        missing.output
    );
    let by_name = run(&stack, &environment, &["alice"]).await;
    assert!(by_name.code == Some(1) && by_name.output.contains("keys status"), "{}", by_name.output);
    // A new one in front of it hides nothing.
    environment.insert("PROXY_VAULT__KEYS".to_owned(), format!("{other}\n{}", stack.surroundings.vault_keys));
    assert_eq!(run(&stack, &environment, &["alice", "--json"]).await.only()["state"], "live");

    // What its client needs to go on is lost, then the session itself.
    for key in [format!("grant:{sid}"), format!("client:{}", session.client_id)] {
        assert_eq!(valkey.command(&format!("DEL mcp-edge:{key}")).unwrap(), ":1", "{key}");
    }
    let notes = why(&stack, "alice").await.only()["notes"].to_string();
    assert!(notes.contains("refresh tokens are gone") && notes.contains("registration"), "{notes}");
    assert_eq!(valkey.command(&format!("DEL mcp-edge:session:{sid}")).unwrap(), ":1");
    assert_eq!(state("alice").await, "lost");
}

#[tokio::test]
async fn a_client_that_signs_in_again_while_its_session_is_good_has_forgotten_it() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let first = stack.sign_in("alice").await.unwrap();
    let second = stack.sign_in("alice").await.unwrap();
    let told = why(&stack, "alice").await.json();
    let [latest, oldest] = &told["sessions"].as_array().unwrap()[..] else { panic!("two: {told}") };
    assert_eq!((&latest["sid"], &oldest["sid"]), (&sid(&second).into(), &sid(&first).into()));
    assert_eq!(latest["notes"].as_array().unwrap().len(), 0, "{told}");
    let note = oldest["notes"][0].as_str().unwrap();
    assert!(note.contains("signed in again at") && note.contains("lost its tokens"), "{told}");
}

#[tokio::test]
async fn ten_sessions_of_a_person_are_told_and_strangers_are_not_known() {
    let stack = Stack::builder().store(Store::Valkey).proxy_setting("limits.oauth_requests_per_minute", 0);
    let stack = stack.proxy_setting("limits.registrations_per_minute", 0).start().await.unwrap();
    let mut first = None;
    for _ in 0..12 {
        let session = stack.sign_in("alice").await.unwrap();
        session.revoke().await.unwrap().expect_status(200).unwrap();
        first.get_or_insert(sid(&session));
    }
    let told = why(&stack, "alice").await;
    assert_eq!(told.json()["sessions"].as_array().unwrap().len(), 10);
    let records = stack.valkey.as_ref().unwrap().dump().unwrap();
    let of = |kind: &str| records.iter().filter(|(name, _)| name.contains(kind)).count();
    assert_eq!((of(":history:"), of(":ending:"), of(":sessions-of:")), (10, 10, 2));

    for stranger in ["nobody", "Alice", &first.unwrap()] {
        let said = run(&stack, &stack.environment(), &[stranger]).await;
        assert_eq!(said.code, Some(1), "{}", said.output);
        assert!(said.output.contains(&format!("no sessions known of {stranger}")), "{}", said.output);
    }
    let empty = run(&stack, &stack.environment(), &[""]).await;
    assert_eq!(empty.code, Some(2), "{}", empty.output);
}

#[tokio::test]
async fn where_it_cannot_be_told_it_says_why() {
    let mut stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let mut environment = stack.environment();
    environment.insert("PROXY_VAULT__HISTORY_DAYS".to_owned(), "0".to_owned());
    let off = run(&stack, &environment, &["alice"]).await;
    assert!(off.code == Some(69) && off.output.contains("vault.history_days is 0"), "{}", off.output);
    stack.valkey.as_mut().unwrap().stop();
    let down = run(&stack, &stack.environment(), &["alice"]).await;
    assert!(down.code == Some(69) && down.output.contains("valkey does not answer"), "{}", down.output);
    let down = run(&stack, &stack.environment(), &["alice", "--json"]).await;
    let said = down.output.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
    assert!(down.code == Some(69) && said.is_some_and(|said| said["error"].is_string()), "{}", down.output);
    let mut environment = stack.environment();
    environment.remove("PROXY_VALKEY__URL");
    let alone = run(&stack, &environment, &["alice"]).await;
    assert!(alone.code == Some(69) && alone.output.contains("no valkey configured"), "{}", alone.output);
    environment.insert("PROXY_VAULT__HISTORY_DAYS".to_owned(), "366".to_owned());
    let bad = run(&stack, &environment, &["alice"]).await;
    assert!(bad.code == Some(64) && bad.output.contains("vault.history_days"), "{}", bad.output);
}
