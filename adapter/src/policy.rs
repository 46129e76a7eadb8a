//! What the operator lets the tools show: which tools, workspaces and projects. Without limits it is what Plane shows the
//! user; limits only ever take away.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::plane::path::{ProjectIdentifier, Slug, Uuid};

/// The limits in force for one request. A reload makes a new one; it never changes under a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    tools: Option<BTreeSet<String>>,
    workspaces: Option<BTreeSet<Slug>>,
    /// By workspace: the projects that may be seen. A workspace that is not here is not limited.
    projects: HashMap<Slug, HashSet<ProjectName>>,
}

/// A project as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProjectName {
    /// `ENG`. Whoever may rename a project in Plane can give it this name.
    Identifier(ProjectIdentifier),
    /// The id, which never changes.
    Id(Uuid),
}

impl Policy {
    /// No limits.
    pub fn open() -> Self {
        Self::default()
    }

    /// Only these tools.
    #[must_use]
    pub fn with_tools(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.tools = Some(names.into_iter().collect());
        self
    }

    /// Only these workspaces.
    #[must_use]
    pub fn with_workspaces(mut self, slugs: impl IntoIterator<Item = Slug>) -> Self {
        self.workspaces = Some(slugs.into_iter().collect());
        self
    }

    /// In this workspace only this project, and those added before and after it.
    #[must_use]
    pub fn with_project(mut self, slug: Slug, project: ProjectName) -> Self {
        self.projects.entry(slug).or_default().insert(project);
        self
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

    /// Whether anything of this project may be shown.
    pub fn allows_project(&self, slug: &Slug, identifier: &str, id: &Uuid) -> bool {
        let Some(listed) = self.projects.get(slug) else { return true };
        let identifier = ProjectIdentifier::parse(identifier).map(ProjectName::Identifier);
        listed.contains(&ProjectName::Id(id.clone())) || identifier.is_some_and(|name| listed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f";
    const OTHER: &str = "0190f6e2-5a0b-7c3d-8e4f-000000000000";

    fn slug(text: &str) -> Slug {
        Slug::parse(text).unwrap()
    }

    fn id(text: &str) -> Uuid {
        Uuid::parse(text).unwrap()
    }

    #[test]
    fn without_limits_everything_is_shown() {
        let policy = Policy::open();
        assert!(policy.allows_tool("get_me") && policy.allows_workspace(&slug("acme")));
        assert!(!policy.limits_projects(&slug("acme")));
        assert!(policy.allows_project(&slug("acme"), "ENG", &id(ID)));
    }

    #[test]
    fn each_limit_takes_away_and_an_empty_one_takes_all() {
        let policy = Policy::open().with_tools(["get_me".to_owned()]).with_workspaces([slug("acme")]);
        assert!(policy.allows_tool("get_me") && !policy.allows_tool("list_projects"));
        assert!(policy.allows_workspace(&slug("acme")));
        // Case matters in Plane's slugs.
        assert!(!policy.allows_workspace(&slug("Acme")) && !policy.allows_workspace(&slug("other")));
        assert!(!Policy::open().with_tools([]).allows_tool("get_me"));
    }

    #[test]
    fn projects_of_one_workspace_limit_only_that_workspace() {
        let eng = ProjectName::Identifier(ProjectIdentifier::parse("eng").unwrap());
        let policy = Policy::open().with_project(slug("acme"), eng);
        let policy = policy.with_project(slug("acme"), ProjectName::Id(id(ID)));
        assert!(policy.limits_projects(&slug("acme")) && !policy.limits_projects(&slug("other")));
        assert!(policy.allows_project(&slug("acme"), "Eng", &id(OTHER)));
        assert!(policy.allows_project(&slug("acme"), "MKT", &id(ID)));
        assert!(!policy.allows_project(&slug("acme"), "MKT", &id(OTHER)));
        assert!(policy.allows_project(&slug("other"), "MKT", &id(OTHER)));
    }

    #[test]
    fn no_identifier_can_be_taken_for_an_id() {
        let policy = Policy::open().with_project(slug("acme"), ProjectName::Id(id(ID)));
        assert!(!policy.allows_project(&slug("acme"), "", &id(OTHER)));
        assert!(!policy.allows_project(&slug("acme"), ID, &id(OTHER)));
    }
}
