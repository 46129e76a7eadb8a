//! Projects and what they keep for their work items: states and labels.

use serde::Deserialize;

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
    /// When it was archived.
    pub archived_at: Option<String>,
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
