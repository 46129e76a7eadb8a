//! Modules: work items grouped towards a goal.

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::names::{Directory, Kind, Names};
use super::progress::Progress;
use super::{Action, Call, Code, Entry, Failure, READ, brief, projects, work_items, workspaces};
use crate::plane::PlaneError;
use crate::plane::path::{Path, Uuid};
use crate::plane::shapes::Page;
use crate::plane::shapes::planning::Module;

/// `list_modules`
pub(super) const LIST_MODULES: Entry = Entry {
    name: "list_modules",
    title: "List modules",
    description: "The modules (features, deliverables) of a project: status, lead, members, start and target date, and \
        progress as counts of work items.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        projects::PROJECT,
        projects::ARCHIVED,
        work_items::PER_PAGE,
        work_items::CURSOR,
    ],
    scope: READ,
    action: Action::ListModules,
};

/// `retrieve_module`
pub(super) const RETRIEVE_MODULE: Entry = Entry {
    name: "retrieve_module",
    title: "Show a module",
    description: "How one module is going: progress as counts of work items by state group, description, lead, members, \
        status, dates. Its work items: list_work_items with module.",
    parameters: &[workspaces::WORKSPACE_SLUG, projects::PROJECT, MODULE],
    scope: READ,
    action: Action::RetrieveModule,
};

const MODULE: Parameter =
    Parameter { name: "module", shape: Shape::Text(255), required: true, description: "Name or id." };

const FIELDS: &str = "id,name,description,status,start_date,target_date,lead,members,archived_at,total_issues,\
    completed_issues,started_issues,unstarted_issues,backlog_issues,cancelled_issues";

/// A page of modules.
#[derive(Debug, Serialize)]
pub(super) struct Modules {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    modules: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A module.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Lists one page.
pub(super) async fn list(call: &Call<'_>) -> Result<Modules, Failure> {
    let (slug, project) = projects::named(call).await?;
    let archived = call.arguments.is_set(projects::ARCHIVED.name);
    let list = if archived { "archived-modules/" } else { "modules/" };
    let path = Path::project(&slug, &project.id).literal(list).query("fields", FIELDS);
    let path = work_items::paged(path, &call.arguments)?;
    let names = Names::new(call, &slug, Some(&project));
    let (page, names) = tokio::join!(
        projects::ask::<Page<Module>>(call, &slug, &project, path),
        names.directory(&[Kind::Member])
    );
    let page = page?;
    let next_cursor = page.next();
    let shown = |module| Shown::of(module, &names, brief::IN_LIST);
    Ok(Modules {
        total: page.total_results,
        modules: page.results.into_iter().map(shown).collect(),
        next_cursor,
    })
}

/// Retrieves one.
pub(super) async fn retrieve(call: &Call<'_>) -> Result<Shown, Failure> {
    let (slug, project) = projects::named(call).await?;
    let text = call.arguments.text(MODULE.name).unwrap_or_default();
    let names = Names::new(call, &slug, Some(&project));
    let id = match Uuid::parse(text) {
        Some(id) => id,
        None => names.module(text).await?,
    };
    let path =
        Path::project(&slug, &project.id).literal("modules/").part(id.as_str()).query("fields", FIELDS);
    let (module, names) =
        tokio::join!(call.plane.ask::<Module>(call.caller, path), names.directory(&[Kind::Member]));
    match module {
        Ok(module) => Ok(Shown::of(module, &names, brief::IN_FULL)),
        Err(PlaneError::NotFound) => {
            let message = format!("There is no module \"{text}\" in project {}.", project.label());
            Err(Failure::of(Code::ModuleNotFound, message))
        }
        Err(error) => Err(projects::failure(call, error, &slug, &project).await),
    }
}

impl Shown {
    fn of(module: Module, names: &Directory, most: usize) -> Self {
        let named = |id: String| names.member(&id).map_or(id.clone(), str::to_owned);
        Self {
            name: module.name,
            status: module.status,
            start_date: module.start_date,
            target_date: module.target_date,
            lead: module.lead.map(named),
            members: module.members.unwrap_or_default().into_iter().map(named).collect(),
            description: brief::text(module.description, most),
            progress: Progress::of(module.counts),
            archived_at: module.archived_at,
            id: module.id,
        }
    }
}
