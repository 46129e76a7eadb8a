//! Names instead of ids, in both directions: what a model says becomes the ids Plane filters by, and the ids Plane
//! answers with become names. Everything comes from lists kept for a minute for this caller alone.

mod directory;
mod lists;
mod matching;

use jiff::Timestamp;

use super::projects::Named;
use super::{Call, Code, Failure, users};
use crate::plane::path::{Slug, Uuid};
use crate::plane::shapes::User;
use crate::plane::shapes::planning::{Cycle, Module};
use crate::plane::shapes::project::{Label, State};

pub(super) use directory::{Directory, Kind};

use matching::{Named as _, Rule};

/// The names of one project, or of a whole workspace (signed-in users only).
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'c> {
    call: &'c Call<'c>,
    slug: &'c Slug,
    project: Option<&'c Named>,
}

impl<'c> Names<'c> {
    pub(super) fn new(call: &'c Call<'c>, slug: &'c Slug, project: Option<&'c Named>) -> Self {
        Self { call, slug, project }
    }

    /// States of this name: one in a project, perhaps several in a workspace.
    pub(super) async fn states(&self, text: &str) -> Result<Vec<Uuid>, Failure> {
        let rows: Vec<State> = self.list_states().await?;
        self.pick(&rows, text, Rule::AllOfOneName, Code::StateNotFound, "state")
    }

    /// Labels of this name: one in a project, perhaps several in a workspace.
    pub(super) async fn labels(&self, text: &str) -> Result<Vec<Uuid>, Failure> {
        let rows: Vec<Label> = self.list_labels().await?;
        self.pick(&rows, text, Rule::AllOfOneName, Code::LabelNotFound, "label")
    }

    /// The person of this display name, full name, e-mail address or id, or the caller for `me`.
    pub(super) async fn members(&self, text: &str) -> Result<Vec<Uuid>, Failure> {
        if text.eq_ignore_ascii_case("me") {
            return Ok(vec![users::id(self.call).await?]);
        }
        match (self.list_members().await, Uuid::parse(text)) {
            (Ok(rows), _) => self.pick(&rows, text, Rule::One, Code::MemberNotFound, "member"),
            // Who may not see the list can still name somebody by id.
            (Err(Failure { code: Code::PermissionDenied, .. }), Some(id)) => Ok(vec![id]),
            (Err(failure), _) => Err(failure),
        }
    }

    /// The cycle of this name or id, or the running one for `current`.
    pub(super) async fn cycle(&self, text: &str) -> Result<Uuid, Failure> {
        let mut rows: Vec<Cycle> = self.list_cycles().await?;
        if !text.eq_ignore_ascii_case("current") {
            return self.pick_one(&rows, text, Code::CycleNotFound, "cycle");
        }
        let now = Timestamp::try_from(self.call.plane.now()).unwrap_or_default();
        rows.retain(|cycle| cycle.status(now) == "current");
        match rows.as_slice() {
            [running] => {
                running.uuid().ok_or_else(|| self.nothing(&rows, text, Code::CycleNotFound, "cycle"))
            }
            [] => Err(Failure {
                hint: "Use list_cycles to see past and coming cycles.".to_owned(),
                ..Failure::of(Code::CycleNotFound, format!("No cycle is running in {}.", self.place()))
            }),
            _ => Err(self.ambiguous(rows.iter(), "current", "cycle")),
        }
    }

    /// The module of this name or id.
    pub(super) async fn module(&self, text: &str) -> Result<Uuid, Failure> {
        let rows: Vec<Module> = self.list_modules().await?;
        self.pick_one(&rows, text, Code::ModuleNotFound, "module")
    }

    fn pick_one<T: matching::Named>(
        &self,
        rows: &[T],
        text: &str,
        code: Code,
        what: &str,
    ) -> Result<Uuid, Failure> {
        let ids = self.pick(rows, text, Rule::One, code, what)?;
        ids.into_iter().next().ok_or_else(|| self.nothing(rows, text, code, what))
    }

    fn pick<T: matching::Named>(
        &self,
        rows: &[T],
        text: &str,
        rule: Rule,
        code: Code,
        what: &str,
    ) -> Result<Vec<Uuid>, Failure> {
        match matching::find(rows, text, rule) {
            matching::Found::Ids(ids) => Ok(ids),
            matching::Found::Nothing => Err(self.nothing(rows, text, code, what)),
            matching::Found::Several(several) => Err(self.ambiguous(several.into_iter(), text, what)),
        }
    }

    fn nothing<T: matching::Named>(&self, rows: &[T], text: &str, code: Code, what: &str) -> Failure {
        let known = matching::candidates(rows, text);
        let known = if known.is_empty() {
            format!("There are no {what}s.")
        } else {
            format!("There are: {}.", known.join(", "))
        };
        Failure::of(code, format!("There is no {what} \"{text}\" in {}. {known}", self.place()))
    }

    fn ambiguous<'r, T: matching::Named + 'r>(
        &self,
        rows: impl Iterator<Item = &'r T>,
        text: &str,
        what: &str,
    ) -> Failure {
        let known: Vec<String> =
            rows.take(matching::CANDIDATES).map(|row| format!("{} ({})", row.shown(), row.tag())).collect();
        Failure {
            hint: format!(
                "Pass one of these in full, or the id in brackets, as {what}; or name the project."
            ),
            ..Failure::argument(format!("\"{text}\" may mean more than one {what}: {}.", known.join(", ")))
        }
    }

    /// Where was looked, for messages.
    fn place(&self) -> String {
        match self.project {
            Some(project) => format!("project {}", project.label()),
            None => format!("workspace {}", self.slug.as_str()),
        }
    }
}

impl matching::Named for State {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn names(&self) -> Vec<String> {
        self.name.iter().cloned().collect()
    }
}

impl matching::Named for Label {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn names(&self) -> Vec<String> {
        self.name.iter().cloned().collect()
    }
}

impl matching::Named for Cycle {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn names(&self) -> Vec<String> {
        self.name.iter().cloned().collect()
    }
}

impl matching::Named for Module {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn names(&self) -> Vec<String> {
        self.name.iter().cloned().collect()
    }
}

impl matching::Named for User {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    fn names(&self) -> Vec<String> {
        self.display_name.iter().cloned().chain(self.full_name()).chain(self.email.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
