//! Which work item a call is about.

use std::time::Duration;

use crate::caller::Credential;
use crate::plane::PlaneError;
use crate::plane::path::{Path, Slug, Uuid, WorkItemKey};
use crate::plane::shapes::WorkItem;
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::projects::{self, Named};
use crate::tools::{Call, Code, Failure, workspaces};

/// The item of a tool that needs one.
pub(in crate::tools) const WORK_ITEM: Parameter = Parameter {
    name: "work_item",
    shape: Shape::Text(64),
    required: true,
    description: "Such as ENG-42; or an id, with project.",
};

/// The project of an item named by its id.
pub(in crate::tools) const ITS_PROJECT: Parameter =
    Parameter { required: false, description: "", ..projects::PROJECT };

/// How long it is believed which id an identifier has; it changes only when an item moves to another project.
const KEEP: Duration = Duration::from_secs(300);

/// How a call names an item.
#[derive(Debug)]
pub(in crate::tools) enum Reference {
    /// `ENG-42`, and the project it has to be in where not all may be shown.
    Key(WorkItemKey, Option<Uuid>),
    /// An id in a project.
    Id(Uuid, Named),
}

/// An item found.
#[derive(Debug)]
pub(in crate::tools) struct Located {
    pub(in crate::tools) id: Uuid,
    pub(in crate::tools) project: Named,
    /// What to call it.
    pub(in crate::tools) label: String,
    /// Whether Plane has just said that it exists.
    pub(in crate::tools) is_known: bool,
}

impl Reference {
    /// Reads the arguments of a call. A project the operator does not show does not exist.
    pub(in crate::tools) async fn read(call: &Call<'_>, slug: &Slug) -> Result<Self, Failure> {
        let text = call.arguments.text(WORK_ITEM.name).unwrap_or_default();
        Self::of(call, slug, text, call.arguments.text(ITS_PROJECT.name)).await
    }

    async fn of(call: &Call<'_>, slug: &Slug, text: &str, project: Option<&str>) -> Result<Self, Failure> {
        if let Some(id) = Uuid::parse(text) {
            let missing = || Failure::argument("project is required when a work item is named by its id");
            let project = projects::resolve(call, slug, project.ok_or_else(missing)?).await?;
            return Ok(Self::Id(id, project));
        }
        let key = WorkItemKey::parse(text).ok_or_else(|| {
            Failure::argument(format!(
                "\"{text}\" is no work item: use an identifier such as ENG-42, or an id"
            ))
        })?;
        if !call.policy.limits_projects(slug) {
            return Ok(Self::Key(key, None));
        }
        let project = projects::resolve(call, slug, key.project.as_str()).await?;
        // One that may be shown can be called what another has as its identifier.
        if project.identifier.as_deref() != Some(key.project.as_str()) {
            return Err(projects::not_found(key.project.as_str(), slug));
        }
        Ok(Self::Key(key, Some(project.id)))
    }
}

impl Located {
    /// The item Plane gave for a key. Identifiers can move from project to project: one of a project that may not be
    /// shown does not exist, whatever it was called when projects were last listed.
    pub(super) fn of(item: &WorkItem, key: &WorkItemKey, only: Option<&Uuid>) -> Result<Self, Failure> {
        let ids = item.id.as_deref().and_then(Uuid::parse).zip(item.in_project().and_then(Uuid::parse));
        let (id, project) =
            ids.ok_or_else(|| Failure::of(Code::Unexpected, "Plane answered without an id."))?;
        let label = key.to_string();
        if only.is_some_and(|only| *only != project) {
            return Err(not_found(&label));
        }
        let identifier = Some(key.project.as_str().to_owned());
        Ok(Self { id, project: Named { id: project, identifier }, label, is_known: true })
    }
}

/// The item the call's arguments name.
pub(in crate::tools) async fn locate(call: &Call<'_>, slug: &Slug) -> Result<Located, Failure> {
    found(call, slug, Reference::read(call, slug).await?).await
}

/// The item a text names; `project` is the one an id belongs to.
pub(super) async fn named(
    call: &Call<'_>,
    slug: &Slug,
    text: &str,
    project: Option<&str>,
) -> Result<Located, Failure> {
    found(call, slug, Reference::of(call, slug, text, project).await?).await
}

