//! Work items and what hangs on them, as both of Plane's APIs have them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Reference;

/// A work item. The public API calls a state `state` (an id, or the state when expanded), the web application's API
/// calls it `state_id`, and so on; the methods read either.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkItem {
    /// UUID.
    pub id: Option<String>,
    /// Number within the project.
    pub sequence_id: Option<u64>,
    /// Title.
    pub name: Option<String>,
    /// Description as HTML; the web application's lists leave it out.
    pub description_html: Option<String>,
    /// urgent, high, medium, low or none.
    pub priority: Option<String>,
    /// State (public API).
    pub state: Option<Reference>,
    /// People (public API).
    pub assignees: Option<Vec<Reference>>,
    /// Labels (public API).
    pub labels: Option<Vec<Reference>>,
    /// Parent item (public API).
    pub parent: Option<Reference>,
    /// Project (public API).
    pub project: Option<Reference>,
    /// State (application).
    pub state_id: Option<String>,
    /// Group of the state (application).
    #[serde(rename = "state__group")]
    pub group: Option<String>,
    /// People (application).
    pub assignee_ids: Option<Vec<String>>,
    /// Labels (application).
    pub label_ids: Option<Vec<String>>,
    /// Parent item (application).
    pub parent_id: Option<String>,
    /// Project (application).
    pub project_id: Option<String>,
    /// Cycle (application only).
    pub cycle_id: Option<String>,
    /// Modules (application only).
    pub module_ids: Option<Vec<String>>,
    /// Children (application only).
    pub sub_issues_count: Option<u64>,
    /// Links (application only).
    pub link_count: Option<u64>,
    /// Attachments (application only).
    pub attachment_count: Option<u64>,
    /// `YYYY-MM-DD`.
    pub start_date: Option<String>,
    /// `YYYY-MM-DD`.
    pub target_date: Option<String>,
    /// ISO 8601.
    pub completed_at: Option<String>,
    /// `YYYY-MM-DD`.
    pub archived_at: Option<String>,
    /// ISO 8601.
    pub created_at: Option<String>,
    /// ISO 8601.
    pub updated_at: Option<String>,
    /// Person.
    pub created_by: Option<Reference>,
}

impl WorkItem {
    /// Id of its state.
    pub fn in_state(&self) -> Option<&str> {
        self.state_id.as_deref().or_else(|| self.state.as_ref()?.id())
    }

    /// Group of its state, where Plane says it.
    pub fn in_group(&self) -> Option<&str> {
        self.group.as_deref().or_else(|| self.state.as_ref()?.thing()?.group.as_deref())
    }

    /// Id of its project.
    pub fn in_project(&self) -> Option<&str> {
        self.project_id.as_deref().or_else(|| self.project.as_ref()?.id())
    }

    /// Id of its parent.
    pub fn under(&self) -> Option<&str> {
        self.parent_id.as_deref().or_else(|| self.parent.as_ref()?.id())
    }

    /// Ids of the people it is assigned to.
    pub fn assigned(&self) -> Vec<&str> {
        ids(self.assignee_ids.as_deref(), self.assignees.as_deref())
    }

    /// Ids of its labels.
    pub fn labelled(&self) -> Vec<&str> {
        ids(self.label_ids.as_deref(), self.labels.as_deref())
    }
}

fn ids<'w>(ids: Option<&'w [String]>, references: Option<&'w [Reference]>) -> Vec<&'w str> {
    match ids {
        Some(ids) => ids.iter().map(String::as_str).collect(),
        None => references.unwrap_or_default().iter().filter_map(Reference::id).collect(),
    }
}

/// What the public API's search answers with.
#[derive(Debug, Deserialize)]
pub struct Found {
    /// The matches, in no order.
    pub issues: Vec<Match>,
}

/// What the application's search answers with.
#[derive(Debug, Deserialize)]
pub struct FoundEntities {
    /// The matches, newest first.
    pub issue: Vec<Match>,
}

/// One match of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Match {
    /// UUID.
    pub id: Option<String>,
    /// Title.
    pub name: Option<String>,
    /// Number within the project.
    pub sequence_id: Option<u64>,
    /// Short name of the project.
    #[serde(rename = "project__identifier")]
    pub project_identifier: Option<String>,
    /// UUID of the project.
    pub project_id: Option<String>,
    /// urgent, high, medium, low or none (application only).
    pub priority: Option<String>,
    /// State (application only).
    pub state_id: Option<String>,
}

/// A comment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// UUID.
    pub id: Option<String>,
    /// Who wrote it.
    pub actor: Option<Reference>,
    /// Text as HTML.
    pub comment_html: Option<String>,
    /// ISO 8601.
    pub created_at: Option<String>,
    /// When it was last changed, if it was.
    pub edited_at: Option<String>,
}

/// One entry of an item's history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// ISO 8601.
    pub created_at: Option<String>,
    /// Who did it.
    pub actor: Option<Reference>,
    /// created, updated, deleted.
    pub verb: Option<String>,
    /// What was changed; the item itself when there is none.
    pub field: Option<String>,
    /// What it was, in words.
    pub old_value: Option<String>,
    /// What it became, in words.
    pub new_value: Option<String>,
}

/// A link to somewhere else.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Link {
    /// Its title.
    pub title: Option<String>,
    /// Its address.
    pub url: Option<String>,
}

/// A file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// What is said about it.
    pub attributes: FileAttributes,
    /// ISO 8601.
    pub created_at: Option<String>,
}

/// What is said about a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FileAttributes {
    /// File name.
    pub name: Option<String>,
    /// Bytes.
    pub size: Option<f64>,
    /// Media type.
    #[serde(rename = "type")]
    pub media_type: Option<String>,
}

/// The items an item is related to, by kind of relation.
pub type Relations = BTreeMap<String, Vec<Related>>;

/// A related item: the public API gives two ids, the application the rest too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Related {
    /// UUID (public API).
    pub issue_id: Option<String>,
    /// UUID (application).
    pub id: Option<String>,
    /// UUID of its project.
    pub project_id: Option<String>,
    /// Number within its project (application).
    pub sequence_id: Option<u64>,
    /// Title (application).
    pub name: Option<String>,
    /// State (application).
    pub state_id: Option<String>,
}
