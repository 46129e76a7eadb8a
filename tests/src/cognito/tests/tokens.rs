//! The tokens themselves: claims, keys, and forgeries that must not verify.

use std::time::Duration;

use ::cognito::Nonce;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{NOW, Pool, claims, member_names, text};
use crate::cognito::{Forgery, Host, TokenKind};

#[tokio::test]
async fn a_browser_sign_in_gives_a_pair_our_verifier_accepts() {
    let pool = Pool::start().await;
    let (_, tokens) = pool.redeem(&pool.code(&[]).await).await;
    let verifier = pool.verifier();
    let (access, id) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    let (access, id) = verifier.pair(access, id, Nonce::Exactly("no-1")).await.unwrap();
    let alice = pool.cognito.user("alice").unwrap();
    assert_eq!((id.username.as_str(), id.sub.as_str()), ("alice", alice.sub.as_str()));
    assert_ne!(alice.sub, alice.username);
    assert_eq!(id.groups, ["engineering"]);
    assert_eq!(id.email.as_deref(), Some("alice@example.com"));
    assert_eq!(access.scope, ["openid", "email"]);
    assert_eq!(access.origin_jti, id.origin_jti);
    assert!(id.at_hash.is_some());
}

#[tokio::test]
async fn claims_are_exactly_cognitos() {
    let pool = Pool::start().await;
    let (_, tokens) = pool.redeem(&pool.code(&[]).await).await;
    let access = claims(text(&tokens, "access_token"));
    let expected = [
        "auth_time",
        "client_id",
        "cognito:groups",
        "event_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "origin_jti",
        "scope",
        "sub",
        "token_use",
        "username",
        "version",
    ];
    assert_eq!(member_names(&access), expected);
    let id = claims(text(&tokens, "id_token"));
    let expected = [
        "at_hash",
        "aud",
        "auth_time",
        "cognito:groups",
        "cognito:username",
        "email",
        "email_verified",
        "event_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "nonce",
        "origin_jti",
        "sub",
        "token_use",
    ];
    assert_eq!(member_names(&id), expected);
    assert_eq!(id["email_verified"], true);
    assert_ne!(id["jti"], access["jti"]);
    // Bob is in no group, so the claim is absent.
    let bob = claims(&pool.cognito.sign_in("bob", None).unwrap().id_token);
    assert_eq!(bob.get("cognito:groups"), None);
    assert_eq!(bob.get("nonce"), None);
}

#[tokio::test]
async fn scopes_decide_about_id_token_and_email() {
    let pool = Pool::start().await;
    let mut seen = Vec::new();
    for scope in ["openid", "openid email", "openid profile", "email"] {
        let (_, tokens) = pool.redeem(&pool.code(&[("scope", scope), ("prompt", "login")]).await).await;
        seen.push(tokens.get("id_token").and_then(Value::as_str).map(|id| claims(id).get("email").is_some()));
    }
    assert_eq!(seen, [Some(true), Some(true), Some(false), None]);
}

#[tokio::test]
async fn a_resource_becomes_the_audience_of_access_tokens_also_after_refresh() {
    let pool = Pool::start().await;
    let (_, tokens) = pool.redeem(&pool.code(&[("resource", "https://mcp.example/mcp")]).await).await;
    let access = pool.verifier().access_token(text(&tokens, "access_token")).await.unwrap();
    assert_eq!(access.aud.as_deref(), Some(&["https://mcp.example/mcp".to_owned()][..]));
    let (_, refreshed) = pool.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(claims(text(&refreshed, "access_token"))["aud"], "https://mcp.example/mcp");
    assert_eq!(claims(text(&refreshed, "id_token"))["aud"], pool.cognito.client_id.as_str());
}

