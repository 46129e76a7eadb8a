//! What is not offered: tools outside the operator's list or the client's scopes, workspaces and projects outside the
//! operator's lists.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::canned::{ENG, ITEM, MKT, Plane, Reply};
use crate::client::{MODERN, Stack, call, json_of, text_of};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const KEY: &str = "plane_api_x";

async fn with_tools(allowed: &str) -> Stack {
    Stack::with(&format!("[tools]\nallow = {allowed}\n"), Plane::of_alice()).await
}

async fn listed(request: RequestBuilder) -> Vec<String> {
    let body = json_of(request.send().await.unwrap(), 200).await;
    let tools = body["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// A modern call, in which header and body name the tool.
fn modern(stack: &Stack, tool: &str) -> RequestBuilder {
    let mut body = call(tool, &json!({}));
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let request = stack.as_alice(body).header("mcp-protocol-version", MODERN);
    request.header("mcp-method", "tools/call").header("mcp-name", tool)
}

#[tokio::test]
async fn only_allowed_tools_are_listed_and_told_about() {
    let stack = with_tools("[\"search_work_items\", \"get_me\"]").await;
    assert_eq!(listed(stack.as_alice(LIST)).await, ["get_me", "search_work_items"]);
    assert_eq!(stack.answer("get_me", json!({})).await["display_name"], "alice");
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let body = json_of(stack.as_alice(initialize).send().await.unwrap(), 200).await;
    let instructions = body["result"]["instructions"].as_str().unwrap();
    assert!(!instructions.contains("list_workspaces"), "{instructions}");
}

#[tokio::test]
async fn a_tool_that_is_not_allowed_is_answered_for_as_one_that_does_not_exist() {
    let stack = with_tools("[\"get_me\"]").await;
    let mut answers = Vec::new();
    for tool in ["list_projects", "no_such_tool"] {
        let legacy = stack.as_alice(call(tool, &json!({"project": 7}))).send().await.unwrap();
        let (status, legacy) = (legacy.status(), legacy.text().await.unwrap());
        let modern = modern(&stack, tool).send().await.unwrap();
        answers.push((status, legacy, modern.status(), modern.text().await.unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].1.contains("-32602"), "{}", answers[0].1);
    assert!(stack.plane.seen().is_empty());
}

#[tokio::test]
async fn failures_point_only_to_allowed_tools() {
    let stack = with_tools("[\"retrieve_work_item\", \"search_work_items\"]").await;
    let missing = json!({"workspace_slug": "acme", "work_item": "ENG-9999"});
    let failure = stack.failure("retrieve_work_item", missing).await;
    assert_eq!(failure["code"], "work_item.not_found");
    assert_eq!(failure["recovery"]["tools"], json!(["search_work_items"]));
    let failure = stack.failure("search_work_items", json!({"query": "login"})).await;
    assert_eq!(failure["code"], "workspace.required");
    assert!(!failure.to_string().contains("list_workspaces"), "{failure}");
}

#[tokio::test]
async fn without_the_scope_no_tool_is_listed_and_a_call_says_which_is_missing() {
    let stack = Stack::start().await;
    let all = listed(stack.as_alice(LIST)).await;
    for scopes in ["plane:read", "offline_access plane:read"] {
        assert_eq!(listed(stack.as_alice(LIST).header("x-mcp-scope", scopes)).await, all, "{scopes}");
    }
    for scopes in ["", "offline_access", "plane:rea", "plane:read2", "plane:read,offline_access"] {
        let names = listed(stack.as_alice(LIST).header("x-mcp-scope", scopes)).await;
        assert!(names.is_empty(), "{scopes}: {names:?}");
        let request = stack.as_alice(call("get_me", &json!({}))).header("x-mcp-scope", scopes);
        let failure = text_of(&stack.result_of(request).await);
        assert_eq!(failure["code"], "permission.denied");
        assert!(failure["recovery"]["hint"].as_str().unwrap().contains("plane:read"), "{failure}");
    }
    assert!(stack.plane.seen().is_empty());
}

#[tokio::test]
async fn scopes_said_twice_are_refused_and_bind_a_key_too() {
    let stack = Stack::start().await;
    let twice = stack.as_alice(LIST).header("x-mcp-scope", "a").header("x-mcp-scope", "plane:read");
    json_of(twice.send().await.unwrap(), 400).await;
    let with_key = || stack.post(LIST).header("x-api-key", KEY);
    assert!(!listed(with_key()).await.is_empty());
    assert!(listed(with_key().header("x-mcp-scope", "other")).await.is_empty());
}

#[tokio::test]
async fn a_workspace_outside_the_list_does_not_exist() {
    let stack = Stack::with("workspaces = [\"other\"]\n", Plane::of_alice()).await;
    let listed = stack.answer("list_workspaces", json!({})).await;
    assert_eq!((listed["total"].as_u64(), listed["workspaces"].as_array().unwrap().len()), (Some(0), 0));
    let asked = stack.plane.seen().len();
    let hidden = stack.failure("list_projects", json!({"workspace_slug": "acme"})).await;
    // Not even asked for.
    assert_eq!(stack.plane.seen().len(), asked);
    let unknown = stack.failure("list_projects", json!({"workspace_slug": "other"})).await;
    assert_eq!(hidden.to_string().replace("acme", "other"), unknown.to_string());
}

#[tokio::test]
async fn a_project_outside_the_list_is_in_no_list_and_has_no_items() {
    for entry in ["acme/eng".to_owned(), format!("acme/{ENG}")] {
        let stack = Stack::with(&format!("projects = [\"{entry}\"]\n"), Plane::of_alice()).await;
        let projects = stack.answer("list_projects", json!({"workspace_slug": "acme"})).await;
        let identifiers: Vec<&str> = projects["projects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|project| project["identifier"].as_str().unwrap())
            .collect();
        assert_eq!((projects["total"].as_u64(), identifiers), (Some(1), vec!["ENG"]));
        for project in ["MKT", MKT] {
            let items = json!({"workspace_slug": "acme", "project": project});
            let failure = stack.failure("list_work_items", items).await;
            assert_eq!(failure["code"], "project.not_found", "{project}");
        }
        let asked = stack.plane.seen();
        assert!(asked.iter().all(|seen| !seen.path.contains(MKT)), "{asked:?}");
    }
}

#[tokio::test]
async fn a_found_item_of_a_project_outside_the_list_is_dropped() {
    let stack = Stack::with("projects = [\"acme/MKT\"]\n", Plane::of_alice()).await;
    let found = stack.answer("search_work_items", json!({"workspace_slug": "acme", "query": "login"})).await;
    assert!(!found.to_string().contains("ENG-"), "{found}");
    let item = json!({"workspace_slug": "acme", "work_item": "ENG-1"});
    let hidden = stack.failure("retrieve_work_item", item).await;
    assert_eq!(hidden["code"], "project.not_found");
}

#[tokio::test]
async fn a_project_called_like_the_identifier_of_a_hidden_one_opens_nothing_of_it() {
    let plane = Plane::of_alice();
    let named = json!({"results": [
        {"id": ENG, "identifier": "ENG", "name": "Engineering", "is_member": true},
        {"id": MKT, "identifier": "MKT", "name": "eng", "is_member": true},
    ]});
    plane.answer("/api/v1/workspaces/acme/projects/", Reply::json(200, &named));
    let stack = Stack::with("workspace_slug = \"acme\"\nprojects = [\"acme/MKT\"]\n", plane).await;
    for tool in ["retrieve_work_item", "list_comments", "list_activity"] {
        let failure = stack.failure(tool, json!({"work_item": "ENG-1"})).await;
        assert_eq!(failure["code"], "project.not_found", "{tool}");
    }
    let failure = stack.failure("list_work_items", json!({"project": "MKT", "parent": "ENG-1"})).await;
    assert_eq!(failure["code"], "project.not_found");
    let asked = stack.plane.seen();
    assert!(asked.iter().all(|seen| !seen.path.contains("ENG-1")), "{asked:?}");
}

#[tokio::test]
async fn an_item_plane_gives_from_a_hidden_project_does_not_exist() {
    let plane = Plane::of_alice();
    // The identifier moved to another project since projects were listed.
    let moved =
        json!({"results": [{"id": MKT, "identifier": "ENG", "name": "Engineering", "is_member": true}]});
    plane.answer("/api/v1/workspaces/acme/projects/", Reply::json(200, &moved));
    let item = json!({"id": ITEM, "sequence_id": 1, "name": "Hidden", "project_id": ENG});
    plane.answer("/api/workspaces/acme/work-items/ENG-1/", Reply::json(200, &item));
    let stack =
        Stack::with(&format!("workspace_slug = \"acme\"\nprojects = [\"acme/{MKT}\"]\n"), plane).await;
    for tool in ["retrieve_work_item", "list_comments", "list_activity"] {
        let failure = stack.failure(tool, json!({"work_item": "ENG-1"})).await;
        assert_eq!(failure["code"], "work_item.not_found", "{tool}");
    }
}

#[tokio::test]
async fn a_list_of_projects_that_cannot_be_had_shows_nothing() {
    let plane = Plane::of_alice();
    plane.answer("/api/v1/workspaces/acme/projects/", Reply::json(500, &Value::Null));
    let stack = Stack::with("projects = [\"acme/ENG\"]\n", plane).await;
    for (tool, arguments) in [
        ("search_work_items", json!({"workspace_slug": "acme", "query": "login"})),
        ("retrieve_work_item", json!({"workspace_slug": "acme", "work_item": "ENG-1"})),
        ("list_work_items", json!({"workspace_slug": "acme", "project": ENG})),
    ] {
        let failure = stack.failure(tool, arguments).await;
        assert_eq!(failure["code"], "plane.unavailable", "{tool}");
    }
}

#[tokio::test]
async fn clients_keep_the_list_for_a_minute_at_most() {
    let stack = Stack::start().await;
    let body = json_of(stack.as_alice(LIST).send().await.unwrap(), 200).await;
    assert_eq!(body["result"]["ttlMs"], 60_000, "{body}");
}
