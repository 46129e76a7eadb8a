//! What the web application loads beside work items: projects, states, labels, members, cycles, modules.

use serde_json::{Value, json};

use super::super::answer::{Answer, Outcome};
use super::super::rows::Query;
use super::super::seed::capture;
use super::super::world::{Project, Role, User, Workspace, World, set, text};
use super::Caller;

/// State groups with the place of each state in its group, as a share of the group.
const GROUP_ORDER: [&str; 5] = ["backlog", "unstarted", "started", "completed", "cancelled"];

/// The caller's projects and, for members of the workspace, the public ones, as a bare array.
pub(super) fn projects(caller: Caller<'_>, workspace: &Workspace) -> Outcome {
    let is_guest = workspace.members.get(caller.user) == Some(&Role::Guest);
    let shown = caller
        .world
        .projects_in(workspace.slug())
        .filter(|project| project.members.contains_key(caller.user) || (project.is_public() && !is_guest));
    let mut rows: Vec<Value> = shown.map(|project| project_row(caller, project)).collect();
    rows.sort_by(|a, b| {
        let place = |row: &Value| row.get("sort_order").and_then(Value::as_f64).unwrap_or(f64::MAX);
        place(a).total_cmp(&place(b)).then_with(|| text(a, "name").cmp(text(b, "name")))
    });
    Ok(Answer::ok(Value::Array(rows)))
}

fn project_row(caller: Caller<'_>, project: &Project) -> Value {
    let captured = capture!("app_list_projects");
    let known = captured.as_array().into_iter().flatten().find(|row| text(row, "id") == project.id());
    let place = known.and_then(|row| row.get("sort_order")).cloned().unwrap_or(json!(35535.0));
    let role = project.members.get(caller.user);
    let same = |key: &str| project.row.get(key).cloned().unwrap_or_default();
    let open = project.intake.iter().filter(|entry| entry.get("status") == Some(&json!(-2))).count();
    let mut row: Value = [
        "id",
        "name",
        "identifier",
        "logo_props",
        "archived_at",
        "workspace",
        "cycle_view",
        "issue_views_view",
        "module_view",
        "page_view",
        "guest_view_all_features",
        "project_lead",
        "network",
        "created_at",
        "updated_at",
        "created_by",
        "updated_by",
    ]
    .into_iter()
    .map(|key| (key.to_owned(), same(key)))
    .collect();
    set(
        &mut row,
        [
            ("member_role", json!(role.map(|role| role.number()))),
            ("intake_count", json!(open)),
            ("inbox_view", same("intake_view")),
            ("sort_order", if role.is_some() { place } else { Value::Null }),
        ],
    );
    row
}

/// The states of the caller's projects.
pub(super) fn states(caller: Caller<'_>, slug: &str) -> Outcome {
    Ok(Answer::ok(state_rows(mine(caller, slug).collect())))
}

/// The states of some projects in order of sequence, as a bare array.
pub(super) fn state_rows(projects: Vec<&Project>) -> Value {
    let mut rows: Vec<Value> = projects
        .iter()
        .flat_map(|project| project.states.iter().map(move |state| state_row(project, state)))
        .collect();
    let place = |row: &Value| row.get("sequence").and_then(Value::as_f64).unwrap_or_default();
    rows.sort_by(|a, b| place(a).total_cmp(&place(b)));
    for group in GROUP_ORDER {
        let count = rows.iter().filter(|row| text(row, "group") == group).count();
        let grouped = rows.iter_mut().filter(|row| text(row, "group") == group);
        for (place, row) in grouped.enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a handful of states")]
            set(row, [("order", json!((place + 1) as f64 / count as f64))]);
        }
    }
    Value::Array(rows)
}

fn state_row(project: &Project, state: &Value) -> Value {
    let same = |key: &str| state.get(key).cloned().unwrap_or_default();
    json!({
        "id": same("id"),
        "project_id": project.id(),
        "workspace_id": project.row.get("workspace"),
        "name": same("name"),
        "color": same("color"),
        "group": same("group"),
        "default": same("default"),
        "description": same("description"),
        "sequence": same("sequence"),
        "order": null,
    })
}

/// The labels of the caller's projects.
pub(super) fn labels(caller: Caller<'_>, slug: &str) -> Outcome {
    Ok(Answer::ok(label_rows(mine(caller, slug).collect())))
}

pub(super) fn label_rows(projects: Vec<&Project>) -> Value {
    let rows = projects.into_iter().flat_map(|project| {
        project.labels.iter().map(move |label| {
            let same = |key: &str| label.get(key).cloned().unwrap_or_default();
            json!({
                "parent": same("parent"),
                "name": same("name"),
                "color": same("color"),
                "id": same("id"),
                "project_id": project.id(),
                "workspace_id": project.row.get("workspace"),
                "sort_order": same("sort_order"),
            })
        })
    });
    Value::Array(rows.collect())
}

