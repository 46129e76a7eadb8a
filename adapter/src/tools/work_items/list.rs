//! Lists of work items: where the rows come from, which filters Plane applies there, and which are applied here.

use serde::Serialize;

use super::filter::Filter;
use super::page::{paged, slice};
use super::row::{Known, Row, kinds};
use super::{FIELDS, ORDER_BY, USUAL_FIELDS};
use crate::caller::Credential;
use crate::plane::path::{Path, Slug, Uuid};
use crate::plane::shapes::{Page, WorkItem};
use crate::tools::names::{Directory, Kind, Names};
use crate::tools::projects::{self, Named};
use crate::tools::{Call, Code, Failure, workspaces};

/// Rows a page while looking through a list.
const SCAN: usize = 100;
/// Pages looked through at most: a minute of an API key's requests allows a dozen such calls.
const SCANS: usize = 5;
/// Fields that are ids unless Plane is asked to expand them.
const EXPANDABLE: [&str; 6] = ["assignees", "created_by", "labels", "parent", "project", "state"];
const PRIORITIES: [&str; 5] = ["urgent", "high", "medium", "low", "none"];

/// A page of work items.
#[derive(Debug, Default, Serialize)]
pub(in crate::tools) struct WorkItems {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// How many were looked at, when that was not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    searched: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    work_items: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl WorkItems {
    /// The same for an answer that has no pages of its own.
    pub(super) fn without_cursor(self) -> Self {
        Self { next_cursor: None, ..self }
    }
}

/// A list of Plane's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// The application's list of the workspace: ids, and every filter.
    Workspace,
    /// The application's list of a project: ids, and every filter.
    Project,
    /// The public API's list of a project: names, no filters.
    Public,
    /// The public API's list of a cycle.
    PublicCycle(Uuid),
    /// The public API's list of a module.
    PublicModule(Uuid),
}

/// One list, asked for.
#[derive(Debug)]
struct Search<'s> {
    call: &'s Call<'s>,
    slug: &'s Slug,
    project: Option<&'s Named>,
    source: Source,
    filter: &'s Filter,
    fields: Vec<&'static str>,
    /// Projects a list of the workspace is restricted to.
    only: Option<Vec<String>>,
}

/// Rows, before they are made readable.
#[derive(Debug, Default)]
struct Found {
    total: Option<u64>,
    searched: Option<usize>,
    items: Vec<WorkItem>,
    next_cursor: Option<String>,
}

/// Lists one page.
pub(in crate::tools) async fn list(call: &Call<'_>) -> Result<WorkItems, Failure> {
    let slug = workspaces::resolve(call)?;
    let project = match call.arguments.text(projects::PROJECT.name) {
        Some(text) => Some(projects::resolve(call, &slug, text).await?),
        None => None,
    };
    if project.is_none() && matches!(call.caller.credential, Credential::ApiKey(_)) {
        return Err(Failure {
            hint: "Pass project; use list_projects for the identifiers, and call once for each.".to_owned(),
            ..Failure::of(Code::ProjectRequired, "With an API key work items are listed by project.")
        });
    }
    let filter = Filter::read(call, &slug, project.as_ref()).await?;
    let fields = call.arguments.choices(FIELDS.name).unwrap_or(USUAL_FIELDS).to_vec();
    matching(call, &slug, project.as_ref(), &filter, fields).await
}

/// The items a filter takes, a page of them.
pub(super) async fn matching(
    call: &Call<'_>,
    slug: &Slug,
    project: Option<&Named>,
    filter: &Filter,
    fields: Vec<&'static str>,
) -> Result<WorkItems, Failure> {
    let source = source(call, slug, project, filter, &fields).await?;
    let only = match source {
        Source::Workspace if call.policy.limits_projects(slug) => Some(joined(call, slug).await?),
        _ => None,
    };
    if only.as_ref().is_some_and(Vec::is_empty) {
        return Ok(WorkItems { total: Some(0), ..WorkItems::default() });
    }
    let search = Search { call, slug, project, source, filter, fields, only };
    let found = if search.is_planes() { search.page().await? } else { search.look_through().await? };
    search.shown(found).await
}

/// Ids of the projects the user has joined and the operator shows.
async fn joined(call: &Call<'_>, slug: &Slug) -> Result<Vec<String>, Failure> {
    let known = projects::known(call, slug).await?;
    let joined = known.into_iter().filter(|project| project.is_member == Some(true));
    Ok(joined.filter_map(|project| project.id).collect())
}

