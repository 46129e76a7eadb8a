//! Workspaces, and which one a call is about.

use serde::Serialize;

use super::{Action, Call, Code, Entry, Failure, Parameter, READ, Shape};
use crate::caller::Credential;
use crate::plane::PlaneError;
use crate::plane::path::{Path, Slug};
use crate::plane::shapes::{Rows, Workspace};

/// `list_workspaces`
pub(super) const LIST_WORKSPACES: Entry = Entry {
    name: "list_workspaces",
    title: "List workspaces",
    description: "Which workspaces the signed-in user belongs to, with slug (the workspace_slug of other tools), role and \
        number of members. Not with an API key.",
    parameters: &[],
    scope: READ,
    action: Action::ListWorkspaces,
};

/// The parameter of every tool that works in a workspace; `list_workspaces` says what it is.
pub(super) const WORKSPACE_SLUG: Parameter =
    Parameter { name: "workspace_slug", shape: Shape::Text(80), required: false, description: "" };

/// The caller's workspaces.
#[derive(Debug, Serialize)]
pub(super) struct Workspaces {
    total: usize,
    workspaces: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
}

/// Lists them through the web application's API, the only one that can, which takes no API keys.
pub(super) async fn list(call: &Call<'_>) -> Result<Workspaces, Failure> {
    if let Credential::ApiKey(_) = call.caller.credential {
        return Err(Failure {
            hint:
                "Ask the user for the slug, the part after the host in Plane's web address, and pass it as \
                workspace_slug."
                    .to_owned(),
            ..Failure::of(Code::CredentialUnsupported, "Plane does not list workspaces to an API key.")
        });
    }
    let rows: Rows<Workspace> = call.plane.ask(call.caller, Path::app("users/me/workspaces/")).await?;
    let row = |workspace: Workspace| Row {
        slug: workspace.slug,
        name: workspace.name,
        role: workspace.role.and_then(role),
        members: workspace.total_members,
    };
    let shown = |workspace: &Workspace| {
        let slug = workspace.slug.as_deref().and_then(Slug::parse);
        slug.is_some_and(|slug| call.policy.allows_workspace(&slug))
    };
    let workspaces: Vec<Row> = rows.into_rows().into_iter().filter(shown).map(row).collect();
    Ok(Workspaces { total: workspaces.len(), workspaces })
}

/// The workspace a call is about: the argument, else the client's header (api-key mode), else the configured one.
/// Never remembered between calls: conversations run side by side. One the operator does not show is answered for as
/// one that does not exist.
pub(super) fn resolve(call: &Call<'_>) -> Result<Slug, Failure> {
    let named = call.arguments.text(WORKSPACE_SLUG.name).or(call.caller.workspace.as_deref());
    let slug = match named {
        Some(text) => Slug::parse(text)
            .ok_or_else(|| Failure::argument("workspace_slug is not a slug, such as acme"))?,
        None => call.plane.default_workspace().cloned().ok_or_else(|| {
            Failure::of(Code::WorkspaceRequired, "Which workspace? None is named and none is configured.")
        })?,
    };
    if call.policy.allows_workspace(&slug) { Ok(slug) } else { Err(not_found(&slug)) }
}

/// What a refusal means for a request about the whole workspace: Plane answers the same to members without
/// permission, to outsiders, and about workspaces that do not exist.
pub(super) fn failure(error: PlaneError, slug: &Slug) -> Failure {
    match error {
        PlaneError::Forbidden | PlaneError::NotFound => not_found(slug),
        other => other.into(),
    }
}

pub(super) fn not_found(slug: &Slug) -> Failure {
    let message = format!("There is no workspace \"{}\", or this user is not in it.", slug.as_str());
    Failure::of(Code::WorkspaceNotFound, message)
}

/// Plane's number for the role of a guest.
pub(super) const GUEST: u32 = 5;

/// Plane's role numbers in words.
pub(super) fn role(number: u32) -> Option<&'static str> {
    match number {
        20 => Some("admin"),
        15 => Some("member"),
        GUEST => Some("guest"),
        _ => None,
    }
}
