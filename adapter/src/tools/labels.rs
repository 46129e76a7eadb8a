//! The labels of a project.

use serde::Serialize;

use super::names::{Kind, Names};
use super::{Action, Call, Entry, Failure, READ, brief, projects, work_items, workspaces};
use crate::plane::path::Path;
use crate::plane::shapes::Page;
use crate::plane::shapes::project::Label;

/// `list_labels`
pub(super) const LIST_LABELS: Entry = Entry {
    name: "list_labels",
    title: "List labels",
    description: "The labels (tags) that work items of a project can carry.",
    parameters: &[workspaces::WORKSPACE_SLUG, projects::PROJECT, work_items::PER_PAGE, work_items::CURSOR],
    scope: READ,
    action: Action::ListLabels,
};

/// A page of labels.
#[derive(Debug, Serialize)]
pub(super) struct Labels {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    labels: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// Filters take names; the id is told only where a name is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Lists one page.
pub(super) async fn list(call: &Call<'_>) -> Result<Labels, Failure> {
    let (slug, project) = projects::named(call).await?;
    let path =
        Path::project(&slug, &project.id).literal("labels/").query("fields", "id,name,description,parent");
    let path = work_items::paged(path, &call.arguments)?;
    let page: Page<Label> = projects::ask(call, &slug, &project, path).await?;
    let next_cursor = page.next();
    let nested = page.results.iter().any(|label| label.parent.is_some());
    let kinds: &[Kind] = if nested { &[Kind::Label] } else { &[] };
    let names = Names::new(call, &slug, Some(&project)).directory(kinds).await;
    let shared = brief::shared_names(page.results.iter().map(|label| label.name.as_deref()));
    let row = |label: Label| Row {
        id: label.id.filter(|_| label.name.as_ref().is_some_and(|name| shared.contains(name))),
        name: label.name,
        description: brief::text(label.description, brief::IN_LIST),
        parent: label.parent.map(|id| names.label(&id).map_or(id.clone(), str::to_owned)),
    };
    Ok(Labels { total: page.total_results, labels: page.results.into_iter().map(row).collect(), next_cursor })
}