/// Which list has what is wanted. The public API gives names in one request, but knows neither filters nor what cycle and
/// modules an item is in; the application's API takes no keys.
async fn source(
    call: &Call<'_>,
    slug: &Slug,
    project: Option<&Named>,
    filter: &Filter,
    fields: &[&str],
) -> Result<Source, Failure> {
    let planned = fields.contains(&"cycle") || fields.contains(&"modules");
    if let Credential::Identity(_) = call.caller.credential {
        if let Some(project) = project
            && filter.is_empty()
            && !planned
            && !projects::shows_own_only(call, slug, project).await?
        {
            return Ok(Source::Public);
        }
        if fields.contains(&"description") {
            return Err(Failure {
                hint: "Leave description out and use retrieve_work_item, or list a project without filters."
                    .to_owned(),
                ..Failure::argument("Plane gives no descriptions together with filters, cycle or modules")
            });
        }
        return Ok(if project.is_some() { Source::Project } else { Source::Workspace });
    }
    let signed_in = |what: &str| {
        Err(Failure::of(Code::CredentialUnsupported, format!("Plane does not tell an API key {what}.")))
    };
    match (filter.cycle.only(), filter.module.only()) {
        _ if planned => signed_in("which cycle and modules an item is in"),
        (None, _) if !filter.cycle.is_empty() => signed_in("which items are in no cycle"),
        (_, None) if !filter.module.is_empty() => signed_in("which items are in no module"),
        (Some(_), Some(_)) => signed_in("what is in a cycle and a module at once"),
        (Some(cycle), None) => Ok(Source::PublicCycle(cycle.clone())),
        (None, Some(module)) => Ok(Source::PublicModule(module.clone())),
        (None, None) => Ok(Source::Public),
    }
}

