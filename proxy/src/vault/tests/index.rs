//! The way from Cognito's own access tokens to sessions.

use cognito::{AccessToken, Issuer};

use super::super::index::{Index, by_origin, by_subject};
use super::flaky::Outage;
use super::world::ISSUER;
use super::*;
use crate::terms::Resource;

/// What the verifier says of an access token of Cognito.
fn bearer(subject: &str, origin: &str) -> AccessToken {
    AccessToken {
        iss: Issuer::parse(ISSUER).unwrap(),
        sub: subject.to_owned(),
        username: "alice".to_owned(),
        groups: Vec::new(),
        client_id: cognito::ClientId::parse("anotherclient0example01").unwrap(),
        scope: vec!["openid".to_owned()],
        exp: NOW + HOUR,
        iat: NOW,
        auth_time: None,
        origin_jti: Some(origin.to_owned()),
        jti: None,
        aud: None,
    }
}

fn world(index: Index) -> World {
    let mut world = World::new();
    world.policy.index = index;
    world
}

fn mcp() -> Resource {
    Resource::parse("https://edge.example/mcp").unwrap()
}

#[tokio::test]
async fn a_token_of_the_sign_in_finds_its_session_only_where_entries_are_written() {
    for (index, found) in [(Index::Nothing, false), (Index::Origin, true), (Index::OriginOrSubject, true)] {
        let world = world(index);
        let vault = world.vault();
        let sid = world.signed_in(&vault).await;
        let answer = vault.fresh_of(&bearer("sub-alice", "origin-of-sub-alice"), &mcp()).await;
        assert_eq!(answer.is_ok_and(|session| session.sid == sid), found, "{index:?}");
    }
}

#[tokio::test]
async fn a_session_whose_code_nobody_redeemed_is_not_found() {
    let world = world(Index::OriginOrSubject);
    let vault = world.vault();
    vault.create(&world.session()).await.unwrap();
    let answer = vault.fresh_of(&bearer("sub-alice", "origin-of-sub-alice"), &mcp()).await;
    assert!(matches!(answer, Err(VaultError::Gone)));
}

#[tokio::test]
async fn a_token_of_another_sign_in_finds_the_users_latest_session_where_subjects_count() {
    for (index, found) in [(Index::Origin, false), (Index::OriginOrSubject, true)] {
        let world = world(index);
        let vault = world.vault();
        world.signed_in(&vault).await;
        let latest = world.signed_in(&vault).await;
        let other = bearer("sub-alice", "another-sign-in");
        let answer = vault.fresh_of(&other, &mcp()).await;
        assert_eq!(answer.is_ok_and(|session| session.sid == latest), found, "{index:?}");
        let elsewhere = Resource::parse("https://edge.example/other").unwrap();
        assert!(matches!(vault.fresh_of(&other, &elsewhere).await, Err(VaultError::Gone)));
    }
}

#[tokio::test]
async fn a_sign_in_that_ended_does_not_go_on_in_another_session() {
    let world = world(Index::OriginOrSubject);
    let vault = world.vault();
    let ended = world.session();
    vault.create(&ended).await.unwrap();
    vault.keep(&ended.sid).await.unwrap();
    // Another sign-in of the same user: its own tokens come from elsewhere.
    let tokens = CognitoTokens { id: world.cognito.token("id", "elsewhere"), ..ended.tokens.clone() };
    let living = Session { sid: SessionId::from_random([1; 16]), tokens, ..ended.clone() };
    vault.create(&living).await.unwrap();
    vault.keep(&living.sid).await.unwrap();
    vault.end(&ended.sid, EndReason::SignedOut).await.unwrap();
    let answer = vault.fresh_of(&bearer("sub-alice", "origin-of-sub-alice"), &mcp()).await;
    assert!(matches!(answer, Err(VaultError::Gone)));
}

#[tokio::test]
async fn an_entry_leads_to_no_other_user_issuer_or_resource() {
    let world = world(Index::OriginOrSubject);
    let vault = world.vault();
    let alice = world.signed_in(&vault).await;
    let name = Bytes::copy_from_slice(alice.as_str().as_bytes());
    let bob = bearer("sub-bob", "origin-of-bob");
    let abroad = AccessToken {
        iss: Issuer::parse("https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test")
            .unwrap(),
        ..bearer("sub-alice", "origin-abroad")
    };
    let elsewhere = Resource::parse("https://edge.example/other").unwrap();
    for (token, resource) in [(&bob, &mcp()), (&abroad, &mcp()), (&bearer("sub-alice", "o"), &elsewhere)] {
        let issuer = token.iss.as_str();
        let origin = by_origin(issuer, token.origin_jti.as_deref().unwrap());
        for entry in [origin.clone(), by_subject(issuer, &token.sub, resource)] {
            world.store.put(&entry, name.clone(), Duration::from_secs(60)).await.unwrap();
            let answer = vault.fresh_of(token, resource).await;
            assert!(matches!(answer, Err(VaultError::Gone)), "{} {}", token.sub, resource);
            world.store.delete(&entry).await.unwrap();
        }
        world
            .store
            .put(&origin, Bytes::from_static(b"not a session id"), Duration::from_secs(60))
            .await
            .unwrap();
        assert!(matches!(vault.fresh_of(token, resource).await, Err(VaultError::Gone)));
    }
}

#[tokio::test]
async fn entries_end_with_the_session_and_nothing_is_concluded_from_a_store_that_is_down() {
    let world = world(Index::Origin);
    let vault = world.vault();
    let session = Session { ends: NOW + 600, ..world.session() };
    vault.create(&session).await.unwrap();
    world.store.fails(Outage::All);
    assert!(matches!(vault.keep(&session.sid).await, Err(VaultError::Unavailable { part: "store", .. })));
    let token = bearer("sub-alice", "origin-of-sub-alice");
    assert!(matches!(
        vault.fresh_of(&token, &mcp()).await,
        Err(VaultError::Unavailable { part: "store", .. })
    ));
    world.store.fails(Outage::None);
    vault.keep(&session.sid).await.unwrap();
    assert!(vault.fresh_of(&token, &mcp()).await.is_ok());
    world.pass(600);
    assert!(world.store.get(&by_origin(ISSUER, "origin-of-sub-alice")).await.unwrap().is_none());
}
