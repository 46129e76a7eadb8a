//! Projects and what is in them beside work items: people, states, labels.

use serde_json::{Value, json};

use crate::canned::{ENG, MKT, Plane, Reply};
use crate::client::{Stack, call, text_of};

const SEC: &str = "58032735-e85c-4405-a166-d31b4a2e2c48";
pub(crate) const SPRINT: &str = "9fcc1c95-7ce4-462b-9ba3-0c6065666834";
pub(crate) const AUTH: &str = "49ff2f89-d7b0-4624-96e7-08d83635c4e4";
pub(crate) const PROJECTS: &str = "/api/v1/workspaces/acme/projects/";

/// Alice's workspace with everything a project holds.
pub(crate) async fn stack() -> Stack {
    stack_with("").await
}

async fn stack_with(limits: &str) -> Stack {
    let plane = Plane::of_alice();
    plane.answer("/api/v1/workspaces/acme/members/", Reply::captured("list_workspace_members"));
    for (path, name) in [
        ("summary/", "project_summary"),
        ("members/", "list_project_members"),
        ("states/", "list_states"),
        ("labels/", "list_labels"),
        ("cycles/", "list_cycles"),
        (&*format!("cycles/{SPRINT}/"), "retrieve_cycle"),
        ("archived-cycles/", "list_archived_cycles"),
        ("modules/", "list_modules"),
        (&*format!("modules/{AUTH}/"), "retrieve_module"),
        ("archived-modules/", "list_archived_modules"),
        ("intake-issues/", "list_intake_issues"),
    ] {
        plane.answer(&at(path), Reply::captured(name));
    }
    Stack::with(&format!("workspace_slug = \"acme\"\n{limits}"), plane).await
}

pub(crate) fn at(path: &str) -> String {
    format!("{PROJECTS}{ENG}/{path}")
}

/// A captured answer with something changed.
pub(crate) fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Reply {
    let mut reply = Reply::captured(name);
    let mut body: Value = serde_json::from_str(&reply.body).unwrap();
    change(&mut body);
    reply.body = body.to_string();
    reply
}

pub(crate) fn asked(stack: &Stack) -> Vec<String> {
    stack.plane.seen().into_iter().map(|seen| seen.path).collect()
}

/// Alice's projects, with the fields that were asked for only, as Plane gives them.
pub(crate) fn projects(change: impl Fn(&mut Value)) -> Reply {
    changed("list_projects", |body| body["results"].as_array_mut().unwrap().iter_mut().for_each(change))
}

#[tokio::test]
async fn projects_are_listed_with_what_a_reader_needs() {
    let stack = stack().await;
    let answer = stack.answer("list_projects", json!({})).await;
    let first = json!({
        "identifier": "ENG", "name": "Engineering", "id": ENG, "description": "Core engineering work",
        "visibility": "public", "is_member": true, "role": "admin",
    });
    assert_eq!((&answer["total"], &answer["projects"][0]), (&json!(3), &first));
    assert!(answer.get("next_cursor").is_none());
    let [seen] = stack.plane.seen().try_into().unwrap();
    assert_eq!((seen.path.as_str(), seen.query["per_page"].as_str()), (PROJECTS, "1000"));
    assert!(!seen.query.contains_key("cursor"));
}

#[tokio::test]
async fn projects_are_found_by_name_and_given_in_pages() {
    let stack = stack().await;
    let names = |answer: &Value| -> Vec<Value> {
        answer["projects"].as_array().unwrap().iter().map(|row| row["identifier"].clone()).collect()
    };
    let found = stack.answer("list_projects", json!({"query": "mark"})).await;
    assert_eq!((names(&found), &found["total"]), (vec![json!("MKT")], &json!(1)));
    let page = stack.answer("list_projects", json!({"per_page": 2})).await;
    assert_eq!((names(&page).len(), &page["total"]), (2, &json!(3)));
    assert_eq!(page["next_cursor"], "2:1:0");
    let last = stack.answer("list_projects", json!({"cursor": "2:1:0"})).await;
    assert_eq!(names(&last).len(), 1);
    assert!(last.get("next_cursor").is_none());
}

#[tokio::test]
async fn archived_projects_are_listed_only_when_asked_for() {
    let stack = stack().await;
    let archive = projects(|row| {
        if row["identifier"] == "MKT" {
            row["archived_at"] = json!("2026-11-01T00:00:00Z");
        }
    });
    stack.plane.answer(PROJECTS, archive);
    let total = |answer: Value| answer["total"].clone();
    assert_eq!(total(stack.answer("list_projects", json!({})).await), 2);
    let archived = stack.answer("list_projects", json!({"archived": "true"})).await;
    assert_eq!(archived["projects"][0]["identifier"], "MKT");
    assert_eq!(total(archived), 1);
}

