//! Every captured answer of Plane Community Edition that a tool can meet is read, and every refusal in it has a code.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::canned::{ENG, Reply};
use crate::client::{call, text_of};
use crate::projects::{at, stack};

/// The refusals among the captures, each answered to a question inside a project the caller has joined.
const REFUSALS: &[(&str, &[&str])] = &[
    (
        "argument.invalid",
        &[
            "err_cursor_bad",
            "err_cursor_neg",
            "err_per_page_nan",
            "err_per_page_too_big",
            "err_search_project_bad",
        ],
    ),
    (
        "credential.rejected",
        &[
            "absent_workspace_detail",
            "app_no_session",
            "app_with_api_key",
            "app_with_bearer",
            "err_bearer_only",
            "err_expired_key",
            "err_inactive_key",
            "err_invalid_key",
            "err_no_auth",
            "err_no_auth_projects",
            "v1_with_session_only",
        ],
    ),
    (
        "permission.denied",
        &[
            "absent_advanced_search",
            "err_other_workspace_list_projects",
            "err_other_workspace_members",
            "err_public_project_notmember_items_as_bob",
            "err_secret_project_items_as_bob",
            "err_unknown_identifier_project",
            "err_unknown_project_work_items",
            "err_unknown_workspace",
            "err_wrong_case_slug",
            "gus_list_members",
            "gus_summary",
            "olga_by_identifier",
            "olga_list_members_acme",
            "retrieve_work_item_by_identifier_lower",
        ],
    ),
    ("plane.rate_limited", &["err_429", "err_429_other_endpoint"]),
    (
        "plane.unavailable",
        &[
            "err_bad_identifier",
            "err_order_by_bogus",
            "err_per_page_negative",
            "err_per_page_zero",
            "err_search_limit_nan",
            "err_search_limit_neg",
        ],
    ),
    (
        "plane.unexpected",
        &[
            "absent_app_installation",
            "absent_archived_work_items",
            "absent_customers",
            "absent_cycles_lite",
            "absent_epics",
            "absent_estimates",
            "absent_features_project",
            "absent_features_ws",
            "absent_initiatives",
            "absent_members_lite",
            "absent_milestones",
            "absent_modules_lite",
            "absent_oauth_authorize",
            "absent_oauth_token",
            "absent_pages_project",
            "absent_pages_ws",
            "absent_project_members_lite",
            "absent_projects_lite",
            "absent_relation_definitions",
            "absent_releases",
            "absent_roles",
            "absent_teamspaces",
            "absent_total_worklogs",
            "absent_work_item_types",
            "absent_work_items_count",
            "absent_worklogs",
            "absent_workspace_work_items",
            "absent_workspaces_list",
            "err_bad_uuid",
            "err_method_not_allowed",
            "err_no_trailing_slash",
            "err_route_404",
            "err_slug_traversal",
        ],
    ),
    (
        "project.not_found",
        &[
            "err_project_member_by_user_id",
            "err_secret_project_as_bob",
            "err_unknown_identifier",
            "err_unknown_project",
            "err_unknown_work_item",
        ],
    ),
];

