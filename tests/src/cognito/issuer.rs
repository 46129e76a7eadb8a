//! The issuer host: discovery and keys.

use serde_json::{Value, json};

use super::{answer::Answer, server::Call, world::World};

/// Answers a request to the issuer host.
pub(super) fn answer(world: &World, call: &Call) -> Answer {
    let document = call.path.strip_prefix('/').and_then(|path| path.strip_prefix(&world.options.pool_id));
    match (call.method.as_str(), document) {
        ("GET", Some("/.well-known/openid-configuration")) => Answer::json(200, &discovery(world)),
        ("GET", Some("/.well-known/jwks.json")) => Answer::json(200, &world.keys.jwks()),
        (_, _) => Answer::json(404, &json!({ "message": "Not Found" })),
    }
}

/// Exactly the members Cognito has. What it supports but does not list is missing here too, PKCE first of all.
fn discovery(world: &World) -> Value {
    let at_domain = |path: &str| format!("{}{path}", world.domain);
    let browsers = world.options.called.as_ref().map_or(&world.domain, |called| &called.browsers);
    let for_browsers = |path: &str| format!("{browsers}{path}");
    json!({
        "authorization_endpoint": for_browsers("/oauth2/authorize"),
        "end_session_endpoint": for_browsers("/logout"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": world.issuer,
        "jwks_uri": format!("{}/.well-known/jwks.json", world.issuer),
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": at_domain("/oauth2/revoke"),
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": at_domain("/oauth2/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": at_domain("/oauth2/userInfo"),
    })
}
