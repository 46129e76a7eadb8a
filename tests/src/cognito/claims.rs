//! The claims of Cognito's tokens.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    signing::{change, uuid},
    world::{Behaviour, Grant, User},
};

/// What a token is made from.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) user: &'a User,
    pub(super) grant: &'a Grant,
    pub(super) behaviour: &'a Behaviour,
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) now: u64,
}

/// The claims of an access token. It says `username`, not `cognito:username`, and has no `aud` unless bound to a
/// resource.
pub(super) fn access(subject: &Subject<'_>) -> Value {
    let mut claims = json!({
        "version": 2,
        "client_id": subject.client_id,
        "token_use": "access",
        "scope": subject.grant.scopes.join(" "),
        "username": subject.user.username,
        "exp": subject.now + subject.behaviour.access_token_lifetime.as_secs(),
    });
    change(&mut claims, &shared(subject));
    if let Some(resource) = &subject.grant.resource {
        change(&mut claims, &json!({ "aud": resource }));
    }
    claims
}

/// The claims of an ID token, with the hash of the access token it comes with.
pub(super) fn id(subject: &Subject<'_>, access_token: Option<&str>) -> Value {
    let mut claims = json!({
        "aud": subject.client_id,
        "token_use": "id",
        "cognito:username": subject.user.username,
        "exp": subject.now + subject.behaviour.id_token_lifetime.as_secs(),
    });
    change(&mut claims, &shared(subject));
    if let Some(access_token) = access_token {
        change(&mut claims, &json!({ "at_hash": at_hash(access_token) }));
    }
    if let Some(nonce) = &subject.grant.nonce {
        change(&mut claims, &json!({ "nonce": nonce }));
    }
    if may_see_email(&subject.grant.scopes) {
        change(&mut claims, &json!({ "email": subject.user.email, "email_verified": true }));
    }
    if subject.behaviour.custom_claim_bytes > 0 {
        change(&mut claims, &json!({ "custom:padding": "x".repeat(subject.behaviour.custom_claim_bytes) }));
    }
    claims
}

fn shared(subject: &Subject<'_>) -> Value {
    let mut claims = json!({
        "sub": subject.user.sub,
        "iss": subject.issuer,
        "event_id": uuid(),
        "auth_time": subject.grant.auth_time,
        "iat": subject.now,
    });
    if subject.behaviour.revocation {
        change(&mut claims, &json!({ "origin_jti": subject.grant.origin_jti, "jti": uuid() }));
    }
    if !subject.user.groups.is_empty() {
        change(&mut claims, &json!({ "cognito:groups": subject.user.groups }));
    }
    claims
}

/// `openid` alone gives all attributes; next to `email`, `profile` or `phone` only theirs.
fn may_see_email(scopes: &[String]) -> bool {
    let asked = |name: &str| scopes.iter().any(|scope| scope == name);
    asked("email") || !(asked("profile") || asked("phone"))
}

/// Left half of the token's SHA-256 (OpenID Connect Core 3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}
