//! The states of a project's workflow.

use serde::Serialize;

use super::{Action, Call, Entry, Failure, READ, brief, projects, workspaces};
use crate::plane::path::Path;
use crate::plane::shapes::Page;
use crate::plane::shapes::project::State;

/// `list_states`
pub(super) const LIST_STATES: Entry = Entry {
    name: "list_states",
    title: "List states",
    description: "The workflow of a project: the states (statuses, board columns) its work items can go through, in \
        order, each with its group: backlog, unstarted, started, completed or cancelled.",
    parameters: &[workspaces::WORKSPACE_SLUG, projects::PROJECT],
    scope: READ,
    action: Action::ListStates,
};

/// All states of a project, in the order of its workflow.
#[derive(Debug, Serialize)]
pub(super) struct States {
    total: usize,
    states: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// New items start in it.
    #[serde(rename = "default", skip_serializing_if = "Option::is_none")]
    is_default: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Filters take names; the id is told only where a name is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Lists them all: a workflow is short, and its order is what it says.
pub(super) async fn list(call: &Call<'_>) -> Result<States, Failure> {
    let (slug, project) = projects::named(call).await?;
    let path = Path::project(&slug, &project.id)
        .literal("states/")
        .query("fields", "id,name,group,default,description,sequence")
        .query("per_page", "1000");
    let page: Page<State> = projects::ask(call, &slug, &project, path).await?;
    let mut states = page.results;
    states.sort_by(|one, next| one.place().total_cmp(&next.place()));
    let shared = brief::shared_names(states.iter().map(|state| state.name.as_deref()));
    let row = |state: State| Row {
        id: state.id.filter(|_| state.name.as_ref().is_some_and(|name| shared.contains(name))),
        name: state.name,
        group: state.group,
        is_default: state.is_default.filter(|is_default| *is_default),
        description: brief::text(state.description, brief::IN_LIST),
    };
    let states: Vec<Row> = states.into_iter().map(row).collect();
    Ok(States { total: states.len(), states })
}
