//! The tools about projects and what is in them, through the real programs, over a company at work.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn},
    plane::Sample,
    stack::Stack,
};

async fn company() -> (Stack, SignedIn) {
    let stack = Stack::builder().plane(|plane| plane.sample = Sample::Company).start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    (stack, session)
}

async fn ask(session: &SignedIn, tool: &str, arguments: Value) -> Value {
    session.tool(Era::Modern, tool, &arguments).await.unwrap()
}

/// The failure of a call.
async fn refused(session: &SignedIn, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let result = session.call(Era::Modern, "tools/call", &params).await.unwrap();
    assert_eq!(result["isError"], true, "{result}");
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_running_sprint_says_how_far_it_is_and_its_items_are_that_many() {
    let (_stack, session) = company().await;
    let current = json!({"project": "OPS", "cycle": "current"});
    let sprint = ask(&session, "retrieve_cycle", current.clone()).await;
    assert_eq!((&sprint["name"], &sprint["status"]), (&json!("Ops 8"), &json!("current")));
    let progress = sprint["progress"].as_object().unwrap();
    let groups: u64 =
        progress.iter().filter(|(name, _)| *name != "total").filter_map(|(_, n)| n.as_u64()).sum();
    assert_eq!((groups, &progress["total"]), (6, &json!(6)));
    let items = ask(&session, "list_work_items", current).await;
    assert_eq!(items["total"], 6, "{items}");
    for (view, names) in
        [("current", vec!["Ops 8"]), ("upcoming", vec!["Ops 9"]), ("archived", vec!["Ops 6"])]
    {
        let cycles = ask(&session, "list_cycles", json!({"project": "OPS", "view": view})).await;
        let rows = cycles["cycles"].as_array().unwrap();
        let found: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!((found, &cycles["total"]), (names, &json!(1)), "{view}");
    }
}

#[tokio::test]
async fn a_module_says_how_far_it_is_and_who_is_in_it() {
    let (_stack, session) = company().await;
    let arguments = json!({"project": "Operations", "module": "disaster"});
    let module = ask(&session, "retrieve_module", arguments).await;
    assert_eq!((&module["name"], &module["progress"]["total"]), (&json!("Disaster recovery"), &json!(5)));
    assert!(module["lead"].as_str().is_some_and(|lead| !lead.contains('-')), "a name, not an id: {module}");
    let archived = ask(&session, "list_modules", json!({"project": "OPS", "archived": true})).await;
    assert_eq!(
        (&archived["total"], &archived["modules"][0]["name"]),
        (&json!(1), &json!("Data centre move"))
    );
}

#[tokio::test]
async fn a_project_is_meant_by_identifier_by_id_and_by_name() {
    let (stack, session) = company().await;
    let id = stack.plane.project_id("OPS").unwrap();
    let mut answers = BTreeSet::new();
    for project in ["OPS", "ops", "operations", &id] {
        let answer = ask(&session, "retrieve_project", json!({"project": project})).await;
        assert_eq!((&answer["lead"], &answer["default_assignee"]), (&json!("bob"), &json!("dave")));
        assert_eq!(answer["counts"]["members"], 5);
        answers.insert(answer.to_string());
    }
    assert_eq!(answers.len(), 1);
    let listed = ask(&session, "list_projects", json!({"archived": true})).await;
    assert_eq!((&listed["total"], &listed["projects"][0]["identifier"]), (&json!(1), &json!("OLD")));
}

#[tokio::test]
async fn people_are_walked_through_in_pages_and_found_by_part_of_a_name() {
    let (_stack, session) = company().await;
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = ask(&session, "list_members", json!({"per_page": 2, "cursor": cursor})).await;
        assert_eq!(page["total"], 5);
        let rows = page["members"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["display_name"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(names, ["alice", "bob", "carol", "dave", "gus"]);
    let found = ask(&session, "list_members", json!({"project": "ENG", "query": "chen"})).await;
    assert_eq!((&found["total"], &found["members"][0]["full_name"]), (&json!(1), &json!("Carol Chen")));
}

#[tokio::test]
async fn intake_is_told_apart_by_what_was_decided() {
    let (_stack, session) = company().await;
    for (status, identifier) in [
        ("pending", "OPS-15"),
        ("rejected", "OPS-16"),
        ("snoozed", "OPS-17"),
        ("accepted", "OPS-18"),
        ("duplicate", "OPS-19"),
    ] {
        let answer = ask(&session, "list_intake", json!({"project": "OPS", "status": status})).await;
        assert_eq!((&answer["total"], &answer["requests"][0]["identifier"]), (&json!(1), &json!(identifier)));
        assert_eq!(answer["requests"][0]["status"], status);
    }
    assert_eq!(ask(&session, "list_intake", json!({"project": "OPS"})).await["total"], 5);
}

#[tokio::test]
async fn once_names_are_known_a_list_is_one_request() {
    let (stack, session) = company().await;
    ask(&session, "list_modules", json!({"project": "OPS"})).await;
    for tool in ["list_states", "list_labels", "list_cycles", "list_modules", "list_intake", "list_projects"]
    {
        let before = stack.plane.requests().len();
        let arguments = if tool == "list_projects" { json!({}) } else { json!({"project": "OPS"}) };
        let answer = ask(&session, tool, arguments).await;
        assert!(answer["total"].as_u64().unwrap() > 0, "{tool}: {answer}");
        let requests = stack.plane.requests().split_off(before);
        assert_eq!(requests.len(), 1, "{tool}: {requests:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is() {
    let (_stack, session) = company().await;
    for (tool, arguments, code, known) in [
        ("retrieve_cycle", json!({"project": "OPS", "cycle": "Sprint 1"}), "cycle.not_found", "Ops 8"),
        ("retrieve_module", json!({"project": "OPS", "module": "x"}), "module.not_found", "Cost cutting"),
        (
            "list_work_items",
            json!({"project": "OPS", "state": "Blocked"}),
            "state.not_found",
            "Waiting for vendor",
        ),
        ("list_work_items", json!({"project": "OPS", "label": "urgent"}), "label.not_found", "incident"),
        ("list_work_items", json!({"project": "OPS", "assignee": "zoe"}), "member.not_found", "dave"),
    ] {
        let failure = refused(&session, tool, arguments).await;
        assert_eq!(failure["code"], code, "{failure}");
        assert!(failure["message"].as_str().unwrap().contains(known), "{failure}");
    }
}
