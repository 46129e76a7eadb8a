//! The two searches of the web application: over everything in a workspace, and for one kind of thing while typing.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Outcome};
use super::super::rows::Query;
use super::super::work_items::{hit, numbers, sequence};
use super::super::world::{Project, text};
use super::Caller;

/// The most work items the workspace's search answers.
const MOST: usize = 100;
/// What the workspace's search looks for when the caller does not say.
const EVERYTHING: [&str; 8] =
    ["workspace", "project", "issue", "cycle", "module", "issue_view", "page", "intake"];

/// Everything whose name holds the text, in the caller's projects.
pub(super) fn everything(caller: Caller<'_>, slug: &str, query: &Query) -> Outcome {
    let wanted = query.last("search").unwrap_or_default().to_lowercase();
    let everywhere = query.last("workspace_search").unwrap_or("false") != "false";
    let only = query.last("project_id").filter(|id| !everywhere && !id.is_empty());
    let projects = projects(caller, slug, only);
    let asked = query.list("entities");
    let kinds = EVERYTHING.into_iter().filter(|kind| asked.is_empty() || asked.contains(kind));
    let found: Map<String, Value> = kinds
        .map(|kind| {
            let rows = match kind {
                "workspace" => workspaces(caller, &wanted),
                "project" => projects
                    .iter()
                    .filter(|one| named(&one.row, &wanted))
                    .map(|one| short(one, slug))
                    .collect(),
                "issue" => {
                    found(&projects, &wanted).take(MOST).map(|(one, item)| hit(slug, one, item)).collect()
                }
                "cycle" => {
                    things(&projects, slug, &wanted, |one| one.cycles.iter().map(|one| &one.row).collect())
                }
                "module" => things(&projects, slug, &wanted, |one| one.modules.iter().collect()),
                _ => Vec::new(),
            };
            (kind.to_owned(), Value::Array(rows))
        })
        .collect();
    Ok(Answer::ok(json!({ "results": found })))
}

/// The first `count` things of each asked kind, newest first.
pub(super) fn entities(caller: Caller<'_>, slug: &str, query: &Query) -> Outcome {
    let wanted = query.last("query").unwrap_or_default().to_lowercase();
    let count: usize = query.last("count").unwrap_or("5").trim().parse().map_err(|_| Answer::crashed())?;
    let only = query.last("project_id").filter(|id| !id.is_empty());
    if only.is_some_and(|id| super::filters::uuid(id).is_none()) {
        return Err(Answer::invalid());
    }
    let projects = projects(caller, slug, only);
    let kinds = query.last("query_type").unwrap_or("user_mention").split(',').map(str::trim);
    let mut answer = Map::new();
    for kind in kinds {
        let mut rows = match kind {
            "user_mention" => people(caller, slug, only, &wanted),
            "project" => visible(caller, slug, &wanted),
            "issue" => found(&projects, &wanted).map(|(project, item)| issue(project, item)).collect(),
            "cycle" => cycles(&projects, slug, &wanted),
            "module" => modules(&projects, slug, &wanted),
            "page" => Vec::new(),
            _ => continue,
        };
        rows.truncate(count);
        answer.insert(kind.to_owned(), Value::Array(rows));
    }
    Ok(Answer::ok(Value::Object(answer)))
}

fn projects<'w>(caller: Caller<'w>, slug: &str, only: Option<&str>) -> Vec<&'w Project> {
    let all = caller.world.projects_in(slug);
    all.filter(|one| one.members.contains_key(caller.user) && only.is_none_or(|id| one.id() == id)).collect()
}

/// Work items whose name or project identifier holds the text, or whose number is in it, newest first.
fn found<'w>(
    projects: &[&'w Project],
    wanted: &str,
) -> impl Iterator<Item = (&'w Project, &'w Value)> + use<'w> {
    let numbers = numbers(wanted);
    let mut items: Vec<(&Project, &Value)> = projects
        .iter()
        .flat_map(|project| project.items.iter().map(|item| (*project, item)))
        .filter(|(project, item)| {
            text(item, "name").to_lowercase().contains(wanted)
                || project.identifier().to_lowercase().contains(wanted)
                || sequence(item).is_some_and(|number| numbers.contains(&number))
        })
        .collect();
    items.sort_by(|(_, a), (_, b)| text(b, "created_at").cmp(text(a, "created_at")));
    items.into_iter()
}

