//! The order of the app API's lists of work items, oddities included: nothing comes last both ways, `priority` begins with none and
//! `-priority` with urgent, and both ways of `state__group` begin with the backlog.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::answer::Answer;
use super::super::rows::direction;
use super::super::world::{Project, World, text};

/// Most urgent first.
const PRIORITIES: [&str; 5] = ["urgent", "high", "medium", "low", "none"];
/// The way a work item goes.
const STATE_GROUPS: [&str; 5] = ["backlog", "unstarted", "started", "completed", "cancelled"];
/// What a workspace's list may be ordered by; anything else is its default order there.
const IN_WORKSPACE: [&str; 20] = [
    "name",
    "priority",
    "sequence_id",
    "sort_order",
    "start_date",
    "target_date",
    "completed_at",
    "archived_at",
    "is_draft",
    "created_at",
    "updated_at",
    "state__name",
    "state__group",
    "labels__name",
    "assignees__first_name",
    "issue_module__module__name",
    "created_by__first_name",
    "sub_issues_count",
    "attachment_count",
    "link_count",
];

/// Sorts a project's rows; an unknown field is Plane's server error.
pub(super) fn in_project(world: &World, rows: &mut Vec<Value>, order_by: &str) -> Result<(), Answer> {
    let (field, back) = direction(order_by);
    let known = IN_WORKSPACE.contains(&field) || rows.first().is_none_or(|row| row.get(field).is_some());
    if !known {
        return Err(Answer::crashed());
    }
    let back = match field {
        "priority" => !back,
        "state__group" => false,
        _ => back,
    };
    let mut keyed: Vec<(Key, Value)> = rows.drain(..).map(|row| (Key::of(world, &row, field), row)).collect();
    keyed.sort_by(|(a, a_row), (b, b_row)| {
        a.compare(b, back).then_with(|| text(b_row, "created_at").cmp(text(a_row, "created_at")))
    });
    rows.extend(keyed.into_iter().map(|(_, row)| row));
    Ok(())
}

/// Sorts a workspace's rows.
pub(super) fn in_workspace(world: &World, rows: &mut Vec<Value>, order_by: &str) -> Result<(), Answer> {
    let known = IN_WORKSPACE.contains(&direction(order_by).0);
    in_project(world, rows, if known { order_by } else { "-created_at" })
}

/// What a row is ordered by.
enum Key {
    Nothing,
    Number(f64),
    Text(String),
}

impl Key {
    fn of(world: &World, row: &Value, field: &str) -> Self {
        let project = world.projects.iter().find(|project| project.id() == text(row, "project_id"));
        let ranked = |order: &[&str], name: &str| {
            order
                .iter()
                .position(|one| *one == name)
                .map_or(Self::Nothing, |place| Self::Text(place.to_string()))
        };
        let user_name = |id: &str| world.user(id).map(|user| user.first_name.clone());
        match field {
            "priority" => ranked(&PRIORITIES, text(row, "priority")),
            "state__group" => ranked(&STATE_GROUPS, text(row, "state__group")),
            "state__name" => first([text(row, "state_id")], |id| name_in(project, |one| &one.states, id)),
            "labels__name" => first(ids(row, "label_ids"), |id| name_in(project, |one| &one.labels, id)),
            "assignees__first_name" => first(ids(row, "assignee_ids"), user_name),
            "created_by__first_name" => first([text(row, "created_by")], user_name),
            "issue_module__module__name" => {
                first(ids(row, "module_ids"), |id| name_in(project, |one| &one.modules, id))
            }
            _ => match row.get(field) {
                Some(Value::String(value)) => Self::Text(value.clone()),
                Some(Value::Number(value)) => value.as_f64().map_or(Self::Nothing, Self::Number),
                Some(Value::Bool(value)) => Self::Number(f64::from(u8::from(*value))),
                _ => Self::Nothing,
            },
        }
    }

    fn compare(&self, other: &Self, back: bool) -> Ordering {
        let turned = |ordering: Ordering| if back { ordering.reverse() } else { ordering };
        match (self, other) {
            (Self::Nothing, Self::Nothing) => Ordering::Equal,
            (Self::Nothing, _) => Ordering::Greater,
            (_, Self::Nothing) => Ordering::Less,
            (Self::Number(a), Self::Number(b)) => turned(a.total_cmp(b)),
            (Self::Text(a), Self::Text(b)) => turned(a.cmp(b)),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// The alphabetically first name of several things.
fn first<'a>(ids: impl IntoIterator<Item = &'a str>, name: impl Fn(&str) -> Option<String>) -> Key {
    ids.into_iter().filter_map(name).min().map_or(Key::Nothing, Key::Text)
}

fn ids<'a>(row: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    row.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn name_in(project: Option<&Project>, rows: fn(&Project) -> &Vec<Value>, id: &str) -> Option<String> {
    let row = rows(project?).iter().find(|row| text(row, "id") == id)?;
    Some(text(row, "name").to_owned())
}
