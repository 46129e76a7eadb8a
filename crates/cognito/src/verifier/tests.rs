use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{MAX_TOKEN_BYTES, Nonce, at_hash};
use crate::TokenError;
use crate::test_pool::{
    ACCESS_KID, CLIENT, ID_KID, ISSUER, NOW, OTHER_ISSUER, access_claims, access_token, id_claims, id_token,
    jwk, jwks, key, pool, pool_of, public_der, sign, unsigned, with,
};

async fn id_reason(raw: &str) -> &'static str {
    pool().verifier.id_token(raw, Nonce::Unchecked).await.map_or_else(|error| error.reason(), |_| "ok")
}

async fn access_reason(raw: &str) -> &'static str {
    pool().verifier.access_token(raw).await.map_or_else(|error| error.reason(), |_| "ok")
}

/// An ID token with another header, properly signed.
fn with_header(header: Value) -> String {
    sign(key(0), &unsigned(&header, &id_claims()))
}

#[tokio::test]
async fn an_id_token_gives_the_user() {
    let pool = pool();
    let token = pool.verifier.id_token(&id_token(json!({})), Nonce::Exactly("n-1")).await.unwrap();
    assert_eq!(token.iss.as_str(), ISSUER);
    assert_eq!(token.username, "alice");
    assert_eq!(token.groups, ["eng", "ops"]);
    assert_eq!(token.email.as_deref(), Some("alice@example.com"));
    assert_eq!(token.client_id.as_str(), CLIENT);
    assert_eq!((token.exp, token.iat, token.auth_time), (NOW + 3600, NOW, Some(NOW - 10)));
    assert_eq!((token.origin_jti.as_deref(), token.jti.as_deref()), (Some("origin-1"), Some("jti-1")));
    assert_eq!(token.remaining(&pool.clock), Duration::from_secs(3600));
    pool.clock.advance(Duration::from_secs(4000));
    assert_eq!(token.remaining(&pool.clock), Duration::ZERO);
}

#[tokio::test]
async fn an_access_token_gives_user_client_and_scopes() {
    let token = pool().verifier.access_token(&access_token(json!({}))).await.unwrap();
    assert_eq!((token.username.as_str(), token.client_id.as_str()), ("alice", CLIENT));
    assert_eq!(token.scope, ["openid", "email"]);
    assert_eq!(token.aud, None);
}

#[tokio::test]
async fn an_access_token_bound_to_a_resource_is_accepted() {
    let raw = access_token(json!({ "aud": "https://mcp.example/mcp" }));
    let token = pool().verifier.access_token(&raw).await.unwrap();
    assert_eq!(token.aud.as_deref(), Some(&["https://mcp.example/mcp".to_owned()][..]));
}

#[tokio::test]
async fn a_token_of_the_other_use_is_refused_both_ways() {
    assert_eq!(id_reason(&access_token(json!({}))).await, "token_use");
    assert_eq!(access_reason(&id_token(json!({}))).await, "token_use");
    // Even with every other claim in place.
    let both = json!({ "aud": CLIENT, "cognito:username": "alice" });
    assert_eq!(id_reason(&access_token(both)).await, "token_use");
    let both = json!({ "client_id": CLIENT, "username": "alice", "scope": "openid" });
    assert_eq!(access_reason(&id_token(both)).await, "token_use");
    assert_eq!(id_reason(&id_token(json!({ "token_use": null }))).await, "token_missing_claim");
}

