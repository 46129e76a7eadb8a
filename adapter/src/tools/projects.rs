//! Projects: which there are, one of them with its counts, and which of them a call may touch.

mod retrieve;
mod scope;

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::{Action, Call, Entry, Failure, READ, brief, work_items, workspaces};
use crate::plane::shapes::Project;

pub(super) use retrieve::{RETRIEVE_PROJECT, retrieve};
pub(super) use scope::{
    Named, ask, failure, find, fresh, known, named, not_found, not_joined, outside, resolve, shown,
    shows_own_only,
};

/// `list_projects`
pub(super) const LIST_PROJECTS: Entry = Entry {
    name: "list_projects",
    title: "List projects",
    description: "Which projects the workspace has: identifier (the ENG of ENG-42; what other tools take as project), \
        name, description, the user's role. is_member false marks a public project the user has not joined.",
    parameters: &[workspaces::WORKSPACE_SLUG, QUERY, ARCHIVED, work_items::PER_PAGE, work_items::CURSOR],
    scope: READ,
    action: Action::ListProjects,
};

const QUERY: Parameter = Parameter {
    name: "query",
    shape: Shape::Text(100),
    required: false,
    description: "Part of the name or identifier.",
};

/// For the archived things instead.
pub(super) const ARCHIVED: Parameter = Parameter {
    name: "archived",
    shape: Shape::Boolean,
    required: false,
    description: "The archived ones instead.",
};

/// The project of a tool that needs one: its identifier, id or name.
pub(super) const PROJECT: Parameter =
    Parameter { name: "project", shape: Shape::Text(255), required: true, description: "" };

/// A page of projects.
#[derive(Debug, Serialize)]
pub(super) struct Projects {
    total: usize,
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

/// Lists those that match, out of the whole list, which Plane neither searches nor separates from archived ones.
pub(super) async fn list(call: &Call<'_>) -> Result<Projects, Failure> {
    let slug = workspaces::resolve(call)?;
    let query = call.arguments.text(QUERY.name).unwrap_or_default().to_lowercase();
    let archived = call.arguments.is_set(ARCHIVED.name);
    let mut projects = fresh(call, &slug).await?;
    projects.retain(|project| {
        let holds =
            |text: &Option<String>| text.as_deref().is_some_and(|text| text.to_lowercase().contains(&query));
        let found = query.is_empty() || holds(&project.name) || holds(&project.identifier);
        project.archived_at.is_some() == archived && found
    });
    let total = projects.len();
    let (projects, next_cursor) = work_items::slice(projects, &call.arguments)?;
    Ok(Projects { total, projects: projects.into_iter().map(Row::of).collect(), next_cursor })
}

impl Row {
    fn of(project: Project) -> Self {
        Self {
            identifier: project.identifier,
            name: project.name,
            id: project.id,
            description: brief::text(project.description, brief::IN_LIST),
            visibility: project.network.and_then(visibility),
            is_member: project.is_member,
            role: project.member_role.and_then(workspaces::role),
            archived_at: project.archived_at,
        }
    }
}

/// Plane's `network` in words.
fn visibility(network: u32) -> Option<&'static str> {
    match network {
        0 => Some("secret"),
        2 => Some("public"),
        _ => None,
    }
}