#[tokio::test]
async fn each_kind_of_token_has_a_key_of_its_own() {
    let pool = Pool::start().await;
    let issued = pool.cognito.sign_in("alice", None).unwrap();
    let kid = |token: &str| {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let (id, access) = (kid(&issued.id_token), kid(&issued.access_token));
    assert_ne!(id, access);
    for kid in [id, access] {
        assert!(kid.contains('+') && kid.contains('/') && kid.ends_with('='), "{kid}");
    }
    assert!(issued.refresh_token.len() > 1_600, "{}", issued.refresh_token.len());
}

#[tokio::test]
async fn rotated_keys_are_learnt_from_one_more_fetch() {
    let pool = Pool::start().await;
    let verifier = pool.verifier();
    let before = pool.cognito.mint_id_token("alice", &json!({})).unwrap();
    assert!(verifier.id_token(&before, Nonce::Unchecked).await.is_ok());
    pool.cognito.rotate_keys().unwrap();
    pool.clock.advance(Duration::from_secs(30));
    let after = pool.cognito.mint_id_token("alice", &json!({})).unwrap();
    assert!(verifier.id_token(&after, Nonce::Unchecked).await.is_ok());
    assert!(verifier.id_token(&before, Nonce::Unchecked).await.is_ok());
    let path = "/eu-central-1_Double01/.well-known/jwks.json";
    assert_eq!(pool.cognito.requests_to(Host::Issuer, path).len(), 2);
    pool.cognito.withdraw_old_keys();
    assert_eq!(pool.id_reason(&before).await, "token_unknown_key");
}

#[tokio::test]
async fn every_forgery_is_told_apart() {
    let pool = Pool::start().await;
    let forged = |kind, forgery| pool.cognito.forge(kind, "alice", &json!({}), &forgery).unwrap();
    for (forgery, reason) in [
        (Forgery::None, "ok"),
        (Forgery::StrangersKey, "token_signature"),
        (Forgery::UnknownKeyId, "token_unknown_key"),
        (Forgery::NoKeyId, "token_no_kid"),
        (Forgery::AlgNone, "token_algorithm"),
        (Forgery::HmacOverPublicKey, "token_algorithm"),
        (Forgery::Header(json!({ "crit": ["exp"] })), "token_header"),
        (Forgery::Header(json!({ "jku": "https://evil.example/" })), "token_header"),
    ] {
        assert_eq!(pool.id_reason(&forged(TokenKind::Id, forgery.clone())).await, reason, "{forgery:?}");
    }
    assert_eq!(pool.id_reason(&forged(TokenKind::Access, Forgery::None)).await, "token_use");
}

#[tokio::test]
async fn changed_claims_are_refused_for_their_own_reason() {
    let pool = Pool::start().await;
    for (changes, reason) in [
        (
            json!({ "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other" }),
            "token_issuer",
        ),
        (json!({ "aud": "another" }), "token_audience"),
        (json!({ "exp": NOW - 3600 }), "token_expired"),
        (json!({ "exp": "never" }), "token_malformed"),
        (json!({ "cognito:username": null }), "token_missing_claim"),
    ] {
        let token = pool.cognito.mint_id_token("alice", &changes).unwrap();
        assert_eq!(pool.id_reason(&token).await, reason, "{changes}");
    }
    let access = pool.cognito.mint_access_token("alice", &json!({ "client_id": "another" })).unwrap();
    assert_eq!(pool.verifier().access_token(&access).await.unwrap_err().reason(), "token_audience");
    assert!(pool.cognito.mint_id_token("nobody", &json!({})).is_err());
}

#[tokio::test]
async fn two_pools_do_not_accept_each_others_tokens() {
    let (one, other) = (Pool::start().await, Pool::start().await);
    let token = one.cognito.mint_id_token("alice", &json!({})).unwrap();
    assert_eq!(other.id_reason(&token).await, "token_issuer");
    let renamed = json!({ "iss": other.cognito.issuer_url() });
    let renamed = one.cognito.mint_id_token("alice", &renamed).unwrap();
    assert_eq!(other.id_reason(&renamed).await, "token_unknown_key");
}

#[tokio::test]
async fn a_nine_kilobyte_id_token_verifies() {
    let pool = Pool::behaving(|behaviour| behaviour.custom_claim_bytes = 6_000).await;
    let token = pool.cognito.sign_in("alice", None).unwrap().id_token;
    assert!(token.len() > 9_000, "{}", token.len());
    assert_eq!(pool.id_reason(&token).await, "ok");
}

#[tokio::test]
async fn lifetimes_are_set_for_each_kind_of_token() {
    let pool = Pool::behaving(|behaviour| {
        behaviour.id_token_lifetime = Duration::from_secs(300);
        behaviour.access_token_lifetime = Duration::from_secs(7200);
        behaviour.revocation = false;
    })
    .await;
    let (_, tokens) = pool.redeem(&pool.code(&[]).await).await;
    assert_eq!(tokens["expires_in"], 7200);
    let id = claims(text(&tokens, "id_token"));
    assert_eq!((id["exp"].as_u64(), id.get("origin_jti")), (Some(NOW + 300), None));
}