#[tokio::test]
async fn a_project_comes_with_counts_features_and_people() {
    let stack = stack().await;
    let lead = changed("retrieve_project", |body| {
        body["project_lead"] = json!({"id": "1", "display_name": "bob", "email": "bob@example.com"});
        body["default_assignee"] = json!({});
        body["default_state"] = json!("8d861676-a5be-40eb-8a7b-e92bd5f506e4");
    });
    stack.plane.answer(&at(""), lead);
    let answer = stack.answer("retrieve_project", json!({"project": "eng"})).await;
    let counts = json!({
        "work_items": 25, "members": 3, "cycles": 3, "modules": 2, "states": 6, "labels": 4, "pages": 0, "intake": 1,
    });
    assert_eq!(answer["counts"], counts);
    assert_eq!(answer["features"], json!(["cycles", "modules", "views", "pages", "intake"]));
    assert_eq!((&answer["lead"], &answer["default_state"]), (&json!("bob"), &json!("Backlog")));
    assert!(answer.get("default_assignee").is_none(), "an absent person expands to an empty object");
    assert!(!answer.to_string().contains('@'));
}

#[tokio::test]
async fn a_project_nobody_joined_is_shown_without_counts_and_a_hidden_one_not_at_all() {
    let stack = stack().await;
    let bobs = changed("list_projects", |body| {
        let rows = body["results"].as_array_mut().unwrap();
        rows.retain(|row| row["identifier"] != "SEC");
        rows.iter_mut().for_each(|row| row["is_member"] = json!(row["identifier"] == "ENG"));
    });
    stack.plane.answer(PROJECTS, bobs);
    for project in [MKT, SEC] {
        stack.plane.answer(&format!("{PROJECTS}{project}/summary/"), Reply::captured("project_summary"));
    }
    let public = Reply::captured("err_public_project_notmember_as_bob");
    stack.plane.answer(&format!("{PROJECTS}{MKT}/"), public);
    let answer = stack.answer("retrieve_project", json!({"project": "MKT"})).await;
    assert_eq!((&answer["identifier"], &answer["is_member"]), (&json!("MKT"), &json!(false)));
    assert!(answer.get("counts").is_none());
    for secret in [SEC, "SEC"] {
        let failure = stack.failure("retrieve_project", json!({"project": secret})).await;
        assert_eq!(failure["code"], "project.not_found");
    }
    assert!(!asked(&stack).iter().any(|path| path.contains("/summary/")), "counts are for members");
}

#[tokio::test]
async fn a_guest_sees_the_project_without_counts() {
    let stack = stack().await;
    stack.plane.answer(&at("summary/"), Reply::captured("gus_summary"));
    let answer = stack.answer("retrieve_project", json!({"project": "ENG"})).await;
    assert_eq!(answer["name"], "Engineering");
    assert!(answer.get("counts").is_none());
}

#[tokio::test]
async fn members_of_the_workspace_come_with_role_and_are_found_by_name() {
    let stack = stack().await;
    let answer = stack.answer("list_members", json!({"query": "GUEST"})).await;
    let gus = json!({
        "display_name": "gus", "full_name": "Gus Guest", "email": "gus@example.com", "role": "guest",
        "id": "f5c2c80e-1ac7-4085-bde7-baa776b5f5c3",
    });
    assert_eq!(answer, json!({"total": 1, "members": [gus]}));
    let names = stack.answer("list_members", json!({"per_page": 2})).await;
    assert_eq!((&names["total"], &names["next_cursor"]), (&json!(3), &json!("2:1:0")));
    assert_eq!(names["members"][0]["display_name"], "alice");
}

#[tokio::test]
async fn guests_are_told_that_they_cannot_list_people_of_the_workspace_but_of_their_project() {
    let stack = stack().await;
    stack.plane.answer("/api/v1/workspaces/acme/members/", Reply::captured("gus_list_members"));
    let failure = stack.failure("list_members", json!({})).await;
    assert_eq!(failure["code"], "permission.denied");
    assert!(failure["recovery"]["hint"].as_str().unwrap().contains("project"), "{failure}");
    let answer = stack.answer("list_members", json!({"project": "ENG"})).await;
    assert_eq!(answer["total"], 3);
}

#[tokio::test]
async fn people_outside_a_project_do_not_learn_who_is_in_it() {
    let stack = stack().await;
    let bobs = projects(|row| row["is_member"] = json!(row["identifier"] == "ENG"));
    stack.plane.answer(PROJECTS, bobs);
    for project in [MKT, SEC] {
        let members = Reply::captured("list_project_members");
        stack.plane.answer(&format!("{PROJECTS}{project}/members/"), members);
    }
    let failure = stack.failure("list_members", json!({"project": "MKT"})).await;
    assert_eq!(failure["code"], "permission.denied");
    let unknown = "7454fb75-94cd-4d3b-816f-5b3a0de4a265";
    let failure = stack.failure("list_members", json!({"project": unknown})).await;
    assert_eq!(failure["code"], "project.not_found");
    assert!(!asked(&stack).iter().any(|path| path.ends_with("/members/")), "people are for members");
}

