//! Work items: lists and their order, search, identifiers, and what hangs on an item.

use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::route::{Attached, is_uuid};
use super::rows::{Query, Scope, direction, order_ranked, order_raw};
use super::seed::capture;
use super::world::{Project, World, set, text};

/// Most urgent first.
const PRIORITIES: [&str; 5] = ["urgent", "high", "medium", "low", "none"];
/// The way a work item goes.
const STATE_GROUPS: [&str; 5] = ["backlog", "unstarted", "started", "completed", "cancelled"];

/// The project's work items, newest first. The list takes an order but no filter: other parameters are ignored. Asked for by both
/// `external_id` and `external_source`, it is one object instead.
pub(super) fn list(scope: Scope<'_>, project: &Project, query: &Query) -> Outcome {
    if let (Some(id), Some(source)) = (query.last("external_id"), query.last("external_source")) {
        let is_it =
            |item: &&Value| text(item, "external_id") == id && text(item, "external_source") == source;
        let item = project.items.iter().find(is_it).ok_or_else(Answer::no_row)?;
        return Ok(Answer::ok(scope.shape(item.clone(), query)));
    }
    let mut items = project.items.clone();
    let order_by = query.last("order_by").unwrap_or("-created_at");
    let (field, back) = direction(order_by);
    // The groups with an order of their own come without a tie-breaker; oldest first is what the database happens to give.
    if field != "created_at" {
        order_raw(&mut items, "created_at")?;
    }
    match field {
        "priority" => order_ranked(&mut items, back, |item| place(&PRIORITIES, text(item, "priority"))),
        "state__name" | "state__group" => {
            order_ranked(&mut items, back, |item| place(&STATE_GROUPS, state_group(project, item)));
        }
        "labels__name" => order_ranked(&mut items, back, |item| {
            last_of(
                item,
                "labels",
                project.labels.iter().map(|label| (text(label, "id"), text(label, "name"))),
            )
        }),
        "assignees__first_name" => order_ranked(&mut items, back, |item| {
            let users = scope.world.users.iter();
            last_of(item, "assignees", users.map(|user| (user.id.as_str(), user.first_name.as_str())))
        }),
        _ => order_raw(&mut items, order_by)?,
    }
    scope.page(items, query)
}

/// The item called `{project}-{number}`.
pub(super) fn by_identifier(
    world: &World,
    slug: &str,
    (identifier, number): (&str, &str),
    query: &Query,
) -> Outcome {
    let project = world.projects_in(slug).find(|project| project.identifier() == identifier);
    let project = project.ok_or_else(Answer::forbidden)?;
    let number: i64 = number.parse().map_err(|_| Answer::crashed())?;
    let item = project.items.iter().find(|item| sequence(item) == Some(number)).ok_or_else(Answer::no_row)?;
    let scope = Scope { world, slug, project: Some(project) };
    Ok(Answer::ok(scope.shape(item.clone(), query)))
}

/// Work items of the caller's projects whose name or project identifier holds the text, or whose number is in it.
pub(super) fn search(world: &World, slug: &str, user: &str, query: &Query) -> Outcome {
    let wanted = query.last("search").unwrap_or_default().to_lowercase();
    if wanted.is_empty() {
        return Ok(Answer::ok(json!({"issues": []})));
    }
    let everywhere = query.last("workspace_search").unwrap_or("false") != "false";
    let only = query.last("project_id").filter(|id| !everywhere && !id.is_empty());
    if only.is_some_and(|id| !is_uuid(id)) {
        return Err(Answer::invalid());
    }
    let limit: usize = query.last("limit").unwrap_or("10").parse().map_err(|_| Answer::crashed())?;
    let numbers = numbers(&wanted);
    let is_member = world.workspace(slug).is_some_and(|workspace| workspace.members.contains_key(user));
    let mut found: Vec<(&Project, &Value)> = world
        .projects_in(slug)
        .filter(|project| is_member && project.members.contains_key(user))
        .filter(|project| only.is_none_or(|id| project.id() == id))
        .flat_map(|project| project.items.iter().map(move |item| (project, item)))
        .filter(|(project, item)| {
            text(item, "name").to_lowercase().contains(&wanted)
                || project.identifier().to_lowercase().contains(&wanted)
                || sequence(item).is_some_and(|number| numbers.contains(&number))
        })
        .collect();
    found.sort_by(|(_, a), (_, b)| text(b, "created_at").cmp(text(a, "created_at")));
    let issues: Vec<Value> =
        found.into_iter().take(limit).map(|(project, item)| hit(slug, project, item)).collect();
    Ok(Answer::ok(json!({ "issues": issues })))
}

