//! What work items are planned in, and what waits to become one: cycles, modules, intake.

use serde_json::json;

use crate::canned::{ENG, Reply};
use crate::projects::{AUTH, PROJECTS, SPRINT, asked, at, changed, projects, stack};

#[tokio::test]
async fn cycles_say_where_they_stand_and_how_far_they_are() {
    let stack = stack().await;
    let answer = stack.answer("list_cycles", json!({"project": ENG})).await;
    let rows = answer["cycles"].as_array().unwrap();
    let sprint = json!({
        "name": "Sprint 42", "status": "current", "start_date": "2026-11-18", "end_date": "2026-12-02",
        "owner": "alice", "description": "Current sprint", "id": SPRINT,
        "progress": {"total": 10, "completed": 2, "started": 4, "unstarted": 2, "backlog": 1, "cancelled": 1},
    });
    assert!(rows.contains(&sprint), "{rows:?}");
    let draft = rows.iter().find(|row| row["status"] == "draft").unwrap();
    assert_eq!(draft["progress"], json!({"total": 0}), "groups without items are left out");
    assert_eq!(answer["total"], 3);
    let seen = stack.plane.seen();
    let cycles: Vec<_> = seen.iter().filter(|seen| seen.path == at("cycles/")).collect();
    assert_eq!(cycles.len(), 1);
    assert_eq!(cycles[0].query["per_page"], "25");
}

#[tokio::test]
async fn each_view_of_cycles_is_one_request() {
    let stack = stack().await;
    let capture = |view| format!("list_cycles_view_{view}");
    for view in ["current", "upcoming", "completed", "draft", "incomplete"] {
        stack.plane.answer(&at("cycles/"), Reply::captured(&capture(view)));
        let answer = stack.answer("list_cycles", json!({"project": ENG, "view": view})).await;
        let rows = answer["cycles"].as_array().unwrap();
        assert_eq!(answer["total"], rows.len(), "{view}");
        let seen = stack.plane.seen();
        let seen = seen.iter().rfind(|seen| seen.path == at("cycles/")).unwrap();
        assert_eq!(seen.query["cycle_view"], view);
        if view != "incomplete" {
            assert!(rows.iter().all(|row| row["status"] == view), "{view}: {rows:?}");
        }
    }
    let answer = stack.answer("list_cycles", json!({"project": ENG, "view": "archived"})).await;
    assert_eq!(answer, json!({"total": 0, "cycles": []}));
    assert!(asked(&stack).contains(&at("archived-cycles/")));
}

#[tokio::test]
async fn a_cycle_is_named_by_name_by_id_or_as_the_current_one() {
    let stack = stack().await;
    for cycle in ["sprint 42", SPRINT, "current", "Sprint 42"] {
        let answer = stack.answer("retrieve_cycle", json!({"project": "ENG", "cycle": cycle})).await;
        assert_eq!((&answer["name"], &answer["status"]), (&json!("Sprint 42"), &json!("current")), "{cycle}");
    }
    let failure = stack.failure("retrieve_cycle", json!({"project": "ENG", "cycle": "Sprint 99"})).await;
    assert_eq!(failure["code"], "cycle.not_found");
    assert!(failure["message"].as_str().unwrap().contains("Sprint 42"), "{failure}");
    let gone = "7454fb75-94cd-4d3b-816f-5b3a0de4a265";
    stack.plane.answer(&at(&format!("cycles/{gone}/")), Reply::captured("err_unknown_work_item"));
    let failure = stack.failure("retrieve_cycle", json!({"project": "ENG", "cycle": gone})).await;
    assert_eq!(failure["code"], "cycle.not_found");
    assert_eq!(failure["recovery"]["tools"], json!(["list_cycles"]));
}

#[tokio::test]
async fn no_running_cycle_and_several_are_both_said() {
    let stack = stack().await;
    let running = |count: usize| {
        changed("list_cycles", move |body| {
            let row =
                body["results"].as_array().unwrap().iter().find(|row| row["id"] == SPRINT).unwrap().clone();
            body["results"] = vec![row; count].into();
        })
    };
    let current = json!({"project": "ENG", "cycle": "current"});
    stack.plane.answers(&at("cycles/"), vec![running(0), running(2)]);
    let failure = stack.failure("retrieve_cycle", current.clone()).await;
    assert_eq!(failure["code"], "cycle.not_found");
    assert!(failure["message"].as_str().unwrap().contains("running"), "{failure}");
    stack.clock.advance(std::time::Duration::from_secs(61));
    let failure = stack.failure("retrieve_cycle", current).await;
    assert_eq!(failure["code"], "argument.invalid");
    assert!(failure["message"].as_str().unwrap().contains(SPRINT), "{failure}");
}

