//! One work item, what hangs on it, and items found by words.

use serde_json::{Value, json};

use super::{ALICE, IN_PROGRESS, SPRINT_42, application, asked, keyed, public, stack};
use crate::canned::{ENG, ITEM, MKT, Reply};
use crate::client::Stack;

const PARENT: &str = "c2bb5186-3c55-421d-afa8-02a6b6bf61de";

/// An item as the application gives one alone.
fn in_full() -> Value {
    json!({
        "id": ITEM, "name": "Fix login redirect loop", "state_id": IN_PROGRESS, "priority": "high",
        "start_date": null, "target_date": "2026-11-21", "sequence_id": 1, "project_id": ENG, "parent_id": PARENT,
        "created_at": "2026-11-21T07:25:33.030610Z", "updated_at": "2026-11-21T07:25:36.357420+01:00", "created_by": ALICE,
        "cycle_id": SPRINT_42, "module_ids": ["49ff2f89-d7b0-4624-96e7-08d83635c4e4"], "sub_issues_count": 2, "link_count": 0,
        "attachment_count": null, "archived_at": null, "assignee_ids": [ALICE],
        "label_ids": ["44ac63e0-098d-49a2-9e7b-5e3047372152"],
        "description_html": format!("<p>Ask <mention-component entity_identifier=\"{ALICE}\"></mention-component>.</p>"),
    })
}

fn with_item(stack: &Stack, item: &Value) {
    stack.plane.answer("/api/workspaces/acme/work-items/ENG-1/", Reply::json(200, item));
    stack.plane.answer(&format!("{}{ITEM}/", application()), Reply::json(200, item));
}

#[tokio::test]
async fn a_work_item_is_retrieved_by_key_in_any_case_with_cycle_and_modules() {
    let stack = stack().await;
    with_item(&stack, &in_full());
    let parent = json!([{"id": PARENT, "sequence_id": 24, "name": "Parent epic", "project_id": ENG}]);
    stack.plane.answer(&format!("{}list/", application()), Reply::json(200, &parent));
    let item = stack.answer("retrieve_work_item", json!({"work_item": " eng-1 "})).await;
    assert_eq!(
        item,
        json!({
            "identifier": "ENG-1", "id": ITEM, "name": "Fix login redirect loop", "state": "In Progress", "state_group": "started",
            "priority": "high", "assignees": ["alice"], "labels": ["bug"], "cycle": "Sprint 42", "modules": ["Auth revamp"],
            "parent": "ENG-24", "parent_name": "Parent epic", "target_date": "2026-11-21", "created_by": "alice",
            "created_at": "2026-11-21T07:25:33Z", "updated_at": "2026-11-21T07:25:36+01:00", "description": "Ask @alice.",
            "counts": {"sub_items": 2},
        })
    );
    let by_id = stack.answer("retrieve_work_item", json!({"work_item": ITEM, "project": "ENG"})).await;
    assert_eq!(by_id, item);
    let failure = stack.failure("retrieve_work_item", json!({"work_item": ITEM})).await;
    assert_eq!(failure["code"], "argument.invalid");
}

#[tokio::test]
async fn an_api_key_retrieves_with_one_request() {
    let stack = stack().await;
    let item = keyed(&stack, "retrieve_work_item", json!({"work_item": "ENG-1"})).await;
    assert_eq!((item["state"].clone(), item["assignees"].clone()), (json!("In Progress"), json!(["alice"])));
    assert_eq!(item["description"], "Details for **item 1**.\n\n- step one\n- step two");
    assert_eq!(stack.plane.seen().len(), 1);
    let item = keyed(&stack, "retrieve_work_item", json!({"work_item": ITEM, "project": ENG})).await;
    assert_eq!((item["identifier"].clone(), item["parent"].clone()), (json!("ENG-25"), json!("ENG-24")));
}

#[tokio::test]
async fn a_long_description_is_read_in_parts() {
    let stack = stack().await;
    let mut item = in_full();
    item["description_html"] = json!(format!("<p>{}ende</p>", "wort ".repeat(1600)));
    with_item(&stack, &item);
    let first = stack.answer("retrieve_work_item", json!({"work_item": "ENG-1"})).await;
    let text = first["description"].as_str().unwrap();
    assert!(text.ends_with("… [4 more characters: description_from=8000]"), "{text}");
    let arguments = json!({"work_item": "ENG-1", "description_from": 8000});
    assert_eq!(stack.answer("retrieve_work_item", arguments).await["description"], "ende");
}

