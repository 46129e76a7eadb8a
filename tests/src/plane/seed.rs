//! The start values of the sample workspace, taken from the captures so that the double's rows are Plane's rows.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::world::{Cycle, Project, Role, User, Workspace, World, moment, set, text, unix};
use super::{Sample, company};

/// The body of a captured response.
macro_rules! capture {
    ($name:literal) => {
        $crate::plane::seed::body(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/plane/",
            $name,
            ".json"
        )))
    };
}
pub(super) use capture;

/// Cycle and module of the captures that hold work items, and the sequence numbers they hold.
const SPRINT_42: (&str, std::ops::RangeInclusive<i64>) = ("9fcc1c95-7ce4-462b-9ba3-0c6065666834", 1..=10);
const AUTH_REVAMP: (&str, std::ops::RangeInclusive<i64>) = ("49ff2f89-d7b0-4624-96e7-08d83635c4e4", 6..=15);
/// When the running cycle of the captures began (18 November 2026), and how long one is with the night before the next: seconds.
const SPRINT_BEGAN: u64 = 1_794_960_000;
const SPRINT: u64 = 15 * 86_400;
/// The work item whose comments, links, activities and relations were captured.
const BUSY_ITEM: &str = "f5aa9d34-3fb1-4244-8ff0-0c3943394ed0";

impl World {
    /// Workspaces `acme` (alice: admin, bob: member, gus: guest), `beta` (alice) and `olga-ws` (olga). In `acme`: the projects ENG
    /// (alice, bob, gus; 25 items), MKT (public, alice) and SEC (secret, alice).
    ///
    /// Cycles move on with the clock (`now`, Unix seconds) in whole sprints, so that the running one is always running.
    pub(super) fn sample(sample: Sample, now: u64) -> Self {
        let mut world = Self::captured();
        if sample == Sample::Company {
            company::add(&mut world);
        }
        for project in &mut world.projects {
            for cycle in &mut project.cycles {
                move_on(&mut cycle.row, now);
            }
        }
        world
    }

    fn captured() -> Self {
        let members = array(capture!("list_workspace_members"));
        let mut users: Vec<User> = members.iter().map(user).collect();
        let olga = json!({"id": "0f6c1b52-5d6e-4a77-9d1f-3f2f6c9a7e10", "email": "olga@example.com",
            "first_name": "Olga", "last_name": "Outsider"});
        users.push(user(&olga));
        let id = |name: &str| {
            users.iter().find(|user| user.name() == name).map(|user| user.id.clone()).unwrap_or_default()
        };
        let team =
            HashMap::from([(id("alice"), Role::Admin), (id("bob"), Role::Member), (id("gus"), Role::Guest)]);
        let alone = |name: &str| HashMap::from([(id(name), Role::Admin)]);
        let workspaces = workspaces(&team, alone("alice"), alone("olga"), &id("olga"));
        let projects = array(results(capture!("list_projects")))
            .into_iter()
            .map(|row| match text(&row, "identifier") {
                "ENG" => engineering(row, team.clone()),
                _ => small_project(row, alone("alice")),
            })
            .collect();
        Self { users, workspaces, projects, keys: Vec::new(), sessions: HashMap::new() }
    }
}

fn user(row: &Value) -> User {
    User {
        id: text(row, "id").to_owned(),
        email: text(row, "email").to_owned(),
        first_name: text(row, "first_name").to_owned(),
        last_name: text(row, "last_name").to_owned(),
        active: true,
        joined: text(&capture!("app_users_me"), "date_joined").to_owned(),
    }
}

fn workspaces(
    team: &HashMap<String, Role>,
    alice: HashMap<String, Role>,
    olga: HashMap<String, Role>,
    olga_id: &str,
) -> Vec<Workspace> {
    let rows = array(capture!("app_list_workspaces"));
    let mut workspaces = Vec::new();
    for row in rows {
        if text(&row, "slug") == "acme" {
            workspaces.push(Workspace { row, members: team.clone() });
        } else {
            let mut other = row.clone();
            let id = json!("8c1d4a44-40d7-4b0e-8a43-0d8c29d1b6aa");
            let (name, slug) = (json!("Olga's workspace"), json!("olga-ws"));
            set(&mut other, [("id", id), ("name", name), ("slug", slug), ("owner", json!(olga_id))]);
            workspaces.push(Workspace { row: other, members: olga.clone() });
            workspaces.push(Workspace { row, members: alice.clone() });
        }
    }
    workspaces
}