/// Captured answers, and what a tool makes of them: tool, arguments, path in the project, capture, where in the answer, what.
fn answers() -> Vec<(&'static str, Value, &'static str, &'static str, &'static str, Value)> {
    let eng = || json!({"project": ENG});
    let view = |view: &str| json!({"project": ENG, "view": view});
    let cycle = json!({"project": ENG, "cycle": "9fcc1c95-7ce4-462b-9ba3-0c6065666834"});
    let module = json!({"project": ENG, "module": "49ff2f89-d7b0-4624-96e7-08d83635c4e4"});
    let current = "cycles/9fcc1c95-7ce4-462b-9ba3-0c6065666834/";
    let auth = "modules/49ff2f89-d7b0-4624-96e7-08d83635c4e4/";
    vec![
        ("list_projects", json!({}), "../", "list_projects", "/total", json!(3)),
        ("list_projects", json!({}), "../", "list_projects_expand", "/projects/0/identifier", json!("ENG")),
        ("retrieve_project", eng(), "", "retrieve_project", "/identifier", json!("ENG")),
        ("retrieve_project", eng(), "summary/", "project_summary", "/counts/work_items", json!(25)),
        ("retrieve_project", eng(), "summary/", "gus_summary", "/name", json!("Engineering")),
        ("list_members", json!({}), "../../members/", "list_workspace_members", "/total", json!(3)),
        ("list_members", json!({}), "../../members/", "list_members_paged", "/total", json!(3)),
        ("list_members", eng(), "members/", "list_project_members", "/total", json!(3)),
        ("list_members", eng(), "members/", "list_project_members_alias", "/total", json!(3)),
        ("list_states", eng(), "states/", "list_states", "/total", json!(6)),
        ("list_states", eng(), "states/", "list_states_per_page", "/states/0/name", json!("Backlog")),
        ("list_labels", eng(), "labels/", "list_labels", "/total", json!(4)),
        ("list_cycles", eng(), "cycles/", "list_cycles", "/total", json!(3)),
        ("list_cycles", view("current"), "cycles/", "list_cycles_view_current", "/total", json!(1)),
        ("list_cycles", view("archived"), "archived-cycles/", "list_archived_cycles", "/total", json!(0)),
        ("retrieve_cycle", cycle, current, "retrieve_cycle", "/progress/total", json!(10)),
        ("list_modules", eng(), "modules/", "list_modules", "/total", json!(2)),
        (
            "list_modules",
            json!({"project": ENG, "archived": true}),
            "archived-modules/",
            "list_archived_modules",
            "/total",
            json!(0),
        ),
        ("retrieve_module", module, auth, "retrieve_module", "/progress/started", json!(1)),
        (
            "list_intake",
            eng(),
            "intake-issues/",
            "list_intake_issues",
            "/requests/0/status",
            json!("pending"),
        ),
    ]
}

#[tokio::test]
async fn every_refusal_plane_is_known_to_give_has_a_code() {
    let stack = stack().await;
    for (code, captures) in REFUSALS {
        for capture in *captures {
            stack.plane.answer(&at("cycles/"), Reply::captured(capture));
            // Each as a caller of its own, for some of them close the budget of whoever met them.
            let key = format!("plane_api_{capture}");
            let request = stack.post(call("list_cycles", &json!({"project": ENG}))).header("x-api-key", key);
            let result = stack.result_of(request).await;
            assert_eq!(
                (&result["isError"], &text_of(&result)["code"]),
                (&json!(true), &json!(code)),
                "{capture}"
            );
        }
    }
}

#[test]
fn no_captured_refusal_is_left_out() {
    let folder = format!("{}/../tests/fixtures/plane", env!("CARGO_MANIFEST_DIR"));
    let mut captured = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|kind| kind != "json") || name.starts_with('_') {
            continue;
        }
        let capture: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if capture["status"].as_u64().unwrap() >= 300 {
            captured.insert(name);
        }
    }
    let played: BTreeSet<String> =
        REFUSALS.iter().flat_map(|(_, captures)| *captures).map(|name| (*name).to_owned()).collect();
    assert_eq!(captured, played);
}

#[tokio::test]
async fn every_captured_answer_is_read() {
    for (tool, arguments, path, capture, place, expected) in answers() {
        let stack = stack().await;
        let path = match path.strip_prefix("../../") {
            Some(path) => format!("/api/v1/workspaces/acme/{path}"),
            None if path == "../" => "/api/v1/workspaces/acme/projects/".to_owned(),
            None => at(path),
        };
        stack.plane.answer(&path, Reply::captured(capture));
        let answer = stack.answer(tool, arguments).await;
        assert_eq!(answer.pointer(place), Some(&expected), "{capture}: {answer}");
        assert!(stack.plane.seen().iter().any(|seen| seen.path == path), "{tool} never asked {path}");
    }
}
