//! What is looked for: the filters of `list_work_items`, as ids, for Plane to apply or to be applied here.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::locate;
use crate::plane::path::{Path, Slug, Uuid};
use crate::plane::shapes::{Reference, WorkItem};
use crate::tools::arguments::{Parameter, Shape};
use crate::tools::names::{Kind, Names};
use crate::tools::projects::Named;
use crate::tools::{Call, Failure};

const GROUPS: &[&str] = &["backlog", "unstarted", "started", "completed", "cancelled"];
const PRIORITIES: &[&str] = &["urgent", "high", "medium", "low", "none"];
/// What stands for the absence of people, labels, a cycle or a module.
const NONE: &str = "none";
/// After every change there will be; Plane's ranges have two ends.
const END_OF_TIME: &str = "2200-01-01";

const fn optional(name: &'static str, shape: Shape, description: &'static str) -> Parameter {
    Parameter { name, shape, required: false, description }
}

pub(super) const STATE: Parameter = optional("state", Shape::Texts(255), "");
pub(super) const STATE_GROUP: Parameter = optional("state_group", Shape::Choices(GROUPS), "");
pub(super) const PRIORITY: Parameter = optional("priority", Shape::Choices(PRIORITIES), "");
pub(super) const ASSIGNEE: Parameter =
    optional("assignee", Shape::Texts(255), "Names, \"me\", or \"none\" for unassigned.");
pub(super) const LABEL: Parameter = optional("label", Shape::Texts(255), "");
pub(super) const CYCLE: Parameter = optional("cycle", Shape::Text(255), "Name, \"current\" or \"none\".");
pub(super) const MODULE: Parameter = optional("module", Shape::Text(255), "");
pub(super) const CREATED_BY: Parameter = optional("created_by", Shape::Texts(255), "");
pub(super) const PARENT: Parameter = optional("parent", Shape::Text(64), "Sub-items of it.");
pub(super) const TEXT: Parameter = optional("text", Shape::Text(200), "In the title.");
pub(super) const UPDATED_SINCE: Parameter =
    optional("updated_since", Shape::Moment, "Date, or date and time.");
pub(super) const TARGET_AFTER: Parameter = optional("target_after", Shape::Date, "");
pub(super) const TARGET_BEFORE: Parameter =
    optional("target_before", Shape::Date, "Due that day or earlier.");

/// Any of these, or none at all.
#[derive(Debug, Default)]
pub(super) struct AnyOf {
    ids: Vec<Uuid>,
    none: bool,
}

/// Everything that was asked for; what is empty lets everything through.
#[derive(Debug, Default)]
pub(super) struct Filter {
    states: Vec<Uuid>,
    groups: Vec<&'static str>,
    priorities: Vec<&'static str>,
    assignees: AnyOf,
    labels: AnyOf,
    created_by: Vec<Uuid>,
    pub(super) cycle: AnyOf,
    pub(super) module: AnyOf,
    pub(super) parent: Option<Uuid>,
    text: Option<String>,
    updated_since: Option<Timestamp>,
    target_after: Option<String>,
    target_before: Option<String>,
}

impl AnyOf {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && !self.none
    }

    /// The one thing that is wanted, where there is one.
    pub(super) fn only(&self) -> Option<&Uuid> {
        self.ids.first().filter(|_| !self.none && self.ids.len() == 1)
    }

    /// Whether Plane's filter, which is a list of ids, says the same.
    fn is_ids(&self) -> bool {
        !self.none
    }

    fn takes(&self, given: &[&str]) -> bool {
        self.is_empty()
            || (self.none && given.is_empty())
            || given.iter().any(|id| self.ids.iter().any(|wanted| wanted.as_str() == *id))
    }
}

