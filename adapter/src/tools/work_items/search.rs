//! Work items by words.

use serde::Serialize;

use crate::plane::path::{Path, Slug};
use crate::plane::shapes::Found;
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::{Action, Call, Entry, Failure, projects, workspaces};

/// `search_work_items`
pub(in crate::tools) const SEARCH_WORK_ITEMS: Entry = Entry {
    name: "search_work_items",
    title: "Search work items",
    description: "Finds work items in a whole workspace, or in one project, whose name holds the query, or whose number \
        it is. Gives identifiers and names; use retrieve_work_item for the rest.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        Parameter {
            name: "query",
            shape: Shape::Text(200),
            required: true,
            description: "Words as they stand in the name, in any case.",
        },
        Parameter {
            required: false,
            description: "Only in this project: identifier or id.",
            ..projects::PROJECT
        },
        LIMIT,
    ],
    action: Action::SearchWorkItems,
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    shape: Shape::Integer { least: 1, most: 100, default: 25 },
    required: false,
    description: "",
};

/// The matches.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Matches {
    count: usize,
    /// There may be more than were asked for; Plane does not say how many.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    limit_reached: bool,
    work_items: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Searches; always says where and how many, because Plane's own defaults are one project and ten.
pub(in crate::tools) async fn search(call: &Call<'_>) -> Result<Matches, Failure> {
    let slug = workspaces::resolve(call)?;
    let query = call.arguments.text("query").unwrap_or_default();
    let limit =
        call.arguments.integer(LIMIT.name).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(25);
    let path = Path::workspace(&slug)
        .literal("work-items/search/")
        .query("search", query)
        .query("limit", &limit.to_string());
    let path = match call.arguments.text(projects::PROJECT.name) {
        None => path.query("workspace_search", "true"),
        Some(text) => {
            let project = projects::resolve(call, &slug, text).await?;
            path.query("workspace_search", "false").query("project_id", project.id.as_str())
        }
    };
    let found: Found =
        call.plane.ask(call.caller, path).await.map_err(|error| workspaces::failure(error, &slug))?;
    if found.issues.is_empty() {
        check_membership(call, &slug).await?;
    }
    let row = |item: crate::plane::shapes::Match| Row {
        identifier: item
            .project_identifier
            .zip(item.sequence_id)
            .map(|(project, number)| format!("{project}-{number}")),
        name: item.name,
    };
    let work_items: Vec<Row> = found.issues.into_iter().take(limit).map(row).collect();
    Ok(Matches { count: work_items.len(), limit_reached: work_items.len() == limit, work_items })
}

/// To outsiders, and in workspaces that do not exist, Plane finds nothing instead of refusing.
async fn check_membership(call: &Call<'_>, slug: &Slug) -> Result<(), Failure> {
    let names = call.plane.project_names(call.caller, slug).await;
    names.map(|_| ()).map_err(|error| workspaces::failure(error, slug))
}
