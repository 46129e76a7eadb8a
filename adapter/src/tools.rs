//! The tools: one static table, sorted by name; one file a resource.
//!
//! An [`Entry`] is all there is to know about a tool: the schema clients see and the checks its arguments go through
//! come from the same [`Parameter`]s, so they cannot differ.

mod activity;
mod arguments;
mod brief;
mod comments;
mod cycles;
mod failure;
mod intake;
mod kept;
mod labels;
mod markdown;
mod members;
mod modules;
mod names;
mod progress;
mod projects;
mod states;
mod users;
mod work_items;
mod workspaces;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Serialize;
use serde_json::json;

pub use arguments::{Arguments, Parameter, Shape};
pub use failure::{Code, Failure};

use crate::caller::Caller;
use crate::plane::Plane;
use crate::policy::Policy;

/// What a tool does; the run is chosen by an exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Who am I.
    GetMe,
    /// What happened to a work item.
    ListActivity,
    /// Comments of a work item.
    ListComments,
    /// Cycles of a project.
    ListCycles,
    /// Intake of a project.
    ListIntake,
    /// Labels of a project.
    ListLabels,
    /// People of a workspace or project.
    ListMembers,
    /// Modules of a project.
    ListModules,
    /// Projects of a workspace.
    ListProjects,
    /// States of a project.
    ListStates,
    /// Work items of a project.
    ListWorkItems,
    /// Workspaces of the caller.
    ListWorkspaces,
    /// One cycle.
    RetrieveCycle,
    /// One module.
    RetrieveModule,
    /// One project.
    RetrieveProject,
    /// One work item.
    RetrieveWorkItem,
    /// Work items by text.
    SearchWorkItems,
}

/// One tool.
#[derive(Debug)]
pub struct Entry {
    /// The name clients call.
    pub name: &'static str,
    /// The name people see.
    pub title: &'static str,
    /// What the model reads.
    pub description: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// The scope a client must have been granted to see and call it.
    pub scope: &'static str,
    /// What it does.
    pub action: Action,
}

/// The scope of every tool that only reads.
pub const READ: &str = "plane:read";

/// Every tool, sorted by name.
pub static TOOLS: &[Entry] = &[
    users::GET_ME,
    activity::LIST_ACTIVITY,
    comments::LIST_COMMENTS,
    cycles::LIST_CYCLES,
    intake::LIST_INTAKE,
    labels::LIST_LABELS,
    members::LIST_MEMBERS,
    modules::LIST_MODULES,
    projects::LIST_PROJECTS,
    states::LIST_STATES,
    work_items::LIST_WORK_ITEMS,
    workspaces::LIST_WORKSPACES,
    cycles::RETRIEVE_CYCLE,
    modules::RETRIEVE_MODULE,
    projects::RETRIEVE_PROJECT,
    work_items::RETRIEVE_WORK_ITEM,
    work_items::SEARCH_WORK_ITEMS,
];

/// One call of a tool, with everything it may use.
#[derive(Debug)]
pub struct Call<'a> {
    /// The way to Plane.
    pub plane: &'a Plane,
    /// Who asks.
    pub caller: &'a Caller,
    /// What the operator lets them see.
    pub policy: &'a Policy,
    /// What was asked, checked against the tool's parameters.
    pub arguments: Arguments,
}

impl Call<'_> {
    /// Runs the tool and gives its answer as compact JSON.
    ///
    /// # Errors
    /// A [`Failure`] the model can act on.
    pub async fn run(&self, action: Action) -> Result<String, Failure> {
        // Boxed: the state of all tools together, some with many requests at once, is more than a thread's stack may hold.
        match action {
            Action::GetMe => to_json(&Box::pin(users::me(self)).await?),
            Action::ListActivity => to_json(&Box::pin(activity::list(self)).await?),
            Action::ListComments => to_json(&Box::pin(comments::list(self)).await?),
            Action::ListCycles => to_json(&Box::pin(cycles::list(self)).await?),
            Action::ListIntake => to_json(&Box::pin(intake::list(self)).await?),
            Action::ListLabels => to_json(&Box::pin(labels::list(self)).await?),
            Action::ListMembers => to_json(&Box::pin(members::list(self)).await?),
            Action::ListModules => to_json(&Box::pin(modules::list(self)).await?),
            Action::ListProjects => to_json(&Box::pin(projects::list(self)).await?),
            Action::ListStates => to_json(&Box::pin(states::list(self)).await?),
            Action::ListWorkItems => to_json(&Box::pin(work_items::list(self)).await?),
            Action::ListWorkspaces => to_json(&Box::pin(workspaces::list(self)).await?),
            Action::RetrieveCycle => to_json(&Box::pin(cycles::retrieve(self)).await?),
            Action::RetrieveModule => to_json(&Box::pin(modules::retrieve(self)).await?),
            Action::RetrieveProject => to_json(&Box::pin(projects::retrieve(self)).await?),
            Action::RetrieveWorkItem => to_json(&Box::pin(work_items::retrieve(self)).await?),
            Action::SearchWorkItems => to_json(&Box::pin(work_items::search(self)).await?),
        }
    }
}

impl Entry {
    /// The tool as `tools/list` shows it.
    pub fn listed(&self) -> Tool {
        let annotations = ToolAnnotations::new().read_only(true).destructive(false);
        Tool::new(self.name, self.description, self.schema())
            .with_title(self.title)
            // Plane's data is a closed world: nothing here reaches the internet at large.
            .with_annotations(annotations.open_world(false))
    }

    /// A closed JSON Schema of portable types only.
    fn schema(&self) -> JsonObject {
        let properties: JsonObject =
            self.parameters.iter().map(|parameter| (parameter.name.to_owned(), parameter.schema())).collect();
        let required: Vec<&str> =
            self.parameters.iter().filter(|parameter| parameter.required).map(|p| p.name).collect();
        let mut schema = JsonObject::from_iter([
            ("type".to_owned(), json!("object")),
            ("properties".to_owned(), properties.into()),
            ("additionalProperties".to_owned(), json!(false)),
        ]);
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema
    }
}

fn to_json<T: Serialize>(answer: &T) -> Result<String, Failure> {
    serde_json::to_string(answer)
        .map_err(|_| Failure::of(Code::Unexpected, "The answer could not be written."))
}

#[cfg(test)]
mod tests;
