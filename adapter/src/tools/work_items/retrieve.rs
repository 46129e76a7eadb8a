//! One work item in full, and what hangs on it.

use serde::Serialize;

use super::locate::{self, ITS_PROJECT, Located, Reference, WORK_ITEM};
use super::related::{self, Included};
use super::row::{Known, Row, kinds};
use crate::caller::Credential;
use crate::plane::path::{Path, Slug};
use crate::plane::shapes::WorkItem;
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::names::Names;
use crate::tools::{Action, Call, Entry, Failure, READ, markdown, workspaces};

/// `retrieve_work_item`
pub(in crate::tools) const RETRIEVE_WORK_ITEM: Entry = Entry {
    name: "retrieve_work_item",
    title: "Retrieve a work item",
    description: "Everything about one work item (issue, task, bug, ticket): its status, description as Markdown, \
        assignees, dates, cycle; on request its comments, links, history, blocking and other relations, files, \
        sub-items.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        WORK_ITEM,
        ITS_PROJECT,
        INCLUDE,
        Parameter {
            name: FROM,
            shape: Shape::Integer { least: 0, most: 100_000_000, default: 0 },
            required: false,
            description: "",
        },
    ],
    scope: READ,
    action: Action::RetrieveWorkItem,
};

pub(super) const INCLUDE: Parameter = Parameter {
    name: "include",
    shape: Shape::Choices(&["comments", "links", "activity", "relations", "attachments", "sub_items"]),
    required: false,
    description: "",
};

const FROM: &str = "description_from";
/// Characters of a description in one answer; few are longer.
const DESCRIPTION: usize = 8000;
/// What the public API expands.
const EXPAND: &str = "assignees,created_by,labels,parent,project,state";
const ALL: &[&str] = &["state", "labels", "assignees", "created_by"];

/// A work item in full.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Item {
    #[serde(flatten)]
    row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    /// How much there is to include.
    #[serde(skip_serializing_if = "Counts::is_empty")]
    counts: Counts,
    #[serde(flatten)]
    included: Included,
}

#[derive(Debug, Serialize)]
struct Counts {
    #[serde(skip_serializing_if = "is_zero")]
    sub_items: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    links: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    attachments: Option<u64>,
}