#[tokio::test]
async fn modules_name_their_people() {
    let stack = stack().await;
    let answer = stack.answer("list_modules", json!({"project": "ENG"})).await;
    assert_eq!(answer["total"], 2);
    for module in ["Auth revamp", "auth", AUTH] {
        let answer = stack.answer("retrieve_module", json!({"project": "ENG", "module": module})).await;
        assert_eq!((&answer["lead"], &answer["status"]), (&json!("bob"), &json!("in-progress")));
        assert_eq!(answer["members"].as_array().unwrap().len(), 2);
        assert!(answer["members"].as_array().unwrap().contains(&json!("alice")), "{answer}");
        assert_eq!(answer["progress"]["total"], 10);
    }
    let archived = stack.answer("list_modules", json!({"project": "ENG", "archived": true})).await;
    assert_eq!(archived, json!({"total": 0, "modules": []}));
    let failure = stack.failure("retrieve_module", json!({"project": "ENG", "module": "Nothing"})).await;
    assert_eq!(failure["code"], "module.not_found");
    assert!(failure["message"].as_str().unwrap().contains("Billing"), "{failure}");
}

#[tokio::test]
async fn names_that_cannot_be_had_leave_ids() {
    let stack = stack().await;
    let forbidden = Reply::captured("gus_list_members");
    stack.plane.answer("/api/v1/workspaces/acme/members/", forbidden.clone());
    stack.plane.answer(&at("members/"), forbidden);
    let answer = stack.answer("retrieve_module", json!({"project": ENG, "module": AUTH})).await;
    assert_eq!(answer["lead"], "22517000-4d6d-4e1c-865a-79593ad0d451");
}

#[tokio::test]
async fn names_are_asked_for_once_a_minute() {
    let stack = stack().await;
    let auth = json!({"project": "ENG", "module": "Auth revamp"});
    stack.answer("retrieve_module", auth.clone()).await;
    let before = asked(&stack).len();
    stack.answer("retrieve_module", auth).await;
    assert_eq!(asked(&stack).split_off(before), [at(&format!("modules/{AUTH}/"))], "never the thing itself");
    stack.answer("list_cycles", json!({"project": "ENG"})).await;
    assert_eq!(asked(&stack).split_off(before + 1), [at("cycles/")]);
}

#[tokio::test]
async fn intake_speaks_words_for_numbers() {
    let stack = stack().await;
    let answer = stack.answer("list_intake", json!({"project": "ENG"})).await;
    let row = json!({
        "identifier": "ENG-26", "name": "Customer reports 403 after SSO", "status": "pending", "priority": "high",
        "created_by": "alice", "created_at": "2026-11-21T07:25:36.419972Z", "source": "IN_APP", "description": "403",
    });
    assert_eq!(answer, json!({"total": 1, "requests": [row]}));
    let by_id = stack.answer("list_intake", json!({"project": ENG})).await;
    assert_eq!(by_id["requests"][0]["identifier"], "ENG-26");
}

#[tokio::test]
async fn intake_is_filtered_here_and_says_when_it_did_not_see_everything() {
    let stack = stack().await;
    let page = |status: i64, more: bool| {
        changed("list_intake_issues", move |body| {
            let mut row = body["results"][0].clone();
            row["status"] = json!(status);
            body["results"] = vec![row; 100].into();
            body["next_page_results"] = json!(more);
        })
    };
    stack.plane.answers(&at("intake-issues/"), vec![page(1, true), page(-2, false)]);
    let arguments = json!({"project": "ENG", "status": ["pending"], "per_page": 60});
    let answer = stack.answer("list_intake", arguments).await;
    assert_eq!((&answer["total"], &answer["next_cursor"]), (&json!(100), &json!("60:1:0")));
    assert!(answer.get("complete").is_none());
    let rest = json!({"project": "ENG", "status": "pending", "cursor": "60:1:0"});
    assert_eq!(stack.answer("list_intake", rest).await["requests"].as_array().unwrap().len(), 40);

    stack.clock.advance(std::time::Duration::from_secs(61));
    stack.plane.answer(&at("intake-issues/"), page(-1, true));
    let answer = stack.answer("list_intake", json!({"project": "ENG", "status": "duplicate"})).await;
    assert_eq!(answer, json!({"total": 0, "requests": [], "searched": 500, "complete": false}));
}

#[tokio::test]
async fn a_guest_sees_only_what_they_sent_in() {
    let stack = stack().await;
    stack.plane.answer(PROJECTS, projects(|row| row["member_role"] = json!(5)));
    let two = changed("list_intake_issues", |body| {
        let mut other = body["results"][0].clone();
        other["created_by"] = json!("f5c2c80e-1ac7-4085-bde7-baa776b5f5c3");
        body["results"].as_array_mut().unwrap().push(other);
    });
    stack.plane.answer(&at("intake-issues/"), two);
    let answer = stack.answer("list_intake", json!({"project": "ENG"})).await;
    assert_eq!((&answer["total"], &answer["requests"][0]["created_by"]), (&json!(1), &json!("alice")));
}