#[tokio::test]
async fn a_token_for_another_client_is_refused() {
    assert_eq!(id_reason(&id_token(json!({ "aud": "other" }))).await, "token_audience");
    assert_eq!(id_reason(&id_token(json!({ "aud": null }))).await, "token_missing_claim");
    assert_eq!(id_reason(&id_token(json!({ "aud": [] }))).await, "token_audience");
    assert_eq!(id_reason(&id_token(json!({ "aud": [CLIENT, "other"] }))).await, "token_audience");
    assert_eq!(id_reason(&id_token(json!({ "aud": [CLIENT] }))).await, "ok");
    assert_eq!(id_reason(&id_token(json!({ "aud": "second" }))).await, "ok");
    assert_eq!(access_reason(&access_token(json!({ "client_id": "other" }))).await, "token_audience");
    assert_eq!(
        access_reason(&access_token(json!({ "client_id": null, "aud": CLIENT }))).await,
        "token_missing_claim"
    );
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused_without_a_fetch() {
    let pool = pool();
    for iss in [OTHER_ISSUER, "https://evil.example", &format!("{ISSUER}/"), "", &ISSUER.to_uppercase()] {
        let error =
            pool.verifier.id_token(&id_token(json!({ "iss": iss })), Nonce::Unchecked).await.unwrap_err();
        assert!(matches!(error, TokenError::WrongIssuer), "{iss}: {error}");
    }
    assert_eq!(pool.fetch.count(), 0);
    assert_eq!(id_reason(&id_token(json!({ "iss": null }))).await, "token_missing_claim");
    assert_eq!(id_reason(&id_token(json!({ "iss": [ISSUER] }))).await, "token_malformed");
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_verify_anothers_token() {
    let pool = pool_of(&[ISSUER, OTHER_ISSUER]);
    pool.fetch.publish(OTHER_ISSUER, Some(jwks(&[("only-there", key(2))])));
    let mixed = id_token(json!({ "iss": OTHER_ISSUER }));
    let error = pool.verifier.id_token(&mixed, Nonce::Unchecked).await.unwrap_err();
    assert!(matches!(error, TokenError::UnknownKey), "{error}");
    let header = json!({ "kid": "only-there", "alg": "RS256" });
    let right = sign(key(2), &unsigned(&header, &with(id_claims(), json!({ "iss": OTHER_ISSUER }))));
    assert!(pool.verifier.id_token(&right, Nonce::Unchecked).await.is_ok());
    let right = sign(key(2), &unsigned(&header, &with(access_claims(), json!({ "iss": OTHER_ISSUER }))));
    let token = pool.verifier.access_token(&right).await.unwrap();
    assert_eq!(token.iss.as_str(), OTHER_ISSUER, "whose it is stays known");
}

#[tokio::test]
async fn expiry_is_checked_with_leeway_and_cannot_be_dodged() {
    assert_eq!(id_reason(&id_token(json!({ "exp": NOW - 59 }))).await, "ok");
    assert_eq!(id_reason(&id_token(json!({ "exp": NOW - 60 }))).await, "token_expired");
    assert_eq!(id_reason(&id_token(json!({ "exp": 0 }))).await, "token_expired");
    assert_eq!(id_reason(&id_token(json!({ "exp": u64::MAX }))).await, "ok");
    assert_eq!(id_reason(&id_token(json!({ "exp": null }))).await, "token_missing_claim");
    assert_eq!(id_reason(&id_token(json!({ "iat": null }))).await, "token_missing_claim");
    for exp in
        [json!("9999999999"), json!(9_999_999_999.5), json!(-1), json!(true), json!([NOW + 60]), json!({})]
    {
        assert_eq!(id_reason(&id_token(json!({ "exp": exp }))).await, "token_malformed", "{exp}");
    }
}

#[tokio::test]
async fn not_before_is_checked_with_leeway_and_cannot_be_dodged() {
    assert_eq!(id_reason(&id_token(json!({ "nbf": NOW + 60 }))).await, "ok");
    assert_eq!(id_reason(&id_token(json!({ "nbf": NOW + 61 }))).await, "token_not_yet_valid");
    for nbf in [json!("0"), json!(1.5), json!(-1), json!([0])] {
        assert_eq!(id_reason(&id_token(json!({ "nbf": nbf }))).await, "token_malformed", "{nbf}");
    }
}

#[tokio::test]
async fn only_the_nonce_of_this_sign_in_is_accepted() {
    let pool = pool();
    for changes in [json!({}), json!({ "nonce": null })] {
        let error = pool.verifier.id_token(&id_token(changes), Nonce::Exactly("n-2")).await.unwrap_err();
        assert!(matches!(error, TokenError::WrongNonce), "{error}");
    }
    assert!(pool.verifier.id_token(&id_token(json!({ "nonce": null })), Nonce::Unchecked).await.is_ok());
}

#[tokio::test]
async fn a_token_that_names_no_user_is_refused() {
    for name in [json!(null), json!(""), json!("  ")] {
        assert_eq!(id_reason(&id_token(json!({ "cognito:username": name }))).await, "token_missing_claim");
        assert_eq!(access_reason(&access_token(json!({ "username": name }))).await, "token_missing_claim");
        assert_eq!(id_reason(&id_token(json!({ "sub": name }))).await, "token_missing_claim");
    }
    // An access token's claim does not stand in for the ID token's.
    let other_name = json!({ "cognito:username": null, "username": "alice" });
    assert_eq!(id_reason(&id_token(other_name)).await, "token_missing_claim");
}

#[tokio::test]
async fn only_rs256_is_accepted() {
    for alg in ["none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", ""] {
        let raw = with_header(json!({ "kid": ID_KID, "alg": alg }));
        assert_eq!(id_reason(&raw).await, "token_algorithm", "{alg}");
    }
    assert_eq!(id_reason(&with_header(json!({ "kid": ID_KID }))).await, "token_algorithm");
    let none = unsigned(&json!({ "kid": ID_KID, "alg": "none" }), &id_claims());
    assert_eq!(id_reason(&format!("{none}.")).await, "token_algorithm");
    let empty = unsigned(&json!({ "kid": ID_KID, "alg": "RS256" }), &id_claims());
    assert_eq!(id_reason(&format!("{empty}.")).await, "token_signature");
}

#[tokio::test]
async fn hmac_over_the_public_key_is_refused() {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &public_der(key(0)));
    for (alg, reason) in [("HS256", "token_algorithm"), ("RS256", "token_signature")] {
        let message = unsigned(&json!({ "kid": ID_KID, "alg": alg }), &id_claims());
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
        assert_eq!(id_reason(&format!("{message}.{tag}")).await, reason);
    }
}

#[tokio::test]
async fn a_token_cannot_bring_its_own_key_or_rules() {
    let own = jwk("own", key(2));
    let members = [
        ("jwk", own),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MII"])),
        ("crit", json!(["exp"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ];
    for (name, value) in members {
        let raw = with_header(json!({ "kid": ID_KID, "alg": "RS256", name: value }));
        assert_eq!(id_reason(&raw).await, "token_header", "{name}");
    }
    // Members that carry no rule are fine.
    let raw = with_header(json!({ "kid": ID_KID, "alg": "RS256", "typ": "JWT", "x5t": "AAAA" }));
    assert_eq!(id_reason(&raw).await, "ok");
}

#[tokio::test]
async fn the_key_must_be_named_and_known() {
    assert_eq!(id_reason(&with_header(json!({ "alg": "RS256" }))).await, "token_no_kid");
    assert_eq!(id_reason(&with_header(json!({ "kid": "", "alg": "RS256" }))).await, "token_no_kid");
    assert_eq!(id_reason(&with_header(json!({ "kid": null, "alg": "RS256" }))).await, "token_no_kid");
    assert_eq!(id_reason(&with_header(json!({ "kid": 7, "alg": "RS256" }))).await, "token_malformed");
    assert_eq!(id_reason(&with_header(json!({ "kid": "x", "alg": "RS256" }))).await, "token_unknown_key");
    let long = "x".repeat(300);
    assert_eq!(id_reason(&with_header(json!({ "kid": long, "alg": "RS256" }))).await, "token_unknown_key");
}

#[tokio::test]
async fn the_signature_must_be_the_named_keys_over_these_bytes() {
    let header = json!({ "kid": ID_KID, "alg": "RS256" });
    let by_stranger = sign(key(2), &unsigned(&header, &id_claims()));
    assert_eq!(id_reason(&by_stranger).await, "token_signature");
    let by_access_key = with_header(json!({ "kid": ACCESS_KID, "alg": "RS256" }));
    assert_eq!(id_reason(&by_access_key).await, "token_signature");
    let good = id_token(json!({}));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other_user = unsigned(&header, &with(id_claims(), json!({ "cognito:username": "bob" })));
    assert_eq!(id_reason(&format!("{other_user}.{signature}")).await, "token_signature");
    assert_eq!(id_reason(&format!("{good}=")).await, "token_signature");
}

#[tokio::test]
async fn what_is_not_a_token_is_malformed() {
    let good = id_token(json!({}));
    let bad = [
        String::new(),
        "..".into(),
        "a.b.c".into(),
        "opaque".into(),
        format!("{good}.x.y"),
        good.replace('.', ".."),
        format!(" {good}"),
        sign(key(0), &format!("{}.e30=", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k"}"#))),
        sign(key(0), &format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}{}"#), "e30")),
    ];
    for raw in bad {
        assert_eq!(id_reason(&raw).await, "token_malformed", "{raw}");
    }
}

#[tokio::test]
async fn a_claim_given_twice_makes_the_token_malformed() {
    let header = URL_SAFE_NO_PAD.encode(json!({ "kid": ID_KID, "alg": "RS256" }).to_string());
    let twice = id_claims().to_string().replacen('{', r#"{"exp":1,"#, 1);
    let raw = sign(key(0), &format!("{header}.{}", URL_SAFE_NO_PAD.encode(twice)));
    assert_eq!(id_reason(&raw).await, "token_malformed");
}

#[tokio::test]
async fn large_tokens_pass_up_to_the_cap() {
    assert_eq!(id_reason(&id_token(json!({ "custom:blob": "x".repeat(9000) }))).await, "ok");
    let over = id_token(json!({ "custom:blob": "x".repeat(MAX_TOKEN_BYTES) }));
    assert_eq!(id_reason(&over).await, "token_too_large");
}

#[tokio::test]
async fn a_pair_must_be_of_one_user_pool_and_client() {
    let pool = pool();
    let access = access_token(json!({}));
    let pair = |id: String| {
        let (verifier, access) = (&pool.verifier, &access);
        async move { verifier.pair(access, &id, Nonce::Exactly("n-1")).await.map_err(|error| error.reason()) }
    };
    assert!(pair(id_token(json!({}))).await.is_ok());
    assert!(pair(id_token(json!({ "at_hash": at_hash(&access) }))).await.is_ok());
    for changes in [
        json!({ "sub": "another" }),
        json!({ "cognito:username": "bob" }),
        json!({ "aud": "second" }),
        json!({ "at_hash": at_hash("another") }),
        json!({ "at_hash": "" }),
    ] {
        assert_eq!(pair(id_token(changes.clone())).await.unwrap_err(), "token_pair", "{changes}");
    }
    assert_eq!(pair(access.clone()).await.unwrap_err(), "token_use");
}

#[tokio::test]
async fn at_hash_is_the_one_of_the_specification() {
    // The example of OpenID Connect Core, appendix A.4 (there with c_hash's access token of A.3).
    assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
}

#[tokio::test]
async fn a_changed_subject_after_refresh_is_noticed() {
    let pool = pool();
    let id = pool.verifier.id_token(&id_token(json!({})), Nonce::Unchecked).await.unwrap();
    assert!(id.expect_subject(ISSUER, &id.sub).is_ok());
    assert!(matches!(id.expect_subject(ISSUER, "another"), Err(TokenError::SubjectChanged)));
    assert!(matches!(id.expect_subject(OTHER_ISSUER, &id.sub), Err(TokenError::SubjectChanged)));
    let access = pool.verifier.access_token(&access_token(json!({}))).await.unwrap();
    assert!(access.expect_subject(ISSUER, &id.sub).is_ok());
    assert!(access.expect_subject(ISSUER, "another").is_err());
}

#[tokio::test]
async fn no_error_text_holds_any_part_of_the_token() {
    let secret = "secret-value";
    for changes in [json!({ "aud": secret }), json!({ "exp": secret }), json!({ "iss": secret })] {
        let error = pool().verifier.id_token(&id_token(changes), Nonce::Unchecked).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
        assert!(!error.is_ours());
    }
    assert_eq!(access_claims()["token_use"], "access");
}
