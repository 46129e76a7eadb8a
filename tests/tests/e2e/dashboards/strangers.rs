//! A short load that moves everything that is counted: agents at work, and strangers who try what is refused.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn},
    load::Steady,
    process::PATIENCE,
    prometheus::Prometheus,
    stack::Stack,
    trouble::Outcome,
};

/// Requests a second of the agents.
const RATE: u32 = 20;

/// Calls a tool; how it ends does not matter.
pub(super) async fn call(session: &SignedIn, tool: &str, arguments: &Value) -> Outcome<Value> {
    session.tool(Era::Modern, tool, arguments).await
}

/// Does something again and again until Prometheus finds `expression`.
pub(super) async fn until(prometheus: &Prometheus, expression: &str, mut act: impl AsyncFnMut()) {
    let began = Instant::now();
    while prometheus.api.query(expression).await.unwrap().is_empty() {
        assert!(began.elapsed() < PATIENCE * 2, "never seen: {expression}");
        act().await;
        // Prometheus looks once a second.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Agents through both proxies, and beside them what people and strangers do, until Prometheus finds `expression`.
pub(super) async fn load(stack: &Stack, prometheus: &mut Prometheus, expression: &str) {
    let mut sessions = Vec::new();
    for (number, user) in ["alice", "bob"].into_iter().enumerate() {
        let mut session = stack.sign_in(user).await.unwrap();
        session.client = session.client.through(&stack.proxies[number].origin).unwrap();
        sessions.push(session);
    }
    let steady = Steady::start(&sessions, RATE);
    let agent = sessions.pop().unwrap();
    until(prometheus, expression, async || {
        let mut passing = stack.sign_in("alice").await.unwrap();
        passing.refresh().await.unwrap();
        call(&passing, "list_projects", &json!({})).await.unwrap();
        passing.revoke().await.unwrap();
        call(&agent, "get_me", &json!({ "wrong": true })).await.unwrap_err();
        for bearer in ["", "nobody's"] {
            assert_eq!(agent.client.probe(bearer).await.unwrap().status, 401);
        }
    })
    .await;
    let seen = steady.stop().await.unwrap();
    assert!(seen.served > 0 && seen.lost.is_empty(), "{seen:?}");
}
