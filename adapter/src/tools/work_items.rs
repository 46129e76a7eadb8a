//! Work items: listed with filters, retrieved by key or id, found by text.

mod filter;
mod list;
pub(super) mod locate;
mod page;
mod related;
mod retrieve;
mod row;
mod search;

use super::arguments::{Parameter, Shape};
use super::{Action, Entry, READ, projects, workspaces};

pub(super) use list::list;
pub(super) use locate::Located;
pub(super) use page::{CURSOR, PER_PAGE, paged, slice};
pub(super) use retrieve::{RETRIEVE_WORK_ITEM, retrieve};
pub(super) use row::seconds;
pub(super) use search::{SEARCH_WORK_ITEMS, search};

/// `list_work_items`
pub(super) const LIST_WORK_ITEMS: Entry = Entry {
    name: "list_work_items",
    title: "List work items",
    description: "Work items (issues, tasks, bugs) of a project or the whole workspace, filtered, ordered and \
        counted: how many and which are open, completed, waiting in a state, urgent, overdue, unassigned, planned \
        for a cycle (sprint) or belong to a module; who works on what. A list means any of its values.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        Parameter { required: false, description: "Absent: every project.", ..projects::PROJECT },
        filter::STATE,
        filter::STATE_GROUP,
        filter::PRIORITY,
        filter::ASSIGNEE,
        filter::LABEL,
        filter::CYCLE,
        filter::MODULE,
        filter::CREATED_BY,
        filter::PARENT,
        filter::TEXT,
        filter::TARGET_BEFORE,
        filter::TARGET_AFTER,
        filter::UPDATED_SINCE,
        ORDER_BY,
        FIELDS,
        PER_PAGE,
        CURSOR,
    ],
    scope: READ,
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
        "priority",
        "-priority",
        "target_date",
        "-target_date",
    ]),
    required: false,
    description: "priority is urgent first.",
};

const FIELDS: Parameter = Parameter {
    name: "fields",
    shape: Shape::Choices(&[
        "name",
        "state",
        "priority",
        "assignees",
        "labels",
        "cycle",
        "modules",
        "parent",
        "start_date",
        "target_date",
        "created_by",
        "created_at",
        "updated_at",
        "completed_at",
        "description",
        "id",
    ]),
    required: false,
    description: "Default: name, state, priority, assignees, labels, target_date.",
};

const USUAL_FIELDS: &[&str] = &["name", "state", "priority", "assignees", "labels", "target_date"];
