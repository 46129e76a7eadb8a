//! One work item in full.

use serde::Serialize;

use super::row::Row;
use crate::plane::PlaneError;
use crate::plane::path::{Path, Slug, Uuid, WorkItemKey};
use crate::plane::shapes::{Reference, WorkItem};
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::{Action, Call, Code, Entry, Failure, projects, workspaces};

/// `retrieve_work_item`
pub(in crate::tools) const RETRIEVE_WORK_ITEM: Entry = Entry {
    name: "retrieve_work_item",
    title: "Retrieve a work item",
    description: "One work item in full, description included, by its identifier such as ENG-42. With an id instead, \
        the project must be named too.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        Parameter {
            name: "work_item",
            shape: Shape::Text(64),
            required: true,
            description: "Identifier such as ENG-42, or the item's id.",
        },
        Parameter {
            required: false,
            description: "Only with an id: the project's identifier or id.",
            ..projects::PROJECT
        },
    ],
    action: Action::RetrieveWorkItem,
};

/// Longest description given; few are longer.
const DESCRIPTION: usize = 8000;
const EXPAND: &str = "assignees,created_by,labels,parent,project,state";

/// A work item in full.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Item {
    #[serde(flatten)]
    row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

/// Retrieves it in one request.
pub(in crate::tools) async fn retrieve(call: &Call<'_>) -> Result<Item, Failure> {
    let slug = workspaces::resolve(call)?;
    let named = call.arguments.text("work_item").unwrap_or_default();
    if let Some(id) = Uuid::parse(named) {
        return by_id(call, &slug, &id).await;
    }
    let key = WorkItemKey::parse(named).ok_or_else(|| {
        Failure::argument("work_item must be an identifier such as ENG-42, or an id together with project")
    })?;
    by_key(call, &slug, &key).await
}

async fn by_key(call: &Call<'_>, slug: &Slug, key: &WorkItemKey) -> Result<Item, Failure> {
    let path = Path::workspace(slug).literal("work-items/").part(&key.to_string()).query("expand", EXPAND);
    match call.plane.ask(call.caller, path).await {
        Ok(item) => Ok(Item::of(item, Some(key.project.as_str()))),
        Err(PlaneError::NotFound) => Err(not_found(&key.to_string())),
        Err(PlaneError::Forbidden) => Err(forbidden(call, slug, key).await),
        Err(other) => Err(other.into()),
    }
}

async fn by_id(call: &Call<'_>, slug: &Slug, id: &Uuid) -> Result<Item, Failure> {
    let text = call.arguments.text(projects::PROJECT.name);
    let text = text.ok_or_else(|| Failure::argument("project is required when work_item is an id"))?;
    let project = projects::resolve(call, slug, text).await?;
    let path =
        Path::project(slug, &project.id).literal("work-items/").part(id.as_str()).query("expand", EXPAND);
    match call.plane.ask(call.caller, path).await {
        Ok(item) => Ok(Item::of(item, project.identifier.as_deref())),
        Err(PlaneError::NotFound) => Err(not_found(id.as_str())),
        Err(other) => Err(projects::failure(call, other, slug, &project).await),
    }
}

/// Plane's 403 for a key stands for an unknown workspace, an unknown project and one the caller has not joined.
async fn forbidden(call: &Call<'_>, slug: &Slug, key: &WorkItemKey) -> Failure {
    let project = key.project.as_str();
    match call.plane.project_names(call.caller, slug).await {
        Ok(names) if names.iter().any(|known| known.identifier.as_deref() == Some(project)) => {
            projects::not_joined(project)
        }
        Ok(_) => projects::not_found(project, slug),
        Err(error) => workspaces::failure(error, slug),
    }
}

fn not_found(shown: &str) -> Failure {
    Failure::of(Code::WorkItemNotFound, format!("There is no work item {shown} that this user can see."))
}

impl Item {
    fn of(item: WorkItem, project: Option<&str>) -> Self {
        let thing = item.project.as_ref().and_then(Reference::thing);
        Self {
            project: thing.and_then(|thing| thing.name.clone()),
            project_id: item.project.as_ref().and_then(Reference::id).map(str::to_owned),
            created_by: item.created_by.as_ref().and_then(Reference::label),
            archived_at: item.archived_at.clone(),
            row: Row::with_description(item, project, DESCRIPTION),
        }
    }
}
