//! What the captures do not show of the app API: every filter, every order, paging, and who sees what.

use std::sync::Arc;

use serde_json::{Value, json};
use service::ManualClock;

use super::super::{PlaneAuth, PlaneDouble, PlaneOptions, Role};

const ENG: &str = "/api/workspaces/acme/projects/b5d6a26a-13ba-41aa-a751-be52ae59154d";
const EPIC: &str = "c2bb5186-3c55-421d-afa8-02a6b6bf61de";
const SPRINT: &str = "9fcc1c95-7ce4-462b-9ba3-0c6065666834";
const MODULE: &str = "49ff2f89-d7b0-4624-96e7-08d83635c4e4";
const SECURITY: &str = "67d392ed-841b-4fb9-8be6-fbab70ed3991";
const BOB: &str = "22517000-4d6d-4e1c-865a-79593ad0d451";
const IN_PROGRESS: &str = "dc117659-088c-4633-974c-5ce51c2e5729";

struct Bench {
    plane: PlaneDouble,
    client: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_795_246_041));
        let options = PlaneOptions { auth: PlaneAuth::Keyed, clock, ..PlaneOptions::default() };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { plane: PlaneDouble::start(options).await.unwrap(), client }
    }

    async fn get(&self, user: &str, target: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{target}", self.plane.url()));
        let response = request.header("x-auth-request-email", user).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The numbers of the listed work items.
    async fn numbers(&self, query: &str) -> Vec<i64> {
        let (status, body) = self.get("alice", &format!("{ENG}/issues/?{query}")).await;
        assert_eq!(status, 200, "{query}: {body}");
        numbers(&body["results"])
    }
}

