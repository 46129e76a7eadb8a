//! A work item as a model reads it: keys and names instead of ids, nothing empty.

use std::collections::HashMap;

use serde::Serialize;

use crate::plane::shapes::{Reference, WorkItem};
use crate::tools::markdown;
use crate::tools::names::{Directory, Kind};

/// Longest description in a list.
const LISTED_DESCRIPTION: usize = 500;

/// One item. In lists only the fields asked for are there.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) assignees: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cycle: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) modules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
}

/// What names are made of.
#[derive(Debug, Default)]
pub(super) struct Known<'k> {
    /// Names by id, for rows that hold ids.
    pub(super) directory: Directory,
    /// The identifier of the project all rows are in, where there is one.
    pub(super) project: Option<&'k str>,
    /// Its id.
    pub(super) project_id: Option<&'k str>,
    /// Identifiers of other items on the page, by id.
    pub(super) keys: HashMap<String, String>,
    /// Whether only what is known by name may be shown of other projects.
    pub(super) is_limited: bool,
}

impl Known<'_> {
    /// `ENG-42`.
    pub(super) fn key(&self, item: &WorkItem) -> Option<String> {
        Some(format!("{}-{}", self.identifier(item)?, item.sequence_id?))
    }

    fn identifier<'i>(&'i self, item: &'i WorkItem) -> Option<&'i str> {
        let expanded = || item.project.as_ref()?.thing()?.identifier.as_deref();
        let listed = || self.directory.project_identifier(item.in_project()?);
        self.project.or_else(expanded).or_else(listed)
    }

    fn state(&self, item: &WorkItem) -> (Option<String>, Option<String>) {
        let named = item.in_state().and_then(|id| self.directory.state(id));
        let name = named.map(|state| state.name.clone());
        let group = item.in_group().map(str::to_owned).or_else(|| named?.group.clone());
        let plain = || item.state.as_ref().and_then(Reference::label).or_else(|| item.state_id.clone());
        (name.or_else(plain), group)
    }

    /// The parent's key when it is in the same project or on the same page, else its id.
    fn parent(&self, item: &WorkItem) -> Option<String> {
        let id = item.under()?;
        let thing = item.parent.as_ref().and_then(Reference::thing);
        let same = thing.and_then(|thing| {
            let own = item.in_project().or(self.project_id);
            let is_own = own.is_some() && own == thing.project_id.as_deref();
            Some(format!("{}-{}", self.identifier(item).filter(|_| is_own)?, thing.sequence_id?))
        });
        let key = same.or_else(|| self.keys.get(id).cloned());
        key.or_else(|| (!self.is_limited).then(|| id.to_owned()))
    }

    fn all(&self, ids: Option<&[String]>, name: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let named = |id: &String| name(id).unwrap_or_else(|| id.clone());
        ids.unwrap_or_default().iter().map(named).collect()
    }
}

impl Row {
    /// The whole item without its description.
    pub(super) fn of(item: WorkItem, known: &Known<'_>) -> Self {
        let (state, state_group) = known.state(&item);
        let member = |id: &str| known.directory.member(id).map(str::to_owned);
        let label = |id: &str| known.directory.label(id).map(str::to_owned);
        let module = |id: &str| known.directory.module(id).map(str::to_owned);
        let mut assignees = known.all(item.assignee_ids.as_deref(), member);
        let mut labels = known.all(item.label_ids.as_deref(), label);
        assignees.extend(things(item.assignees.as_deref()));
        labels.extend(things(item.labels.as_deref()));
        let creator = item.created_by.as_ref();
        let creator = creator.and_then(|by| by.id().and_then(member).or_else(|| by.label()));
        Self {
            identifier: known.key(&item),
            parent: known.parent(&item),
            state,
            state_group,
            priority: item.priority.filter(|priority| priority != "none"),
            assignees,
            labels,
            cycle: item.cycle_id.map(|id| known.directory.cycle(&id).map_or(id.clone(), str::to_owned)),
            modules: known.all(item.module_ids.as_deref(), module),
            created_by: creator,
            name: item.name,
            id: item.id,
            start_date: item.start_date,
            target_date: item.target_date,
            completed_at: item.completed_at.map(seconds),
            created_at: item.created_at.map(seconds),
            updated_at: item.updated_at.map(seconds),
            description: None,
        }
    }

    /// A row of a list: the fields asked for.
    pub(super) fn listed(mut item: WorkItem, known: &Known<'_>, fields: &[&str]) -> Self {
        let html = item.description_html.take().filter(|_| fields.contains(&"description"));
        let description = html.map(|html| markdown::of_html(&html)).filter(|text| !text.is_empty());
        let row = Self::of(item, known);
        let has = |field: &str| fields.contains(&field);
        let kept = |field: &str, value: Option<String>| value.filter(|_| has(field));
        let all = |field: &str, values: Vec<String>| if has(field) { values } else { Vec::new() };
        Self {
            identifier: row.identifier,
            name: kept("name", row.name),
            id: kept("id", row.id),
            state: kept("state", row.state),
            state_group: kept("state", row.state_group),
            priority: kept("priority", row.priority),
            assignees: all("assignees", row.assignees),
            labels: all("labels", row.labels),
            cycle: kept("cycle", row.cycle),
            modules: all("modules", row.modules),
            parent: kept("parent", row.parent),
            start_date: kept("start_date", row.start_date),
            target_date: kept("target_date", row.target_date),
            completed_at: kept("completed_at", row.completed_at),
            created_by: kept("created_by", row.created_by),
            created_at: kept("created_at", row.created_at),
            updated_at: kept("updated_at", row.updated_at),
            description: description.map(|text| markdown::cut(&text, LISTED_DESCRIPTION)),
        }
    }
}

/// The kinds of names that rows with ids of these fields need.
pub(super) fn kinds(fields: &[&str]) -> Vec<Kind> {
    let needs = |kind: &Kind| match kind {
        Kind::State => fields.contains(&"state"),
        Kind::Label => fields.contains(&"labels"),
        Kind::Member => fields.contains(&"assignees") || fields.contains(&"created_by"),
        Kind::Cycle => fields.contains(&"cycle"),
        Kind::Module => fields.contains(&"modules"),
        Kind::Project => false,
    };
    let all = [Kind::State, Kind::Label, Kind::Member, Kind::Cycle, Kind::Module];
    all.into_iter().filter(needs).collect()
}

/// A moment without its fractions of a second, which say nothing and cost as much as a word.
pub(in crate::tools) fn seconds(at: String) -> String {
    let Some((whole, rest)) = at.split_once('.') else { return at };
    format!("{whole}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn things(references: Option<&[Reference]>) -> impl Iterator<Item = String> {
    references.unwrap_or_default().iter().filter_map(Reference::label)
}
