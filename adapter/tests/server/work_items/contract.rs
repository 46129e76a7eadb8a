//! Every captured answer about work items is read, by the tool that asks for it and as whoever can.

use std::fs;

use serde_json::{Value, json};

use super::{SPRINT_42, stack};
use crate::canned::{ENG, ITEM, Reply};
use crate::client::{call, text_of};

/// Captures of answers that no tool asks for.
const NOT_ASKED: [&str; 6] = [
    "app_global_search",
    "list_work_items_by_external_id",
    "retrieve_cycle_work_item",
    "retrieve_work_item_activity",
    "retrieve_work_item_link",
    "app_workspace_user_issues",
];

/// What leads to a request for `path`: the tool, its arguments, whether signed in, and where the answer's rows are.
fn question(path: &str) -> Option<(&'static str, Value, bool, &'static str)> {
    let project = format!("/api/v1/workspaces/acme/projects/{ENG}/");
    let item = format!("work-items/{ITEM}/");
    let included = |what: &str, rows| {
        let arguments = json!({"work_item": ITEM, "project": ENG, "include": [what]});
        Some(("retrieve_work_item", arguments, false, rows))
    };
    let listed = |more: Value| {
        let mut arguments = more;
        arguments["project"] = json!(ENG);
        arguments["per_page"] = json!(100);
        Some(("list_work_items", arguments, false, "/work_items"))
    };
    let Some(rest) = path.strip_prefix(&project) else {
        return match path {
            "/api/v1/workspaces/acme/work-items/search/" => {
                Some(("search_work_items", json!({"query": "x", "limit": 100}), false, "/work_items"))
            }
            "/api/v1/workspaces/acme/work-items/ENG-1/" => {
                Some(("retrieve_work_item", json!({"work_item": "ENG-1"}), false, "/name"))
            }
            "/api/workspaces/acme/entity-search/" => {
                Some(("search_work_items", json!({"query": "x"}), true, "/work_items"))
            }
            "/api/workspaces/acme/issues/" => Some(("list_work_items", json!({}), true, "/work_items")),
            _ if path == format!("/api/workspaces/acme/projects/{ENG}/issues/") => {
                Some(("list_work_items", json!({"project": ENG, "label": "bug"}), true, "/work_items"))
            }
            _ => None,
        };
    };
    match rest {
        "work-items/" => listed(json!({})),
        _ if rest == format!("cycles/{SPRINT_42}/cycle-issues/") => listed(json!({"cycle": SPRINT_42})),
        "modules/49ff2f89-d7b0-4624-96e7-08d83635c4e4/module-issues/" => {
            listed(json!({"module": "auth revamp"}))
        }
        _ => match rest.strip_prefix(&item)? {
            "" => included("links", "/name"),
            "comments/" => included("comments", "/comments/comments"),
            "links/" => included("links", "/links"),
            "activities/" => included("activity", "/activity/activity"),
            "attachments/" => included("attachments", "/attachments"),
            "relations/" => included("relations", "/relations"),
            comment => {
                let id = comment.strip_prefix("comments/")?.strip_suffix('/')?;
                let arguments = json!({"work_item": ITEM, "project": ENG, "comment": id});
                Some(("list_comments", arguments, false, "/comments"))
            }
        },
    }
}

/// How many rows a captured body has.
fn rows(body: &Value) -> usize {
    let list = ["results", "issues", "issue"].iter().find_map(|name| body[*name].as_array());
    match list.or(body.as_array()) {
        Some(list) => list.len(),
        // Kinds of relations without any are left out; an item is one.
        None => body.as_object().map_or(0, |kinds| {
            let related = kinds.values().filter(|rows| rows.as_array().is_some_and(|rows| !rows.is_empty()));
            if kinds.contains_key("blocked_by") { related.count() } else { 1 }
        }),
    }
}

#[tokio::test]
async fn every_captured_answer_about_work_items_is_read() {
    let folder = format!("{}/../tests/fixtures/plane", env!("CARGO_MANIFEST_DIR"));
    let (stack, mut read) = (stack().await, 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let capture: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let request = capture["request"].as_str().unwrap_or_default();
        let asked = request.strip_prefix("GET ").unwrap_or_default().split('?').next().unwrap();
        let is_ours =
            ["work-items/", "/issues/", "search/", "-issues/"].iter().any(|part| asked.contains(part));
        let is_intake = asked.contains("intake");
        if capture["status"] != 200 || !is_ours || is_intake || NOT_ASKED.contains(&name.as_str()) {
            continue;
        }
        // The unknown item's relations and the second item are asked for as the first one's.
        let asked = ["97faf77b-6030-4bf0-ba4c-968c7251df8f", "381706a0-7a81-445e-b61c-4712a0dc2ebd"]
            .iter()
            .fold(asked.to_owned(), |path, other| path.replace(other, ITEM));
        let (tool, arguments, is_signed_in, place) =
            question(&asked).unwrap_or_else(|| panic!("{name}: nothing asks for {asked}"));
        stack.plane.answer(&asked, Reply::captured(&name));
        let answer = if is_signed_in {
            stack.answer(tool, arguments).await
        } else {
            // Each as a caller of its own: a key has sixty requests a minute.
            let request = stack.post(call(tool, &arguments)).header("x-api-key", format!("plane_api_{name}"));
            text_of(&stack.result_of(request).await)
        };
        let found = answer.pointer(place).unwrap_or_else(|| panic!("{name}: {answer}"));
        let count = match found {
            Value::Array(rows) => rows.len(),
            Value::Object(kinds) => kinds.len(),
            _ => 1,
        };
        assert_eq!(count, rows(&capture["body"]), "{name}: {answer}");
        assert!(stack.plane.seen().iter().any(|seen| seen.path == asked), "{tool} never asked {asked}");
        read += 1;
    }
    assert!(read > 40, "{read}");
}