#[tokio::test]
async fn what_hangs_on_an_item_comes_with_it() {
    let stack = stack().await;
    with_item(&stack, &in_full());
    let secret = "11111111-1111-4111-8111-111111111111";
    let related = |number: u64, project: &str| json!({"id": secret, "sequence_id": number, "name": "Other", "state_id": IN_PROGRESS, "project_id": project});
    let relations = json!({"blocked_by": [related(2, ENG), related(9, secret)], "duplicate": [related(8, secret)], "relates_to": []});
    stack.plane.answer(&format!("{}{ITEM}/issue-relation/", application()), Reply::json(200, &relations));
    let file = json!([{"id": secret, "attributes": {"name": "log.txt", "size": 1234, "type": "text/plain"}, "asset": "x"}]);
    stack.plane.answer(&format!("{}{ITEM}/attachments/", public()), Reply::json(200, &file));
    let mut below = in_full();
    below["parent_id"] = json!(ITEM);
    let below = json!({"results": [below], "total_results": 1});
    stack.plane.answer("/api/workspaces/acme/issues/", Reply::json(200, &below));
    let include = json!(["comments", "links", "activity", "relations", "attachments", "sub_items"]);
    let item = stack.answer("retrieve_work_item", json!({"work_item": "ENG-1", "include": include})).await;
    assert_eq!(item["comments"]["total"], 2);
    assert_eq!(item["links"], json!([{"title": "Upstream issue", "url": "https://example.com/issue/1"}]));
    assert_eq!(item["activity"]["total"], 9);
    assert_eq!(item["attachments"], json!([{"name": "log.txt", "type": "text/plain", "bytes": 1234.0}]));
    assert_eq!(item["sub_items"]["work_items"][0]["identifier"], "ENG-1");
    let shown = json!({"blocked_by": [{"identifier": "ENG-2", "name": "Other", "state": "In Progress"}]});
    assert_eq!(item["relations"], shown, "what the user has not joined is not named");
    let [children] = asked(&stack, "/api/workspaces/acme/issues/").try_into().unwrap();
    assert_eq!(children.query["parent"], ITEM);
    let [activities] = asked(&stack, &format!("{}{ITEM}/activities/", public())).try_into().unwrap();
    assert_eq!(
        (activities.query["order_by"].as_str(), activities.query["per_page"].as_str()),
        ("-created_at", "10")
    );
}

#[tokio::test]
async fn an_api_key_names_related_items_with_one_more_request() {
    let stack = stack().await;
    stack.plane.answer(&public(), Reply::captured("list_work_items_all"));
    let item =
        keyed(&stack, "retrieve_work_item", json!({"work_item": "ENG-1", "include": ["relations"]})).await;
    let identifiers: Vec<&Value> =
        item["relations"]["blocking"].as_array().unwrap().iter().map(|row| &row["identifier"]).collect();
    assert_eq!(identifiers, ["ENG-3", "ENG-2"]);
    assert_eq!(item["relations"]["duplicate"][0]["identifier"], "ENG-4");
}

#[tokio::test]
async fn comments_are_who_when_and_markdown() {
    let stack = stack().await;
    let answer = stack.answer("list_comments", json!({"work_item": "ENG-1"})).await;
    assert_eq!(answer["total"], 2);
    assert_eq!(
        answer["comments"][1],
        json!({
            "id": "9cf1e02c-baf2-4ba9-9c4b-356959bedd3e", "at": "2026-11-21T07:25:35Z", "author": ALICE,
            "text": "I can reproduce this with `cognito:username`.",
        })
    );
    let path = format!("{}{ITEM}/comments/", public());
    let [seen] = asked(&stack, &path).try_into().unwrap();
    assert_eq!((seen.query["expand"].as_str(), seen.query["per_page"].as_str()), ("actor", "25"));
    let oldest = json!({"work_item": ITEM, "project": ENG, "order": "oldest_first", "per_page": 1});
    let answer = stack.answer("list_comments", oldest).await;
    assert_eq!(answer["comments"][0]["id"], "9cf1e02c-baf2-4ba9-9c4b-356959bedd3e");
    assert_eq!((answer["total"].clone(), answer["next_cursor"].clone()), (json!(2), json!("1:1:0")));
    let only = json!({"results": [{"id": ITEM, "comment_html": "<p>just written</p>"}]});
    stack.plane.answer(&format!("{}{ITEM}/comments/", public()), Reply::json(200, &only));
    let oldest = json!({"work_item": ITEM, "project": ENG, "order": "oldest_first"});
    assert_eq!(stack.answer("list_comments", oldest).await["comments"][0]["text"], "just written");
}

