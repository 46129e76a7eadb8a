//! Work items: listed by project, retrieved by key or id, found by text.

mod page;
mod retrieve;
mod row;
mod search;

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::{Action, Call, Entry, Failure, projects, workspaces};
use crate::plane::path::Path;
use crate::plane::shapes::{Page, WorkItem};

pub(super) use page::{CURSOR, PER_PAGE, paged};
pub(super) use retrieve::{RETRIEVE_WORK_ITEM, retrieve};
pub(super) use search::{SEARCH_WORK_ITEMS, search};

use row::Row;

/// `list_work_items`
pub(super) const LIST_WORK_ITEMS: Entry = Entry {
    name: "list_work_items",
    title: "List work items",
    description: "The work items of one project, newest first unless order_by says otherwise, with the total. States, \
        assignees and labels come as names. To find items by words use search_work_items.",
    parameters: &[workspaces::WORKSPACE_SLUG, projects::PROJECT, ORDER_BY, FIELDS, PER_PAGE, CURSOR],
    action: Action::ListWorkItems,
};

/// Plane hands this to its database unchecked; only orders that cannot fail and reveal nothing are let through.
const ORDER_BY: Parameter = Parameter {
    name: "order_by",
    shape: Shape::Choice(&[
        "-created_at",
        "created_at",
        "-updated_at",
        "updated_at",
        "-sequence_id",
        "sequence_id",
        "priority",
        "-priority",
        "target_date",
        "-target_date",
        "start_date",
        "-start_date",
    ]),
    required: false,
    description: "A leading - reverses; priority puts urgent first.",
};

const FIELDS: Parameter = Parameter {
    name: "fields",
    shape: Shape::Choices(&[
        "name",
        "state",
        "priority",
        "assignees",
        "labels",
        "parent",
        "start_date",
        "target_date",
        "created_at",
        "updated_at",
        "completed_at",
        "description",
        "id",
    ]),
    required: false,
    description: "Fields to return beside identifier. Default: name, state, priority, assignees, labels, target_date.",
};

const USUAL_FIELDS: &[&str] = &["name", "state", "priority", "assignees", "labels", "target_date"];

/// Fields that are ids unless Plane is asked to expand them.
const EXPANDABLE: [&str; 5] = ["assignees", "labels", "parent", "project", "state"];

/// A page of work items.
#[derive(Debug, Serialize)]
pub(super) struct WorkItems {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    work_items: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists one page in one request, names included.
pub(super) async fn list(call: &Call<'_>) -> Result<WorkItems, Failure> {
    let slug = workspaces::resolve(call)?;
    let text = call.arguments.text(projects::PROJECT.name).unwrap_or_default();
    let project = projects::resolve(call, &slug, text).await?;
    let mut fields = call.arguments.choices(FIELDS.name).unwrap_or(USUAL_FIELDS).to_vec();
    fields.push("sequence_id");
    // The project is needed for the key, when it was named by id.
    if project.identifier.is_none() {
        fields.push("project");
    }
    let expand: Vec<&str> = EXPANDABLE.into_iter().filter(|field| fields.contains(field)).collect();
    for field in &mut fields {
        if *field == "description" {
            *field = "description_html";
        }
    }
    let path = Path::project(&slug, &project.id)
        .literal("work-items/")
        .query("order_by", call.arguments.text(ORDER_BY.name).unwrap_or("-created_at"))
        .query("fields", &fields.join(","));
    let path = if expand.is_empty() { path } else { path.query("expand", &expand.join(",")) };
    let path = paged(path, &call.arguments)?;
    let page: Page<WorkItem> = match call.plane.ask(call.caller, path).await {
        Ok(page) => page,
        Err(error) => return Err(projects::failure(call, error, &slug, &project).await),
    };
    let next_cursor = page.next();
    let row = |item| Row::of(item, project.identifier.as_deref());
    let work_items = page.results.into_iter().map(row).collect();
    Ok(WorkItems { total: page.total_results, work_items, next_cursor })
}
