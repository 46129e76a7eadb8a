//! The app API: what Plane's web application asks for, in a session. Its lists have the filters that `/api/v1` lacks.
//!
//! Who may see what differs from `/api/v1` in places, as it does in Plane: a guest sees here only the work items that are its own,
//! refusals have other words, and what an item refers to is told with its name.

mod filters;
mod items;
mod lists;
mod order;
mod rich_filters;
pub(super) mod route;
mod search;
#[cfg(test)]
mod tests;

use http::StatusCode;
use serde_json::{Value, json};

use super::account;
use super::answer::{Answer, Outcome};
use super::rows::Query;
use super::world::{Project, World, text};
use route::{InProject, OfIssue, Part, Place};

/// Who asks, of which world, and when (Unix seconds).
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'w> {
    pub(super) world: &'w World,
    pub(super) user: &'w str,
    pub(super) now: u64,
}

/// Answers a GET.
pub(super) fn view(caller: Caller<'_>, place: &Place, query: &Query) -> Outcome {
    let Place { slug, part } = place;
    let workspace = caller.world.workspace(slug);
    let inside = workspace.filter(|workspace| workspace.members.contains_key(caller.user));
    match part {
        // These two ask nobody whether he is in: they find nothing for an outsider.
        Part::Search => return search::everything(caller, slug, query),
        Part::ByIdentifier { project, number } => {
            return items::by_identifier(caller, slug, (project, number));
        }
        Part::Project { project, part } => {
            let project = caller.world.project(slug, project);
            let project = project.filter(|project| project.members.contains_key(caller.user));
            return in_project(caller, slug, project.ok_or_else(denied)?, part, query);
        }
        _ => {}
    }
    let refusal = if matches!(part, Part::Issues | Part::Members | Part::Projects) {
        denied
    } else {
        Answer::forbidden
    };
    let workspace = inside.ok_or_else(refusal)?;
    match part {
        Part::Detail => account::workspace(caller.world, slug),
        Part::Projects => lists::projects(caller, workspace),
        Part::Issues => items::in_workspace(caller, slug, query),
        Part::UserIssues(user) => items::of_user(caller, slug, user, query),
        Part::States => lists::states(caller, slug),
        Part::Labels => lists::labels(caller, slug),
        Part::Members => lists::members(caller, workspace),
        Part::ProjectMembers => lists::members_by_project(caller, slug),
        Part::Cycles => lists::cycles(caller, slug),
        Part::Modules => lists::modules(caller, slug),
        Part::EntitySearch => search::entities(caller, slug, query),
        Part::Stickies => Ok(Answer::ok(json!([]))),
        Part::Search | Part::ByIdentifier { .. } | Part::Project { .. } => Err(Answer::no_route()),
    }
}

fn in_project(caller: Caller<'_>, slug: &str, project: &Project, part: &InProject, query: &Query) -> Outcome {
    let bare = |rows: Value| Ok(Answer::ok(rows));
    match part {
        InProject::Issues => items::in_project(caller, project, query),
        InProject::Named => items::named(caller, project, query),
        InProject::Issue(id) => items::one(caller, project, id),
        InProject::OfIssue { issue, kind } => of_issue(caller, slug, project, (issue, *kind), query),
        InProject::States => bare(lists::state_rows(vec![project])),
        InProject::Labels => bare(lists::label_rows(vec![project])),
        InProject::Members => bare(lists::project_members(caller.world, project)),
        InProject::Cycles => lists::cycles_of(project, query),
        InProject::Modules => bare(Value::Array(lists::module_rows(project))),
        InProject::CycleIssues(group) | InProject::ModuleIssues(group) => {
            items::grouped(caller, project, group, query)
        }
        InProject::Pages => bare(json!([])),
    }
}

fn of_issue(
    caller: Caller<'_>,
    slug: &str,
    project: &Project,
    (issue, kind): (&str, OfIssue),
    query: &Query,
) -> Outcome {
    let of = |rows: &[Value]| -> Vec<Value> {
        rows.iter().filter(|row| text(row, "issue") == issue).cloned().collect()
    };
    let bare = |rows: Vec<Value>| Ok(Answer::ok(Value::Array(rows)));
    match kind {
        OfIssue::SubIssues => items::below(caller, slug, issue, query),
        OfIssue::Relations => items::related(caller.world, slug, project, issue),
        OfIssue::Links => bare(of(&project.links)),
        OfIssue::Attachments => bare(of(&project.attachments)),
        OfIssue::Comments => bare(with_actor(caller.world, of(&project.comments))),
        OfIssue::History => {
            let (mut rows, kind) = (Vec::new(), query.last("activity_type"));
            if kind != Some("issue-comment") {
                rows.extend(of(&project.activities));
            }
            if kind != Some("issue-property") {
                rows.extend(of(&project.comments));
            }
            rows.retain(|row| text(row, "field") != "comment");
            let since = query.last("created_at__gt").unwrap_or_default();
            rows.retain(|row| text(row, "created_at") > since);
            rows.sort_by(|a, b| text(a, "created_at").cmp(text(b, "created_at")));
            bare(with_actor(caller.world, rows))
        }
    }
}

fn with_actor(world: &World, mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        let actor = world.user(text(row, "actor")).map(|user| user.lite());
        super::world::set(row, [("actor_detail", actor.unwrap_or_default())]);
    }
    rows
}

/// The refusal of the app's own permission check.
fn denied() -> Answer {
    let error = json!({"error": "You don't have the required permissions."});
    Answer::json(StatusCode::FORBIDDEN, error)
}