fn issue(project: &Project, item: &Value) -> Value {
    json!({
        "name": item.get("name"),
        "id": item.get("id"),
        "sequence_id": item.get("sequence_id"),
        "project__identifier": project.identifier(),
        "project_id": project.id(),
        "priority": item.get("priority"),
        "state_id": item.get("state"),
        "type_id": null,
    })
}

fn named(row: &Value, wanted: &str) -> bool {
    ["name", "identifier"].iter().any(|key| text(row, key).to_lowercase().contains(wanted))
}

fn short(project: &Project, slug: &str) -> Value {
    json!({
        "name": project.row.get("name"),
        "id": project.id(),
        "identifier": project.identifier(),
        "workspace__slug": slug,
    })
}

/// The caller's projects and all public ones.
fn visible(caller: Caller<'_>, slug: &str, wanted: &str) -> Vec<Value> {
    let shown = caller.world.projects_in(slug).filter(|project| {
        named(&project.row, wanted) && (project.is_public() || project.members.contains_key(caller.user))
    });
    shown
        .map(|project| {
            let mut row = short(project, slug);
            let logo = project.row.get("logo_props").cloned().unwrap_or_default();
            super::super::world::set(&mut row, [("logo_props", logo)]);
            row
        })
        .collect()
}

fn workspaces(caller: Caller<'_>, wanted: &str) -> Vec<Value> {
    let mine = caller.world.workspaces.iter().filter(|one| one.members.contains_key(caller.user));
    mine.filter(|one| text(&one.row, "name").to_lowercase().contains(wanted))
        .map(|one| json!({"name": one.row.get("name"), "id": one.row.get("id"), "slug": one.slug()}))
        .collect()
}

fn people(caller: Caller<'_>, slug: &str, only: Option<&str>, wanted: &str) -> Vec<Value> {
    let world = caller.world;
    let members = match only {
        Some(id) => world.project(slug, id).map(|project| &project.members),
        None => world.workspace(slug).map(|workspace| &workspace.members),
    };
    let inside = world.users.iter().filter(|user| members.is_some_and(|all| all.contains_key(&user.id)));
    inside
        .filter(|user| {
            [user.first_name.as_str(), user.last_name.as_str(), user.name()]
                .iter()
                .any(|name| name.to_lowercase().contains(wanted))
        })
        .map(|user| {
            json!({"member__avatar_url": "", "member__display_name": user.name(), "member__id": user.id})
        })
        .collect()
}

fn things(projects: &[&Project], slug: &str, wanted: &str, rows: fn(&Project) -> Vec<&Value>) -> Vec<Value> {
    let all = projects.iter().flat_map(|project| rows(project).into_iter().map(|row| (*project, row)));
    all.filter(|(_, row)| text(row, "name").to_lowercase().contains(wanted))
        .map(|(project, row)| {
            json!({
                "name": row.get("name"),
                "id": row.get("id"),
                "project_id": project.id(),
                "project__identifier": project.identifier(),
                "workspace__slug": slug,
            })
        })
        .collect()
}

fn cycles(projects: &[&Project], slug: &str, wanted: &str) -> Vec<Value> {
    let mut rows = things(projects, slug, wanted, |one| one.cycles.iter().map(|one| &one.row).collect());
    for row in &mut rows {
        let id = text(row, "id").to_owned();
        let all = projects.iter().flat_map(|project| &project.cycles);
        let mut found = all.filter(|cycle| text(&cycle.row, "id") == id);
        let status = found.next().map(|cycle| cycle.view.to_uppercase());
        super::super::world::set(row, [("status", json!(status))]);
    }
    rows
}

fn modules(projects: &[&Project], slug: &str, wanted: &str) -> Vec<Value> {
    let mut rows = things(projects, slug, wanted, |one| one.modules.iter().collect());
    for row in &mut rows {
        let id = text(row, "id").to_owned();
        let all = projects.iter().flat_map(|project| &project.modules);
        let status = all.filter(|one| text(one, "id") == id).find_map(|one| one.get("status").cloned());
        super::super::world::set(row, [("status", status.unwrap_or_default())]);
    }
    rows
}
