//! How far cycles and modules are.

use serde::Serialize;

use crate::plane::shapes::planning::Counts;

/// How many work items there are and where they stand; groups without any are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Progress {
    total: u64,
    #[serde(skip_serializing_if = "is_zero")]
    completed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    started: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unstarted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    backlog: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cancelled: u64,
}

impl Progress {
    /// The counts; nothing when Plane does not say how many there are.
    pub(super) fn of(counts: Counts) -> Option<Self> {
        Some(Self {
            total: counts.total_issues?,
            completed: counts.completed_issues.unwrap_or_default(),
            started: counts.started_issues.unwrap_or_default(),
            unstarted: counts.unstarted_issues.unwrap_or_default(),
            backlog: counts.backlog_issues.unwrap_or_default(),
            cancelled: counts.cancelled_issues.unwrap_or_default(),
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
