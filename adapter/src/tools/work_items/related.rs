//! What hangs on a work item: comments, links, history, relations, files, sub-items.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::filter::Filter;
use super::list::{self, WorkItems};
use super::locate::{self, Located, of_item};
use super::retrieve::INCLUDE;
use crate::caller::Credential;
use crate::plane::path::{Path, Slug, Uuid};
use crate::plane::shapes::work_item::{Attachment, Link, Related, Relations};
use crate::plane::shapes::{Page, Rows, WorkItem};
use crate::tools::activity::{self, Activities};
use crate::tools::comments::{self, Comments};
use crate::tools::names::{Directory, Kind, Names};
use crate::tools::{Call, Failure, projects};

/// The newest comments and changes that come with an item; the tools for them have the rest.
const NEWEST: u32 = 10;
/// Links that come with an item.
const LINKS: &str = "100";
/// Items a project is looked through for those that are related, with an API key.
const LOOKED_AT: &str = "1000";

/// What was asked for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Included {
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<Comments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<LinkRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relations: Option<BTreeMap<String, Vec<RelatedRow>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<Vec<FileRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_items: Option<WorkItems>,
}

#[derive(Debug, Serialize)]
struct LinkRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Debug, Serialize)]
struct RelatedRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Only of an item that cannot be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

#[derive(Debug, Serialize)]
struct FileRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<f64>,
}

