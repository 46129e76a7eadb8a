//! Work items as a model sees them, and what Plane is asked for it.

mod contract;
mod one;

use serde_json::{Value, json};

use crate::canned::{ENG, ITEM, MKT, Plane, Reply, Seen};
use crate::client::{Stack, call, text_of};

const ALICE: &str = "3a928978-131c-4fc9-a8bb-c6784b89c5de";
const SPRINT_42: &str = "9fcc1c95-7ce4-462b-9ba3-0c6065666834";
const IN_PROGRESS: &str = "dc117659-088c-4633-974c-5ce51c2e5729";

async fn stack() -> Stack {
    Stack::with("workspace_slug = \"acme\"\n", Plane::of_alice()).await
}

fn public() -> String {
    format!("/api/v1/workspaces/acme/projects/{ENG}/work-items/")
}

fn application() -> String {
    format!("/api/workspaces/acme/projects/{ENG}/issues/")
}

/// The requests to one path.
fn asked(stack: &Stack, path: &str) -> Vec<Seen> {
    stack.plane.seen().into_iter().filter(|seen| seen.path == path).collect()
}

/// A tool's answer to alice's API key.
async fn keyed(stack: &Stack, tool: &str, arguments: Value) -> Value {
    text_of(&stack.result_of(stack.post(call(tool, &arguments)).header("x-api-key", "plane_api_1")).await)
}