impl Filter {
    /// Reads the arguments; every name becomes an id, or the call fails and says which names there are.
    pub(super) async fn read(call: &Call<'_>, slug: &Slug, project: Option<&Named>) -> Result<Self, Failure> {
        let names = Names::new(call, slug, project);
        let given = &call.arguments;
        let (cycle, module) = (one(given.text(CYCLE.name)), one(given.text(MODULE.name)));
        let (states, assignees, labels, created_by, cycle, module, parent) = tokio::try_join!(
            ids(&names, Kind::State, given.texts(STATE.name)),
            ids(&names, Kind::Member, given.texts(ASSIGNEE.name)),
            ids(&names, Kind::Label, given.texts(LABEL.name)),
            ids(&names, Kind::Member, given.texts(CREATED_BY.name)),
            ids(&names, Kind::Cycle, &cycle),
            ids(&names, Kind::Module, &module),
            async {
                let Some(text) = given.text(PARENT.name) else { return Ok(None) };
                let id = project.map(|project| project.id.as_str());
                Ok(Some(locate::named(call, slug, text, id).await?.id))
            },
        )?;
        let text = |name: &str| given.text(name).map(str::to_owned);
        let filter = Self {
            states: states.without_none(STATE.name)?,
            groups: given.choices(STATE_GROUP.name).unwrap_or_default().to_vec(),
            priorities: given.choices(PRIORITY.name).unwrap_or_default().to_vec(),
            assignees,
            labels,
            created_by: created_by.without_none(CREATED_BY.name)?,
            cycle,
            module,
            parent,
            text: text(TEXT.name),
            updated_since: given.text(UPDATED_SINCE.name).and_then(moment),
            target_after: text(TARGET_AFTER.name),
            target_before: text(TARGET_BEFORE.name),
        };
        Ok(filter)
    }

    /// Only the sub-items of this one.
    pub(super) fn children_of(parent: &Uuid) -> Self {
        Self { parent: Some(parent.clone()), ..Self::default() }
    }

    /// Whether nothing is filtered.
    pub(super) fn is_empty(&self) -> bool {
        self.is_only_grouped() && self.cycle.is_empty() && self.module.is_empty()
    }

    /// Whether nothing is filtered but the cycle or module.
    pub(super) fn is_only_grouped(&self) -> bool {
        let lists = [self.states.is_empty(), self.groups.is_empty(), self.priorities.is_empty()];
        let people = [self.assignees.is_empty(), self.labels.is_empty(), self.created_by.is_empty()];
        let texts = [&self.text, &self.target_after, &self.target_before];
        lists.into_iter().chain(people).all(|empty| empty)
            && texts.into_iter().all(Option::is_none)
            && self.parent.is_none()
            && self.updated_since.is_none()
    }

    /// Whether Plane's application can apply all of it. What is *not* there it knows only until it is removed: rows of
    /// removed assignees stay in its database and count.
    pub(super) fn is_planes(&self) -> bool {
        self.assignees.is_ids() && self.labels.is_ids() && self.cycle.is_ids() && self.module.is_ids()
    }

    /// Adds what Plane's application can apply, by the names its own web pages use. `updated_at` is not among them: Plane
    /// reads it as the day of creation.
    pub(super) fn asked(&self, path: Path, is_project: bool) -> Path {
        let any = |path: Path, name: &str, wanted: &AnyOf| {
            if wanted.is_ids() { listed(path, name, &wanted.ids) } else { path }
        };
        let path = listed(path, "state", &self.states);
        let path = words(path, "state_group", &self.groups);
        let path = words(path, "priority", &self.priorities);
        let path = any(path, "assignees", &self.assignees);
        let path = any(path, "labels", &self.labels);
        let path = listed(path, "created_by", &self.created_by);
        let path = any(path, "cycle", &self.cycle);
        let path = any(path, "module", &self.module);
        let path = listed(path, "parent", self.parent.as_slice());
        let path = self.text.iter().fold(path, |path, text| path.query("name", text));
        let after = self.target_after.iter().map(|day| format!("{day};after"));
        let bounds: Vec<String> =
            after.chain(self.target_before.iter().map(|day| format!("{day};before"))).collect();
        let path = if bounds.is_empty() { path } else { path.query("target_date", &bounds.join(",")) };
        match &self.updated_since {
            None => path,
            Some(since) if is_project => path.query("updated_at__gt", &since.to_string()),
            Some(since) => {
                let range = format!("{since},{END_OF_TIME}");
                path.query("filters", &serde_json::json!({"updated_at__range": range}).to_string())
            }
        }
    }