impl Search<'_> {
    fn order(&self) -> &str {
        self.call.arguments.text(ORDER_BY.name).unwrap_or("-created_at")
    }

    fn is_application(&self) -> bool {
        matches!(self.source, Source::Project | Source::Workspace)
    }

    /// Whether Plane filters and orders: then its pages are the answer's.
    fn is_planes(&self) -> bool {
        match self.source {
            Source::Project | Source::Workspace => self.filter.is_planes(),
            Source::Public => self.filter.is_empty(),
            // There the order of priorities is that of the alphabet.
            Source::PublicCycle(_) | Source::PublicModule(_) => {
                self.filter.is_only_grouped() && !self.is_by_priority()
            }
        }
    }

    fn is_grouped(&self) -> bool {
        matches!(self.source, Source::PublicCycle(_) | Source::PublicModule(_))
    }

    fn is_by_priority(&self) -> bool {
        self.order().ends_with("priority")
    }

    /// The list without paging.
    fn path(&self) -> Option<Path> {
        let application = || Path::app("workspaces/").part(self.slug.as_str());
        let id = self.project.map(|project| &project.id);
        let public = || Some(Path::project(self.slug, id?));
        let path = match &self.source {
            Source::Workspace => {
                let path = application().literal("issues/");
                self.only.iter().fold(path, |path, ids| path.query("project", &ids.join(",")))
            }
            Source::Project => application().literal("projects/").part(id?.as_str()).literal("issues/"),
            Source::Public => public()?.literal("work-items/"),
            Source::PublicCycle(cycle) => {
                public()?.literal("cycles/").part(cycle.as_str()).literal("cycle-issues/")
            }
            Source::PublicModule(module) => {
                public()?.literal("modules/").part(module.as_str()).literal("module-issues/")
            }
        };
        if self.is_application() {
            // The application's order by priority is the other way round.
            let order = match self.order() {
                "priority" => "-priority",
                "-priority" => "priority",
                other => other,
            };
            return Some(self.filter.asked(path.query("order_by", order), self.source == Source::Project));
        }
        let fields = self.asked_fields();
        let expand: Vec<&str> = EXPANDABLE.into_iter().filter(|field| fields.contains(field)).collect();
        let order = if self.is_grouped() && self.is_by_priority() { "-created_at" } else { self.order() };
        let path = path.query("order_by", order).query("fields", &fields.join(","));
        Some(if expand.is_empty() { path } else { path.query("expand", &expand.join(",")) })
    }

    /// Fields to ask the public API for: those that are shown, and those that are looked at here.
    fn asked_fields(&self) -> Vec<&'static str> {
        let mut fields = self.fields.clone();
        fields.push("sequence_id");
        if !self.is_planes() {
            fields.extend([
                "name",
                "state",
                "priority",
                "assignees",
                "labels",
                "created_by",
                "parent",
                "target_date",
                "updated_at",
            ]);
        }
        // The project is needed for the key, when it was named by id.
        if self.project.is_some_and(|project| project.identifier.is_none()) {
            fields.push("project");
        }
        let mut asked: Vec<&'static str> = Vec::new();
        for field in fields {
            let field = if field == "description" { "description_html" } else { field };
            if !asked.contains(&field) {
                asked.push(field);
            }
        }
        asked
    }

    async fn ask(&self, path: Path) -> Result<Page<WorkItem>, Failure> {
        match (self.call.plane.ask(self.call.caller, path).await, self.project) {
            (Ok(page), _) => Ok(page),
            (Err(error), Some(project)) => Err(projects::failure(self.call, error, self.slug, project).await),
            (Err(error), None) => Err(workspaces::failure(error, self.slug)),
        }
    }

    fn unpaged(&self) -> Result<Path, Failure> {
        self.path().ok_or_else(|| Failure::of(Code::ProjectRequired, "Which project?"))
    }

    /// One page, as Plane cuts it.
    async fn page(&self) -> Result<Found, Failure> {
        let page = self.ask(paged(self.unpaged()?, &self.call.arguments)?).await?;
        let next_cursor = page.next();
        if self.is_application() && !page.results.iter().all(|item| self.filter.agrees(item)) {
            let what = "This Plane does not apply these filters; its answer was not used.";
            return Err(Failure::of(Code::Unexpected, what));
        }
        Ok(Found { total: page.total_results, searched: None, items: page.results, next_cursor })
    }

    /// A page of what is wanted among the first pages of a list.
    async fn look_through(&self) -> Result<Found, Failure> {
        let (mut items, mut searched, mut is_complete) = (Vec::new(), 0, false);
        for page in 0..SCANS {
            let path = self.unpaged()?.query("per_page", &SCAN.to_string());
            let path = if page == 0 { path } else { path.query("cursor", &format!("{SCAN}:{page}:0")) };
            let rows = self.ask(path).await?;
            is_complete = !rows.next_page_results;
            searched += rows.results.len();
            items.extend(rows.results.into_iter().filter(|item| self.filter.takes(item)));
            if is_complete {
                break;
            }
        }
        if self.is_grouped() && self.is_by_priority() {
            self.sort(&mut items);
        }
        let total = is_complete.then_some(items.len() as u64);
        let (items, next_cursor) = slice(items, &self.call.arguments)?;
        Ok(Found { total, searched: (!is_complete).then_some(searched), items, next_cursor })
    }

    /// Orders the items of a cycle or module by priority, where Plane knows only the alphabet; they came newest first.
    fn sort(&self, items: &mut [WorkItem]) {
        let rank = |item: &WorkItem| {
            let priority = item.priority.as_deref();
            PRIORITIES.iter().position(|one| Some(*one) == priority).unwrap_or(PRIORITIES.len())
        };
        items.sort_by_key(rank);
        if self.order().starts_with('-') {
            items.reverse();
        }
    }

    /// Makes the rows readable.
    async fn shown(&self, found: Found) -> Result<WorkItems, Failure> {
        let identifier = self.project.and_then(|project| project.identifier.as_deref());
        let mut known = Known {
            directory: self.directory(&found.items, identifier).await,
            project: identifier,
            project_id: self.project.map(|project| project.id.as_str()),
            is_limited: self.call.policy.limits_projects(self.slug),
            ..Known::default()
        };
        let key = |item: &WorkItem| Some((item.id.clone()?, known.key(item)?));
        known.keys = found.items.iter().filter_map(key).collect();
        let is_shown = |item: &WorkItem| {
            let id = item.in_project();
            self.only.as_ref().is_none_or(|only| id.is_some_and(|id| only.iter().any(|one| one == id)))
        };
        let rows = found.items.into_iter().filter(is_shown);
        let work_items = rows.map(|item| Row::listed(item, &known, &self.fields)).collect();
        Ok(WorkItems {
            total: found.total,
            complete: found.searched.map(|_| false),
            searched: found.searched,
            work_items,
            next_cursor: found.next_cursor,
        })
    }

    /// Names for rows that hold ids.
    async fn directory(&self, items: &[WorkItem], identifier: Option<&str>) -> Directory {
        if !self.is_application() || items.is_empty() {
            return Directory::default();
        }
        let mut kinds = kinds(&self.fields);
        if identifier.is_none() {
            kinds.push(Kind::Project);
        }
        Names::new(self.call, self.slug, self.project).directory(&kinds).await
    }
}