fn numbers(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row["sequence_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn each_filter_of_a_project_list_holds() {
    let bench = Bench::new().await;
    for (query, wanted) in [
        (format!("state={IN_PROGRESS}"), vec![21, 15, 9, 3, 1]),
        ("state_group=completed,cancelled&priority=high,urgent".to_owned(), vec![22, 17, 16, 11]),
        (format!("assignees={BOB}&priority=low"), vec![24, 14, 9]),
        (format!("labels={SECURITY}&priority=none"), vec![20, 15]),
        (format!("cycle={SPRINT}&priority=high"), vec![7, 2, 1]),
        (format!("module={MODULE}&priority=high"), vec![12, 7]),
        (format!("parent={EPIC}"), vec![25]),
        ("parent=None&priority=none".to_owned(), vec![20, 15, 10, 5]),
        ("cycle=None&priority=urgent".to_owned(), vec![21, 16, 11]),
        ("name=LOGIN".to_owned(), vec![1]),
        ("target_date=2026-11-23;before".to_owned(), vec![3, 2, 1]),
        ("target_date=2026-12-13;after".to_owned(), vec![25, 24, 23]),
        ("target_date=2026-11-22;after,2026-11-24;before".to_owned(), vec![4, 3, 2]),
        ("target_date=2026-11-25".to_owned(), vec![5]),
        ("target_date=1_weeks;before;fromnow&priority=urgent".to_owned(), vec![6]),
        ("type=backlog".to_owned(), vec![25, 19, 13, 7]),
        ("sub_issue=false&type=backlog".to_owned(), vec![19, 13, 7]),
        ("updated_at__gt=2026-11-21T07:25:36Z".to_owned(), vec![1]),
    ] {
        assert_eq!(bench.numbers(&query).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn what_plane_cannot_read_in_a_filter_filters_nothing() {
    let bench = Bench::new().await;
    for query in
        ["state=none", "assignees=bob", "target_date=soon;before", "status=done", "priority=", "labels=x"]
    {
        assert_eq!(bench.numbers(query).await.len(), 25, "{query}");
    }
    // The time of the last change is looked for in the time of creation.
    assert_eq!(bench.numbers("updated_at=2026-11-22;after").await.len(), 0);
}

#[tokio::test]
async fn expressions_are_evaluated_and_unknown_lookups_are_refused() {
    let bench = Bench::new().await;
    let expression = |value: Value| format!("filters={}", value.to_string().replace('"', "%22"));
    for (value, wanted) in [
        (json!({"priority__in": "urgent,high", "state_group": "started"}), vec![21, 12, 6, 1]),
        (
            json!({"and": [{"label_id__in": SECURITY}, {"not": {"priority__in": "low,medium,none"}}]}),
            vec![16, 12, 11, 7],
        ),
        (json!({"or": [{"cycle_id": SPRINT}, {"module_id": MODULE}]}), (1..=15).rev().collect()),
        (json!({"target_date__range": "2026-11-21,2026-11-22"}), vec![2, 1]),
        (json!({"updated_at__range": "2026-11-21T07:25:36Z,2026-11-22"}), vec![1]),
        // Of a list the last counts.
        (json!({"priority__in": ["urgent", "high"], "state_group": "backlog"}), vec![7]),
    ] {
        assert_eq!(bench.numbers(&expression(value.clone())).await, wanted, "{value}");
    }
    for (value, code) in [
        (json!({"name": "x"}), "invalid_filter_field"),
        (json!({"state_id": "x"}), "invalid_filterset"),
        (json!({"and": []}), "invalid_operator_children"),
        (json!([1]), "invalid_filter_node"),
    ] {
        let (status, body) = bench.get("alice", &format!("{ENG}/issues/?{}", expression(value))).await;
        assert_eq!((status, body["code"].as_str()), (400, Some(code)));
    }
}

#[tokio::test]
async fn orders_are_those_of_the_app() {
    let bench = Bench::new().await;
    let head = |numbers: Vec<i64>| numbers.into_iter().take(4).collect::<Vec<_>>();
    for (order, wanted) in [
        ("-priority", [21, 16, 11, 6]),
        ("priority", [25, 20, 15, 10]),
        ("state__group", [25, 19, 13, 7]),
        ("-state__group", [25, 19, 13, 7]),
        ("target_date", [1, 2, 3, 4]),
        ("-target_date", [25, 24, 23, 22]),
        ("sequence_id", [1, 2, 3, 4]),
        ("-completed_at", [22, 16, 10, 4]),
        ("name", [22, 23, 5, 10]),
        ("labels__name", [25, 22, 21, 18]),
    ] {
        assert_eq!(head(bench.numbers(&format!("order_by={order}")).await), wanted, "{order}");
    }
    assert_eq!(bench.get("alice", &format!("{ENG}/issues/?order_by=bogus")).await.0, 500);
    let (status, _) = bench.get("alice", "/api/workspaces/acme/issues/?order_by=bogus").await;
    assert_eq!(status, 200, "the workspace's list falls back to its default");
}

#[tokio::test]
async fn paging_has_the_same_traps_as_v1() {
    let bench = Bench::new().await;
    assert_eq!(bench.numbers("per_page=2&cursor=2:1:0").await, [23, 22]);
    assert_eq!(bench.numbers("cursor=5:1:0").await, [] as [i64; 0]);
    assert_eq!(bench.get("alice", &format!("{ENG}/issues/?per_page=0")).await.0, 500);
    assert_eq!(bench.get("alice", &format!("{ENG}/issues/?per_page=1001")).await.0, 400);
}

#[tokio::test]
async fn members_see_their_projects_guests_their_own_items_and_outsiders_nothing() {
    let bench = Bench::new().await;
    let workspace = "/api/workspaces/acme";
    for (user, total) in [("alice", 27), ("bob", 25), ("gus", 0)] {
        let (status, body) = bench.get(user, &format!("{workspace}/issues/")).await;
        assert_eq!((status, &body["total_count"]), (200, &json!(total)), "{user}");
    }
    let denied = json!({"error": "You don't have the required permissions."});
    for target in ["/issues/", "/members/", "/projects/"] {
        assert_eq!(bench.get("olga", &format!("{workspace}{target}")).await, (403, denied.clone()));
    }
    for target in ["/states/", "/labels/", "/cycles/", "/modules/", "/entity-search/?query=x"] {
        assert_eq!(bench.get("olga", &format!("{workspace}{target}")).await.0, 403, "{target}");
    }
    assert_eq!(bench.get("olga", &format!("{ENG}/issues/")).await, (403, denied.clone()));
    let found = bench.get("olga", &format!("{workspace}/search/?search=login")).await;
    assert_eq!((found.0, &found.1["results"]["issue"]), (200, &json!([])));
    let (_, members) = bench.get("gus", &format!("{workspace}/members/")).await;
    assert!(members[0]["member"].get("email").is_none(), "guests get no addresses");
    let one = format!("{ENG}/issues/f5aa9d34-3fb1-4244-8ff0-0c3943394ed0/");
    assert_eq!(bench.get("gus", &one).await.0, 403);
    let (status, item) = bench.get("bob", &one).await;
    assert_eq!((status, &item["cycle_id"], &item["link_count"]), (200, &json!(SPRINT), &json!(1)));
}

#[tokio::test]
async fn items_are_found_by_name_and_by_id() {
    let bench = Bench::new().await;
    let named = |name: &str| format!("/api/workspaces/acme/work-items/{name}/");
    assert_eq!(bench.get("bob", &named("eng-24")).await.1["id"], EPIC);
    for (user, name, status) in
        [("bob", "ENG-x", 400), ("bob", "ENG-999", 404), ("bob", "NOPE-1", 404), ("bob", "SEC-1", 403)]
    {
        assert_eq!(bench.get(user, &named(name)).await.0, status, "{name}");
    }
    let (_, found) = bench.get("bob", &format!("{ENG}/issues/list/?issues={EPIC},{BOB}")).await;
    assert_eq!(numbers(&found), [24]);
    assert_eq!(bench.get("bob", &format!("{ENG}/issues/list/")).await.0, 400);
    let (_, below) = bench.get("bob", &format!("{ENG}/issues/{EPIC}/sub-issues/")).await;
    assert_eq!(numbers(&below["sub_issues"]), [25]);
    assert_eq!(below["state_distribution"]["backlog"].as_array().unwrap().len(), 1);
    let relations = format!("{ENG}/issues/f5aa9d34-3fb1-4244-8ff0-0c3943394ed0/issue-relation/");
    let (_, related) = bench.get("bob", &relations).await;
    assert_eq!((numbers(&related["blocking"]), numbers(&related["duplicate"])), (vec![3, 2], vec![4]));
}

#[tokio::test]
async fn lists_for_names_hold_what_is_in_the_callers_projects() {
    let bench = Bench::new().await;
    let count = async |user: &str, list: &str| {
        let (status, rows) = bench.get(user, &format!("/api/workspaces/acme/{list}/")).await;
        assert_eq!(status, 200, "{user} {list}: {rows}");
        rows.as_array().unwrap().len()
    };
    assert_eq!((count("alice", "states").await, count("bob", "states").await), (16, 6));
    assert_eq!((count("alice", "labels").await, count("gus", "labels").await), (4, 4));
    assert_eq!((count("bob", "modules").await, count("bob", "cycles").await), (2, 3));
    assert_eq!((count("alice", "projects").await, count("bob", "projects").await), (3, 2));
    assert_eq!(count("gus", "projects").await, 1, "guests see the projects they are in");
    assert!(bench.plane.join_project("bob", "SEC", Role::Member));
    assert_eq!(count("bob", "states").await, 11);
    let (_, current) = bench.get("bob", &format!("{ENG}/cycles/?cycle_view=current")).await;
    assert_eq!(current[0]["name"], "Sprint 42");
}
