//! Cycles and modules: what work items are planned in.

use jiff::Timestamp;
use serde::Deserialize;

/// A cycle, which is what others call a sprint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cycle {
    /// UUID.
    pub id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// The moment it starts; a draft has none.
    pub start_date: Option<String>,
    /// The moment it ends; a draft has none.
    pub end_date: Option<String>,
    /// The time zone its dates are meant in.
    pub timezone: Option<String>,
    /// UUID of the person who owns it.
    pub owned_by: Option<String>,
    /// When it was archived.
    pub archived_at: Option<String>,
    /// Project, in lists of one project.
    pub project: Option<String>,
    /// Project, in lists of a whole workspace.
    pub project_id: Option<String>,
    /// How many items are in it, by the groups of their states.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A module.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Module {
    /// UUID.
    pub id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// backlog, planned, in-progress, paused, completed, cancelled.
    pub status: Option<String>,
    /// `YYYY-MM-DD`.
    pub start_date: Option<String>,
    /// `YYYY-MM-DD`.
    pub target_date: Option<String>,
    /// UUID of the person who leads it.
    pub lead: Option<String>,
    /// UUIDs of the people in it.
    pub members: Option<Vec<String>>,
    /// When it was archived.
    pub archived_at: Option<String>,
    /// Project, in lists of one project.
    pub project: Option<String>,
    /// Project, in lists of a whole workspace.
    pub project_id: Option<String>,
    /// How many items are in it, by the groups of their states.
    #[serde(flatten)]
    pub counts: Counts,
}

/// How many work items there are, by the groups of their states.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// All of them.
    pub total_issues: Option<u64>,
    /// In states of the group completed.
    pub completed_issues: Option<u64>,
    /// In states of the group started.
    pub started_issues: Option<u64>,
    /// In states of the group unstarted.
    pub unstarted_issues: Option<u64>,
    /// In states of the group backlog.
    pub backlog_issues: Option<u64>,
    /// In states of the group cancelled.
    pub cancelled_issues: Option<u64>,
}

impl Cycle {
    /// Where the cycle stands, as Plane's own lists sort it: current, upcoming, completed, or draft without dates.
    pub fn status(&self, now: Timestamp) -> &'static str {
        let moment = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        match (moment(&self.start_date), moment(&self.end_date)) {
            (Some(start), _) if now < start => "upcoming",
            (_, Some(end)) if end < now => "completed",
            (Some(_), Some(_)) => "current",
            _ => "draft",
        }
    }

    /// UUID of its project.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref().or(self.project.as_deref())
    }
}

impl Module {
    /// UUID of its project.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref().or(self.project.as_deref())
    }
}
