use http::{HeaderMap, Method, StatusCode};

use super::super::{Endpoint, OAuthSettings};
use super::answers::json;
use super::world::{ISSUER, Jar, MCP, World, endpoint, route};

#[tokio::test]
async fn server_metadata_says_what_clients_need() {
    let world = World::new();
    let response = world.get("/.well-known/oauth-authorization-server", &mut Jar::default()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["content-type"], "application/json");
    let document = json(&response);
    assert_eq!(document["issuer"], ISSUER);
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] {
        assert!(document[name].as_str().unwrap().starts_with("https://edge.example/"), "{name}");
    }
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["scopes_supported"], serde_json::json!(["plane:read", "offline_access"]));
    assert!(document["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&"none".into()));
}

#[tokio::test]
async fn each_resource_has_its_metadata_and_an_only_one_also_at_the_root() {
    let world = World::new();
    for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
        let document = json(&world.get(path, &mut Jar::default()).await);
        assert_eq!(document["resource"], MCP);
        assert_eq!(document["authorization_servers"], serde_json::json!([ISSUER]));
        assert_eq!(document["scopes_supported"], serde_json::json!(["plane:read"]));
    }
    let two = World::with(OAuthSettings::new(ISSUER, vec![route("/mcp"), route("/api")]));
    assert_eq!(
        endpoint(&two, "/.well-known/oauth-protected-resource/api"),
        Some(Endpoint::ResourceMetadata(1))
    );
    assert_eq!(endpoint(&two, "/.well-known/oauth-protected-resource"), None);
    assert_eq!(endpoint(&two, "/.well-known/oauth-protected-resource/other"), None);
    assert_eq!(
        two.oauth.resource_metadata_url("/mcp"),
        "https://edge.example/.well-known/oauth-protected-resource/mcp"
    );
}

#[tokio::test]
async fn other_origins_may_call_machine_endpoints_and_never_the_pages() {
    let world = World::new();
    for path in ["/token", "/register", "/revoke", "/.well-known/oauth-authorization-server"] {
        let response = world.send(Method::OPTIONS, path, HeaderMap::new(), "").await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
    for path in ["/authorize", "/consent", "/auth/callback"] {
        let response = world.send(Method::OPTIONS, path, HeaderMap::new(), "").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(response.headers().get("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn another_method_is_told_which_is_right() {
    let world = World::new();
    for (method, path, allow) in [
        (Method::GET, "/token", "POST, OPTIONS"),
        (Method::GET, "/register", "POST, OPTIONS"),
        (Method::GET, "/consent", "POST"),
        (Method::POST, "/authorize", "GET, HEAD"),
        (Method::POST, "/auth/callback", "GET"),
        (Method::POST, "/.well-known/oauth-authorization-server", "GET, HEAD, OPTIONS"),
    ] {
        let response = world.send(method, path, HeaderMap::new(), "").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()["allow"], allow, "{path}");
    }
}