/// Everybody in the workspace; guests get no e-mail addresses.
pub(super) fn members(caller: Caller<'_>, workspace: &Workspace) -> Outcome {
    let captured = capture!("app_workspace_members");
    let captured = captured.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_guest = workspace.members.get(caller.user) == Some(&Role::Guest);
    let rows = caller.world.users.iter().filter_map(|user| {
        let role = workspace.members.get(&user.id)?;
        let known = captured.iter().find(|row| row.pointer("/member/id") == Some(&json!(user.id)));
        let mut row = known.or_else(|| captured.first())?.clone();
        if known.is_none() {
            set(&mut row, [("id", json!(user.id)), ("created_at", json!(user.joined))]);
        }
        let home = workspace.row.get("id").cloned().unwrap_or_default();
        set(
            &mut row,
            [("role", json!(role.number())), ("workspace", home), ("member", person(user, is_guest))],
        );
        Some(row)
    });
    Ok(Answer::ok(rows.collect()))
}

fn person(user: &User, to_guest: bool) -> Value {
    let mut row = user.lite();
    set(&mut row, [("is_bot", json!(false))]);
    if to_guest {
        if let Some(row) = row.as_object_mut() {
            row.remove("email");
        }
    } else {
        set(&mut row, [("last_login_medium", json!("email"))]);
    }
    row
}

/// Who is in a project, by id.
pub(super) fn project_members(world: &World, project: &Project) -> Value {
    let members = world.users.iter().filter_map(|user| {
        let role = project.members.get(&user.id)?;
        Some(json!({
            "id": user.id,
            "role": role.number(),
            "member": user.id,
            "original_role": role.number(),
            "created_at": project.row.get("created_at"),
        }))
    });
    members.collect()
}

/// The members of each of the caller's projects, by project id.
pub(super) fn members_by_project(caller: Caller<'_>, slug: &str) -> Outcome {
    let projects = mine(caller, slug);
    let by_id = projects.map(|one| (one.id().to_owned(), project_members(caller.world, one)));
    Ok(Answer::ok(by_id.collect()))
}

/// The cycles of the workspace.
pub(super) fn cycles(caller: Caller<'_>, slug: &str) -> Outcome {
    let rows = caller.world.projects_in(slug).flat_map(|project| cycle_rows(project, None));
    Ok(Answer::ok(rows.collect()))
}

/// A project's cycles; `view` is the only value of `cycle_view` the app knows.
pub(super) fn cycles_of(project: &Project, query: &Query) -> Outcome {
    let current = query.last("cycle_view").filter(|view| *view == "current");
    Ok(Answer::ok(Value::Array(cycle_rows(project, current))))
}

fn cycle_rows(project: &Project, view: Option<&str>) -> Vec<Value> {
    let shown = project.cycles.iter().filter(|cycle| view.is_none_or(|view| cycle.view == view));
    shown
        .map(|cycle| {
            let mut row = cycle.row.clone();
            let status = cycle.view.to_uppercase();
            renamed(&mut row, &[("project", "project_id"), ("workspace", "workspace_id")]);
            renamed(&mut row, &[("owned_by", "owned_by_id")]);
            set(&mut row, [("status", json!(status)), ("is_favorite", json!(false))]);
            row
        })
        .collect()
}

/// The modules of the caller's projects.
pub(super) fn modules(caller: Caller<'_>, slug: &str) -> Outcome {
    Ok(Answer::ok(mine(caller, slug).flat_map(module_rows).collect()))
}

pub(super) fn module_rows(project: &Project) -> Vec<Value> {
    let mut rows = project.modules.clone();
    for row in &mut rows {
        renamed(row, &[("project", "project_id"), ("workspace", "workspace_id")]);
        renamed(row, &[("lead", "lead_id"), ("members", "member_ids")]);
        set(row, [("is_favorite", json!(false))]);
    }
    rows
}

fn renamed(row: &mut Value, names: &[(&str, &str)]) {
    let Some(row) = row.as_object_mut() else { return };
    for (old, new) in names {
        if let Some(value) = row.remove(*old) {
            row.insert((*new).to_owned(), value);
        }
    }
}

fn mine<'w>(caller: Caller<'w>, slug: &str) -> impl Iterator<Item = &'w Project> + use<'w> {
    let projects: Vec<&Project> = caller.world.projects_in(slug).collect();
    projects.into_iter().filter(move |project| project.members.contains_key(caller.user))
}
