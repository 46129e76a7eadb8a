//! Projects, and which one a call is about.

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::{Action, Call, Code, Entry, Failure, plain_text, work_items, workspaces};
use crate::plane::PlaneError;
use crate::plane::path::{Path, ProjectIdentifier, Slug, Uuid};
use crate::plane::shapes::{Page, Project};

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

/// A project named in a call.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) id: Uuid,
    /// Unknown when the project was named by its id.
    pub(super) identifier: Option<String>,
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
            description: description.map(|text| plain_text::cut(text.trim(), DESCRIPTION)),
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

/// Finds the project the call names: an id is taken as it is, an identifier is looked up among those the caller sees.
pub(super) async fn resolve(call: &Call<'_>, slug: &Slug, text: &str) -> Result<Named, Failure> {
    if let Some(id) = Uuid::parse(text) {
        return Ok(Named { id, identifier: None });
    }
    let wrong = || Failure::argument("project must be an identifier such as ENG, or an id");
    let identifier = ProjectIdentifier::parse(text).ok_or_else(wrong)?;
    let names = call.plane.project_names(call.caller, slug).await;
    let names = names.map_err(|error| workspaces::failure(error, slug))?;
    let found = names.iter().find(|project| project.identifier.as_deref() == Some(identifier.as_str()));
    let id = found.and_then(|project| Uuid::parse(project.id.as_deref()?));
    let id = id.ok_or_else(|| not_found(identifier.as_str(), slug))?;
    Ok(Named { id, identifier: Some(identifier.as_str().to_owned()) })
}

/// What a refusal means for a request inside a project. Plane's 403 stands for an unknown project, an unknown
/// workspace and a project the caller has not joined; one more request tells them apart.
pub(super) async fn failure(call: &Call<'_>, error: PlaneError, slug: &Slug, project: &Named) -> Failure {
    let shown = project.identifier.as_deref().unwrap_or(project.id.as_str());
    match error {
        PlaneError::NotFound => return not_found(shown, slug),
        PlaneError::Forbidden => {}
        other => return other.into(),
    }
    let probe: Result<Project, _> = call.plane.ask(call.caller, Path::project(slug, &project.id)).await;
    match probe {
        Ok(_) => not_joined(shown),
        Err(PlaneError::NotFound) => not_found(shown, slug),
        Err(PlaneError::Forbidden) => workspaces::not_found(slug),
        Err(other) => other.into(),
    }
}

pub(super) fn not_found(project: &str, slug: &Slug) -> Failure {
    let message = format!(
        "There is no project \"{project}\" in workspace \"{}\" that this user can see.",
        slug.as_str()
    );
    Failure::of(Code::ProjectNotFound, message)
}

pub(super) fn not_joined(project: &str) -> Failure {
    let message =
        format!("This user is not a member of project \"{project}\" and cannot see its work items.");
    Failure::of(Code::PermissionDenied, message)
}
