//! A proxy that is killed again and again under load: nobody else notices, and nothing is lost.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::json;
use stack::{
    client::{Era, SignedIn},
    cognito::{Behaviour, CognitoDouble, Fault, Faults},
    load::Load,
    process::PATIENCE,
    proxy::Proxy,
    stack::{Stack, Store},
};

const KILLS: usize = 20;

/// Refresh tokens that were used more than once at Cognito, and how often beyond the first time.
fn used_again(cognito: &CognitoDouble) -> usize {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for request in cognito.requests().iter().filter(|request| request.asks_for("refresh_token")) {
        *uses.entry(request.form_value("refresh_token").unwrap().to_owned()).or_default() += 1;
    }
    uses.values().map(|count| count - 1).sum()
}

#[tokio::test]
async fn twenty_kills_under_load_lose_no_session() {
    // Always due, so that refreshes go on all the time; and answered late, so that kills hit them.
    let due = |behaviour: &mut Behaviour| {
        behaviour.id_token_lifetime = Duration::from_secs(100);
        behaviour.rotation = Some(Duration::from_secs(60));
    };
    let mut stack = Stack::builder()
        .store(Store::Valkey)
        .proxies(2)
        .proxy_setting("limits.requests_per_minute", 0)
        .proxy_setting("vault.cache_seconds", 1)
        .proxy_setting("vault.refresh_lock_seconds", 1)
        .cognito(|options| due(&mut options.behaviour))
        .start()
        .await
        .unwrap();
    let mut living = Vec::new();
    for user in ["alice", "bob", "alice", "bob", "alice", "bob"] {
        living.push((user, stack.sign_in(user).await.unwrap()));
    }
    let late = Fault::LateAnswer(Duration::from_millis(100));
    stack.cognito.set_faults(Faults { token: Some(late), ..Faults::default() });
    let sessions: Vec<SignedIn> = living.iter().map(|(_, session)| session.clone()).collect();
    let doomed: Vec<SignedIn> = sessions
        .iter()
        .map(|session| SignedIn {
            client: session.client.through(&stack.proxies[1].origin).unwrap(),
            ..session.clone()
        })
        .collect();
    let (spared, killed) = (Load::start(&sessions), Load::start(&doomed));

    let environment = stack.environment();
    for _ in 0..KILLS {
        // What a new proxy does first is to refresh: it dies while Cognito answers, or else while it serves.
        let began = Instant::now();
        let (served, asked) = (killed.served(), stack.cognito.refreshes());
        while killed.served() < served + 2 && stack.cognito.refreshes() == asked {
            assert!(began.elapsed() < PATIENCE, "the killed one serves nothing");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let settings = stack.proxies[1].settings.clone();
        stack.proxies[1].program.process().kill();
        stack.proxies[1] = Proxy::start(settings, &environment).await.unwrap();
    }
    let (spared, killed) = (spared.stop().await.unwrap(), killed.stop().await.unwrap());

    assert!(spared.refused.is_empty() && spared.unanswered == 0, "{spared:?}");
    assert!(killed.refused.is_empty(), "only the kill itself may cost an answer: {killed:?}");
    assert!(killed.unanswered > 0, "the load was there when it was killed");
    // Twice is right only where the one who knew the new token was killed, and Cognito's grace is for that.
    let again = used_again(&stack.cognito);
    assert!(again <= KILLS * sessions.len(), "{again} uses too many");
    for (user, mut session) in living {
        session.refresh().await.unwrap();
        let me = session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
        assert_eq!(me["email"], format!("{user}@example.com"));
    }
}