/// The work items of a cycle or module, oldest first; the order is the database's alone.
pub(super) fn grouped(scope: Scope<'_>, project: &Project, group: &str, query: &Query) -> Outcome {
    let known = project.modules.iter().chain(project.cycles.iter().map(|cycle| &cycle.row));
    if !known.into_iter().any(|row| text(row, "id") == group) {
        return Err(Answer::no_row());
    }
    let ids = project.grouped.get(group).map(Vec::as_slice).unwrap_or_default();
    let mut items: Vec<Value> = ids
        .iter()
        .filter_map(|id| project.items.iter().find(|item| text(item, "id") == id))
        .cloned()
        .collect();
    order_raw(&mut items, query.last("order_by").unwrap_or("created_at"))?;
    scope.page(items, query)
}

/// The row that puts an item into a cycle.
pub(super) fn cycle_link(project: &Project, cycle: &str, item: &str) -> Outcome {
    if !project.grouped.get(cycle).is_some_and(|items| items.iter().any(|one| one == item)) {
        return Err(Answer::no_row());
    }
    let mut row = capture!("retrieve_cycle_work_item");
    set(&mut row, [("cycle", json!(cycle)), ("issue", json!(item))]);
    Ok(Answer::ok(row))
}

/// Comments, links or activities of an item, or one of them.
pub(super) fn attached(
    scope: Scope<'_>,
    project: &Project,
    (item, kind, id): (&str, Attached, &Option<String>),
    query: &Query,
) -> Outcome {
    let rows = match kind {
        Attached::Comments => &project.comments,
        Attached::Links => &project.links,
        Attached::Activities => &project.activities,
    };
    let rows: Vec<Value> = rows.iter().filter(|row| text(row, "issue") == item).cloned().collect();
    match id {
        None => scope.page(rows, query),
        Some(id) => scope.one(&rows, id, query),
    }
}

/// What is known of an item's uploaded files, as a bare array.
pub(super) fn attachments(project: &Project, item: &str) -> Answer {
    Answer::ok(project.attachments.iter().filter(|row| text(row, "issue") == item).cloned().collect())
}

/// Related items by kind of relation; an item without any has every kind, empty.
pub(super) fn relations(project: &Project, item: &str) -> Answer {
    Answer::ok(relations_of(project, item))
}

/// Every kind of relation with the related items' ids.
pub(super) fn relations_of(project: &Project, item: &str) -> Value {
    let none = || capture!("list_relations_unknown");
    project.relations.get(item).cloned().unwrap_or_else(none)
}

pub(super) fn hit(slug: &str, project: &Project, item: &Value) -> Value {
    json!({
        "name": item.get("name"),
        "id": item.get("id"),
        "sequence_id": item.get("sequence_id"),
        "project__identifier": project.identifier(),
        "project_id": project.id(),
        "workspace__slug": slug,
    })
}

pub(super) fn sequence(item: &Value) -> Option<i64> {
    item.get("sequence_id").and_then(Value::as_i64)
}

/// The whole numbers in a text: not the digits inside a word.
pub(super) fn numbers(text: &str) -> Vec<i64> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter_map(|word| word.parse().ok()).collect()
}

fn place(order: &[&str], name: &str) -> usize {
    order.iter().position(|one| *one == name).unwrap_or(order.len())
}

fn state_group<'project>(project: &'project Project, item: &Value) -> &'project str {
    let state = project.states.iter().find(|state| text(state, "id") == text(item, "state"));
    state.map(|state| text(state, "group")).unwrap_or_default()
}

/// Where the alphabetically last of an item's named things stands among all of them; an item without any comes last.
fn last_of<'a>(item: &Value, field: &str, named: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|(_, name)| *name);
    let ids = item.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let places =
        ids.iter().filter_map(Value::as_str).filter_map(|id| named.iter().position(|(one, _)| *one == id));
    places.max().unwrap_or(named.len())
}
