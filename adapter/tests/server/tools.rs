//! What each tool asks Plane, and what it makes of the captured answer.

use serde_json::json;

use crate::canned::{ENG, ITEM, MKT, Plane, Reply};
use crate::client::{Stack, call, text_of};

const ACME: &str = "workspace_slug = \"acme\"\n";

async fn stack() -> Stack {
    Stack::with(ACME, Plane::of_alice()).await
}

#[tokio::test]
async fn me_is_the_user_who_signed_in() {
    let stack = Stack::start().await;
    let me = stack.answer("get_me", json!({})).await;
    assert_eq!(me["email"], "alice@example.com");
    assert_eq!(me["username"], "alice");
    assert_eq!(stack.plane.seen()[0].path, "/api/users/me/");
}

#[tokio::test]
async fn me_is_refused_when_plane_means_somebody_else() {
    let stack = Stack::start().await;
    let request = stack.post(call("get_me", &json!({}))).bearer_auth(stack.pool.id_token("bob"));
    let result = stack.result_of(request).await;
    assert_eq!(result["isError"], true);
    assert_eq!(text_of(&result)["code"], "identity.mismatch");
    assert_eq!(stack.plane.sessions(), 2, "a fresh session was tried");
}

#[tokio::test]
async fn workspaces_come_with_slug_and_role() {
    let stack = Stack::start().await;
    let answer = stack.answer("list_workspaces", json!({})).await;
    let beta = json!({"slug": "beta", "name": "Beta Labs", "role": "admin", "members": 1});
    let acme = json!({"slug": "acme", "name": "Acme", "role": "admin", "members": 3});
    assert_eq!(answer, json!({"total": 2, "workspaces": [beta, acme]}));
}

#[tokio::test]
async fn workspaces_in_an_envelope_are_read_too() {
    let stack = Stack::start().await;
    let envelope = json!({"results": [{"slug": "acme", "name": "Acme"}]});
    stack.plane.answer("/api/users/me/workspaces/", Reply::json(200, &envelope));
    assert_eq!(stack.answer("list_workspaces", json!({})).await["workspaces"][0]["slug"], "acme");
}

#[tokio::test]
async fn projects_are_listed_with_what_a_reader_needs() {
    let stack = stack().await;
    let answer = stack.answer("list_projects", json!({})).await;
    let first = &answer["projects"][0];
    assert_eq!(first["identifier"], "ENG");
    assert_eq!(first["id"], ENG);
    assert_eq!(first["visibility"], "public");
    assert!(first.get("cover_image").is_none());
    let seen = &stack.plane.seen()[0];
    assert_eq!(seen.path, "/api/v1/workspaces/acme/projects/");
    assert_eq!(seen.query["per_page"], "25");
}

