//! Projects and what is in them beside work items: members, states, labels, cycles, modules, intake.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Outcome};
use super::pages::Page;
use super::route::ProjectPart;
use super::rows::{Query, Scope, order_raw};
use super::work_items;
use super::world::{Project, World, set, text};

/// The projects the caller is in, and the public ones.
pub(super) fn list(world: &World, slug: &str, user: &str, query: &Query) -> Outcome {
    let visible = world.projects_in(slug).filter(|project| is_visible(project, user));
    let mut rows: Vec<(Value, &Project)> = visible
        .map(|project| {
            let mut row = row(project, user);
            let place = project.members.contains_key(user).then_some(65535.0);
            set(&mut row, [("sort_order", json!(place))]);
            (row, project)
        })
        .collect();
    let mut order: Vec<Value> = rows.iter().map(|(row, _)| row.clone()).collect();
    order_raw(&mut order, query.last("order_by").unwrap_or("sort_order"))?;
    rows.sort_by_key(|(row, _)| order.iter().position(|one| one == row));
    let shaped = rows
        .into_iter()
        .map(|(row, project)| Scope { world, slug, project: Some(project) }.shape(row, query))
        .collect();
    Ok(Answer::ok(Page::asked(query)?.envelope(shaped)))
}

pub(super) fn detail(scope: Scope<'_>, project: &Project, user: &str, query: &Query) -> Outcome {
    if !is_visible(project, user) {
        return Err(Answer::no_row());
    }
    Ok(Answer::ok(scope.shape(row(project, user), query)))
}

/// The workspace's members with their roles, as a bare array.
pub(super) fn workspace_members(world: &World, slug: &str) -> Outcome {
    let workspace = world.workspace(slug).ok_or_else(Answer::no_row)?;
    let members = world.users.iter().filter_map(|user| {
        let role = workspace.members.get(&user.id)?;
        let mut row = user.lite();
        set(&mut row, [("role", json!(role.number()))]);
        Some(row)
    });
    Ok(Answer::ok(members.collect()))
}

/// Everything below `projects/{project}/`.
pub(super) fn part(scope: Scope<'_>, project: &Project, part: &ProjectPart, query: &Query) -> Outcome {
    match part {
        ProjectPart::Detail | ProjectPart::Member => Err(Answer::no_row()),
        ProjectPart::Summary => Ok(summary(project, query)),
        ProjectPart::Members => Ok(Answer::ok(members(scope.world, project))),
        ProjectPart::States(id) => rows(scope, &project.states, id, query),
        ProjectPart::Labels(id) => rows(scope, &project.labels, id, query),
        ProjectPart::Modules(id) => rows(scope, &project.modules, id, query),
        ProjectPart::Cycles(id) => cycles(scope, project, id, query),
        ProjectPart::ArchivedCycles => scope.page(project.archived_cycles.clone(), query),
        ProjectPart::ArchivedModules => scope.page(project.archived_modules.clone(), query),
        ProjectPart::Intake(id) => intake(scope, project, id, query),
        ProjectPart::WorkItems(None) => work_items::list(scope, project, query),
        ProjectPart::WorkItems(Some(id)) => scope.one(&project.items, id, query),
        ProjectPart::Attached { item, kind, id } => {
            work_items::attached(scope, project, (item, *kind, id), query)
        }
        ProjectPart::Relations { item } => Ok(work_items::relations(project, item)),
        ProjectPart::Attachments { item } => Ok(work_items::attachments(project, item)),
        ProjectPart::Grouped { group } => work_items::grouped(scope, project, group, query),
        ProjectPart::CycleLink { cycle, item } => work_items::cycle_link(project, cycle, item),
    }
}

fn is_visible(project: &Project, user: &str) -> bool {
    project.is_public() || project.members.contains_key(user)
}

/// The project's row as this user sees it.
fn row(project: &Project, user: &str) -> Value {
    let role = project.members.get(user);
    let mut row = project.row.clone();
    if let Some(row) = row.as_object_mut() {
        row.remove("sort_order");
    }
    set(
        &mut row,
        [
            ("is_member", json!(role.is_some())),
            ("member_role", json!(role.map(|role| role.number()))),
            ("total_members", json!(project.members.len())),
            ("total_cycles", json!(project.cycles.len())),
            ("total_modules", json!(project.modules.len())),
        ],
    );
    row
}

fn rows(scope: Scope<'_>, rows: &[Value], id: &Option<String>, query: &Query) -> Outcome {
    match id {
        None => scope.page(rows.to_vec(), query),
        Some(id) => scope.one(rows, id, query),
    }
}

fn members(world: &World, project: &Project) -> Value {
    let members = world.users.iter().filter(|user| project.members.contains_key(&user.id));
    Value::Array(members.map(|user| user.lite()).collect())
}

/// Counts; `fields` picks among them.
fn summary(project: &Project, query: &Query) -> Answer {
    let counts = [
        ("modules", project.modules.len()),
        ("states", project.states.len()),
        ("labels", project.labels.len()),
        ("members", project.members.len()),
        ("cycles", project.cycles.len()),
        ("intakes", project.intake.len()),
        ("pages", 0),
        ("issues", project.items.len()),
    ];
    let fields = query.list("fields");
    let wanted = counts.into_iter().filter(|(name, _)| fields.is_empty() || fields.contains(name));
    let counts: Map<String, Value> = wanted.map(|(name, count)| (name.to_owned(), json!(count))).collect();
    Answer::ok(json!({
        "id": project.id(),
        "name": text(&project.row, "name"),
        "identifier": project.identifier(),
        "counts": counts,
    }))
}

/// `cycle_view=current` is a bare array; every other view is paged.
fn cycles(scope: Scope<'_>, project: &Project, id: &Option<String>, query: &Query) -> Outcome {
    let view = query.last("cycle_view").unwrap_or("all");
    let in_view = |one: &str| match view {
        "current" | "upcoming" | "completed" | "draft" => one == view,
        "incomplete" => one != "completed",
        _ => true,
    };
    if id.is_some() {
        let all: Vec<Value> = project.cycles.iter().map(|cycle| cycle.row.clone()).collect();
        return rows(scope, &all, id, query);
    }
    let some: Vec<Value> =
        project.cycles.iter().filter(|cycle| in_view(cycle.view)).map(|cycle| cycle.row.clone()).collect();
    if view == "current" {
        return Ok(Answer::ok(Value::Array(scope.shaped(some, query))));
    }
    scope.page(some, query)
}

/// One intake entry is asked for by its work item's id.
fn intake(scope: Scope<'_>, project: &Project, item: &Option<String>, query: &Query) -> Outcome {
    let Some(item) = item else {
        return scope.page(project.intake.clone(), query);
    };
    let entry = project.intake.iter().find(|entry| text(entry, "issue") == item);
    Ok(Answer::ok(scope.shape(entry.ok_or_else(Answer::no_row)?.clone(), query)))
}
