//! Intake: what people ask for before it becomes a work item.

use serde::Deserialize;

/// A request in a project's intake.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    /// -2 pending, -1 rejected, 0 snoozed, 1 accepted, 2 duplicate.
    pub status: Option<i64>,
    /// Until when it is out of sight.
    pub snoozed_till: Option<String>,
    /// Where it came from, such as `IN_APP`.
    pub source: Option<String>,
    /// ISO 8601.
    pub created_at: Option<String>,
    /// UUID of the person who asked.
    pub created_by: Option<String>,
    /// The work item it would become.
    pub issue_detail: Option<Asked>,
}

/// What was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// UUID.
    pub id: Option<String>,
    /// Number within the project.
    pub sequence_id: Option<u64>,
    /// Title.
    pub name: Option<String>,
    /// urgent, high, medium, low or none.
    pub priority: Option<String>,
    /// The description without its markup.
    pub description_stripped: Option<String>,
}
