//! The protocol versions, the list of tools, and what is not declared.

use serde_json::{Value, json};

use crate::client::{MODERN, Stack, call, json_of, text_of};

const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

fn initialize(version: &str) -> Value {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

fn send_modern(stack: &Stack, method: &str, params: Value) -> reqwest::RequestBuilder {
    let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
    let request = stack.as_alice(modern(method, params));
    let request = request.header("mcp-protocol-version", MODERN).header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

#[tokio::test]
async fn every_legacy_version_is_agreed_on_and_no_session_is_opened() {
    let stack = Stack::start().await;
    for version in LEGACY {
        let response = stack.as_alice(initialize(version)).send().await.unwrap();
        assert!(!response.headers().contains_key("mcp-session-id"));
        let result = json_of(response, 200).await["result"].clone();
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "plane-mcp-adapter");
        assert_eq!(result["capabilities"], json!({"tools": {}}));
    }
}

#[tokio::test]
async fn unserved_versions_get_the_newest_with_a_handshake() {
    let stack = Stack::start().await;
    for version in ["2024-11-05", "2026-07-28", "1999-01-01"] {
        let response = stack.as_alice(initialize(version)).send().await.unwrap();
        let body = json_of(response, 200).await;
        assert_eq!(body["result"]["protocolVersion"], "2025-11-25", "{version}");
    }
}

#[tokio::test]
async fn the_handshake_is_completed_with_202() {
    let stack = Stack::start().await;
    let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let response = stack.as_alice(done).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn discovery_names_the_served_versions() {
    let stack = Stack::start().await;
    let response = send_modern(&stack, "server/discover", json!({})).send().await.unwrap();
    let result = json_of(response, 200).await["result"].clone();
    let served = json!([MODERN, "2025-11-25", "2025-06-18", "2025-03-26"]);
    assert_eq!(result["supportedVersions"], served);
    assert_eq!(result["cacheScope"], "private");
}

#[tokio::test]
async fn the_list_of_tools_is_small_closed_and_read_only() {
    let stack = Stack::start().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let text = stack.as_alice(list).send().await.unwrap().text().await.unwrap();
    assert!(text.len() < 12_000, "{} bytes", text.len());
    let body: Value = serde_json::from_str(&text).unwrap();
    let tools = body["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let expected = [
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
    assert_eq!(names, expected);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert_eq!(tool["annotations"]["destructiveHint"], false);
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        assert!(tool["title"].is_string() && tool.get("outputSchema").is_none());
        for (name, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(property["type"].is_string(), "{name} has more than one type");
        }
    }
}

#[tokio::test]
async fn modern_lists_and_calls_say_what_may_be_cached_and_who_answers() {
    let stack = Stack::start().await;
    let response = send_modern(&stack, "tools/list", json!({})).send().await.unwrap();
    let list = json_of(response, 200).await["result"].clone();
    assert_eq!(
        (list["cacheScope"].as_str(), list["resultType"].as_str()),
        (Some("private"), Some("complete"))
    );
    assert!(list["ttlMs"].as_u64().is_some());
    let params = json!({"name": "get_me", "arguments": {}});
    let response = send_modern(&stack, "tools/call", params).send().await.unwrap();
    let result = json_of(response, 200).await["result"].clone();
    assert_eq!(text_of(&result)["display_name"], "alice");
    for result in [list, result] {
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "plane-mcp-adapter");
    }
}

#[tokio::test]
async fn what_is_not_declared_is_an_unknown_method_in_both_eras() {
    let stack = Stack::start().await;
    for method in ["prompts/list", "resources/list", "resources/templates/list", "no/such"] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}});
        let response = stack.as_alice(body).send().await.unwrap();
        assert_eq!(json_of(response, 200).await["error"]["code"], -32601, "{method}");
        let response = send_modern(&stack, method, json!({})).send().await.unwrap();
        assert_eq!(json_of(response, 404).await["error"]["code"], -32601, "{method}");
    }
    let reference = json!({"type": "ref/prompt", "name": "x"});
    let params = json!({"ref": reference, "argument": {"name": "a", "value": "b"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "completion/complete", "params": params});
    let response = stack.as_alice(body).send().await.unwrap();
    assert_eq!(json_of(response, 200).await["error"]["code"], -32601);
}

#[tokio::test]
async fn methods_nobody_declared_are_unknown_also_with_good_parameters() {
    let stack = Stack::start().await;
    for (method, params) in [
        ("prompts/get", json!({"name": "x"})),
        ("resources/read", json!({"uri": "file:///x"})),
        ("resources/subscribe", json!({"uri": "file:///x"})),
        ("resources/unsubscribe", json!({"uri": "file:///x"})),
        ("logging/setLevel", json!({"level": "debug"})),
        ("tasks/get", json!({"taskId": "x"})),
        ("tasks/cancel", json!({"taskId": "x"})),
        ("skills/list", json!({})),
        // What a server asks of a client.
        ("sampling/createMessage", json!({"messages": [], "maxTokens": 1})),
        ("roots/list", json!({})),
        (
            "elicitation/create",
            json!({"message": "x", "requestedSchema": {"type": "object", "properties": {}}}),
        ),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = stack.as_alice(body).send().await.unwrap();
        assert_eq!(json_of(response, 200).await["error"]["code"], -32601, "{method}");
        let request = send_modern(&stack, method, params.clone());
        // What a modern client repeats in a header.
        let request = match params["uri"].as_str().or(params["taskId"].as_str()) {
            Some(name) => request.header("mcp-name", name),
            None => request,
        };
        assert_eq!(json_of(request.send().await.unwrap(), 404).await["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn header_and_body_must_agree_on_the_version_and_the_tool() {
    let stack = Stack::start().await;
    let request = stack.as_alice(modern("tools/call", json!({"name": "get_me"})));
    let request = request.header("mcp-protocol-version", MODERN).header("mcp-method", "tools/call");
    let response = request.header("mcp-name", "list_workspaces").send().await.unwrap();
    assert_eq!(json_of(response, 400).await["error"]["code"], -32020);
    let request = stack.as_alice(call("get_me", &json!({}))).header("mcp-protocol-version", "2024-11-05");
    let body = json_of(request.send().await.unwrap(), 400).await;
    assert_eq!(body["error"]["code"], -32022);
    assert_eq!(body["error"]["data"]["supported"][0], MODERN);
    let request = stack.as_alice(call("get_me", &json!({})));
    let request = request.header("mcp-method", "tools/call").header("mcp-method", "tools/list");
    assert_eq!(json_of(request.send().await.unwrap(), 400).await["error"]["code"], -32020);
}

#[tokio::test]
async fn unknown_tools_and_cursors_are_wrong_parameters() {
    let stack = Stack::start().await;
    let response = stack.as_alice(call("delete_everything", &json!({}))).send().await.unwrap();
    assert_eq!(json_of(response, 200).await["error"]["code"], -32602);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "x"}});
    let response = stack.as_alice(list).send().await.unwrap();
    assert_eq!(json_of(response, 200).await["error"]["code"], -32602);
}
