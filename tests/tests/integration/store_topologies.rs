//! Valkey failing over, hung, read-only, full and locked: 503 and back again, and never a sign-out. And what rotating the
//! vault's keys leaves in it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::{
    client::{Answer, Era, SignedIn},
    ports::free_port,
    process::{Log, Process, our_binary},
    proxy::{Proxy, fresh_key},
    scratch::Scratch,
    settings::Settings,
    stack::{Builder, Stack, Store},
    valkey::{Sentinels, Valkey},
};

/// Every request asks the store, and none waits for it longer than a second; asking again and again is not limited.
fn impatient() -> Builder {
    let builder =
        Stack::builder().proxy_setting("vault.cache_seconds", 0).proxy_setting("valkey.timeout_seconds", 1);
    builder
        .proxy_setting("limits.requests_per_minute", 0)
        .proxy_setting("limits.oauth_requests_per_minute", 0)
}

/// A refusal that says: our fault, come back.
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    assert_eq!(answer.header("www-authenticate"), "", "nobody is sent to sign in");
}

/// Probes until the endpoint answers `status`; until then nothing else is answered than 200 and an honest 503.
async fn wait_for_status(session: &SignedIn, status: u16) {
    let started = Instant::now();
    loop {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status == 503 {
            assert_unavailable(&answer);
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        if answer.status == status {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "still {}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Probes until the replica has taken over and the endpoint answers; until then nothing else is answered than 200 and an
/// honest 503. A probe may wait for the store for as long as the failover takes, so that there need be no 503.
async fn wait_for_failover(session: &SignedIn, sentinels: &Sentinels) {
    let started = Instant::now();
    while sentinels.replica.info("role").unwrap() != "master" {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status == 503 {
            assert_unavailable(&answer);
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        assert!(started.elapsed() < Duration::from_secs(30), "nobody took over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wait_for_status(session, 200).await;
}

/// Refreshes until it works; until then nothing else is answered than an honest 503.
async fn wait_for_refresh(session: &mut SignedIn) {
    let started = Instant::now();
    loop {
        let answer = session.try_refresh().await.unwrap();
        if answer.status == 200 {
            break session.refresh().await.unwrap();
        }
        assert_unavailable(&answer);
        assert_eq!(answer.json["error"], json!("temporarily_unavailable"));
        assert!(started.elapsed() < Duration::from_secs(30), "still {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn assert_is_alice(session: &SignedIn) {
    let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(me["email"], "alice@example.com");
}

#[tokio::test]
async fn a_session_survives_a_failover_to_the_replica() {
    let mut sentinels = Sentinels::start().await.unwrap();
    let stack = impatient().proxy_setting("valkey.url", sentinels.url()).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    sentinels.in_step().await.unwrap();
    sentinels.primary.stop();
    wait_for_failover(&session, &sentinels).await;
    wait_for_refresh(&mut session).await;
    assert_is_alice(&session).await;
}

#[tokio::test]
async fn a_hung_valkey_is_503_within_the_command_timeout() {
    let mut stack = impatient().store(Store::Valkey).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let valkey = stack.valkey.take().unwrap();
    valkey.freeze(true).unwrap();
    let asked = Instant::now();
    assert_unavailable(&session.client.probe(&session.tokens.access).await.unwrap());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    let program = &mut stack.proxy().unwrap().program;
    assert_eq!(program.wait_check("valkey", false).await.unwrap(), 200, "clients shall hear our 503");
    valkey.freeze(false).unwrap();
    wait_for_status(&session, 200).await;
    assert_eq!(stack.proxy().unwrap().program.wait_check("valkey", true).await.unwrap(), 200);
    wait_for_refresh(&mut session).await;
    assert_is_alice(&session).await;
}

/// Valkey answers, but takes no writes: sessions go on, what must write is told to come back.
async fn takes_no_writes(cause: &str, cure: &str) {
    let stack = impatient().store(Store::Valkey).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let valkey: &Valkey = stack.valkey.as_ref().unwrap();
    let before = names(valkey);
    assert_eq!(valkey.command(cause).unwrap(), "+OK");
    let refused = session.try_refresh().await.unwrap();
    assert_unavailable(&refused);
    assert_eq!(refused.json["error"], json!("temporarily_unavailable"));
    wait_for_status(&session, 200).await;
    assert_eq!(names(valkey), before, "nothing was lost");
    assert_eq!(valkey.command(cure).unwrap(), "+OK");
    wait_for_refresh(&mut session).await;
    assert_is_alice(&session).await;
}

fn names(valkey: &Valkey) -> Vec<String> {
    let mut names: Vec<String> = valkey.dump().unwrap().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.retain(|name| name.contains(":session:") || name.contains(":grant:"));
    names
}

#[tokio::test]
async fn a_read_only_valkey_refuses_refreshes_with_503_and_loses_nothing() {
    takes_no_writes("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE").await;
}

#[tokio::test]
async fn a_full_valkey_refuses_refreshes_with_503_and_loses_nothing() {
    takes_no_writes("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0").await;
}

#[tokio::test]
async fn a_password_that_no_longer_fits_is_503_and_told_until_it_does() {
    let mut stack = impatient().store(Store::Valkey).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let valkey = stack.valkey.take().unwrap();
    let locked =
        valkey.command("CONFIG SET requirepass another\r\nCLIENT KILL TYPE normal SKIPME no").unwrap();
    assert_eq!(locked, "+OK");
    wait_for_status(&session, 503).await;
    assert_eq!(stack.proxy().unwrap().program.wait_check("valkey", false).await.unwrap(), 200);
    assert_eq!(valkey.command("AUTH another\r\nCONFIG SET requirepass \"\"").unwrap(), "+OK");
    wait_for_status(&session, 200).await;
    assert_eq!(stack.proxy().unwrap().program.wait_check("valkey", true).await.unwrap(), 200);
    assert_is_alice(&session).await;
}

/// Runs `keys status --json`; gives its exit code and what it printed.
async fn keys_status(settings: &Settings, environment: &BTreeMap<String, String>) -> (Option<i32>, Value) {
    let scratch = Scratch::new("keys-status").unwrap();
    let config = scratch.write("config.toml", settings.text()).unwrap().display().to_string();
    let program = our_binary("mcp-edge-proxy", "PROXY_BIN").unwrap();
    let arguments = ["--config", &config, "keys", "status", "--json"];
    let mut process = Process::start("keys status", program.as_os_str(), arguments, environment).unwrap();
    let code = process.wait_ended().await.unwrap().code();
    let lines = process.log().lines();
    let printed = lines.iter().find_map(|line| serde_json::from_str(line).ok());
    (code, printed.unwrap_or_else(|| panic!("no JSON: {lines:?}")))
}

/// How many records of `kind` the key `id` sealed.
fn sealed(status: &Value, id: &str, kind: &str) -> u64 {
    let keys = status["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["id"] == id);
    key.and_then(|key| key["by_kind"][kind].as_u64()).unwrap_or_default()
}

#[tokio::test]
async fn keys_are_rotated_without_a_sign_out_and_the_status_tells_when_the_old_one_can_go() {
    let stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let mut settings = stack.proxies[0].settings.clone();
    let mut environment = stack.environment();
    let (code, status) = keys_status(&settings, &environment).await;
    assert_eq!(code, Some(0), "{status}");
    assert_eq!((sealed(&status, "test", "session"), sealed(&status, "test", "grant")), (1, 1), "{status}");

    let new = fresh_key("new").unwrap();
    environment.insert("PROXY_VAULT__KEYS".to_owned(), new.clone());
    let (code, status) = keys_status(&settings, &environment).await;
    assert_eq!(code, Some(1), "the old key is missed: {status}");

    environment.insert("PROXY_VAULT__KEYS".to_owned(), format!("{new}\n{}", stack.surroundings.vault_keys));
    settings.set("server.listen", format!("127.0.0.1:{}", free_port().unwrap()));
    let rotated = Proxy::start(settings.clone(), &environment).await.unwrap();
    session.client = session.client.through(&rotated.origin).unwrap();
    assert_is_alice(&session).await;
    session.refresh().await.unwrap();
    let started = Instant::now();
    loop {
        let (code, status) = keys_status(&settings, &environment).await;
        assert_eq!(code, Some(0), "{status}");
        let new = (sealed(&status, "new", "session"), sealed(&status, "new", "grant"));
        let old = (sealed(&status, "test", "session"), sealed(&status, "test", "grant"));
        if (new, old) == ((1, 1), (0, 0)) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "not sealed anew: {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_is_alice(&session).await;
}

#[tokio::test]
async fn a_proxy_without_the_key_is_503_with_a_loud_log_and_signs_nobody_out() {
    let mut stack = impatient().store(Store::Valkey).start().await.unwrap();
    let mut session = stack.sign_in("alice").await.unwrap();
    let mut settings = stack.proxies[0].settings.clone();
    settings.set("server.listen", format!("127.0.0.1:{}", free_port().unwrap()));
    let mut environment = stack.environment();
    environment.insert("PROXY_VAULT__KEYS".to_owned(), fresh_key("other").unwrap());
    let mut without = Proxy::start(settings, &environment).await.unwrap();
    let elsewhere = session.client.through(&without.origin).unwrap();

    assert_unavailable(&elsewhere.probe(&session.tokens.access).await.unwrap());
    let loud = "a stored session cannot be opened: was a key removed too early?";
    let logged = async |log: &Log| log.text().contains(loud).then_some(());
    without.program.process().wait_for("the loud line", logged).await.unwrap();
    // A token of a session that is not there is only made up.
    let mut parts: Vec<String> = session.tokens.access.split('.').map(str::to_owned).collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    claims["sid"] = json!(claims["sid"].as_str().unwrap().chars().rev().collect::<String>());
    parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
    assert_eq!(elsewhere.probe(&parts.join(".")).await.unwrap().status, 401);

    assert_is_alice(&session).await;
    session.refresh().await.unwrap();
    assert_is_alice(&session).await;
    stack.valkey.as_mut().unwrap().stop();
    assert_unavailable(&elsewhere.probe(&session.tokens.access).await.unwrap());
}
