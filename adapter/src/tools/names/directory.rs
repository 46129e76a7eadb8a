//! Names by id, for answers.

use std::collections::HashMap;

use super::Names;
use super::matching::Named;
use crate::tools::{Failure, projects};

/// What a [`Directory`] can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum Kind {
    State,
    Label,
    Member,
    Cycle,
    Module,
    Project,
}

/// Names by id. A kind that Plane refuses this caller is empty, so that ids stay what they are.
#[derive(Debug, Default)]
pub(in crate::tools) struct Directory {
    states: HashMap<String, NamedState>,
    labels: HashMap<String, String>,
    members: HashMap<String, String>,
    cycles: HashMap<String, String>,
    modules: HashMap<String, String>,
    projects: HashMap<String, String>,
}

/// A state's name, and the group that says what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct NamedState {
    pub(in crate::tools) name: String,
    pub(in crate::tools) group: Option<String>,
}

impl Names<'_> {
    /// Names of these kinds; the lists are asked for at the same time. Each is boxed: six of them unboxed would make
    /// every tool's future too large for a stack.
    pub(in crate::tools) async fn directory(&self, kinds: &[Kind]) -> Directory {
        let wanted = |kind: Kind| kinds.contains(&kind);
        let (states, labels, members, cycles, modules, projects) = tokio::join!(
            when(wanted(Kind::State), Box::pin(self.list_states())),
            when(wanted(Kind::Label), Box::pin(self.list_labels())),
            when(wanted(Kind::Member), Box::pin(self.list_members())),
            when(wanted(Kind::Cycle), Box::pin(self.list_cycles())),
            when(wanted(Kind::Module), Box::pin(self.list_modules())),
            when(wanted(Kind::Project), Box::pin(projects::known(self.call, self.slug))),
        );
        let state = |state: crate::plane::shapes::project::State| {
            Some((state.id?, NamedState { name: state.name?, group: state.group }))
        };
        Directory {
            states: states.into_iter().filter_map(state).collect(),
            labels: by_id(&labels),
            members: by_id(&members),
            cycles: by_id(&cycles),
            modules: by_id(&modules),
            projects: projects.into_iter().filter_map(|row| Some((row.id?, row.identifier?))).collect(),
        }
    }
}

impl Directory {
    pub(in crate::tools) fn state(&self, id: &str) -> Option<&NamedState> {
        self.states.get(id)
    }

    pub(in crate::tools) fn label(&self, id: &str) -> Option<&str> {
        self.labels.get(id).map(String::as_str)
    }

    pub(in crate::tools) fn member(&self, id: &str) -> Option<&str> {
        self.members.get(id).map(String::as_str)
    }

    pub(in crate::tools) fn cycle(&self, id: &str) -> Option<&str> {
        self.cycles.get(id).map(String::as_str)
    }

    pub(in crate::tools) fn module(&self, id: &str) -> Option<&str> {
        self.modules.get(id).map(String::as_str)
    }

    pub(in crate::tools) fn project_identifier(&self, id: &str) -> Option<&str> {
        self.projects.get(id).map(String::as_str)
    }
}

/// The rows, or none when they are not wanted or cannot be had.
async fn when<T>(wanted: bool, rows: impl Future<Output = Result<Vec<T>, Failure>>) -> Vec<T> {
    if wanted { rows.await.unwrap_or_default() } else { Vec::new() }
}

fn by_id<T: Named>(rows: &[T]) -> HashMap<String, String> {
    rows.iter().filter_map(|row| Some((row.id()?.to_owned(), row.shown()))).collect()
}
