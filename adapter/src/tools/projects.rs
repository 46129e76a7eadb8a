//! Projects, and which one a call is about.

#[allow(dead_code, reason = "used by the lists being written")]
mod scope;

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::{Action, Call, Entry, Failure, markdown, work_items, workspaces};
use crate::plane::path::Path;
use crate::plane::shapes::{Page, Project};

#[allow(unused_imports, reason = "used by the lists being written")]
pub(super) use scope::{Named, Shown, failure, find, known, not_found, not_joined, resolve, shown};

/// `list_projects`
pub(super) const LIST_PROJECTS: Entry = Entry {
    name: "list_projects",
    title: "List projects",
    description: "The projects of a workspace the user can see, with id, identifier (the ENG of ENG-42), name and the \
        user's role. Public projects the user has not joined are shown with is_member false.",
    parameters: &[workspaces::WORKSPACE_SLUG, work_items::PER_PAGE, work_items::CURSOR],
    action: Action::ListProjects,
};

/// The project of a tool that needs one.
pub(super) const PROJECT: Parameter = Parameter {
    name: "project",
    shape: Shape::Text(64),
    required: true,
    description: "Project identifier such as ENG, or its id.",
};

/// Longest description in a list; the rest is rarely worth its price.
const DESCRIPTION: usize = 200;

/// A page of projects.
#[derive(Debug, Serialize)]
pub(super) struct Projects {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    projects: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_member: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

/// Lists one page.
pub(super) async fn list(call: &Call<'_>) -> Result<Projects, Failure> {
    let slug = workspaces::resolve(call)?;
    let path = Path::workspace(&slug)
        .literal("projects/")
        .query("fields", "id,identifier,name,description,network,is_member,member_role,archived_at");
    let path = work_items::paged(path, &call.arguments)?;
    let page: Page<Project> =
        call.plane.ask(call.caller, path).await.map_err(|error| workspaces::failure(error, &slug))?;
    let next_cursor = page.next();
    let projects = page.results.into_iter().map(Row::of).collect();
    Ok(Projects { total: page.total_results, projects, next_cursor })
}

impl Row {
    fn of(project: Project) -> Self {
        let description = project.description.filter(|text| !text.trim().is_empty());
        Self {
            identifier: project.identifier,
            name: project.name,
            id: project.id,
            description: description.map(|text| markdown::cut(text.trim(), DESCRIPTION)),
            visibility: match project.network {
                Some(0) => Some("secret"),
                Some(2) => Some("public"),
                _ => None,
            },
            is_member: project.is_member,
            role: project.member_role.and_then(workspaces::role),
            archived_at: project.archived_at,
        }
    }
}
