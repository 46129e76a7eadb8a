//! Work items as the web application sees them: lean rows, and the lists with real filters.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::answer::{Answer, Outcome};
use super::super::pages::Page;
use super::super::rows::Query;
use super::super::world::{Project, Role, World, set, text};
use super::{Caller, filters, order, rich_filters};

/// How a count of nothing is told: it depends on the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    Null,
    Number,
}

/// The project's work items. Guests see their own only.
pub(super) fn in_project(caller: Caller<'_>, project: &Project, query: &Query) -> Outcome {
    let rows = visible(caller, project).map(|item| row(project, item, Zero::Null)).collect();
    let mut rows = filtered(rows, query, caller.now)?;
    if let Some(since) = query.last("updated_at__gt") {
        let since = rich_filters::whole(since, false).ok_or_else(Answer::invalid)?;
        rows.retain(|row| text(row, "updated_at") > since.as_str());
    }
    order::in_project(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    Ok(Answer::ok(Page::asked(query)?.envelope(rows)))
}

/// The work items of all the caller's projects.
pub(super) fn in_workspace(caller: Caller<'_>, slug: &str, query: &Query) -> Outcome {
    let mut rows = filtered(mine(caller, slug), query, caller.now)?;
    order::in_workspace(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    Ok(Answer::ok(Page::asked(query)?.envelope(rows)))
}

/// The work items of the caller's projects that the user is assigned to or has made.
pub(super) fn of_user(caller: Caller<'_>, slug: &str, user: &str, query: &Query) -> Outcome {
    let mut rows = filtered(mine(caller, slug), query, caller.now)?;
    let user = [user.to_owned()];
    rows.retain(|row| {
        filters::holds(row.get("assignee_ids"), &user) || filters::holds(row.get("created_by"), &user)
    });
    order::in_project(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    Ok(Answer::ok(Page::asked(query)?.envelope(rows)))
}

/// The work items of a cycle or module.
pub(super) fn grouped(caller: Caller<'_>, project: &Project, group: &str, query: &Query) -> Outcome {
    let ids = project.grouped.get(group).map(Vec::as_slice).unwrap_or_default();
    let inside = visible(caller, project).filter(|item| ids.iter().any(|id| id == text(item, "id")));
    let mut rows = filtered(inside.map(|item| row(project, item, Zero::Null)).collect(), query, caller.now)?;
    order::in_project(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    Ok(Answer::ok(Page::asked(query)?.envelope(rows)))
}

/// The named work items, those there are, as a bare array.
pub(super) fn named(caller: Caller<'_>, project: &Project, query: &Query) -> Outcome {
    let wanted = query.list("issues");
    if wanted.is_empty() {
        return Err(Answer::json(StatusCode::BAD_REQUEST, json!({"error": "Issues are required"})));
    }
    if wanted.iter().any(|id| filters::uuid(id).is_none()) {
        return Err(Answer::invalid());
    }
    let found = visible(caller, project).filter(|item| wanted.contains(&text(item, "id")));
    let mut rows = filtered(found.map(|item| row(project, item, Zero::Number)).collect(), query, caller.now)?;
    order::in_project(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    for row in &mut rows {
        without_group(row);
        set(row, [("deleted_at", Value::Null)]);
    }
    Ok(Answer::ok(Value::Array(rows)))
}

/// One work item with its description.
pub(super) fn one(caller: Caller<'_>, project: &Project, id: &str) -> Outcome {
    let item = project.items.iter().find(|item| text(item, "id") == id).ok_or_else(Answer::no_object)?;
    detail(caller, project, item, Zero::Null)
}

/// The item called `{identifier}-{number}`; the identifier in upper or lower case.
pub(super) fn by_identifier(caller: Caller<'_>, slug: &str, (identifier, number): (&str, &str)) -> Outcome {
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = json!({"error": "Invalid issue identifier"});
        return Err(Answer::json(StatusCode::BAD_REQUEST, error));
    }
    let mut projects = caller.world.projects_in(slug);
    let project = projects.find(|project| project.identifier().eq_ignore_ascii_case(identifier));
    let project = project.ok_or_else(Answer::no_object)?;
    if !project.members.contains_key(caller.user) {
        return Err(not_allowed());
    }
    let wanted = number.parse::<i64>().ok();
    let is_it = |item: &&Value| item.get("sequence_id").and_then(Value::as_i64) == wanted;
    let item = project.items.iter().find(is_it).ok_or_else(Answer::no_object)?;
    detail(caller, project, item, Zero::Number)
}

/// The work items below this one, and how they stand.
pub(super) fn below(caller: Caller<'_>, slug: &str, parent: &str, query: &Query) -> Outcome {
    let children = caller.world.projects_in(slug).flat_map(|project| {
        let items = project.items.iter().filter(move |item| text(item, "parent") == parent);
        items.map(move |item| row(project, item, Zero::Number))
    });
    let mut rows: Vec<Value> = children.collect();
    order::in_project(caller.world, &mut rows, query.last("order_by").unwrap_or("-created_at"))?;
    let mut states: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in &mut rows {
        let id = row.get("id").cloned().unwrap_or_default();
        states.entry(text(row, "state__group").to_owned()).or_default().push(id);
        without_group(row);
    }
    Ok(Answer::ok(json!({"sub_issues": rows, "state_distribution": states})))
}

/// The related work items by kind of relation, from whichever project they are.
pub(super) fn related(world: &World, slug: &str, project: &Project, item: &str) -> Outcome {
    let relations = super::super::work_items::relations_of(project, item);
    let kinds = relations.as_object().into_iter().flatten();
    let kinds = kinds.map(|(kind, related)| {
        let ids = related.as_array().into_iter().flatten().map(|one| text(one, "issue_id"));
        let rows: Vec<Value> = ids.filter_map(|id| related_row(world, slug, kind, id)).collect();
        (kind.clone(), Value::Array(rows))
    });
    Ok(Answer::ok(kinds.collect()))
}

fn related_row(world: &World, slug: &str, kind: &str, id: &str) -> Option<Value> {
    const KEPT: [&str; 13] = [
        "id",
        "name",
        "state_id",
        "sort_order",
        "priority",
        "sequence_id",
        "project_id",
        "label_ids",
        "assignee_ids",
        "created_at",
        "updated_at",
        "created_by",
        "updated_by",
    ];
    let find = |project: &Project| {
        let item = project.items.iter().find(|item| text(item, "id") == id)?;
        Some(row(project, item, Zero::Number))
    };
    let mut row = world.projects_in(slug).find_map(find)?;
    if let Some(row) = row.as_object_mut() {
        row.retain(|key, _| KEPT.contains(&key.as_str()));
    }
    set(&mut row, [("relation_type", json!(kind))]);
    Some(row)
}

/// The work items of a project this user may see in the app.
fn visible<'w>(caller: Caller<'w>, project: &'w Project) -> impl Iterator<Item = &'w Value> {
    project.items.iter().filter(move |item| may_see(caller, project, item))
}

/// A guest sees what is his own, unless the project shows guests everything.
pub(super) fn may_see(caller: Caller<'_>, project: &Project, item: &Value) -> bool {
    match project.members.get(caller.user) {
        None => false,
        Some(Role::Guest) => {
            project.row.get("guest_view_all_features") == Some(&json!(true))
                || text(item, "created_by") == caller.user
        }
        Some(_) => true,
    }
}

fn mine(caller: Caller<'_>, slug: &str) -> Vec<Value> {
    let projects = caller.world.projects_in(slug);
    projects
        .flat_map(|project| visible(caller, project).map(move |item| row(project, item, Zero::Number)))
        .collect()
}

fn filtered(rows: Vec<Value>, query: &Query, now: u64) -> Result<Vec<Value>, Answer> {
    let expression = query.last("filters").filter(|expression| !expression.is_empty());
    let mut kept = Vec::new();
    for row in rows {
        let is_rich = match expression {
            Some(expression) => rich_filters::admit(&row, expression)?,
            None => true,
        };
        if is_rich && filters::admit(&row, query, now) {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn detail(caller: Caller<'_>, project: &Project, item: &Value, zero: Zero) -> Outcome {
    if !may_see(caller, project, item) {
        return Err(not_allowed());
    }
    let mut row = row(project, item, zero);
    without_group(&mut row);
    let html = item.get("description_html").cloned().unwrap_or_default();
    let own = json!(text(item, "created_by") == caller.user);
    set(&mut row, [("description_html", html), ("is_subscribed", own), ("is_intake", json!(false))]);
    Ok(Answer::ok(row))
}

fn not_allowed() -> Answer {
    let error = json!({"error": "You are not allowed to view this issue"});
    Answer::json(StatusCode::FORBIDDEN, error)
}

fn without_group(row: &mut Value) {
    if let Some(row) = row.as_object_mut() {
        row.remove("state__group");
    }
}

/// A work item of `/api/v1` as a row of the app.
pub(super) fn row(project: &Project, item: &Value, zero: Zero) -> Value {
    let id = text(item, "id");
    let same = |key: &str| item.get(key).cloned().unwrap_or_default();
    let count = |rows: &[Value], field: &str| match rows.iter().filter(|row| text(row, field) == id).count() {
        0 if zero == Zero::Null => Value::Null,
        count => json!(count),
    };
    let groups = |rows: Vec<&str>| -> Vec<String> {
        let holding = rows.into_iter().filter(|group| {
            project.grouped.get(*group).is_some_and(|items| items.iter().any(|one| one == id))
        });
        holding.map(str::to_owned).collect()
    };
    let cycle = groups(project.cycles.iter().map(|cycle| text(&cycle.row, "id")).collect());
    let modules = groups(project.modules.iter().map(|module| text(module, "id")).collect());
    let state = project.states.iter().find(|state| text(state, "id") == text(item, "state"));
    json!({
        "id": id,
        "name": same("name"),
        "state_id": same("state"),
        "sort_order": same("sort_order"),
        "completed_at": same("completed_at"),
        "estimate_point": same("estimate_point"),
        "priority": same("priority"),
        "start_date": same("start_date"),
        "target_date": same("target_date"),
        "sequence_id": same("sequence_id"),
        "project_id": project.id(),
        "parent_id": same("parent"),
        "created_at": same("created_at"),
        "updated_at": same("updated_at"),
        "created_by": same("created_by"),
        "updated_by": same("updated_by"),
        "is_draft": false,
        "archived_at": null,
        "state__group": state.map(|state| text(state, "group")),
        "cycle_id": cycle.first(),
        "link_count": count(&project.links, "issue"),
        "attachment_count": count(&project.attachments, "issue"),
        "sub_issues_count": count(&project.items, "parent"),
        "assignee_ids": sorted(&same("assignees")),
        "label_ids": sorted(&same("labels")),
        "module_ids": modules,
    })
}

fn sorted(ids: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> = ids.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ids.sort_unstable();
    ids
}
