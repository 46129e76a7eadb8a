//! A work item as a model reads it: keys and names instead of ids, nothing empty.

use serde::Serialize;

use crate::plane::shapes::{Reference, WorkItem};
use crate::tools::markdown;

/// Longest description in a list.
const LISTED_DESCRIPTION: usize = 500;

/// One row of a list.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assignees: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Row {
    /// A row of a list; `project` is the project's identifier, where it is known already.
    pub(super) fn of(item: WorkItem, project: Option<&str>) -> Self {
        Self::with_description(item, project, LISTED_DESCRIPTION)
    }

    /// The same with a description of at most `most` characters.
    pub(super) fn with_description(item: WorkItem, project: Option<&str>, most: usize) -> Self {
        let expanded = item.project.as_ref().and_then(|project| project.thing()?.identifier.clone());
        let project = project.map(str::to_owned).or(expanded);
        let key =
            project.as_ref().zip(item.sequence_id).map(|(project, number)| format!("{project}-{number}"));
        let parent = item.parent.as_ref().and_then(|parent| parent_of(parent, &item, project.as_deref()));
        let state = item.state.as_ref();
        let description = item.description_html.as_deref().map(markdown::of_html);
        Self {
            state_group: state.and_then(|state| state.thing()?.group.clone()),
            state: state.and_then(Reference::label),
            priority: item.priority.filter(|priority| priority != "none"),
            assignees: labels(item.assignees),
            labels: labels(item.labels),
            parent,
            identifier: key,
            name: item.name,
            id: item.id,
            start_date: item.start_date,
            target_date: item.target_date,
            completed_at: item.completed_at,
            created_at: item.created_at,
            updated_at: item.updated_at,
            description: description.filter(|text| !text.is_empty()).map(|text| markdown::cut(&text, most)),
        }
    }
}

/// The parent's key when it is in the same project, else its id.
fn parent_of(parent: &Reference, item: &WorkItem, project: Option<&str>) -> Option<String> {
    let key = parent.thing().and_then(|thing| {
        let own = item.project.as_ref().and_then(Reference::id);
        let same = own.is_none() || own == thing.project_id.as_deref();
        Some(format!("{}-{}", project.filter(|_| same)?, thing.sequence_id?))
    });
    key.or_else(|| parent.id().map(str::to_owned))
}

fn labels(references: Option<Vec<Reference>>) -> Vec<String> {
    references.unwrap_or_default().iter().filter_map(Reference::label).collect()
}
