//! What happened to a work item.

use serde::Serialize;

use super::work_items::{self, Located, locate, seconds};
use super::{Action, Call, Entry, Failure, READ, markdown, projects};
use crate::plane::path::{Path, Slug, WorkItemKey};
use crate::plane::shapes::work_item::Activity;
use crate::plane::shapes::{Page, Project, Reference};

/// `list_activity`
pub(super) const LIST_ACTIVITY: Entry = Entry {
    name: "list_activity",
    title: "List activity",
    description: "The history of one work item, newest first: who changed which field, from what to what, and when.",
    parameters: &[
        super::workspaces::WORKSPACE_SLUG,
        locate::WORK_ITEM,
        locate::ITS_PROJECT,
        work_items::PER_PAGE,
        work_items::CURSOR,
    ],
    scope: READ,
    action: Action::ListActivity,
};

/// Longest value shown.
const VALUE: usize = 200;
/// Fields whose values are whole documents.
const DOCUMENTS: [&str; 2] = ["description", "comment"];

/// A page of changes.
#[derive(Debug, Serialize)]
pub(super) struct Activities {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    activity: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// What was changed; `created` when that is the item itself.
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

/// The projects that may be shown, where not all may: what names an item of another is left out.
type Limits = Option<Vec<Project>>;

/// Lists one page.
pub(super) async fn list(call: &Call<'_>) -> Result<Activities, Failure> {
    let (slug, item) = locate::arguments(call).await?;
    let path = work_items::paged(path(&slug, &item), &call.arguments)?;
    let mut answer = ask(call, &slug, &item, path).await?;
    if answer.activity.is_empty() {
        locate::check(call, &slug, &item).await?;
    }
    answer.more = None;
    Ok(answer)
}

/// The newest changes, for an answer about the item; says where the rest is.
pub(super) async fn newest(
    call: &Call<'_>,
    slug: &Slug,
    item: &Located,
    most: u32,
) -> Result<Activities, Failure> {
    let path = path(slug, item).query("per_page", &most.to_string());
    let answer = ask(call, slug, item, path).await?;
    let more = answer.next_cursor.is_some().then_some("list_activity has the older ones");
    Ok(Activities { next_cursor: None, more, ..answer })
}

async fn ask(call: &Call<'_>, slug: &Slug, item: &Located, path: Path) -> Result<Activities, Failure> {
    let page: Page<Activity> = match call.plane.ask(call.caller, path).await {
        Ok(page) => page,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    let is_limited = call.policy.limits_projects(slug);
    let limits = if is_limited { Some(projects::known(call, slug).await?) } else { None };
    let (total, next_cursor) = (page.total_results, page.next());
    let activity = page.results.into_iter().map(|row| Row::of(row, &limits)).collect();
    Ok(Activities { total, activity, next_cursor, more: None })
}

fn path(slug: &Slug, item: &Located) -> Path {
    let path = locate::of_item(slug, item).literal("activities/").query("order_by", "-created_at");
    path.query("fields", "created_at,actor,verb,field,old_value,new_value").query("expand", "actor")
}

impl Row {
    fn of(activity: Activity, limits: &Limits) -> Self {
        let is_document = activity.field.as_deref().is_some_and(|field| DOCUMENTS.contains(&field));
        let value = |value: Option<String>| {
            let value = value.filter(|value| !is_document && !value.is_empty() && is_shown(value, limits))?;
            Some(markdown::cut(&value, VALUE))
        };
        let verb = activity.verb.filter(|verb| !verb.is_empty());
        Self {
            at: activity.created_at.map(seconds),
            actor: activity.actor.as_ref().and_then(Reference::label),
            from: value(activity.old_value),
            to: value(activity.new_value),
            field: activity.field.or(verb).unwrap_or_default(),
        }
    }
}

/// Whether a value may be shown: all but the identifiers of items in projects that are not.
fn is_shown(value: &str, limits: &Limits) -> bool {
    let (Some(known), Some(key)) = (limits, WorkItemKey::parse(value)) else { return true };
    known.iter().any(|project| project.identifier.as_deref() == Some(key.project.as_str()))
}
