use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use service::ManualClock;

use super::*;

const ISSUER: &str = "https://edge.example";
const NOW: u64 = 1_790_000_000;

struct Bench {
    tokens: AccessTokens,
    clock: ManualClock,
    kid: String,
    key: [u8; 32],
}

fn bench() -> Bench {
    let keys = Arc::new(KeyRing::ephemeral());
    let (kid, key) = keys.signing_keys().remove(0);
    let clock = ManualClock::at(NOW);
    Bench { tokens: AccessTokens::new(ISSUER, keys, Arc::new(clock.clone())), clock, kid, key }
}

fn grant() -> AccessGrant {
    AccessGrant {
        sid: SessionId::from_random([7; 16]),
        subject: "8f0c9b2e".to_owned(),
        client: ClientId::parse("mcp-abc").unwrap(),
        scopes: Scopes::parse("plane:read offline_access").unwrap(),
        resource: Resource::parse("https://edge.example/mcp").unwrap(),
        lifetime: Duration::from_secs(3600),
        jti: "jti-1".to_owned(),
        issued_at: NOW,
    }
}

/// A token with this header and these claims, whatever they are, under `key`.
fn forged(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(key);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "8f0c9b2e", "aud": "https://edge.example/mcp", "client_id": "mcp-abc",
        "scope": "plane:read", "sid": SessionId::from_random([7; 16]), "jti": "jti-1", "iat": NOW, "exp": NOW + 3600,
    })
}

#[test]
fn an_issued_token_says_what_it_was_issued_for() {
    let bench = bench();
    let raw = bench.tokens.issue(&grant());
    let said = bench.tokens.verify(raw.expose()).unwrap();
    let asked = grant();
    assert_eq!((said.sid, said.subject, said.client), (asked.sid, asked.subject, asked.client));
    assert_eq!((said.scopes, said.resource, said.jti), (asked.scopes, asked.resource, asked.jti));
    assert_eq!((said.issued_at, said.expires), (NOW, NOW + 3600));
    let header = jsonwebtoken::decode_header(raw.expose()).unwrap();
    assert_eq!((header.typ.as_deref(), header.kid), (Some("at+jwt"), Some(bench.kid)));
}

#[test]
fn a_token_ends_with_its_lifetime() {
    let bench = bench();
    let raw = bench.tokens.issue(&grant());
    bench.clock.set(NOW + 3604);
    assert!(bench.tokens.verify(raw.expose()).is_ok());
    bench.clock.set(NOW + 3605);
    assert_eq!(bench.tokens.verify(raw.expose()), Err(TokenRefused::Expired));
}

#[test]
fn every_forged_header_is_refused() {
    let bench = bench();
    let good = json!({ "typ": "at+jwt", "alg": "HS256", "kid": bench.kid });
    assert!(bench.tokens.verify(&forged(&good, &claims(), &bench.key)).is_ok());
    for (change, refused) in [
        (json!({ "alg": "none" }), TokenRefused::UnsupportedAlgorithm),
        (json!({ "alg": "RS256" }), TokenRefused::UnsupportedAlgorithm),
        (json!({ "alg": "HS512" }), TokenRefused::UnsupportedAlgorithm),
        (json!({ "alg": "hs256" }), TokenRefused::UnsupportedAlgorithm),
        (json!({ "alg": 1 }), TokenRefused::Malformed),
        (json!({ "typ": "JWT" }), TokenRefused::WrongType),
        (json!({ "typ": null }), TokenRefused::WrongType),
        (json!({ "kid": null }), TokenRefused::MissingKeyId),
        (json!({ "kid": "other" }), TokenRefused::UnknownKey),
        (json!({ "crit": ["exp"] }), TokenRefused::Malformed),
    ] {
        let mut header = good.clone();
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let raw = forged(&header, &claims(), &bench.key);
        assert_eq!(bench.tokens.verify(&raw), Err(refused), "{change}");
    }
}

#[test]
fn every_forged_claim_is_refused() {
    let bench = bench();
    let header = json!({ "typ": "at+jwt", "alg": "HS256", "kid": bench.kid });
    for (change, refused) in [
        (json!({ "iss": "https://edge.example/" }), TokenRefused::WrongIssuer),
        (json!({ "exp": NOW - 3600 }), TokenRefused::Expired),
        (json!({ "exp": null }), TokenRefused::Malformed),
        (json!({ "exp": "9999999999" }), TokenRefused::Malformed),
        (json!({ "exp": 9e99 }), TokenRefused::Malformed),
        (json!({ "aud": ["https://edge.example/mcp"] }), TokenRefused::Malformed),
        (json!({ "aud": "not a url" }), TokenRefused::Malformed),
        (json!({ "sid": "../other" }), TokenRefused::Malformed),
        (json!({ "client_id": "" }), TokenRefused::Malformed),
        (json!({ "scope": null }), TokenRefused::Malformed),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(bench.tokens.verify(&forged(&header, &claims, &bench.key)), Err(refused), "{change}");
    }
}

#[test]
fn another_key_another_token_and_no_token_are_refused() {
    let bench = bench();
    let header = json!({ "typ": "at+jwt", "alg": "HS256", "kid": bench.kid });
    let other_key = forged(&header, &claims(), &[1; 32]);
    let raw = bench.tokens.issue(&grant());
    let (message, _) = raw.expose().rsplit_once('.').unwrap();
    let cognito = json!({ "kid": "id+/key=", "alg": "RS256" });
    let id_claims =
        json!({ "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_A", "token_use": "id" });
    let elsewhere = bench_token();
    for (token, refused) in [
        (other_key, TokenRefused::BadSignature),
        (format!("{message}."), TokenRefused::BadSignature),
        (forged(&cognito, &id_claims, b"x"), TokenRefused::WrongType),
        (elsewhere, TokenRefused::UnknownKey),
        (String::new(), TokenRefused::Malformed),
        ("a.b.c".to_owned(), TokenRefused::Malformed),
        (format!("{}.x", raw.expose()), TokenRefused::Malformed),
        (format!("{}{}", raw.expose(), "A".repeat(9000)), TokenRefused::TooLarge),
    ] {
        assert_eq!(bench.tokens.verify(&token), Err(refused), "{refused}");
        assert!(!refused.reason().is_empty());
    }
}

/// A good token of a server with other keys.
fn bench_token() -> String {
    bench().tokens.issue(&grant()).expose().to_owned()
}

#[test]
fn tokens_outlive_the_rotation_of_the_key_that_signed_them() {
    let (old, new) = (KeyRing::generate_line(), KeyRing::generate_line());
    let ring = |lines: &[&Secret]| {
        let list: Vec<_> = lines.iter().map(|line| line.expose()).collect();
        Arc::new(KeyRing::parse(&Secret::new(list.join("\n"))).unwrap())
    };
    let tokens = |keys| AccessTokens::new(ISSUER, keys, Arc::new(ManualClock::at(NOW)));
    let raw = tokens(ring(&[&old])).issue(&grant());
    assert!(tokens(ring(&[&new, &old])).verify(raw.expose()).is_ok());
    assert_eq!(tokens(ring(&[&new])).verify(raw.expose()), Err(TokenRefused::UnknownKey));
}
