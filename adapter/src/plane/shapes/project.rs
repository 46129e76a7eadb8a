//! Projects and what they keep for their work items: states and labels.

use serde::Deserialize;

use super::Reference;

/// A project the caller can see.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Project {
    /// UUID.
    pub id: Option<String>,
    /// Short name, upper case.
    pub identifier: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// 0 secret, 2 public.
    pub network: Option<u32>,
    /// Public projects are listed to people outside them too.
    pub is_member: Option<bool>,
    /// 20 admin, 15 member, 5 guest.
    pub member_role: Option<u32>,
    /// Whether guests see what others wrote.
    pub guest_view_all_features: Option<bool>,
    /// When it was archived.
    pub archived_at: Option<String>,
}

/// One project in full.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Details {
    /// UUID.
    pub id: Option<String>,
    /// Short name, upper case.
    pub identifier: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// 0 secret, 2 public.
    pub network: Option<u32>,
    /// Public projects are shown to people outside them too.
    pub is_member: Option<bool>,
    /// 20 admin, 15 member, 5 guest.
    pub member_role: Option<u32>,
    /// When it was archived.
    pub archived_at: Option<String>,
    /// Person.
    pub project_lead: Option<Reference>,
    /// Person new items go to.
    pub default_assignee: Option<Reference>,
    /// UUID of the state new items start in.
    pub default_state: Option<String>,
    /// The time zone its dates are meant in.
    pub timezone: Option<String>,
    /// ISO 8601.
    pub created_at: Option<String>,
    /// Whether cycles are switched on.
    pub cycle_view: Option<bool>,
    /// Whether modules are switched on.
    pub module_view: Option<bool>,
    /// Whether saved views are switched on.
    pub issue_views_view: Option<bool>,
    /// Whether pages are switched on.
    pub page_view: Option<bool>,
    /// Whether intake is switched on.
    pub intake_view: Option<bool>,
}

/// What a project's summary says.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// How much there is of what.
    pub counts: Totals,
}

/// How much a project holds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Work items.
    pub issues: u64,
    /// People.
    pub members: u64,
    /// Cycles.
    pub cycles: u64,
    /// Modules.
    pub modules: u64,
    /// States.
    pub states: u64,
    /// Labels.
    pub labels: u64,
    /// Pages.
    pub pages: u64,
    /// Requests in the intake.
    pub intakes: u64,
}

/// A state of a project's workflow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    /// UUID.
    pub id: Option<String>,
    /// Display name, unique in its project.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// backlog, unstarted, started, completed, cancelled.
    pub group: Option<String>,
    /// Whether new items start in it.
    #[serde(rename = "default")]
    pub is_default: Option<bool>,
    /// Its place in the workflow.
    pub sequence: Option<f64>,
    /// Project; set in lists of a whole workspace only.
    pub project_id: Option<String>,
}

/// A label of a project.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Label {
    /// UUID.
    pub id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The label it belongs under.
    pub parent: Option<String>,
    /// Project; set in lists of a whole workspace only.
    pub project_id: Option<String>,
}

impl State {
    /// Its place in the workflow, as a number to sort by.
    pub fn place(&self) -> f64 {
        self.sequence.unwrap_or(f64::MAX)
    }
}
