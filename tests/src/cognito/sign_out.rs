//! `/oauth2/revoke`, `/logout`, and `/oauth2/userInfo`, which is how a sign-out can be noticed.

use serde_json::json;

use super::{
    answer::Answer,
    authorize::{COOKIE, cookie_value},
    server::Call,
    token::is_the_client,
    world::World,
};

/// `POST /oauth2/revoke` (RFC 7009): refresh tokens only. Access and ID tokens of the sign-in still verify by signature.
pub(super) fn revoke(world: &mut World, call: &Call) -> Answer {
    let Some(token) = call.form_value("token").filter(|token| !token.is_empty()) else {
        return Answer::error(400, "invalid_request");
    };
    if !is_the_client(world, call) {
        return Answer::error(401, "invalid_client");
    }
    if !world.behaviour.revocation {
        return Answer::error(400, "invalid_request");
    }
    // Three parts are a signed token: an access or ID token.
    if token.split('.').count() == 3 {
        return Answer::error(400, "unsupported_token_type");
    }
    if let Some(known) = world.refresh_tokens.get(token).cloned() {
        world.end(&known.origin_jti);
    }
    Answer::empty(200)
}

/// `GET /oauth2/userInfo`: the one place where an access token of an ended sign-in is refused. Booleans are strings.
pub(super) fn user_info(world: &World, call: &Call) -> Answer {
    let token = call.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    let grant = token.and_then(|token| world.access_tokens.get(token)).and_then(|jti| world.grants.get(jti));
    let user = grant.and_then(|grant| world.users.get(&grant.username)).filter(|user| !user.disabled);
    match user {
        Some(user) => Answer::json(
            200,
            &json!({ "sub": user.sub, "email_verified": "true", "email": user.email, "username": user.username }),
        ),
        None => {
            let description =
                "Access token is expired, disabled, or deleted, or the user has globally signed out.";
            let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{description}\"");
            Answer::json(401, &json!({ "error": "invalid_token", "error_description": description }))
                .with("www-authenticate", &challenge)
        }
    }
}

/// `GET /logout`: forgets the browser, not the tokens, and goes to a registered place.
pub(super) fn logout(world: &mut World, call: &Call) -> Answer {
    if call.query_value("client_id") != Some(world.options.client_id.as_str()) {
        return Answer::redirect("/error?error=invalid_client");
    }
    let target = match (call.query_value("logout_uri"), call.query_value("response_type")) {
        (Some(uri), _) if world.options.logout_uris.iter().any(|known| known == uri) => uri.to_owned(),
        (None, Some(_)) => format!("/login?{}", call.raw_query),
        (_, _) => return Answer::redirect("/error?error=invalid_request"),
    };
    if let Some(cookie) = cookie_value(call) {
        world.browsers.remove(cookie);
    }
    Answer::redirect(&target).with("set-cookie", &format!("{COOKIE}=; Path=/; Max-Age=0"))
}
