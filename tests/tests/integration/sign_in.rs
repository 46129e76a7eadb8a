//! The main job: a client signs in through the edge and reads Plane as the same user.

use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn},
    stack::Stack,
};

pub(crate) const TOOLS: [&str; 17] = [
    "get_me",
    "list_activity",
    "list_comments",
    "list_cycles",
    "list_intake",
    "list_labels",
    "list_members",
    "list_modules",
    "list_projects",
    "list_states",
    "list_work_items",
    "list_workspaces",
    "retrieve_cycle",
    "retrieve_module",
    "retrieve_project",
    "retrieve_work_item",
    "search_work_items",
];

/// The user names under which Plane was asked, each once.
fn users_plane_saw(stack: &Stack) -> Vec<String> {
    let headers = stack.plane.requests().into_iter().filter_map(|request| {
        Some(request.headers.get("x-auth-request-email")?.to_str().unwrap().to_owned())
    });
    let mut users: Vec<String> = headers.collect();
    users.sort();
    users.dedup();
    users
}

async fn email_of(session: &SignedIn, era: Era) -> String {
    session.tool(era, "get_me", &json!({})).await.unwrap()["email"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_reads_plane_as_the_user_who_signed_in() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();

    let tools = session.tools(Era::Modern).await.unwrap();
    assert_eq!(tools, TOOLS);
    assert_eq!(email_of(&session, Era::Modern).await, "alice@example.com");
    assert_eq!(users_plane_saw(&stack), ["alice"], "cognito:username is who Plane acts for");

    let projects = session.tool(Era::Modern, "list_projects", &json!({})).await.unwrap();
    assert!(projects.to_string().contains("\"ENG\""), "{projects}");
    let items = session
        .tool(Era::Modern, "list_work_items", &json!({ "project": "ENG", "per_page": 3 }))
        .await
        .unwrap();
    assert!(items.to_string().contains("\"ENG-"), "{items}");
    assert_eq!(users_plane_saw(&stack), ["alice"]);
}

#[tokio::test]
async fn older_clients_work_on_the_same_endpoint() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    assert_eq!(session.initialize().await.unwrap(), "2025-11-25");
    assert_eq!(session.tools(Era::Legacy).await.unwrap(), TOOLS);
    assert_eq!(email_of(&session, Era::Legacy).await, "alice@example.com");
}

#[tokio::test]
async fn an_unauthenticated_get_is_challenged_before_its_method_is_judged() {
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    let answer = client.load("/mcp").await.unwrap();
    assert_eq!(answer.status, 401);
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", stack.origin());
    assert_eq!(answer.challenge("resource_metadata").as_deref(), Some(metadata.as_str()));
    assert_eq!(answer.challenge("scope").as_deref(), Some("plane:read"));
    assert_eq!(answer.challenge("error"), None, "no token is no error (RFC 6750 section 3.1)");
}

#[tokio::test]
async fn metadata_offers_what_clients_look_for() {
    let stack = Stack::start().await.unwrap();
    let found = stack.client("/mcp").unwrap().discover().await.unwrap();
    assert_eq!(found.server["issuer"], stack.origin());
    assert_eq!(found.server["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found.server["authorization_response_iss_parameter_supported"], true);
    assert!(found.server["scopes_supported"].as_array().unwrap().contains(&json!("offline_access")));
    assert_eq!(found.resource["scopes_supported"], json!(["plane:read"]));
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_for_the_same_user() {
    let stack = Stack::start().await.unwrap();
    let mut session = stack.sign_in("bob").await.unwrap();
    let first = session.tokens.clone();
    session.refresh().await.unwrap();
    assert_ne!(session.tokens.access, first.access);
    assert_ne!(session.tokens.refresh, first.refresh);
    assert_eq!(email_of(&session, Era::Modern).await, "bob@example.com");
}

#[tokio::test]
async fn after_revocation_the_client_must_sign_in_again() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    assert_eq!(session.revoke().await.unwrap().status, 200);
    let refused = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!((refused.status, refused.challenge("error").as_deref()), (401, Some("invalid_token")));
    let refused = session.try_refresh().await.unwrap();
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn the_browser_session_at_cognito_does_not_skip_our_consent() {
    let stack = Stack::start().await.unwrap();
    let (client, browser, person) =
        (stack.client("/mcp").unwrap(), stack.browser().unwrap(), stack.person("alice"));
    client.sign_in(&browser, &person).await.unwrap();
    // Cognito is silent for an hour now; the second client must still be agreed to.
    let found = client.discover().await.unwrap();
    let client_id = client.register_publicly(&found).await.unwrap();
    let authorization = client.authorization(&found, &client_id).unwrap();
    let consent = browser.visit(&authorization.url).await.unwrap();
    assert_eq!(consent.status, 200);
    assert!(
        consent.body.contains("Stack test client") && consent.body.contains("127.0.0.1"),
        "{}",
        consent.body
    );
    assert_eq!(consent.headers["x-frame-options"], "DENY");
}

#[tokio::test]
async fn tools_answer_plane_s_data_for_each_of_them() {
    let stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let cases = [
        ("list_workspaces", json!({}), "\"acme\""),
        ("retrieve_work_item", json!({ "work_item": "ENG-1" }), "\"ENG-1\""),
        ("search_work_items", json!({ "query": "a" }), "ENG-"),
    ];
    let offered = session.call(Era::Modern, "tools/list", &Value::Null).await.unwrap();
    for (name, arguments, expected) in cases {
        let result = session
            .call(Era::Modern, "tools/call", &json!({ "name": name, "arguments": arguments }))
            .await
            .unwrap();
        let schema = offered["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
        assert_ne!(result["isError"], true, "{name}: {result} with {}", schema["inputSchema"]);
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(expected), "{name}: {result}");
    }
}