/// An id is taken as it is; an identifier costs a small request.
async fn found(call: &Call<'_>, slug: &Slug, reference: Reference) -> Result<Located, Failure> {
    let (key, only) = match reference {
        Reference::Id(id, project) => {
            let label = id.as_str().to_owned();
            return Ok(Located { id, project, label, is_known: false });
        }
        Reference::Key(key, only) => (key, only),
    };
    let path = by_key(slug, &key).query("fields", "id,project");
    match call.plane.ask_kept::<WorkItem>(call.caller, path, KEEP).await {
        Ok(item) => Located::of(&item, &key, only.as_ref()),
        Err(error) => Err(refused(call, error, slug, &key).await),
    }
}

/// The public API's path of an item named by its key.
pub(super) fn by_key(slug: &Slug, key: &WorkItemKey) -> Path {
    Path::workspace(slug).literal("work-items/").part(&key.to_string())
}

/// What a refusal means for a request about one item by its key. Plane's 403 stands for an unknown workspace, an unknown
/// project and one the caller has not joined, its 404 for an unknown project or number.
pub(super) async fn refused(call: &Call<'_>, error: PlaneError, slug: &Slug, key: &WorkItemKey) -> Failure {
    if !matches!(error, PlaneError::NotFound | PlaneError::Forbidden) {
        return error.into();
    }
    match projects::find(call, slug, key.project.as_str()).await {
        Err(failure) => failure,
        Ok(_) if matches!(error, PlaneError::NotFound) => not_found(&key.to_string()),
        Ok(project) if project.is_member == Some(true) => hidden_from_guest(&key.to_string()),
        Ok(_) => projects::not_joined(key.project.as_str()),
    }
}

/// What a refusal means for a request about something of an item found before.
pub(in crate::tools) async fn failure(
    call: &Call<'_>,
    error: PlaneError,
    slug: &Slug,
    item: &Located,
) -> Failure {
    match error {
        PlaneError::NotFound => not_found(&item.label),
        other => projects::failure(call, other, slug, &item.project).await,
    }
}

/// Fails when an item named by its id does not exist: Plane gives an empty list of what hangs on it.
pub(in crate::tools) async fn check(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<(), Failure> {
    if item.is_known {
        return Ok(());
    }
    let path = of_item(slug, item).query("fields", "id");
    match call.plane.ask::<WorkItem>(call.caller, path).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(call, error, slug, item).await),
    }
}

/// The public API's path of an item.
pub(in crate::tools) fn of_item(slug: &Slug, item: &Located) -> Path {
    Path::project(slug, &item.project.id).literal("work-items/").part(item.id.as_str())
}

pub(super) fn not_found(shown: &str) -> Failure {
    Failure::of(Code::WorkItemNotFound, format!("There is no work item {shown} that this user can see."))
}

/// The workspace and the item of a call about what hangs on one item.
pub(in crate::tools) async fn arguments(call: &Call<'_>) -> Result<(Slug, Located), Failure> {
    let slug = workspaces::resolve(call)?;
    let item = locate(call, &slug).await?;
    check_guest(call, &slug, &item).await?;
    Ok((slug, item))
}

/// An item that Plane's web application hides from a guest has no discussion and no history for them either; the public
/// API, which is asked for both, would show them.
async fn check_guest(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<(), Failure> {
    let is_signed_in = matches!(call.caller.credential, Credential::Identity(_));
    if !is_signed_in || !projects::shows_own_only(call, slug, &item.project).await? {
        return Ok(());
    }
    match call.plane.ask::<WorkItem>(call.caller, in_application(slug, &item.project, &item.id)).await {
        Ok(_) => Ok(()),
        Err(PlaneError::Forbidden) => Err(hidden_from_guest(&item.label)),
        Err(PlaneError::NotFound) => Err(not_found(&item.label)),
        Err(other) => Err(other.into()),
    }
}

/// The web application's path of an item.
pub(super) fn in_application(slug: &Slug, project: &Named, id: &Uuid) -> Path {
    let path = Path::app("workspaces/").part(slug.as_str()).literal("projects/").part(project.id.as_str());
    path.literal("issues/").part(id.as_str())
}

fn hidden_from_guest(shown: &str) -> Failure {
    let message = format!("Plane does not let this user see {shown}: guests see only what they created.");
    Failure::of(Code::PermissionDenied, message)
}
