//! One project in full.

use serde::Serialize;

use super::{Named, PROJECT, find, not_found, visibility};
use crate::plane::PlaneError;
use crate::plane::path::{Path, Slug, Uuid};
use crate::plane::shapes::project::{Details, Summary, Totals};
use crate::tools::names::{Kind, Names};
use crate::tools::{Action, Call, Entry, Failure, READ, brief, workspaces};

/// `retrieve_project`
pub(in crate::tools) const RETRIEVE_PROJECT: Entry = Entry {
    name: "retrieve_project",
    title: "Show a project",
    description: "One project in full: description, lead, default assignee, default state, features switched on, and how \
        many work items, members, cycles, modules, states, labels, pages and intake requests it has.",
    parameters: &[workspaces::WORKSPACE_SLUG, PROJECT],
    scope: READ,
    action: Action::RetrieveProject,
};

const FIELDS: &str = "id,identifier,name,description,network,is_member,member_role,archived_at,project_lead,\
    default_assignee,default_state,timezone,created_at,cycle_view,module_view,page_view,intake_view,issue_views_view";

/// A project.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_member: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_state: Option<String>,
    features: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
}

#[derive(Debug, Serialize)]
struct Counts {
    work_items: u64,
    members: u64,
    cycles: u64,
    modules: u64,
    states: u64,
    labels: u64,
    pages: u64,
    intake: u64,
}

/// Retrieves the project, and its counts when the caller is in it: what is in a project is for those who joined it.
pub(in crate::tools) async fn retrieve(call: &Call<'_>) -> Result<Shown, Failure> {
    let slug = workspaces::resolve(call)?;
    let text = call.arguments.text(PROJECT.name).unwrap_or_default();
    let known = find(call, &slug, text).await?;
    let id = known.id.as_deref().and_then(Uuid::parse).ok_or_else(|| not_found(text, &slug))?;
    let project = Named { id, identifier: known.identifier };
    let path = Path::project(&slug, &project.id)
        .query("fields", FIELDS)
        .query("expand", "project_lead,default_assignee");
    let (details, counts) = tokio::join!(
        super::ask::<Details>(call, &slug, &project, path),
        counts(call, &slug, &project, known.is_member == Some(true)),
    );
    let (details, counts) = (details?, counts?);
    let default_state = match details.default_state.as_deref() {
        Some(state) => Some(state_name(call, &slug, &project, state).await),
        None => None,
    };
    Ok(Shown::of(details, default_state, counts))
}

/// The counts, where the caller may have them: guests may not.
async fn counts(
    call: &Call<'_>,
    slug: &Slug,
    project: &Named,
    is_member: bool,
) -> Result<Option<Totals>, Failure> {
    if !is_member {
        return Ok(None);
    }
    let path = Path::project(slug, &project.id).literal("summary/");
    match call.plane.ask::<Summary>(call.caller, path).await {
        Ok(summary) => Ok(Some(summary.counts)),
        // Editions without the endpoint are not a reason to say nothing at all.
        Err(PlaneError::Forbidden | PlaneError::NotFound | PlaneError::NoEndpoint) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn state_name(call: &Call<'_>, slug: &Slug, project: &Named, id: &str) -> String {
    let directory = Names::new(call, slug, Some(project)).directory(&[Kind::State]).await;
    directory.state(id).map_or_else(|| id.to_owned(), |state| state.name.clone())
}

impl Shown {
    fn of(details: Details, default_state: Option<String>, counts: Option<Totals>) -> Self {
        let features = [
            ("cycles", details.cycle_view),
            ("modules", details.module_view),
            ("views", details.issue_views_view),
            ("pages", details.page_view),
            ("intake", details.intake_view),
        ];
        let on = |(name, on): (&'static str, Option<bool>)| (on == Some(true)).then_some(name);
        Self {
            identifier: details.identifier,
            name: details.name,
            id: details.id,
            description: brief::text(details.description, brief::IN_FULL),
            visibility: details.network.and_then(visibility),
            is_member: details.is_member,
            role: details.member_role.and_then(workspaces::role),
            lead: details.project_lead.and_then(|lead| lead.label()),
            default_assignee: details.default_assignee.and_then(|person| person.label()),
            default_state,
            features: features.into_iter().filter_map(on).collect(),
            timezone: details.timezone,
            created_at: details.created_at,
            archived_at: details.archived_at,
            counts: counts.map(Counts::of),
        }
    }
}

impl Counts {
    fn of(totals: Totals) -> Self {
        Self {
            work_items: totals.issues,
            members: totals.members,
            cycles: totals.cycles,
            modules: totals.modules,
            states: totals.states,
            labels: totals.labels,
            pages: totals.pages,
            intake: totals.intakes,
        }
    }
}
