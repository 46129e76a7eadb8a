//! Work items by words.

use serde::Serialize;

use crate::caller::Credential;
use crate::plane::path::{Path, Slug};
use crate::plane::shapes::work_item::{Found, FoundEntities, Match};
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::names::{Directory, Kind, Names};
use crate::tools::projects::{self, Named};
use crate::tools::{Action, Call, Entry, Failure, READ, workspaces};

/// `search_work_items`
pub(in crate::tools) const SEARCH_WORK_ITEMS: Entry = Entry {
    name: "search_work_items",
    title: "Search work items",
    description: "Finds work items (issues, tasks, bugs) by words of their title, or by number, in every project or one. \
        Descriptions are not searched.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        Parameter { name: "query", shape: Shape::Text(200), required: true, description: "" },
        Parameter { required: false, description: "", ..projects::PROJECT },
        LIMIT,
    ],
    scope: READ,
    action: Action::SearchWorkItems,
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    shape: Shape::Integer { least: 1, most: 100, default: 25 },
    required: false,
    description: "",
};

/// Matches asked of Plane, which does not say how many there are: enough to count those of nearly every search.
const COUNTED: usize = 500;

/// The matches.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Matches {
    /// Of all matches; absent when there are too many to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    /// There are more than are shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    work_items: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
}

/// Searches; always says where and how many, because Plane's own defaults are one project and ten.
pub(in crate::tools) async fn search(call: &Call<'_>) -> Result<Matches, Failure> {
    let slug = workspaces::resolve(call)?;
    let limit = call.arguments.integer(LIMIT.name).and_then(|limit| usize::try_from(limit).ok());
    let project = match call.arguments.text(projects::PROJECT.name) {
        None => None,
        Some(text) => Some(projects::resolve(call, &slug, text).await?),
    };
    let mut found = found(call, &slug, project.as_ref()).await?;
    let is_counted = found.len() < COUNTED;
    if found.is_empty() {
        // To outsiders, and in workspaces that do not exist, Plane finds nothing instead of refusing.
        projects::known(call, &slug).await?;
    }
    if let Some(shown) = projects::shown(call, &slug).await? {
        found.retain(|item| item.project_id.as_deref().is_some_and(|id| shown.has(id)));
    }
    let total = found.len();
    // Somebody who types an identifier means that item, which Plane finds among all of that number.
    let query = call.arguments.text("query").unwrap_or_default().to_uppercase();
    found.sort_by_key(|item| key(item).is_none_or(|key| key != query));
    found.truncate(limit.unwrap_or(25));
    let directory = match call.caller.credential {
        Credential::Identity(_) if !found.is_empty() => {
            Names::new(call, &slug, project.as_ref()).directory(&[Kind::State]).await
        }
        _ => Directory::default(),
    };
    let more = found.len() < total || !is_counted;
    let work_items = found.into_iter().map(|item| Row::of(item, &directory)).collect();
    Ok(Matches { total: is_counted.then_some(total), more, work_items })
}

/// What Plane finds: with state and priority for signed-in users.
async fn found(call: &Call<'_>, slug: &Slug, project: Option<&Named>) -> Result<Vec<Match>, Failure> {
    let query = call.arguments.text("query").unwrap_or_default();
    let most = COUNTED.to_string();
    let failure = |error| workspaces::failure(error, slug);
    if let Credential::Identity(_) = call.caller.credential {
        let path = Path::app("workspaces/").part(slug.as_str()).literal("entity-search/");
        let path = path.query("query_type", "issue").query("query", query).query("count", &most);
        let path = project.iter().fold(path, |path, project| path.query("project_id", project.id.as_str()));
        let found: FoundEntities = call.plane.ask(call.caller, path).await.map_err(failure)?;
        return Ok(found.issue);
    }
    let path = Path::workspace(slug).literal("work-items/search/");
    let path = path.query("search", query).query("limit", &most);
    let path = match project {
        None => path.query("workspace_search", "true"),
        Some(project) => path.query("workspace_search", "false").query("project_id", project.id.as_str()),
    };
    let found: Found = call.plane.ask(call.caller, path).await.map_err(failure)?;
    Ok(found.issues)
}

fn key(item: &Match) -> Option<String> {
    Some(format!("{}-{}", item.project_identifier.as_deref()?, item.sequence_id?))
}

impl Row {
    fn of(item: Match, directory: &Directory) -> Self {
        let state = item.state_id.as_deref().and_then(|id| directory.state(id));
        Self {
            identifier: key(&item),
            state: state.map(|state| state.name.clone()).or(item.state_id.clone()),
            state_group: state.and_then(|state| state.group.clone()),
            priority: item.priority.filter(|priority| priority != "none"),
            name: item.name,
        }
    }
}