#[tokio::test]
async fn one_comment_is_read_in_full() {
    let stack = stack().await;
    let id = "9cf1e02c-baf2-4ba9-9c4b-356959bedd3e";
    let long = json!({"id": id, "comment_html": format!("<p>{}</p>", "x".repeat(3000)), "actor": {"id": ALICE, "display_name": "alice"},
        "edited_at": "2026-11-22T07:00:00.5Z"});
    let path = format!("{}{ITEM}/comments/", public());
    stack.plane.answer(&path, Reply::json(200, &json!({"results": [long]})));
    stack.plane.answer(&format!("{path}{id}/"), Reply::json(200, &long));
    let listed = stack.answer("list_comments", json!({"work_item": "ENG-1"})).await;
    assert!(listed["comments"][0]["text"].as_str().unwrap().ends_with("… [1500 more characters]"));
    let one = stack.answer("list_comments", json!({"work_item": "ENG-1", "comment": id})).await;
    assert_eq!(one["comments"][0]["text"], "x".repeat(3000));
    assert_eq!(
        (one["comments"][0]["author"].clone(), one["comments"][0]["edited_at"].clone()),
        (json!("alice"), json!("2026-11-22T07:00:00Z"))
    );
    let missing = "11111111-1111-4111-8111-111111111111";
    stack.plane.answer(&format!("{path}{missing}/"), Reply::captured("err_unknown_work_item"));
    let failure = stack.failure("list_comments", json!({"work_item": "ENG-1", "comment": missing})).await;
    assert_eq!(failure["code"], "argument.invalid");
}

#[tokio::test]
async fn activity_is_who_changed_what_from_what_to_what() {
    let stack = stack().await;
    let answer = stack.answer("list_activity", json!({"work_item": "ENG-1"})).await;
    assert_eq!(answer["total"], 9);
    let state = json!({"at": "2026-11-21T07:25:36Z", "actor": ALICE, "field": "state", "from": "Backlog", "to": "In Progress"});
    assert_eq!(answer["activity"][7], state);
    assert_eq!(
        answer["activity"][0],
        json!({"at": "2026-11-21T07:25:33Z", "actor": ALICE, "field": "created"})
    );
    let [seen] = asked(&stack, &format!("{}{ITEM}/activities/", public())).try_into().unwrap();
    assert_eq!(seen.query["order_by"], "-created_at");
}

#[tokio::test]
async fn nothing_on_an_item_that_does_not_exist_is_not_an_empty_answer() {
    let stack = stack().await;
    let missing = "11111111-1111-4111-8111-111111111111";
    let nothing = Reply::json(200, &json!({"results": [], "total_results": 0}));
    for (tool, list) in [("list_comments", "comments"), ("list_activity", "activities")] {
        stack.plane.answer(&format!("{}{missing}/{list}/", public()), nothing.clone());
        stack.plane.answer(&format!("{}{missing}/", public()), Reply::captured("err_unknown_work_item"));
        let failure = stack.failure(tool, json!({"work_item": missing, "project": ENG})).await;
        assert_eq!(failure["code"], "work_item.not_found", "{tool}");
    }
}

#[tokio::test]
async fn search_covers_the_workspace_and_says_how_many() {
    let stack = stack().await;
    let answer = stack.answer("search_work_items", json!({"query": "login", "limit": 1})).await;
    let first = json!({"identifier": "MKT-1", "name": "Launch campaign for login feature", "state": "Backlog", "state_group": "backlog", "priority": "high"});
    assert_eq!(answer, json!({"total": 2, "more": true, "work_items": [first]}));
    let [seen] = asked(&stack, "/api/workspaces/acme/entity-search/").try_into().unwrap();
    assert_eq!((seen.query["query"].as_str(), seen.query["query_type"].as_str()), ("login", "issue"));
    let answer = keyed(&stack, "search_work_items", json!({"query": "eng-1"})).await;
    assert_eq!(answer["work_items"][0]["identifier"], "ENG-1", "the item somebody names comes first");
    let [seen] = asked(&stack, "/api/v1/workspaces/acme/work-items/search/").try_into().unwrap();
    assert_eq!((seen.query["search"].as_str(), seen.query["workspace_search"].as_str()), ("eng-1", "true"));
}

#[tokio::test]
async fn search_in_one_project_names_it_to_plane() {
    let stack = stack().await;
    stack.answer("search_work_items", json!({"query": 7, "project": MKT})).await;
    let [seen] = asked(&stack, "/api/workspaces/acme/entity-search/").try_into().unwrap();
    assert_eq!((seen.query["query"].as_str(), seen.query["project_id"].as_str()), ("7", MKT));
    keyed(&stack, "search_work_items", json!({"query": 7, "project": MKT})).await;
    let [seen] = asked(&stack, "/api/v1/workspaces/acme/work-items/search/").try_into().unwrap();
    assert_eq!((seen.query["workspace_search"].as_str(), seen.query["project_id"].as_str()), ("false", MKT));
}
