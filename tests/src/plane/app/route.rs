//! The app API's URL table: what the web application asks for, beside the caller's own things.

use super::super::route::is_uuid;

/// An endpoint below `/api/workspaces/{slug}/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Place {
    pub(in super::super) slug: String,
    pub(in super::super) part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Part {
    Detail,
    Projects,
    Issues,
    States,
    Labels,
    Members,
    ProjectMembers,
    Cycles,
    Modules,
    EntitySearch,
    Search,
    UserIssues(String),
    Stickies,
    /// `work-items/{project}-{number}/`, split at the last hyphen.
    ByIdentifier {
        project: String,
        number: String,
    },
    Project {
        project: String,
        part: InProject,
    },
}

/// An endpoint below `projects/{project}/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum InProject {
    Issues,
    /// `issues/list/?issues=`: the named ones, unpaged.
    Named,
    Issue(String),
    OfIssue {
        issue: String,
        kind: OfIssue,
    },
    States,
    Labels,
    Members,
    Cycles,
    Modules,
    CycleIssues(String),
    ModuleIssues(String),
    Pages,
}

/// What hangs on a work item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum OfIssue {
    SubIssues,
    Relations,
    Links,
    Comments,
    History,
    Attachments,
}

impl Place {
    /// The endpoint of the path segments after `/api/`.
    pub(in super::super) fn of(segments: &[&str]) -> Option<Self> {
        let (slug, part) = match *segments {
            ["workspaces", slug, ref rest @ ..] => (slug, Part::of(rest)?),
            // The second version of attachments has its own root.
            ["assets", "v2", "workspaces", slug, "projects", project, "issues", issue, "attachments"]
                if is_uuid(project) && is_uuid(issue) =>
            {
                let part = InProject::OfIssue { issue: issue.to_owned(), kind: OfIssue::Attachments };
                (slug, Part::Project { project: project.to_owned(), part })
            }
            _ => return None,
        };
        Some(Self { slug: slug.to_owned(), part })
    }
}

impl Part {
    fn of(segments: &[&str]) -> Option<Self> {
        Some(match *segments {
            [] => Self::Detail,
            ["projects"] => Self::Projects,
            ["issues"] => Self::Issues,
            ["states"] => Self::States,
            ["labels"] => Self::Labels,
            ["members"] => Self::Members,
            ["project-members"] => Self::ProjectMembers,
            ["cycles"] => Self::Cycles,
            ["modules"] => Self::Modules,
            ["entity-search"] => Self::EntitySearch,
            ["search"] => Self::Search,
            ["stickies"] => Self::Stickies,
            ["user-issues", user] if is_uuid(user) => Self::UserIssues(user.to_owned()),
            ["work-items", identifier] => {
                let (project, number) = identifier.rsplit_once('-')?;
                let whole = !project.is_empty() && !number.is_empty();
                whole
                    .then(|| Self::ByIdentifier { project: project.to_owned(), number: number.to_owned() })?
            }
            ["projects", project, ref rest @ ..] if is_uuid(project) => {
                Self::Project { project: project.to_owned(), part: InProject::of(rest)? }
            }
            _ => return None,
        })
    }
}

impl InProject {
    fn of(segments: &[&str]) -> Option<Self> {
        Some(match *segments {
            ["issues"] => Self::Issues,
            ["issues", "list"] => Self::Named,
            ["issues", issue] if is_uuid(issue) => Self::Issue(issue.to_owned()),
            ["issues", issue, kind] if is_uuid(issue) => {
                Self::OfIssue { issue: issue.to_owned(), kind: OfIssue::of(kind)? }
            }
            ["states"] => Self::States,
            ["issue-labels"] => Self::Labels,
            ["members"] => Self::Members,
            ["cycles"] => Self::Cycles,
            ["modules"] => Self::Modules,
            ["cycles", cycle, "cycle-issues"] if is_uuid(cycle) => Self::CycleIssues(cycle.to_owned()),
            ["modules", module, "issues"] if is_uuid(module) => Self::ModuleIssues(module.to_owned()),
            ["pages"] => Self::Pages,
            _ => return None,
        })
    }
}

impl OfIssue {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "sub-issues" => Self::SubIssues,
            "issue-relation" => Self::Relations,
            "issue-links" => Self::Links,
            "comments" => Self::Comments,
            "history" => Self::History,
            "issue-attachments" => Self::Attachments,
            _ => return None,
        })
    }
}