impl Counts {
    fn is_empty(&self) -> bool {
        is_zero(&self.sub_items) && is_zero(&self.links) && is_zero(&self.attachments)
    }
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn is_zero(count: &Option<u64>) -> bool {
    count.is_none_or(|count| count == 0)
}

/// Retrieves it: one request for the item, and one at the same time for each thing included.
pub(in crate::tools) async fn retrieve(call: &Call<'_>) -> Result<Item, Failure> {
    let slug = workspaces::resolve(call)?;
    let reference = Reference::read(call, &slug).await?;
    let is_signed_in = matches!(call.caller.credential, Credential::Identity(_));
    let item = ask(call, &slug, &reference, is_signed_in).await?;
    let located = located(&item, &reference)?;
    let (known, parent, included) = tokio::join!(
        known(call, &slug, &item, &located, is_signed_in),
        parent(call, &slug, &item, &located, is_signed_in),
        related::included(call, &slug, &located),
    );
    Ok(Item::of(item, &known, parent, included?, call))
}

/// The item itself: in the application's words for signed-in users, because only these say cycle and modules.
async fn ask(
    call: &Call<'_>,
    slug: &Slug,
    reference: &Reference,
    is_signed_in: bool,
) -> Result<WorkItem, Failure> {
    let application = || Path::app("workspaces/").part(slug.as_str());
    let path = match (reference, is_signed_in) {
        (Reference::Key(key, _), true) => application().literal("work-items/").part(&key.to_string()),
        (Reference::Key(key, _), false) => locate::by_key(slug, key).query("expand", EXPAND),
        (Reference::Id(id, project), true) => locate::in_application(slug, project, id),
        (Reference::Id(id, project), false) => {
            let path = Path::project(slug, &project.id).literal("work-items/");
            path.part(id.as_str()).query("expand", EXPAND)
        }
    };
    let error = match call.plane.ask(call.caller, path).await {
        Ok(item) => return Ok(item),
        Err(error) => error,
    };
    Err(match reference {
        Reference::Key(key, _) => locate::refused(call, error, slug, key).await,
        Reference::Id(id, project) => {
            let label = id.as_str().to_owned();
            let item = Located { id: id.clone(), project: project.clone(), label, is_known: false };
            locate::failure(call, error, slug, &item).await
        }
    })
}

fn located(item: &WorkItem, reference: &Reference) -> Result<Located, Failure> {
    match reference {
        Reference::Id(id, project) => {
            let label = id.as_str().to_owned();
            Ok(Located { id: id.clone(), project: project.clone(), label, is_known: true })
        }
        Reference::Key(key, only) => Located::of(item, key, only.as_ref()),
    }
}

/// Names for what the item holds as ids.
async fn known<'k>(
    call: &Call<'_>,
    slug: &Slug,
    item: &WorkItem,
    located: &'k Located,
    is_signed_in: bool,
) -> Known<'k> {
    let project = located.project.identifier.as_deref();
    let project_id = Some(located.project.id.as_str());
    let is_limited = call.policy.limits_projects(slug);
    if !is_signed_in {
        return Known { project, project_id, is_limited, ..Known::default() };
    }
    let mut fields = ALL.to_vec();
    fields.retain(|field| *field != "labels" || !item.labelled().is_empty());
    if item.cycle_id.is_some() {
        fields.push("cycle");
    }
    if item.module_ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
        fields.push("modules");
    }
    let mut kinds = kinds(&fields);
    if project.is_none() {
        kinds.push(crate::tools::names::Kind::Project);
    }
    let directory = Names::new(call, slug, Some(&located.project)).directory(&kinds).await;
    Known { directory, project, project_id, is_limited, ..Known::default() }
}

/// The parent's own row, where the item says only its id: one small request in the item's project.
async fn parent(
    call: &Call<'_>,
    slug: &Slug,
    item: &WorkItem,
    located: &Located,
    is_signed_in: bool,
) -> Option<WorkItem> {
    let id = item.parent_id.as_deref().filter(|_| is_signed_in)?;
    let path = Path::app("workspaces/").part(slug.as_str()).literal("projects/");
    let path = path.part(located.project.id.as_str()).literal("issues/list/").query("issues", id);
    let rows: Vec<WorkItem> = call.plane.ask(call.caller, path).await.ok()?;
    rows.into_iter().find(|row| row.id.as_deref() == Some(id))
}

impl Item {
    fn of(
        mut item: WorkItem,
        known: &Known<'_>,
        parent: Option<WorkItem>,
        included: Included,
        call: &Call<'_>,
    ) -> Self {
        let from = call.arguments.integer(FROM).and_then(|from| usize::try_from(from).ok()).unwrap_or(0);
        let html = item.description_html.take().unwrap_or_default();
        let text = markdown::of_html(&html);
        let text = markdown::name_mentions(&text, |id| known.directory.member(id));
        let description = markdown::part(&text, from, DESCRIPTION, FROM);
        let archived_at = item.archived_at.take();
        let counts = Counts {
            // Plane counts those in every project.
            sub_items: item.sub_issues_count.filter(|_| !known.is_limited),
            links: item.link_count,
            attachments: item.attachment_count,
        };
        let parent_key = parent.as_ref().and_then(|parent| known.key(parent));
        let mut row = Row::of(item, known);
        row.parent = parent_key.or(row.parent);
        row.description = Some(description).filter(|text| !text.is_empty());
        Self { row, parent_name: parent.and_then(|parent| parent.name), archived_at, counts, included }
    }
}