    /// Whether the item is wanted, as far as its own fields say; cycles and modules count only where Plane says them.
    pub(super) fn takes(&self, item: &WorkItem) -> bool {
        let cycle: Vec<&str> = item.cycle_id.as_deref().into_iter().collect();
        let modules: Vec<&str> = item.module_ids.iter().flatten().map(String::as_str).collect();
        let text = |text: &String| {
            item.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&text.to_lowercase()))
        };
        self.agrees(item)
            && self.assignees.takes(&item.assigned())
            && self.labels.takes(&item.labelled())
            && (!self.cycle.none || self.cycle.takes(&cycle))
            && (!self.module.none || self.module.takes(&modules))
            && self.text.as_ref().is_none_or(text)
    }

    /// Whether a row Plane gave can be one that was asked for. A Plane that does not know a filter leaves it out without
    /// a word, and then everything would look like the answer.
    pub(super) fn agrees(&self, item: &WorkItem) -> bool {
        let one_of = |wanted: &[Uuid], given: Option<&str>| {
            wanted.is_empty() || wanted.iter().any(|id| Some(id.as_str()) == given)
        };
        let word = |wanted: &[&str], given: Option<&str>| {
            wanted.is_empty() || given.is_none_or(|given| wanted.contains(&given))
        };
        let due = item.target_date.as_deref();
        one_of(&self.states, item.in_state())
            && word(&self.groups, item.in_group())
            && word(&self.priorities, item.priority.as_deref())
            && one_of(&self.created_by, item.created_by.as_ref().and_then(Reference::id))
            && one_of(self.parent.as_slice(), item.under())
            && self.target_after.as_deref().is_none_or(|day| due.is_some_and(|due| due >= day))
            && self.target_before.as_deref().is_none_or(|day| due.is_some_and(|due| due <= day))
            && self.updated_since.is_none_or(|since| {
                let updated = item.updated_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
                updated.is_none_or(|updated| updated >= since)
            })
    }
}

impl AnyOf {
    fn without_none(self, name: &str) -> Result<Vec<Uuid>, Failure> {
        if self.none {
            return Err(Failure::argument(format!("{name} cannot be \"{NONE}\"")));
        }
        Ok(self.ids)
    }
}

/// A moment; a day begins in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(day)
}

/// What the names of one kind mean.
async fn ids(names: &Names<'_>, kind: Kind, texts: &[String]) -> Result<AnyOf, Failure> {
    let mut wanted = AnyOf::default();
    for text in texts {
        if text.eq_ignore_ascii_case(NONE) {
            wanted.none = true;
            continue;
        }
        match kind {
            Kind::State => wanted.ids.extend(names.states(text).await?),
            Kind::Label => wanted.ids.extend(names.labels(text).await?),
            Kind::Member => wanted.ids.extend(names.members(text).await?),
            Kind::Cycle => wanted.ids.push(names.cycle(text).await?),
            Kind::Module => wanted.ids.push(names.module(text).await?),
            // Projects have no names here.
            Kind::Project => {}
        }
    }
    Ok(wanted)
}

fn one(text: Option<&str>) -> Vec<String> {
    text.map(str::to_owned).into_iter().collect()
}

fn listed(path: Path, name: &str, ids: &[Uuid]) -> Path {
    words(path, name, &ids.iter().map(Uuid::as_str).collect::<Vec<_>>())
}

fn words(path: Path, name: &str, words: &[&str]) -> Path {
    if words.is_empty() { path } else { path.query(name, &words.join(",")) }
}

#[cfg(test)]
mod tests;
