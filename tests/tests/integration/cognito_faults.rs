//! Every way Cognito can fail, at every endpoint of it that we use: "try again" in the words of the protocol at hand, and
//! no session is lost that Cognito itself still knows.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{
    browser::Callback,
    client::{Answer, SignedIn},
    cognito::{Behaviour, CognitoDouble, CognitoOptions, Fault, Faults},
    ports::free_port,
    process::PATIENCE,
    program::{Kind, Program},
    proxy::Proxy,
    stack::{Builder, Stack, Store},
};

/// Every way an endpoint can fail. Some say what would end a session, in a place where it means nothing.
fn failures() -> Vec<Fault> {
    let status = |status, body: &str| Fault::Status(status, body.to_owned());
    let page = "<html><body>Service Unavailable</body></html>";
    vec![
        status(429, r#"{"message":"Too Many Requests"}"#),
        status(429, r#"{"error":"invalid_grant"}"#),
        status(500, r#"{"error":"invalid_grant"}"#),
        status(503, page),
        status(403, page),
        status(400, page),
        status(200, "{}"),
        Fault::HtmlBody,
        Fault::Drop,
        Fault::DropAnswer,
        Fault::Hang,
    ]
}

/// Those that make a difference where something is only read, at the price of a start of the proxy each.
fn reading_failures() -> Vec<Fault> {
    let page = "<html><body>Service Unavailable</body></html>".to_owned();
    vec![
        Fault::Status(429, "{}".to_owned()),
        Fault::Status(503, page),
        Fault::HtmlBody,
        Fault::Drop,
        Fault::Hang,
    ]
}

/// Of what is wrong with the keys: the document of another pool.
async fn strangers_keys() -> String {
    let stranger = CognitoDouble::start(CognitoOptions::default()).await.unwrap();
    let url = format!("{}/.well-known/jwks.json", stranger.issuer_url());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

fn builder() -> Builder {
    Stack::builder()
        .proxy_setting("cognito.timeout_seconds", 3)
        .proxy_setting("limits.oauth_requests_per_minute", 0)
        .proxy_setting("limits.registrations_per_minute", 0)
}

/// Tokens that count as expired from the beginning: less than five seconds are none.
fn expired(behaviour: &mut Behaviour) {
    behaviour.id_token_lifetime = Duration::from_secs(4);
}

fn is_503(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{what}: {:?}", answer.headers);
    assert_eq!(answer.header("www-authenticate"), "", "{what}");
}

async fn served_again(session: &SignedIn, what: &str) {
    let started = Instant::now();
    loop {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status == 200 {
            return;
        }
        is_503(&answer, what);
        assert!(started.elapsed() < PATIENCE, "{what}: still {}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Goes through the sign-in with a new browser, up to the redirect to the client.
async fn callback(stack: &Stack) -> Callback {
    let (client, browser) = (stack.client("/mcp").unwrap(), stack.browser().unwrap());
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    let callback = browser.sign_in(&authorization.url, &stack.person("alice")).await.unwrap();
    assert_eq!(callback.state.as_deref(), Some(authorization.state.as_str()));
    assert_eq!(callback.iss.as_deref(), Some(stack.origin()));
    callback
}

#[tokio::test]
async fn a_refresh_that_fails_in_any_way_is_503_and_the_session_lives() {
    let rotating = |behaviour: &mut Behaviour| {
        expired(behaviour);
        behaviour.rotation = Some(Duration::from_secs(60));
    };
    let change = |options: &mut CognitoOptions| {
        rotating(&mut options.behaviour);
        // It stops, and finds them free again.
        options.issuer_address.set_port(free_port().unwrap());
        options.domain_address.set_port(free_port().unwrap());
    };
    let mut stack = builder().cognito(change).start().await.unwrap();
    let mut sessions = Vec::new();
    for fault in failures() {
        sessions.push((format!("{fault:?}"), fault, stack.sign_in("alice").await.unwrap()));
    }
    let cut_off = stack.sign_in("bob").await.unwrap();
    for (what, fault, session) in &sessions {
        stack.cognito.set_faults(Faults { token: Some(fault.clone()), ..Faults::default() });
        is_503(&session.client.probe(&session.tokens.access).await.unwrap(), what);
        let refused = session.try_refresh().await.unwrap();
        is_503(&refused, what);
        assert_eq!(refused.json["error"], "temporarily_unavailable", "{what}");
    }
    stack.cognito.stop();
    is_503(&cut_off.client.probe(&cut_off.tokens.access).await.unwrap(), "connection refused");
    stack.cognito.start_again().await.unwrap();

    stack.cognito.set_faults(Faults::default());
    stack.cognito.behave(|behaviour| behaviour.id_token_lifetime = Duration::from_secs(3600));
    for (what, _, mut session) in sessions {
        served_again(&session, &what).await;
        session.refresh().await.unwrap();
    }
    served_again(&cut_off, "connection refused").await;
}

#[tokio::test]
async fn while_tokens_are_valid_no_failure_of_a_refresh_is_noticed() {
    let due = |behaviour: &mut Behaviour| behaviour.id_token_lifetime = Duration::from_secs(100);
    let mut stack = builder().cognito(|options| due(&mut options.behaviour)).start().await.unwrap();
    for fault in failures() {
        let session = stack.sign_in("alice").await.unwrap();
        stack.cognito.set_faults(Faults {
            token: Some(fault.clone()),
            jwks: Some(fault.clone()),
            discovery: Some(fault.clone()),
            ..Faults::default()
        });
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        assert_eq!(answer.status, 200, "{fault:?}: {}", answer.text);
        stack.cognito.set_faults(Faults::default());
    }
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.stop();
    session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
}

#[tokio::test]
async fn a_sign_in_that_fails_at_the_exchange_in_any_way_is_temporarily_unavailable() {
    let stack = builder().start().await.unwrap();
    for fault in failures() {
        stack.cognito.set_faults(Faults { token: Some(fault.clone()), ..Faults::default() });
        let callback = callback(&stack).await;
        assert_eq!(callback.error.as_deref(), Some("temporarily_unavailable"), "{fault:?}");
        assert_eq!(callback.code, None);
    }
    stack.cognito.set_faults(Faults::default());
    assert!(callback(&stack).await.code.is_some());
}

/// Kills the proxy and starts one that knows nothing of Cognito; it is ready when it has its keys.
async fn restart(stack: &mut Stack, ready: bool) {
    let (settings, environment) = (stack.proxies[0].settings.clone(), stack.environment());
    stack.proxies.clear();
    let program = match ready {
        true => Program::start(Kind::Proxy, &settings, &environment).await.unwrap(),
        false => Program::start_unready(Kind::Proxy, &settings, &environment).await.unwrap(),
    };
    stack.proxies.push(Proxy { program, origin: stack.origin().to_owned(), settings });
}

#[tokio::test]
async fn discovery_that_fails_in_any_way_ends_neither_session_nor_patience() {
    let mut stack = builder()
        .store(Store::Valkey)
        .cognito(|options| expired(&mut options.behaviour))
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    for fault in reading_failures() {
        stack.cognito.set_faults(Faults { discovery: Some(fault.clone()), ..Faults::default() });
        restart(&mut stack, true).await;
        let what = format!("{fault:?}");
        is_503(&session.client.probe(&session.tokens.access).await.unwrap(), &what);
        assert_eq!(callback(&stack).await.error.as_deref(), Some("temporarily_unavailable"), "{what}");
    }
    stack.cognito.set_faults(Faults::default());
    stack.cognito.behave(|behaviour| *behaviour = Behaviour::default());
    restart(&mut stack, true).await;
    served_again(&session, "discovery").await;
    assert!(callback(&stack).await.code.is_some());
}

#[tokio::test]
async fn keys_that_cannot_be_had_or_are_another_pool_s_end_neither_session_nor_patience() {
    let mut stack = builder().store(Store::Valkey).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let mut faults = reading_failures();
    faults.push(Fault::Status(200, strangers_keys().await));
    faults.push(Fault::Status(200, r#"{"keys":[]}"#.to_owned()));
    for fault in faults {
        stack.cognito.set_faults(Faults { jwks: Some(fault.clone()), ..Faults::default() });
        restart(&mut stack, false).await;
        let what = format!("{fault:?}");
        is_503(&session.client.probe(&session.tokens.access).await.unwrap(), &what);
        assert_eq!(callback(&stack).await.error.as_deref(), Some("temporarily_unavailable"), "{what}");
    }
    stack.cognito.set_faults(Faults::default());
    restart(&mut stack, true).await;
    served_again(&session, "keys").await;
}

#[tokio::test]
async fn keys_rotated_at_any_time_lose_no_session() {
    let short = |behaviour: &mut Behaviour| behaviour.id_token_lifetime = Duration::from_secs(100);
    let stack = builder()
        .proxy_setting("vault.cache_seconds", 1)
        .cognito(|options| short(&mut options.behaviour))
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    // The first is looked up at once; the second comes within the time in which strangers' keys are not looked up.
    for _ in 0..2 {
        stack.cognito.rotate_keys().unwrap();
        stack.cognito.withdraw_old_keys();
        session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
        assert!(matches!(callback(&stack).await.error.as_deref(), None | Some("temporarily_unavailable")));
    }
}

#[tokio::test]
async fn a_sign_out_does_not_depend_on_cognito_s_revocation() {
    let mut stack = builder().start().await.unwrap();
    for fault in failures() {
        let session = stack.sign_in("alice").await.unwrap();
        stack.cognito.set_faults(Faults { revoke: Some(fault.clone()), ..Faults::default() });
        assert_eq!(session.revoke().await.unwrap().status, 200, "{fault:?}");
        assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 401, "{fault:?}");
        let refused = session.try_refresh().await.unwrap();
        assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")), "{fault:?}");
    }
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.stop();
    assert_eq!(session.revoke().await.unwrap().status, 200);
    assert_eq!(session.client.probe(&session.tokens.access).await.unwrap().status, 401);
}

/// What each refresh may leave out, and which of the two tokens ends first.
#[tokio::test]
async fn a_refresh_may_bring_less_and_either_token_may_end_first() {
    type Change = fn(&mut Behaviour);
    let id_first: Change = |behaviour| behaviour.id_token_lifetime = Duration::from_secs(4);
    let access_first: Change = |behaviour| behaviour.access_token_lifetime = Duration::from_secs(4);
    let rotating = |behaviour: &mut Behaviour| behaviour.rotation = Some(Duration::from_secs(60));
    let cases: [(&str, Change, Change); 6] = [
        ("id token ends first", id_first, |_| {}),
        ("access token ends first", access_first, |_| {}),
        ("no nonce", id_first, |behaviour| behaviour.refresh_omits_nonce = true),
        ("no id token", access_first, |behaviour| behaviour.refresh_omits_id_token = true),
        ("no refresh token", id_first, |behaviour| behaviour.refresh_omits_refresh_token = true),
        ("a new refresh token", id_first, |_| {}),
    ];
    let stack = builder().start().await.unwrap();
    for (what, at_first, later) in cases {
        let usual = |behaviour: &mut Behaviour| {
            *behaviour = Behaviour::default();
            if what.ends_with("refresh token") {
                rotating(behaviour);
            }
        };
        stack.cognito.behave(|behaviour| {
            usual(behaviour);
            at_first(behaviour);
        });
        let session = stack.sign_in("alice").await.unwrap();
        let before = stack.cognito.refreshes();
        stack.cognito.behave(|behaviour| {
            usual(behaviour);
            later(behaviour);
        });
        for _ in 0..3 {
            let answer = session.client.probe(&session.tokens.access).await.unwrap();
            assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        }
        assert_eq!(stack.cognito.refreshes(), before + 1, "{what}");
    }
}

#[tokio::test]
async fn without_a_new_refresh_token_the_old_one_is_used_again() {
    let due = |behaviour: &mut Behaviour| expired(behaviour);
    let stack = builder().cognito(|options| due(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let long = |behaviour: &mut Behaviour| behaviour.id_token_lifetime = Duration::from_secs(100);
    stack.cognito.behave(long);
    let started = Instant::now();
    while stack.cognito.refreshes() < 2 {
        session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
        assert!(started.elapsed() < PATIENCE, "{} refreshes", stack.cognito.refreshes());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let requests = stack.cognito.requests();
    let mut used = requests.iter().filter(|request| request.asks_for("refresh_token"));
    let mut token = || used.next().unwrap().form_value("refresh_token").unwrap().to_owned();
    assert_eq!(token(), token());
}

#[tokio::test]
async fn an_id_token_that_is_never_renewed_is_our_trouble_and_not_the_person_s() {
    let stack = builder().cognito(|options| expired(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.behave(|behaviour| behaviour.refresh_omits_id_token = true);
    is_503(&session.client.probe(&session.tokens.access).await.unwrap(), "no id token");
    stack.cognito.behave(|behaviour| *behaviour = Behaviour::default());
    served_again(&session, "no id token").await;
}

/// 401 at the route and `invalid_grant` at the token endpoint, both with words for a person.
async fn is_over(session: &SignedIn, reason: &str) {
    let started = Instant::now();
    let answer = loop {
        let answer = session.client.probe(&session.tokens.access).await.unwrap();
        if answer.status == 401 {
            break answer;
        }
        is_503(&answer, reason);
        assert!(started.elapsed() < PATIENCE, "{reason}: still {}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(answer.challenge("error").as_deref(), Some("invalid_token"));
    assert!(answer.challenge("error_description").is_some_and(|words| words.contains("sign in again")));
    assert!(answer.challenge("resource_metadata").is_some());
    assert_eq!(answer.json["reason"], reason);
    let refused = session.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")));
    assert!(refused.json["error_description"].as_str().unwrap().contains("sign in again"));
}

#[tokio::test]
async fn what_cognito_has_ended_is_over_with_words() {
    let stack = builder().cognito(|options| expired(&mut options.behaviour)).start().await.unwrap();
    stack.cognito.add_user("carol", "carol@example.com", &[]);
    let evicted = stack.sign_in("alice").await.unwrap();
    let disabled = stack.sign_in("carol").await.unwrap();
    let other = stack.sign_in("bob").await.unwrap();
    // As the oldest of too many sign-ins is forgotten.
    stack.cognito.evict_sessions("alice");
    stack.cognito.disable_user("carol").unwrap();
    is_over(&evicted, "session_ended_at_cognito").await;
    is_over(&disabled, "session_ended_at_cognito").await;
    stack.cognito.behave(|behaviour| behaviour.refresh_changes_subject = true);
    is_over(&other, "session_ended_at_cognito").await;
    stack.cognito.behave(|behaviour| *behaviour = Behaviour::default());
    let again = stack.sign_in("alice").await.unwrap();
    again.client.probe(&again.tokens.access).await.unwrap().expect_status(200).unwrap();
}

#[tokio::test]
async fn a_rotation_without_grace_whose_answer_is_lost_is_over_with_words() {
    let rotating = |behaviour: &mut Behaviour| {
        expired(behaviour);
        behaviour.rotation = Some(Duration::ZERO);
    };
    let stack = builder().cognito(|options| rotating(&mut options.behaviour)).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    stack.cognito.set_faults(Faults { token: Some(Fault::DropAnswer), ..Faults::default() });
    is_503(&session.client.probe(&session.tokens.access).await.unwrap(), "the answer is lost");
    stack.cognito.set_faults(Faults::default());
    is_over(&session, "session_ended_at_cognito").await;
}