/// ENG: the project all captures of project content were taken from.
fn engineering(row: Value, members: HashMap<String, Role>) -> Project {
    let cycles = array(results(capture!("list_cycles")))
        .into_iter()
        .map(|row| {
            let view = match text(&row, "name") {
                "Sprint 42" => "current",
                "Sprint 43" => "upcoming",
                _ => "draft",
            };
            Cycle { row, view }
        })
        .collect();
    let items = array(results(capture!("list_work_items_all")));
    let grouped = [SPRINT_42, AUTH_REVAMP]
        .into_iter()
        .map(|(group, numbers)| {
            let ids = items
                .iter()
                .rev()
                .filter(|item| {
                    item.get("sequence_id").and_then(Value::as_i64).is_some_and(|n| numbers.contains(&n))
                })
                .map(|item| text(item, "id").to_owned())
                .collect();
            (group.to_owned(), ids)
        })
        .collect();
    Project {
        row,
        members,
        states: array(results(capture!("list_states"))),
        labels: array(results(capture!("list_labels"))),
        items,
        cycles,
        modules: array(results(capture!("list_modules"))),
        grouped,
        comments: array(results(capture!("list_work_item_comments"))),
        links: array(results(capture!("list_work_item_links"))),
        activities: array(results(capture!("list_work_item_activities"))),
        relations: HashMap::from([(BUSY_ITEM.to_owned(), capture!("list_work_item_relations"))]),
        intake: array(results(capture!("list_intake_issues"))),
        ..Project::default()
    }
}

/// Moves a cycle's dates as many whole sprints on as the clock is after the captures.
fn move_on(row: &mut Value, now: u64) {
    let sprints = now.saturating_sub(SPRINT_BEGAN) / SPRINT;
    if sprints == 0 {
        return;
    }
    for key in ["start_date", "end_date"] {
        let time = row.get(key).and_then(Value::as_str).and_then(unix);
        if let Some(time) = time {
            let moved = moment(time + sprints * SPRINT);
            // Cycles begin and end at whole seconds, told without fractions.
            set(row, [(key, json!(moved.replace(".000000Z", "Z")))]);
        }
    }
}

/// SEC and MKT: the five default states and one work item each.
fn small_project(row: Value, members: HashMap<String, Role>) -> Project {
    let project = row.get("id").cloned().unwrap_or_default();
    let of_project = |lean: &Value| lean.get("project_id") == Some(&project);
    let state_row = capture!("retrieve_state");
    let states = array(capture!("app_workspace_states"))
        .into_iter()
        .filter(of_project)
        .map(|lean| {
            let mut state = state_row.clone();
            for key in ["id", "name", "color", "group", "default", "sequence"] {
                set(&mut state, [(key, lean.get(key).cloned().unwrap_or_default())]);
            }
            set(&mut state, [("project", project.clone())]);
            state
        })
        .collect();
    let items = array(results(capture!("app_workspace_issues")))
        .into_iter()
        .filter(of_project)
        .map(|lean| work_item(&lean, &project))
        .collect();
    Project { row, members, states, items, ..Project::default() }
}

/// A `/api/v1` work item from the app API's leaner row of it.
fn work_item(lean: &Value, project: &Value) -> Value {
    let mut item = capture!("retrieve_work_item");
    let same =
        ["id", "name", "priority", "sequence_id", "sort_order", "created_at", "updated_at", "created_by"];
    let empty = ["start_date", "target_date", "updated_by"];
    for key in same.into_iter().chain(empty) {
        set(&mut item, [(key, lean.get(key).cloned().unwrap_or_default())]);
    }
    let state = lean.get("state_id").cloned().unwrap_or_default();
    set(&mut item, [("project", project.clone()), ("state", state)]);
    set(&mut item, [("assignees", json!([])), ("labels", json!([])), ("description_html", json!("<p></p>"))]);
    item
}

fn results(mut envelope: Value) -> Value {
    envelope.get_mut("results").map(Value::take).unwrap_or_default()
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

/// The `body` of a capture.
#[expect(clippy::expect_used, reason = "the captures are compiled in and the contract test reads every one")]
pub(super) fn body(capture: &str) -> Value {
    let mut capture: Value = serde_json::from_str(capture).expect("a capture is JSON");
    capture.get_mut("body").map(Value::take).expect("a capture has a body")
}
