//! What the operator lets the tools show: which tools, workspaces and projects. Without limits it is what Plane shows the
//! user; limits only ever take away.

use std::collections::{BTreeSet, HashMap};

use crate::plane::path::{Slug, Uuid};

/// The limits in force for one request. A reload makes a new one; it never changes under a request.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    tools: Option<BTreeSet<String>>,
    workspaces: Option<BTreeSet<Slug>>,
    /// By workspace: identifiers (upper case) and ids of the projects that may be seen. A workspace that is not here is
    /// not limited.
    projects: HashMap<Slug, BTreeSet<String>>,
}

impl Policy {
    /// No limits.
    pub fn open() -> Self {
        Self::default()
    }

    /// Whether the tool of this name may be listed and called.
    pub fn allows_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.contains(name))
    }

    /// Whether anything of this workspace may be shown.
    pub fn allows_workspace(&self, slug: &Slug) -> bool {
        self.workspaces.as_ref().is_none_or(|slugs| slugs.contains(slug))
    }

    /// Whether only some projects of this workspace may be shown: then every project a result touches has to be known by
    /// identifier and id before [`Policy::allows_project`] can say anything.
    pub fn limits_projects(&self, slug: &Slug) -> bool {
        self.projects.contains_key(slug)
    }

    /// Whether anything of this project may be shown. `identifier` is compared in upper case.
    pub fn allows_project(&self, slug: &Slug, identifier: &str, id: &Uuid) -> bool {
        let Some(listed) = self.projects.get(slug) else { return true };
        listed.contains(&identifier.to_uppercase()) || listed.contains(id.as_str())
    }
}