/// Asks for everything at the same time.
pub(super) async fn included(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<Included, Failure> {
    let wanted = call.arguments.choices(INCLUDE.name).unwrap_or_default();
    let has = |name: &str| wanted.contains(&name);
    let (comments, links, activity, relations, attachments, sub_items) = tokio::try_join!(
        when(has("comments"), comments::newest(call, slug, item, NEWEST)),
        when(has("links"), links(call, slug, item)),
        when(has("activity"), activity::newest(call, slug, item, NEWEST)),
        when(has("relations"), relations(call, slug, item)),
        when(has("attachments"), attachments(call, slug, item)),
        when(has("sub_items"), sub_items(call, slug, item)),
    )?;
    Ok(Included { comments, links, activity, relations, attachments, sub_items })
}

async fn when<T>(
    wanted: bool,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    // Boxed: they all wait side by side, and most are not wanted.
    if wanted { Box::pin(answer).await.map(Some) } else { Ok(None) }
}

async fn links(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<Vec<LinkRow>, Failure> {
    let path = of_item(slug, item).literal("links/").query("per_page", LINKS).query("fields", "title,url");
    let page: Page<Link> = match call.plane.ask(call.caller, path).await {
        Ok(page) => page,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    let row = |link: Link| LinkRow { title: link.title.filter(|title| !title.is_empty()), url: link.url };
    Ok(page.results.into_iter().map(row).collect())
}

async fn attachments(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<Vec<FileRow>, Failure> {
    let path = of_item(slug, item).literal("attachments/");
    let rows: Rows<Attachment> = match call.plane.ask(call.caller, path).await {
        Ok(rows) => rows,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    let row = |file: Attachment| {
        let about = file.attributes;
        FileRow {
            name: about.name,
            media_type: about.media_type.filter(|kind| !kind.is_empty()),
            bytes: about.size,
        }
    };
    Ok(rows.into_rows().into_iter().map(row).collect())
}

/// The first sub-items the user can see, wherever they are; `list_work_items` with `parent` has all. With an API key Plane has no such list: the item's project is looked
/// through.
async fn sub_items(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<WorkItems, Failure> {
    let filter = Filter::children_of(&item.id);
    let project = match call.caller.credential {
        Credential::Identity(_) => None,
        Credential::ApiKey(_) => Some(&item.project),
    };
    let fields = vec!["name", "state", "assignees", "priority", "target_date"];
    Ok(list::matching(call, slug, project, &filter, fields).await?.without_cursor())
}

/// The related items, by kind of relation. Plane lists them without asking whether the user can see them, so what is in
/// a project the user has not joined, or that is not shown, is left out.
async fn relations(
    call: &Call<'_>,
    slug: &Slug,
    item: &Located,
) -> Result<BTreeMap<String, Vec<RelatedRow>>, Failure> {
    let is_signed_in = matches!(call.caller.credential, Credential::Identity(_));
    let path = if is_signed_in {
        let path = Path::app("workspaces/").part(slug.as_str()).literal("projects/");
        let path = path.part(item.project.id.as_str()).literal("issues/");
        path.part(item.id.as_str()).literal("issue-relation/")
    } else {
        of_item(slug, item).literal("relations/")
    };
    let mut relations: Relations = match call.plane.ask(call.caller, path).await {
        Ok(relations) => relations,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    relations.retain(|_, rows| !rows.is_empty());
    if relations.is_empty() {
        return Ok(BTreeMap::new());
    }
    let identifiers = joined(call, slug).await?;
    let names = Naming::of(call, slug, item, &relations, is_signed_in).await?;
    let row = |related: Related| names.row(related, &identifiers);
    let named = relations.into_iter().map(|(kind, rows)| (kind, rows.into_iter().filter_map(row).collect()));
    Ok(named.filter(|(_, rows): &(String, Vec<RelatedRow>)| !rows.is_empty()).collect())
}

/// Identifiers, by id, of the projects the user has joined and the operator shows.
async fn joined(call: &Call<'_>, slug: &Slug) -> Result<HashMap<String, String>, Failure> {
    let known = projects::known(call, slug).await?;
    let joined = known.into_iter().filter(|project| project.is_member == Some(true));
    Ok(joined.filter_map(|project| Some((project.id?, project.identifier?))).collect())
}

/// What related items are called.
#[derive(Debug, Default)]
struct Naming {
    directory: Directory,
    /// Items of the same project, by id.
    items: HashMap<String, WorkItem>,
}

impl Naming {
    async fn of(
        call: &Call<'_>,
        slug: &Slug,
        item: &Located,
        relations: &Relations,
        is_signed_in: bool,
    ) -> Result<Self, Failure> {
        let own = Some(item.project.id.as_str());
        let mut rows = relations.values().flatten();
        if is_signed_in {
            let is_one = rows.all(|row| row.project_id.as_deref() == own);
            let project = Some(&item.project).filter(|_| is_one);
            let directory = Names::new(call, slug, project).directory(&[Kind::State]).await;
            return Ok(Self { directory, ..Self::default() });
        }
        if !rows.any(|row| row.project_id.as_deref() == own) {
            return Ok(Self::default());
        }
        let path = Path::project(slug, &item.project.id).literal("work-items/").query("per_page", LOOKED_AT);
        let path = path.query("fields", "id,sequence_id,name,state").query("expand", "state");
        let page: Page<WorkItem> = match call.plane.ask(call.caller, path).await {
            Ok(page) => page,
            Err(error) => return Err(locate::failure(call, error, slug, item).await),
        };
        let items = page.results.into_iter().filter_map(|item| Some((item.id.clone()?, item)));
        Ok(Self { items: items.collect(), ..Self::default() })
    }

    fn row(&self, related: Related, identifiers: &HashMap<String, String>) -> Option<RelatedRow> {
        let project = identifiers.get(related.project_id.as_deref()?)?;
        let id = related.id.or(related.issue_id).filter(|id| Uuid::parse(id).is_some())?;
        let item = self.items.get(&id);
        let number = related.sequence_id.or_else(|| item?.sequence_id);
        let state = related
            .state_id
            .map(|id| self.directory.state(&id).map_or(id.clone(), |state| state.name.clone()));
        Some(RelatedRow {
            identifier: number.map(|number| format!("{project}-{number}")),
            name: related.name.or_else(|| item?.name.clone()),
            state: state.or_else(|| item?.state.as_ref()?.label()),
            id: Some(id).filter(|_| number.is_none()),
            project: Some(project.clone()).filter(|_| number.is_none()),
        })
    }
}