#[tokio::test]
async fn work_items_are_one_request_with_names_and_keys() {
    let stack = stack().await;
    let answer = stack.answer("list_work_items", json!({"project": ENG, "per_page": "2"})).await;
    assert_eq!(answer["total"], 25);
    assert_eq!(answer["next_cursor"], "2:1:0");
    let first = &answer["work_items"][0];
    assert_eq!(first["identifier"], "ENG-25");
    assert_eq!(first["state"], "Backlog");
    assert_eq!(first["assignees"], json!(["alice"]));
    assert_eq!(first["labels"], json!(["backend", "bug"]));
    assert_eq!(first["parent"], "ENG-24");
    assert!(
        first.get("completed_at").is_none() && first.get("priority").is_none(),
        "empty fields are dropped"
    );
    let [seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!(seen.query["per_page"], "2");
    assert_eq!(seen.query["order_by"], "-created_at");
    assert_eq!(seen.query["fields"], "name,state,priority,assignees,labels,target_date,sequence_id,project");
    assert_eq!(seen.query["expand"], "assignees,labels,project,state");
}

#[tokio::test]
async fn a_project_named_by_its_identifier_is_looked_up_once() {
    let stack = stack().await;
    for _ in 0..2 {
        stack.answer("list_work_items", json!({"project": "eng", "fields": "name,description"})).await;
    }
    let paths: Vec<String> = stack.plane.seen().into_iter().map(|seen| seen.path).collect();
    let items = format!("/api/v1/workspaces/acme/projects/{ENG}/work-items/");
    assert_eq!(paths, ["/api/v1/workspaces/acme/projects/".to_owned(), items.clone(), items]);
    assert_eq!(stack.plane.seen()[1].query["fields"], "name,description_html,sequence_id");
}

#[tokio::test]
async fn the_next_page_has_the_size_its_cursor_was_made_for() {
    let stack = stack().await;
    let arguments = json!({"project": ENG, "cursor": "5:1:0", "per_page": 50});
    stack.answer("list_work_items", arguments).await;
    let seen = &stack.plane.seen()[0];
    assert_eq!((seen.query["cursor"].as_str(), seen.query["per_page"].as_str()), ("5:1:0", "5"));
}

#[tokio::test]
async fn the_last_page_gives_no_cursor() {
    let stack = stack().await;
    let path = format!("/api/v1/workspaces/acme/projects/{ENG}/work-items/");
    stack.plane.answer(&path, Reply::captured("list_work_items_lastpage"));
    let answer = stack.answer("list_work_items", json!({"project": ENG})).await;
    assert!(answer.get("next_cursor").is_none());
    assert_eq!(answer["total"], 25);
}

#[tokio::test]
async fn rows_that_are_not_expanded_keep_their_ids() {
    let stack = stack().await;
    let path = format!("/api/v1/workspaces/acme/projects/{ENG}/work-items/");
    stack.plane.answer(&path, Reply::captured("list_work_items_fields"));
    let answer = stack.answer("list_work_items", json!({"project": "ENG"})).await;
    assert_eq!(answer["work_items"][0]["identifier"], "ENG-25");
    assert_eq!(answer["work_items"][0]["state"], "8d861676-a5be-40eb-8a7b-e92bd5f506e4");
}

#[tokio::test]
async fn a_work_item_is_retrieved_by_key_in_any_case() {
    let stack = stack().await;
    let item = stack.answer("retrieve_work_item", json!({"work_item": " eng-1 "})).await;
    assert_eq!(item["identifier"], "ENG-1");
    assert_eq!(item["id"], ITEM);
    assert_eq!(item["state"], "In Progress");
    assert_eq!(item["state_group"], "started");
    assert_eq!(item["description"], "Details for **item 1**.\n\n- step one\n- step two");
    let [seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!(seen.path, "/api/v1/workspaces/acme/work-items/ENG-1/");
}

#[tokio::test]
async fn a_work_item_is_retrieved_by_id_within_its_project() {
    let stack = stack().await;
    let item = stack.answer("retrieve_work_item", json!({"work_item": ITEM, "project": ENG})).await;
    assert_eq!(item["identifier"], "ENG-25");
    assert_eq!(item["parent"], "ENG-24");
    assert_eq!(item["project_id"], ENG);
    let failure = stack.failure("retrieve_work_item", json!({"work_item": ITEM})).await;
    assert_eq!(failure["code"], "argument.invalid");
}

#[tokio::test]
async fn search_covers_the_workspace_and_says_how_many() {
    let stack = stack().await;
    let answer = stack.answer("search_work_items", json!({"query": "login", "limit": 2})).await;
    assert_eq!(answer["count"], 2);
    assert_eq!(answer["limit_reached"], true);
    assert_eq!(answer["work_items"][1]["identifier"], "ENG-1");
    let [seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!(seen.query["search"], "login");
    assert_eq!((seen.query["workspace_search"].as_str(), seen.query["limit"].as_str()), ("true", "2"));
}

#[tokio::test]
async fn search_in_one_project_names_it_to_plane() {
    let stack = stack().await;
    stack.answer("search_work_items", json!({"query": 7, "project": MKT})).await;
    let [seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!((seen.query["workspace_search"].as_str(), seen.query["project_id"].as_str()), ("false", MKT));
    assert_eq!(seen.query["search"], "7");
}