#[tokio::test]
async fn a_project_without_filters_is_one_request_with_names_and_keys() {
    let stack = stack().await;
    let answer = stack.answer("list_work_items", json!({"project": ENG, "per_page": "2"})).await;
    assert_eq!((answer["total"].clone(), answer["next_cursor"].clone()), (json!(25), json!("2:1:0")));
    let first = &answer["work_items"][0];
    assert_eq!(first["identifier"], "ENG-25");
    assert_eq!((first["state"].clone(), first["state_group"].clone()), (json!("Backlog"), json!("backlog")));
    assert_eq!(first["assignees"], json!(["alice"]));
    assert_eq!(first["labels"], json!(["backend", "bug"]));
    for dropped in ["completed_at", "priority", "id", "parent", "created_at"] {
        assert!(first.get(dropped).is_none(), "{dropped}");
    }
    // Whether the user is a guest there was asked before, and is kept like the names.
    let [_, seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!(seen.query["per_page"], "2");
    assert_eq!(seen.query["order_by"], "-created_at");
    assert_eq!(seen.query["fields"], "name,state,priority,assignees,labels,target_date,sequence_id,project");
    assert_eq!(seen.query["expand"], "assignees,labels,project,state");
}

#[tokio::test]
async fn a_list_is_less_than_two_fifths_of_what_the_official_server_sends() {
    let stack = stack().await;
    stack.plane.answer(&public(), Reply::captured("list_work_items_all"));
    let request = stack.as_alice(call("list_work_items", &json!({"project": "ENG"})));
    let text = stack.result_of(request).await["content"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["work_items"].as_array().unwrap().len(), 25);
    // Unexpanded ids are longer than names; the official server's text is 25.4 kB.
    assert!(text.len() < 25_400 * 2 / 5, "{} bytes", text.len());
}

#[tokio::test]
async fn a_parent_in_another_project_is_not_called_by_this_ones_identifier() {
    let stack = stack().await;
    let row = |project: &str| json!({"id": ITEM, "sequence_id": 2, "parent": {"id": ALICE, "sequence_id": 7, "project_id": project}});
    stack.plane.answer(&public(), Reply::json(200, &json!({"results": [row(ENG), row(MKT)]})));
    let answer = keyed(&stack, "list_work_items", json!({"project": "ENG", "fields": ["parent"]})).await;
    let parents: Vec<&Value> =
        answer["work_items"].as_array().unwrap().iter().map(|row| &row["parent"]).collect();
    assert_eq!(parents, ["ENG-7", ALICE]);
}

#[tokio::test]
async fn filters_are_planes_own_and_every_name_becomes_an_id() {
    let stack = stack().await;
    let arguments = json!({
        "project": "ENG", "state": ["in progress"], "state_group": ["started", "unstarted"], "priority": "urgent,high",
        "assignee": "me", "label": ["bug"], "cycle": "Sprint 42", "module": "auth", "created_by": "Alice Adams", "text": "login",
        "parent": "ENG-1", "target_after": "2026-11-01", "target_before": "2026-11-30", "updated_since": "2026-11-20",
        "order_by": "priority",
    });
    stack.plane.answer(&application(), Reply::json(200, &json!({"results": [], "total_results": 0})));
    let answer = stack.answer("list_work_items", arguments).await;
    assert_eq!(answer, json!({"total": 0, "work_items": []}));
    let [seen] = asked(&stack, &application()).try_into().unwrap();
    let expected = [
        ("state", IN_PROGRESS),
        ("state_group", "started,unstarted"),
        ("priority", "urgent,high"),
        ("assignees", ALICE),
        ("labels", "44ac63e0-098d-49a2-9e7b-5e3047372152"),
        ("cycle", SPRINT_42),
        ("module", "49ff2f89-d7b0-4624-96e7-08d83635c4e4"),
        ("created_by", ALICE),
        ("name", "login"),
        ("parent", ITEM),
        ("target_date", "2026-11-01;after,2026-11-30;before"),
        ("updated_at__gt", "2026-11-20T00:00:00Z"),
        // The application's order by priority is the reverse of the public API's.
        ("order_by", "-priority"),
        ("per_page", "25"),
    ];
    for (name, value) in expected {
        assert_eq!(seen.query.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(seen.query.len(), expected.len(), "{:?}", seen.query);
}

#[tokio::test]
async fn rows_of_ids_get_their_names_from_lists_that_are_kept() {
    let stack = stack().await;
    let list = || {
        stack.answer(
            "list_work_items",
            json!({"project": "ENG", "fields": "name,state,assignees,labels,parent,cycle"}),
        )
    };
    let answer = list().await;
    assert_eq!(
        answer["work_items"][0],
        json!({
            "identifier": "ENG-25", "name": "Sub-task of the epic", "state": "Backlog", "state_group": "backlog",
            "assignees": ["alice"], "labels": ["backend", "bug"], "parent": "ENG-24",
        })
    );
    let before = stack.plane.seen().len();
    list().await;
    assert_eq!(stack.plane.seen().len(), before + 1, "names are asked for once");
}

#[tokio::test]
async fn the_whole_workspace_is_one_list_with_its_own_names() {
    let stack = stack().await;
    let answer = stack.answer("list_work_items", json!({"updated_since": "2026-11-20T10:00:00+02:00"})).await;
    assert_eq!(answer["total"], 27);
    assert_eq!(answer["next_cursor"], "2:1:0");
    let names: Vec<&Value> =
        answer["work_items"].as_array().unwrap().iter().map(|item| &item["identifier"]).collect();
    assert_eq!(names, ["MKT-1", "SEC-1"]);
    assert_eq!(answer["work_items"][0]["state"], "Backlog");
    let [seen] = asked(&stack, "/api/workspaces/acme/issues/").try_into().unwrap();
    assert_eq!(seen.query["filters"], "{\"updated_at__range\":\"2026-11-20T08:00:00Z,2200-01-01\"}");
    assert!(!seen.query.contains_key("project"));
}

#[tokio::test]
async fn a_plane_that_leaves_a_filter_out_is_found_out() {
    let stack = stack().await;
    for filter in [
        json!({"priority": ["urgent"]}),
        json!({"state_group": ["cancelled"]}),
        json!({"updated_since": "2026-12-01"}),
        json!({"target_before": "2026-11-01"}),
        json!({"parent": "ENG-1"}),
        json!({"created_by": "bob"}),
    ] {
        let mut arguments = filter.clone();
        arguments["project"] = json!("ENG");
        let failure = stack.failure("list_work_items", arguments).await;
        assert_eq!(failure["code"], "plane.unexpected", "{filter}");
    }
}

#[tokio::test]
async fn what_is_in_no_cycle_or_nobodys_is_looked_for_here() {
    let stack = stack().await;
    stack.plane.answer(&application(), Reply::captured("app_issues_filter_state_group"));
    let arguments = json!({"project": "ENG", "assignee": "none", "cycle": "none", "state_group": "started"});
    let answer = stack.answer("list_work_items", arguments).await;
    let searched = asked(&stack, &application());
    assert_eq!(searched.len(), 5, "no more than five pages");
    assert_eq!(searched[1].query["cursor"], "100:1:0");
    assert!(
        searched
            .iter()
            .all(|seen| seen.query["state_group"] == "started" && !seen.query.contains_key("assignees"))
    );
    assert_eq!(answer["work_items"], json!([]));
    assert_eq!((answer["searched"].clone(), answer["complete"].clone()), (json!(15), json!(false)));
    assert!(answer.get("total").is_none());
}

#[tokio::test]
async fn a_name_that_means_nothing_fails_with_those_that_do() {
    let stack = stack().await;
    for (argument, code, known) in [
        ("state", "state.not_found", "In Progress"),
        ("label", "label.not_found", "backend"),
        ("assignee", "member.not_found", "bob"),
        ("cycle", "cycle.not_found", "Sprint 42"),
        ("module", "module.not_found", "Billing"),
    ] {
        let failure = stack.failure("list_work_items", json!({"project": "ENG", argument: "nonsense"})).await;
        assert_eq!(failure["code"], code);
        assert!(failure["message"].as_str().unwrap().contains(known), "{failure}");
    }
    let failure = stack.failure("list_work_items", json!({"project": "ENG", "parent": "nonsense"})).await;
    assert_eq!(failure["code"], "argument.invalid");
    assert!(asked(&stack, &application()).is_empty());
}

#[tokio::test]
async fn descriptions_come_without_filters_only() {
    let stack = stack().await;
    stack.plane.answer(&public(), Reply::captured("list_work_items_all"));
    let answer =
        stack.answer("list_work_items", json!({"project": "ENG", "fields": "name,description"})).await;
    assert_eq!(answer["work_items"][0]["description"], "Details for **item 25**.\n\n- step one\n- step two");
    assert_eq!(asked(&stack, &public())[0].query["fields"], "name,description_html,sequence_id");
    let filtered = json!({"project": "ENG", "fields": "description", "priority": "high"});
    assert_eq!(stack.failure("list_work_items", filtered).await["code"], "argument.invalid");
}

#[tokio::test]
async fn an_api_key_filters_here_and_says_how_far_it_looked() {
    let stack = stack().await;
    stack.plane.answer(&public(), Reply::captured("list_work_items_expand"));
    let answer =
        keyed(&stack, "list_work_items", json!({"project": "ENG", "assignee": "alice", "label": "bug"}))
            .await;
    let rows = answer["work_items"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["assignees"].to_string().contains("alice")));
    assert_eq!(answer["complete"], false);
    assert_eq!(asked(&stack, &public()).len(), 5);
    assert!(asked(&stack, &public())[0].query["expand"].contains("assignees"));

    stack.plane.answer(&public(), Reply::captured("list_work_items_lastpage"));
    let answer = keyed(&stack, "list_work_items", json!({"project": "ENG", "priority": "urgent"})).await;
    assert!(answer["total"].is_u64() && answer.get("complete").is_none(), "{answer}");
}

#[tokio::test]
async fn an_api_key_lists_a_cycle_from_the_cycle() {
    let stack = stack().await;
    let path = format!("/api/v1/workspaces/acme/projects/{ENG}/cycles/{SPRINT_42}/cycle-issues/");
    stack.plane.answer(&path, Reply::captured("list_cycle_work_items"));
    let answer = keyed(&stack, "list_work_items", json!({"project": "ENG", "cycle": "sprint 42"})).await;
    assert_eq!((answer["total"].clone(), answer["next_cursor"].clone()), (json!(10), json!("3:1:0")));
    assert_eq!(asked(&stack, &path)[0].query["order_by"], "-created_at");
    // Plane would order the words of priorities there; they are ordered here.
    let mut whole = serde_json::from_str::<Value>(&Reply::captured("list_cycle_work_items").body).unwrap();
    whole["next_page_results"] = json!(false);
    stack.plane.answer(&path, Reply::json(200, &whole));
    let arguments =
        json!({"project": "ENG", "cycle": "sprint 42", "order_by": "-priority", "fields": "priority"});
    let answer = keyed(&stack, "list_work_items", arguments).await;
    let order = |answer: &Value| {
        let rank = |row: &Value| {
            ["urgent", "high", "medium", "low"].iter().position(|word| row["priority"] == *word)
        };
        answer["work_items"].as_array().unwrap().iter().map(|row| rank(row).unwrap_or(4)).collect::<Vec<_>>()
    };
    assert!(order(&answer).is_sorted_by(|one, next| one >= next), "{answer}");
}

#[tokio::test]
async fn what_plane_does_not_tell_a_key_is_said() {
    let stack = stack().await;
    for (arguments, code) in [
        (json!({}), "project.required"),
        (json!({"project": "ENG", "fields": "cycle"}), "credential.unsupported"),
        (json!({"project": "ENG", "cycle": "none"}), "credential.unsupported"),
        (json!({"project": "ENG", "cycle": "Sprint 42", "module": "Billing"}), "credential.unsupported"),
    ] {
        assert_eq!(keyed(&stack, "list_work_items", arguments).await["code"], code);
    }
}

#[tokio::test]
async fn the_next_page_has_the_size_its_cursor_was_made_for() {
    let stack = stack().await;
    let arguments = json!({"project": ENG, "cursor": "5:1:0", "per_page": 50});
    stack.answer("list_work_items", arguments).await;
    let seen = &asked(&stack, &public())[0];
    assert_eq!((seen.query["cursor"].as_str(), seen.query["per_page"].as_str()), ("5:1:0", "5"));
}

#[tokio::test]
async fn the_last_page_gives_no_cursor() {
    let stack = stack().await;
    stack.plane.answer(&public(), Reply::captured("list_work_items_lastpage"));
    let answer = stack.answer("list_work_items", json!({"project": ENG})).await;
    assert!(answer.get("next_cursor").is_none());
    assert_eq!(answer["total"], 25);
}
