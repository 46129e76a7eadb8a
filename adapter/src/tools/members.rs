//! People of a workspace or a project.

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::names::Names;
use super::{Action, Call, Entry, Failure, READ, projects, work_items, workspaces};
use crate::plane::shapes::User;

/// `list_members`
pub(super) const LIST_MEMBERS: Entry = Entry {
    name: "list_members",
    title: "List members",
    description: "People: who is in the workspace or, when a project is named, in that project, with full name, e-mail, \
        id, and their role in the workspace (admin, member, guest).",
    parameters: &[workspaces::WORKSPACE_SLUG, PROJECT, QUERY, work_items::PER_PAGE, work_items::CURSOR],
    scope: READ,
    action: Action::ListMembers,
};

const PROJECT: Parameter = Parameter { required: false, ..projects::PROJECT };

const QUERY: Parameter = Parameter {
    name: "query",
    shape: Shape::Text(100),
    required: false,
    description: "Part of a name or e-mail.",
};

/// A page of people.
#[derive(Debug, Serialize)]
pub(super) struct Members {
    total: usize,
    members: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Lists those that match, out of the whole list, which Plane neither pages nor searches.
pub(super) async fn list(call: &Call<'_>) -> Result<Members, Failure> {
    let slug = workspaces::resolve(call)?;
    let mut people = match call.arguments.text(PROJECT.name) {
        None => Names::new(call, &slug, None).members_of_workspace().await?,
        Some(text) => {
            let project = projects::resolve(call, &slug, text).await?;
            Names::new(call, &slug, Some(&project)).members_of_project(&project).await?
        }
    };
    let query = call.arguments.text(QUERY.name).unwrap_or_default().to_lowercase();
    people.retain(|person| holds(person, &query));
    people.sort_by_key(|person| person.display_name.as_deref().map(str::to_lowercase));
    let total = people.len();
    let (people, next_cursor) = work_items::slice(people, &call.arguments)?;
    Ok(Members { total, members: people.into_iter().map(Row::of).collect(), next_cursor })
}

fn holds(person: &User, query: &str) -> bool {
    let names = [person.display_name.clone(), person.full_name(), person.email.clone()];
    query.is_empty() || names.iter().flatten().any(|name| name.to_lowercase().contains(query))
}

impl Row {
    fn of(person: User) -> Self {
        let full_name = person.full_name().filter(|name| Some(name) != person.display_name.as_ref());
        let kept = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            full_name,
            display_name: kept(person.display_name),
            email: kept(person.email),
            role: person.role.and_then(workspaces::role),
            id: person.id,
        }
    }
}
