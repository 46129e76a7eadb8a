//! Intake: requests that wait to become work items.

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::names::{Directory, Kind, Names};
use super::projects::Named;
use super::{Action, Call, Entry, Failure, READ, brief, kept, projects, users, work_items, workspaces};
use crate::plane::path::{Path, Slug};
use crate::plane::shapes::Page;
use crate::plane::shapes::intake::Request;

/// `list_intake`
pub(super) const LIST_INTAKE: Entry = Entry {
    name: "list_intake",
    title: "List intake requests",
    description: "The intake (triage inbox) of a project, newest first: requests and reports waiting to be accepted as work \
        items, or already decided, with who sent them in and when.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        projects::PROJECT,
        STATUS,
        work_items::PER_PAGE,
        work_items::CURSOR,
    ],
    scope: READ,
    action: Action::ListIntake,
};

const STATUS: Parameter = Parameter {
    name: "status",
    shape: Shape::Choices(&["pending", "snoozed", "accepted", "rejected", "duplicate"]),
    required: false,
    description: "",
};

const FIELDS: &str = "status,snoozed_till,source,created_at,created_by,issue_detail";
/// Plane's intake cannot be filtered: so many pages of so many requests are looked through.
const PAGES: usize = 5;
const PAGE: usize = 100;

/// A page of requests.
#[derive(Debug, Serialize)]
pub(super) struct Requests {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    requests: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    partly: Option<Partly>,
}

/// Said when there was more than was looked through; the total is then of what was.
#[derive(Debug, Serialize)]
struct Partly {
    searched: usize,
    complete: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snoozed_till: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// What was found of the requests.
struct Found {
    total: Option<u64>,
    requests: Vec<Request>,
    next_cursor: Option<String>,
    partly: Option<Partly>,
}

/// Lists one page, straight from Plane where everything is asked for.
pub(super) async fn list(call: &Call<'_>) -> Result<Requests, Failure> {
    let (slug, project) = projects::named(call).await?;
    let own = own_only(call, &slug, &project).await?;
    let statuses = call.arguments.choices(STATUS.name);
    let names = Names::new(call, &slug, Some(&project));
    let (found, names) = tokio::join!(
        async {
            if statuses.is_none() && own.is_none() {
                everything(call, &slug, &project).await
            } else {
                matching(call, &slug, &project, |request| {
                    let status = request.status.and_then(status);
                    let wanted =
                        statuses.is_none_or(|wanted| status.is_some_and(|has| wanted.contains(&has)));
                    wanted && own.as_ref().is_none_or(|me| request.created_by.as_ref() == Some(me))
                })
                .await
            }
        },
        names.directory(&[Kind::Member, Kind::Project])
    );
    let found = found?;
    let key = project.identifier.as_deref().or_else(|| names.project_identifier(project.id.as_str()));
    let row = |request| Row::of(request, key, &names);
    Ok(Requests {
        total: found.total,
        requests: found.requests.into_iter().map(row).collect(),
        next_cursor: found.next_cursor,
        partly: found.partly,
    })
}

fn path(slug: &Slug, project: &Named) -> Path {
    Path::project(slug, &project.id).literal("intake-issues/").query("fields", FIELDS)
}

async fn everything(call: &Call<'_>, slug: &Slug, project: &Named) -> Result<Found, Failure> {
    let path = work_items::paged(path(slug, project), &call.arguments)?;
    let page: Page<Request> = projects::ask(call, slug, project, path).await?;
    let next_cursor = page.next();
    Ok(Found { total: page.total_results, requests: page.results, next_cursor, partly: None })
}

async fn matching(
    call: &Call<'_>,
    slug: &Slug,
    project: &Named,
    wanted: impl Fn(&Request) -> bool,
) -> Result<Found, Failure> {
    let list = kept::pages(call, || path(slug, project), PAGE, PAGES, kept::KEEP).await;
    let (mut requests, complete) = match list {
        Ok(list) => list,
        Err(error) => return Err(projects::failure(call, error, slug, project).await),
    };
    let searched = requests.len();
    requests.retain(wanted);
    let total = u64::try_from(requests.len()).ok();
    let (requests, next_cursor) = work_items::slice(requests, &call.arguments)?;
    Ok(Found { total, requests, next_cursor, partly: (!complete).then_some(Partly { searched, complete }) })
}

/// The caller's id when they see only their own requests, as guests do in Plane's web application.
async fn own_only(call: &Call<'_>, slug: &Slug, project: &Named) -> Result<Option<String>, Failure> {
    let own_only = projects::shows_own_only(call, slug, project).await?;
    if own_only { Ok(Some(users::id(call).await?.as_str().to_owned())) } else { Ok(None) }
}

impl Row {
    fn of(request: Request, key: Option<&str>, names: &Directory) -> Self {
        let asked = request.issue_detail.unwrap_or_default();
        Self {
            identifier: key.zip(asked.sequence_id).map(|(key, number)| format!("{key}-{number}")),
            name: asked.name,
            status: request.status.and_then(status),
            snoozed_till: request.snoozed_till,
            priority: asked.priority.filter(|priority| priority != "none"),
            created_by: request.created_by.map(|id| names.member(&id).map_or(id.clone(), str::to_owned)),
            created_at: request.created_at,
            source: request.source,
            description: brief::text(asked.description_stripped, brief::OF_REQUEST),
        }
    }
}

/// Plane's status numbers in words.
fn status(number: i64) -> Option<&'static str> {
    match number {
        -2 => Some("pending"),
        -1 => Some("rejected"),
        0 => Some("snoozed"),
        1 => Some("accepted"),
        2 => Some("duplicate"),
        _ => None,
    }
}
