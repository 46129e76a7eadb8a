//! `/oauth2/token`: codes and refresh tokens turned into tokens.

use aws_lc_rs::digest;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    server::Call,
    signing::change,
    world::{Code, Minted, World},
};
use crate::trouble::Outcome;

/// `POST /oauth2/token`
pub(super) fn token(world: &mut World, call: &Call) -> Answer {
    answer(world, call).unwrap_or_else(|refusal| refusal).with("access-control-allow-origin", "*")
}

fn answer(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if !call.has_form_body() {
        return Err(Answer::error(400, "invalid_request"));
    }
    if !is_the_client(world, call) {
        return Err(Answer::error(400, "invalid_client"));
    }
    match call.form_value("grant_type") {
        Some("authorization_code") => redeem(world, call),
        Some("refresh_token") => refresh(world, call),
        Some("client_credentials") => Err(Answer::error(400, "unauthorized_client")),
        Some(_) => Err(Answer::error(400, "unsupported_grant_type")),
        None => Err(Answer::error(400, "invalid_request")),
    }
}

/// Client authentication: `client_secret_basic` or `client_secret_post`; a public client sends its id and nothing else.
pub(super) fn is_the_client(world: &World, call: &Call) -> bool {
    let id = Some(world.options.client_id.as_str());
    let secret = world.options.client_secret.as_deref();
    let posted_id = call.form_value("client_id");
    match call.header("authorization") {
        Some(header) => {
            let credentials = header.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
            let credentials = credentials.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
            let given = credentials.split_once(':');
            secret.is_some()
                && given.map(|(name, _)| name) == id
                && given.map(|(_, password)| password) == secret
                && (posted_id.is_none() || posted_id == id)
        }
        None => posted_id == id && call.form_value("client_secret") == secret,
    }
}

fn redeem(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let text = call.form_value("code").ok_or_else(|| Answer::error(400, "invalid_request"))?;
    // Once: a code is spent by the first attempt, also by a failed one.
    let code = world.codes.remove(text).ok_or_else(|| Answer::error(400, "invalid_grant"))?;
    if world.now() >= code.until {
        return Err(Answer::error(400, "invalid_grant"));
    }
    if call.form_value("redirect_uri") != Some(code.redirect_uri.as_str()) {
        let body = json!({ "error": "unauthorized_client", "error_description": "invalid_redirect" });
        return Err(Answer::json(400, &body));
    }
    if !verifier_fits(&code, call.form_value("code_verifier")) {
        return Err(Answer::error(400, "invalid_grant"));
    }
    let minted = world.mint(&code.grant, false).ok_or_else(|| Answer::error(400, "invalid_grant"))?;
    let origin_jti = code.grant.origin_jti.clone();
    world.grants.insert(origin_jti.clone(), code.grant);
    let refresh_token = world.new_refresh_token(&origin_jti);
    let shown = (!world.behaviour.sign_in_omits_refresh_token).then_some(refresh_token.as_str());
    Ok(tokens(world, minted, true, shown))
}

/// Checked only if a challenge was sent with the authorization request: PKCE is optional at Cognito.
fn verifier_fits(code: &Code, verifier: Option<&str>) -> bool {
    let Some(challenge) = &code.challenge else { return true };
    let Some(verifier) = verifier else { return false };
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref()) == *challenge
}

fn refresh(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let invalid = || Answer::error(400, "invalid_grant");
    let text = call.form_value("refresh_token").ok_or_else(|| Answer::error(400, "invalid_request"))?;
    let token = world.refresh_tokens.get(text).cloned().ok_or_else(invalid)?;
    let grant = world.grants.get(&token.origin_jti).cloned().ok_or_else(invalid)?;
    let now = world.now();
    if now >= grant.until {
        return Err(invalid());
    }
    let grace = world.behaviour.rotation.unwrap_or_default().as_secs();
    if token.replaced_at.is_some_and(|at| now >= at.saturating_add(grace)) {
        if world.behaviour.reuse_ends_sign_in {
            world.end(&token.origin_jti);
        }
        return Err(invalid());
    }
    let minted = world.mint(&grant, true).ok_or_else(invalid)?;
    let mut successor = None;
    if world.behaviour.rotation.is_some() {
        // The new token ends when the first one would have: rotation extends nothing.
        successor = Some(world.new_refresh_token(&token.origin_jti));
        if let Some(old) = world.refresh_tokens.get_mut(text) {
            old.replaced_at.get_or_insert(now);
        }
    }
    let shown = successor.as_deref().filter(|_| !world.behaviour.refresh_omits_refresh_token);
    let with_id = !world.behaviour.refresh_omits_id_token;
    Ok(tokens(world, minted, with_id, shown))
}

/// The response. It has no `scope`, and `expires_in` is the access token's.
fn tokens(world: &World, minted: Outcome<Minted>, with_id: bool, refresh_token: Option<&str>) -> Answer {
    let Ok(minted) = minted else { return Answer::error(500, "server_error") };
    let mut body: Value = json!({
        "access_token": minted.access,
        "expires_in": world.behaviour.access_token_lifetime.as_secs(),
        "token_type": "Bearer",
    });
    if let Some(id) = minted.id.filter(|_| with_id) {
        change(&mut body, &json!({ "id_token": id }));
    }
    if let Some(refresh_token) = refresh_token {
        change(&mut body, &json!({ "refresh_token": refresh_token }));
    }
    Answer::json(200, &body).with("cache-control", "no-store").with("pragma", "no-cache")
}