#[tokio::test]
async fn people_of_an_unknown_workspace_are_those_of_no_workspace() {
    let stack = stack().await;
    let failure = stack.failure("list_members", json!({"workspace_slug": "nope"})).await;
    assert_eq!(failure["code"], "workspace.not_found");
}

#[tokio::test]
async fn states_come_in_the_order_of_the_workflow_without_ids() {
    let stack = stack().await;
    let reversed = changed("list_states", |body| body["results"].as_array_mut().unwrap().reverse());
    stack.plane.answer(&at("states/"), reversed);
    let answer = stack.answer("list_states", json!({"project": "ENG"})).await;
    assert_eq!(answer["total"], 6);
    assert_eq!(answer["states"][0], json!({"name": "Backlog", "group": "backlog", "default": true}));
    let groups: Vec<&str> =
        answer["states"].as_array().unwrap().iter().map(|row| row["group"].as_str().unwrap()).collect();
    assert!(groups.starts_with(&["backlog", "unstarted", "started"]), "{groups:?}");
    assert!(answer["states"].as_array().unwrap().iter().all(|row| row.get("id").is_none()));
}

#[tokio::test]
async fn labels_that_share_a_name_keep_their_ids_and_parents_have_names() {
    let stack = stack().await;
    let answer = stack.answer("list_labels", json!({"project": "ENG", "per_page": 10})).await;
    assert_eq!(answer["labels"][0], json!({"name": "security"}));
    assert_eq!(answer["total"], 4);
    let twins = changed("list_labels", |body| {
        body["results"][1]["name"] = json!("security");
        body["results"][2]["parent"] = body["results"][3]["id"].clone();
    });
    stack.plane.answer(&at("labels/"), twins);
    let answer = stack.answer("list_labels", json!({"project": "ENG", "per_page": 11})).await;
    assert!(answer["labels"][0]["id"].is_string() && answer["labels"][1]["id"].is_string());
    assert_eq!(answer["labels"][2], json!({"name": "backend", "parent": "bug"}));
}

#[tokio::test]
async fn a_project_not_joined_shows_nothing_of_what_is_in_it() {
    let stack = stack().await;
    let forbidden = Reply::captured("err_public_project_notmember_items_as_bob");
    stack.plane.answer(&format!("{PROJECTS}{MKT}/"), Reply::captured("err_public_project_notmember_as_bob"));
    for list in ["states/", "labels/", "cycles/", "modules/", "intake-issues/"] {
        stack.plane.answer(&format!("{PROJECTS}{MKT}/{list}"), forbidden.clone());
    }
    for tool in ["list_states", "list_labels", "list_cycles", "list_modules", "list_intake"] {
        let failure = stack.failure(tool, json!({"project": MKT})).await;
        assert_eq!(failure["code"], "permission.denied", "{tool}");
        assert!(failure["message"].as_str().unwrap().contains("not a member"), "{failure}");
    }
}

#[tokio::test]
async fn what_the_operator_does_not_show_is_not_there_by_name_or_id() {
    let stack = stack_with("projects = [\"acme/MKT\"]\nworkspaces = [\"acme\"]\n").await;
    let listed = stack.answer("list_projects", json!({})).await;
    assert_eq!((&listed["total"], &listed["projects"][0]["identifier"]), (&json!(1), &json!("MKT")));
    for tool in
        ["retrieve_project", "list_states", "list_labels", "list_cycles", "list_modules", "list_intake"]
    {
        for project in ["ENG", ENG] {
            let failure = stack.failure(tool, json!({"project": project})).await;
            assert_eq!(failure["code"], "project.not_found", "{tool} {project}");
        }
    }
    let failure = stack.failure("list_members", json!({"project": "ENG"})).await;
    assert_eq!(failure["code"], "project.not_found");
    let failure = stack.failure("list_projects", json!({"workspace_slug": "beta"})).await;
    assert_eq!(failure["code"], "workspace.not_found");
    let workspaces = stack.answer("list_workspaces", json!({})).await;
    assert_eq!((&workspaces["total"], &workspaces["workspaces"][0]["slug"]), (&json!(1), &json!("acme")));
    let asked = asked(&stack);
    assert!(!asked.iter().any(|path| path.contains(ENG) || path.contains("beta")), "{asked:?}");
}

#[tokio::test]
async fn an_api_key_reads_projects_as_a_person_does() {
    let stack = stack().await;
    for (tool, arguments) in [
        ("list_projects", json!({})),
        ("retrieve_project", json!({"project": "ENG"})),
        ("list_members", json!({"project": "ENG"})),
        ("retrieve_cycle", json!({"project": "ENG", "cycle": "current"})),
        ("list_intake", json!({"project": "ENG"})),
    ] {
        let request = stack.post(call(tool, &arguments)).header("x-api-key", "plane_api_1");
        let result = stack.result_of(request).await;
        assert_eq!(result["isError"], false, "{tool}: {}", text_of(&result));
    }
    assert!(asked(&stack).iter().all(|path| path.starts_with("/api/v1/")), "keys open nothing else");
}
