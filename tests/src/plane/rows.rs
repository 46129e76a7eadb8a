//! What every list and every single row share: the query, `fields`, `expand` and `order_by`.

use std::cmp::Ordering;

use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::{Answer, Outcome};
use super::pages::Page;
use super::world::{Project, World, text};

/// A decoded query string.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The last value given for `name`: the one that counts.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A comma-separated parameter; empty when it is absent.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let value = self.last(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
    }
}

/// Where a row stands: what its ids are looked up in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'world> {
    pub(super) world: &'world World,
    pub(super) slug: &'world str,
    /// None for rows of the workspace itself.
    pub(super) project: Option<&'world Project>,
}

impl Scope<'_> {
    /// A page of rows in its envelope.
    pub(super) fn page(self, rows: Vec<Value>, query: &Query) -> Outcome {
        let page = Page::asked(query)?;
        Ok(Answer::ok(page.envelope(self.shaped(rows, query))))
    }

    /// The row with this id.
    pub(super) fn one(self, rows: &[Value], id: &str, query: &Query) -> Outcome {
        let row = rows.iter().find(|row| text(row, "id") == id).ok_or_else(Answer::no_row)?;
        Ok(Answer::ok(self.shape(row.clone(), query)))
    }

    /// Every row with `fields` and `expand` applied.
    pub(super) fn shaped(self, rows: Vec<Value>, query: &Query) -> Vec<Value> {
        rows.into_iter().map(|row| self.shape(row, query)).collect()
    }

    /// One row with `fields` and `expand` applied; unknown names are ignored.
    pub(super) fn shape(self, mut row: Value, query: &Query) -> Value {
        let (fields, expand) = (query.list("fields"), query.list("expand"));
        if let Some(row) = row.as_object_mut() {
            row.retain(|key, _| fields.is_empty() || fields.contains(&key.as_str()));
            for field in expand {
                if let Some(value) = row.get(field) {
                    let expanded = self.expanded(field, value);
                    row.insert(field.to_owned(), expanded);
                }
            }
        }
        row
    }

    fn expanded(self, field: &str, value: &Value) -> Value {
        let id = value.as_str();
        match field {
            "created_by" | "updated_by" | "project_lead" | "default_assignee" | "actor" | "owned_by" => {
                or_empty(id.and_then(|id| self.world.user(id)).map(|user| user.lite()))
            }
            "assignees" | "members" => self.users(value),
            "labels" => self.labels(value),
            "state" => self.pick(|project| &project.states, id, &["id", "name", "color", "group"]),
            "parent" | "issue" => {
                let mut item = self.pick(|project| &project.items, id, &["id", "sequence_id"]);
                if let (Some(item), Some(project)) =
                    (item.as_object_mut().filter(|item| !item.is_empty()), self.project)
                {
                    item.insert("project_id".to_owned(), json!(project.id()));
                }
                item
            }
            "project" => or_empty(self.project.map(|project| {
                let keys = [
                    "id",
                    "identifier",
                    "name",
                    "cover_image",
                    "icon_prop",
                    "emoji",
                    "description",
                    "cover_image_url",
                ];
                picked(&project.row, &keys)
            })),
            "workspace" => {
                let workspace = self.world.workspace(self.slug);
                or_empty(workspace.map(|workspace| picked(&workspace.row, &["name", "slug", "id"])))
            }
            // Not expandable: Plane then answers the field's `_id` attribute, which only references have.
            _ => id.filter(|id| super::route::is_uuid(id)).map_or(Value::Null, |id| json!(id)),
        }
    }

    fn users(self, ids: &Value) -> Value {
        let users = self.world.users.iter().filter(|user| contains(ids, &user.id));
        Value::Array(users.map(|user| user.lite()).collect())
    }

    fn labels(self, ids: &Value) -> Value {
        let labels = self.project.map(|project| project.labels.as_slice()).unwrap_or_default();
        Value::Array(labels.iter().filter(|label| contains(ids, text(label, "id"))).cloned().collect())
    }

    fn pick(self, rows: fn(&Project) -> &Vec<Value>, id: Option<&str>, keys: &[&str]) -> Value {
        let rows = self.project.map(|project| rows(project).as_slice()).unwrap_or_default();
        or_empty(rows.iter().find(|row| Some(text(row, "id")) == id).map(|row| picked(row, keys)))
    }
}

/// Sorts by a field of the row as a database would (`-` reverses; no value counts as the largest). An unknown field is Plane's
/// server error.
pub(super) fn order_raw(rows: &mut [Value], order_by: &str) -> Result<(), Answer> {
    let (field, back) = direction(order_by);
    if rows.first().is_some_and(|row| row.get(field).is_none()) {
        return Err(Answer::crashed());
    }
    rows.sort_by(|a, b| turned(compare(a.get(field), b.get(field)), back));
    Ok(())
}

/// Sorts by the place of a row in a logical order, such as that of priorities.
pub(super) fn order_ranked(rows: &mut [Value], back: bool, rank: impl Fn(&Value) -> usize) {
    rows.sort_by(|a, b| turned(rank(a).cmp(&rank(b)), back));
}

/// The field and whether it is ordered downwards.
pub(super) fn direction(order_by: &str) -> (&str, bool) {
    match order_by.strip_prefix('-') {
        Some(field) => (field, true),
        None => (order_by, false),
    }
}

fn turned(ordering: Ordering, back: bool) -> Ordering {
    if back { ordering.reverse() } else { ordering }
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a.unwrap_or(&Value::Null), b.unwrap_or(&Value::Null)) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()),
    }
}

fn contains(ids: &Value, id: &str) -> bool {
    ids.as_array().is_some_and(|ids| ids.iter().any(|one| one.as_str() == Some(id)))
}

fn picked(row: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), row.get(*key).cloned().unwrap_or_default())).collect()
}

/// An expanded reference to nothing is an empty object.
fn or_empty(value: Option<Value>) -> Value {
    value.unwrap_or_else(|| json!({}))
}
