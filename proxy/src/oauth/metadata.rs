//! What the server says of itself: RFC 8414 for the authorization server, RFC 9728 for each protected resource.

use http::Method;
use serde_json::{Value, json};

use super::error::{ErrorCode, OAuthError};
use super::reply::{Answer, Refusal, Reply};
use super::{OAuthRequest, OAuthSettings, OFFLINE_ACCESS, ProtectedResource};
use crate::terms::{Resource, Scopes};

/// The well-known prefix of RFC 9728 section 3.1; the resource's path follows.
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// Where the metadata of the resource at `path` is.
pub(super) fn resource_path(path: &str) -> String {
    format!("{RESOURCE_METADATA}{}", path.trim_end_matches('/'))
}

/// Which resource's metadata is at `path`. The one at the root is also that of an only resource, since clients look
/// there second.
pub(super) fn resource_at(settings: &OAuthSettings, path: &str) -> Option<usize> {
    let path = path.trim_end_matches('/');
    if !path.starts_with(RESOURCE_METADATA) {
        return None;
    }
    let found = settings.resources.iter().position(|resource| resource_path(&resource.path) == path);
    found.or_else(|| (path == RESOURCE_METADATA && settings.resources.len() == 1).then_some(0))
}

/// The resource a `resource` parameter names (RFC 8707 section 2). Clients also send the bare origin, or nothing: that
/// is the only resource, where there is only one.
pub(super) fn choose_resource<'a>(
    settings: &'a OAuthSettings,
    asked: Option<&str>,
) -> Result<&'a ProtectedResource, OAuthError> {
    let only = || match settings.resources.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let Some(asked) = asked else {
        return only().ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidTarget,
                "resource_missing",
                "say which resource the token is for",
            )
        });
    };
    let parsed = Resource::parse(asked).ok();
    if let Some(parsed) = &parsed {
        if let Some(known) = settings.resources.iter().find(|known| known.resource == *parsed) {
            return Ok(known);
        }
        if parsed.as_str() == settings.issuer
            && let Some(only) = only()
        {
            return Ok(only);
        }
    }
    if settings.relax_resource
        && let Some(only) = only()
    {
        tracing::warn!("a client asked for a foreign resource, which counts as absent here");
        return Ok(only);
    }
    Err(OAuthError::new(
        ErrorCode::InvalidTarget,
        "resource_unknown",
        "the resource is not one of this server",
    ))
}

/// RFC 8414 metadata; `documents` when clients may be known by their documents.
pub(super) fn server(settings: &OAuthSettings, documents: bool, request: &OAuthRequest) -> Answer {
    let issuer = &settings.issuer;
    let auth_methods = ["none", "client_secret_basic", "client_secret_post"];
    let mut introspection_methods = vec!["client_secret_basic", "client_secret_post"];
    if settings.introspection_secret.is_some() {
        // Beside methods of clients, RFC 8414 section 2 allows token types here.
        introspection_methods.push("Bearer");
    }
    let offline = Scopes::parse(OFFLINE_ACCESS).unwrap_or_default();
    let scopes =
        settings.resources.iter().fold(Scopes::default(), |all, one| all.union(&one.scopes)).union(&offline);
    document(
        request,
        &json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "registration_endpoint": format!("{issuer}/register"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "scopes_supported": scopes.iter().collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": auth_methods,
            "revocation_endpoint_auth_methods_supported": auth_methods,
            "introspection_endpoint": format!("{issuer}/introspect"),
            "introspection_endpoint_auth_methods_supported": introspection_methods,
            // Clients refuse a server that does not say this (MCP, authorization).
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": documents,
            "protected_resources": settings.resources.iter().map(|one| &one.resource).collect::<Vec<_>>(),
        }),
    )
}

/// RFC 9728 metadata. `offline_access` is not in it: it is the client's matter, not the resource's.
pub(super) fn resource(settings: &OAuthSettings, index: usize, request: &OAuthRequest) -> Answer {
    let Some(resource) = settings.resources.get(index) else {
        let description = "there is no such resource";
        return Err(Refusal::Json(OAuthError::invalid_request("resource_unknown", description)));
    };
    document(
        request,
        &json!({
            "resource": resource.resource,
            "authorization_servers": [settings.issuer],
            "scopes_supported": resource.scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS).collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
            "resource_name": resource.name,
        }),
    )
}

fn document(request: &OAuthRequest, content: &Value) -> Answer {
    match request.method {
        Method::GET | Method::HEAD => Ok(Reply::Document(content.to_string().into())),
        _ => Err(Refusal::Method("GET, HEAD, OPTIONS")),
    }
}
