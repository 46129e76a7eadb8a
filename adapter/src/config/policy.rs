//! What the operator lets the tools show: `tools.allow`, `plane.workspaces` and `plane.projects`.

use service::config::Problems;

use super::raw;
use super::resolve::note;
use crate::plane::path::{ProjectIdentifier, Slug, Uuid};
use crate::policy::{Policy, ProjectName};
use crate::tools::TOOLS;

/// An empty list sets no limit: to show nothing there is the master switch.
pub(super) fn policy(raw: &raw::Raw, problems: &mut Problems) -> Policy {
    let mut policy = Policy::open();
    if !raw.tools.allow.is_empty() {
        policy = policy.with_tools(tools(&raw.tools.allow, problems));
    }
    let workspaces = workspaces(&raw.plane.workspaces, problems);
    if !raw.plane.workspaces.is_empty() {
        policy = policy.with_workspaces(workspaces);
    }
    for (index, entry) in raw.plane.projects.iter().enumerate() {
        let key = format!("plane.projects[{index}]");
        let Some((slug, project)) = note(problems, &key, project(entry)) else { continue };
        if !policy.allows_workspace(&slug) {
            problems.push(key, "is in a workspace that plane.workspaces does not list");
        }
        policy = policy.with_project(slug, project);
    }
    let default = Slug::parse(&raw.plane.workspace_slug);
    if default.is_some_and(|slug| !policy.allows_workspace(&slug)) {
        problems.push("plane.workspace_slug", "is not in plane.workspaces");
    }
    policy
}

fn tools(names: &[String], problems: &mut Problems) -> Vec<String> {
    let mut known = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let name = name.trim();
        if TOOLS.iter().any(|entry| entry.name == name) {
            known.push(name.to_owned());
        } else {
            problems.push(format!("tools.allow[{index}]"), unknown(name));
        }
    }
    known
}

fn unknown(name: &str) -> String {
    let distances = TOOLS.iter().map(|entry| (strsim::osa_distance(name, entry.name), entry.name));
    match distances.min_by_key(|(distance, _)| *distance) {
        Some((distance, nearest)) if distance * 3 <= nearest.len() => {
            format!("there is no such tool, did you mean {nearest}?")
        }
        _ => {
            let names: Vec<&str> = TOOLS.iter().map(|entry| entry.name).collect();
            format!("there is no such tool; the tools are {}", names.join(", "))
        }
    }
}

fn workspaces(slugs: &[String], problems: &mut Problems) -> Vec<Slug> {
    let slug = |(index, text): (usize, &String)| {
        let slug = Slug::parse(text).ok_or("is not a workspace slug, such as acme");
        note(problems, &format!("plane.workspaces[{index}]"), slug)
    };
    slugs.iter().enumerate().filter_map(slug).collect()
}

fn project(entry: &str) -> Result<(Slug, ProjectName), &'static str> {
    const FORM: &str = "must be a workspace and a project's identifier or id, such as acme/ENG";
    let (slug, name) = entry.split_once('/').ok_or(FORM)?;
    let by_id = Uuid::parse(name).map(ProjectName::Id);
    let name = by_id.or_else(|| ProjectIdentifier::parse(name).map(ProjectName::Identifier));
    Ok((Slug::parse(slug).ok_or(FORM)?, name.ok_or(FORM)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f";

    fn read(text: &str) -> Result<Policy, Vec<String>> {
        let raw = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        let policy = policy(&raw, &mut problems);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }

    #[test]
    fn nothing_listed_is_no_limit() {
        assert_eq!(read(""), Ok(Policy::open()));
    }

    #[test]
    fn lists_are_read_and_may_overlap() {
        let text = format!(
            "[tools]\nallow = [\"get_me\", \" get_me \"]\n\
             [plane]\nworkspaces = [\"acme\"]\nprojects = [\"acme/eng\", \"acme/{}\"]\n",
            ID.to_uppercase()
        );
        let policy = read(&text).unwrap();
        let (acme, id) = (Slug::parse("acme").unwrap(), Uuid::parse(ID).unwrap());
        assert!(policy.allows_tool("get_me") && !policy.allows_tool("list_projects"));
        assert!(policy.allows_workspace(&acme) && !policy.allows_workspace(&Slug::parse("b").unwrap()));
        assert!(
            policy.allows_project(&acme, "X", &id)
                && !policy.allows_project(&acme, "", &Uuid::parse(&ID.replace('0', "1")).unwrap())
        );
    }

    #[test]
    fn every_wrong_entry_is_named() {
        let text = "[tools]\nallow = [\"list_project\", \"get_me\", \"delete_everything_at_once\"]\n\
                    [plane]\nworkspace_slug = \"b\"\nworkspaces = [\"acme\", \"a b\"]\n\
                    projects = [\"ENG\", \"b/ENG\", \"acme/E-N\", \"acme/\"]\n";
        let problems = read(text).unwrap_err();
        let starts = [
            "tools.allow[0]: there is no such tool, did you mean list_projects?",
            "tools.allow[2]: there is no such tool; the tools are get_me, ",
            "plane.workspaces[1]: ",
            "plane.projects[0]: must be a workspace and",
            "plane.projects[1]: is in a workspace that",
            "plane.projects[2]: must be",
            "plane.projects[3]: must be",
            "plane.workspace_slug: is not in plane.workspaces",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }
}
