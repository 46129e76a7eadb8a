//! Which projects a call may touch, and which one it is about.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::super::{Call, Code, Failure, kept, workspaces};
use crate::plane::PlaneError;
use crate::plane::path::{Path, ProjectIdentifier, Slug, Uuid};
use crate::plane::shapes::Project;

/// A project named in a call.
#[derive(Clone, Debug)]
pub(in crate::tools) struct Named {
    pub(in crate::tools) id: Uuid,
    /// Unknown when the project was named by its id, unless the operator limits the workspace's projects.
    pub(in crate::tools) identifier: Option<String>,
}

/// The projects whose things may be shown, where the operator shows only some.
#[derive(Debug)]
pub(in crate::tools) struct Shown(HashSet<String>);

impl Shown {
    /// Whether things of the project with this id may be shown.
    pub(in crate::tools) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}

impl Named {
    /// What people call the project, else its id.
    pub(in crate::tools) fn label(&self) -> &str {
        self.identifier.as_deref().unwrap_or(self.id.as_str())
    }
}

/// The projects the caller can see in Plane and the operator shows, kept for a minute.
pub(in crate::tools) async fn known(call: &Call<'_>, slug: &Slug) -> Result<Vec<Project>, Failure> {
    allowed(call, slug, kept::rows(call, || path(slug)).await)
}

/// The same, as Plane has them now.
pub(in crate::tools) async fn fresh(call: &Call<'_>, slug: &Slug) -> Result<Vec<Project>, Failure> {
    allowed(call, slug, kept::fresh_rows(call, || path(slug)).await)
}

fn path(slug: &Slug) -> Path {
    const FIELDS: &str =
        "id,identifier,name,description,network,is_member,member_role,guest_view_all_features,archived_at";
    Path::workspace(slug).literal("projects/").query("fields", FIELDS)
}

fn allowed(
    call: &Call<'_>,
    slug: &Slug,
    projects: Result<Vec<Project>, PlaneError>,
) -> Result<Vec<Project>, Failure> {
    let mut projects = projects.map_err(|error| workspaces::failure(error, slug))?;
    projects.retain(|project| is_allowed(call, slug, project));
    Ok(projects)
}

fn is_allowed(call: &Call<'_>, slug: &Slug, project: &Project) -> bool {
    let id = project.id.as_deref().and_then(Uuid::parse);
    let identifier = project.identifier.as_deref().unwrap_or_default();
    id.is_some_and(|id| call.policy.allows_project(slug, identifier, &id))
}

/// The projects whose things may be shown; `None` when the operator sets no limit.
pub(in crate::tools) async fn shown(call: &Call<'_>, slug: &Slug) -> Result<Option<Shown>, Failure> {
    if !call.policy.limits_projects(slug) {
        return Ok(None);
    }
    let ids = known(call, slug).await?.into_iter().filter_map(|project| project.id);
    Ok(Some(Shown(ids.collect())))
}

/// Finds the project the call names: an id is taken as it is where every project is shown, anything else is looked up
/// among those the caller sees. One the operator does not show is answered for as one that does not exist.
pub(in crate::tools) async fn resolve(call: &Call<'_>, slug: &Slug, text: &str) -> Result<Named, Failure> {
    if let Some(id) = Uuid::parse(text).filter(|_| !call.policy.limits_projects(slug)) {
        return Ok(Named { id, identifier: None });
    }
    let project = find(call, slug, text).await?;
    let id = project.id.as_deref().and_then(Uuid::parse).ok_or_else(|| not_found(text, slug))?;
    Ok(Named { id, identifier: project.identifier })
}

/// The project the call names, as the list of those the caller sees has it: by id, identifier or whole name.
pub(in crate::tools) async fn find(call: &Call<'_>, slug: &Slug, text: &str) -> Result<Project, Failure> {
    let id = Uuid::parse(text);
    let identifier = ProjectIdentifier::parse(text);
    let name = text.trim().to_lowercase();
    let mut known = known(call, slug).await?;
    let found = known.iter().position(|project| match &id {
        Some(id) => project.id.as_deref() == Some(id.as_str()),
        None => identifier.as_ref().is_some_and(|it| project.identifier.as_deref() == Some(it.as_str())),
    });
    let named = |project: &Project| project.name.as_deref().is_some_and(|it| it.to_lowercase() == name);
    match found.or_else(|| known.iter().position(named)) {
        Some(at) => Ok(known.swap_remove(at)),
        None => Err(not_found(text, slug)),
    }
}

/// The workspace and project a call names.
pub(in crate::tools) async fn named(call: &Call<'_>) -> Result<(Slug, Named), Failure> {
    let slug = workspaces::resolve(call)?;
    let text = call.arguments.text(super::PROJECT.name).unwrap_or_default();
    let project = resolve(call, &slug, text).await?;
    Ok((slug, project))
}

/// Asks something inside a project; a refusal is explained.
pub(in crate::tools) async fn ask<T: DeserializeOwned>(
    call: &Call<'_>,
    slug: &Slug,
    project: &Named,
    path: Path,
) -> Result<T, Failure> {
    match call.plane.ask(call.caller, path).await {
        Ok(answer) => Ok(answer),
        Err(error) => Err(failure(call, error, slug, project).await),
    }
}

/// What a refusal means for a request inside a project. Plane's 403 stands for an unknown project, an unknown
/// workspace and a project the caller has not joined; one more request tells them apart.
pub(in crate::tools) async fn failure(
    call: &Call<'_>,
    error: PlaneError,
    slug: &Slug,
    project: &Named,
) -> Failure {
    let shown = project.label();
    match error {
        PlaneError::NotFound => return not_found(shown, slug),
        PlaneError::Forbidden => {}
        other => return other.into(),
    }
    let probe: Result<Project, _> = call.plane.ask(call.caller, Path::project(slug, &project.id)).await;
    match probe {
        Ok(_) => not_joined(shown),
        Err(PlaneError::NotFound) => not_found(shown, slug),
        Err(PlaneError::Forbidden) => workspaces::not_found(slug),
        Err(other) => other.into(),
    }
}

/// Whether the caller sees only what they created themselves: so Plane's web application treats guests, and its public API
/// does not.
pub(in crate::tools) async fn shows_own_only(
    call: &Call<'_>,
    slug: &Slug,
    project: &Named,
) -> Result<bool, Failure> {
    let known = known(call, slug).await?;
    let known = known.iter().find(|known| known.id.as_deref() == Some(project.id.as_str()));
    Ok(known.is_some_and(|project| {
        project.member_role == Some(workspaces::GUEST) && project.guest_view_all_features != Some(true)
    }))
}

/// Why a project the caller has not joined shows nothing of what is in it.
pub(in crate::tools) async fn outside(call: &Call<'_>, slug: &Slug, project: &Named) -> Failure {
    match find(call, slug, project.id.as_str()).await {
        Ok(known) => not_joined(known.identifier.as_deref().unwrap_or(project.id.as_str())),
        Err(failure) => failure,
    }
}

pub(in crate::tools) fn not_found(project: &str, slug: &Slug) -> Failure {
    let message = format!(
        "There is no project \"{project}\" in workspace \"{}\" that this user can see.",
        slug.as_str()
    );
    Failure::of(Code::ProjectNotFound, message)
}

pub(in crate::tools) fn not_joined(project: &str) -> Failure {
    let message = format!("This user is not a member of project \"{project}\" and cannot see what is in it.");
    Failure::of(Code::PermissionDenied, message)
}
