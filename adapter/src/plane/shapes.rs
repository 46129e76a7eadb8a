//! The parts of Plane's answers the tools use. Everything is optional: Plane's editions differ, and
//! `fields` drops what was not asked for; unknown fields are ignored.

pub mod intake;
pub mod person;
pub mod planning;
pub mod project;
pub mod work_item;

use serde::Deserialize;

pub use person::User;
pub use project::Project;
pub use work_item::WorkItem;

/// One page of a list, as Plane's envelope has it.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub results: Vec<T>,
    /// Where the next page starts; set even on the last page, so [`Page::next`] decides.
    #[serde(default)]
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    #[serde(default)]
    pub next_page_results: bool,
    /// Rows in all pages together.
    #[serde(default)]
    pub total_results: Option<u64>,
}

impl<T> Page<T> {
    /// The cursor of the next page, when there is one.
    pub fn next(&self) -> Option<String> {
        self.next_cursor.clone().filter(|_| self.next_page_results)
    }
}

/// A list that some editions wrap in an envelope and some do not.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Rows<T> {
    /// A bare array.
    Bare(Vec<T>),
    /// An envelope.
    Page(Page<T>),
}

impl<T> Rows<T> {
    /// The rows of either form.
    pub fn into_rows(self) -> Vec<T> {
        match self {
            Self::Bare(rows) => rows,
            Self::Page(page) => page.results,
        }
    }
}

/// A field that is an id, or the thing itself when it was expanded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Reference {
    /// Not expanded.
    Id(String),
    /// Expanded; an absent one expands to an empty object.
    Thing(Thing),
}

/// What is read of an expanded field: a state, a label, a person, a project or a parent item.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Thing {
    /// UUID.
    pub id: Option<String>,
    /// Name of a state, label or project.
    pub name: Option<String>,
    /// Name of a person.
    pub display_name: Option<String>,
    /// Group of a state: backlog, unstarted, started, completed, cancelled.
    pub group: Option<String>,
    /// Short name of a project.
    pub identifier: Option<String>,
    /// Number of a parent item.
    pub sequence_id: Option<u64>,
    /// Project of a parent item.
    pub project_id: Option<String>,
}

impl Reference {
    /// The expanded thing, if it was expanded.
    pub fn thing(&self) -> Option<&Thing> {
        match self {
            Self::Id(_) => None,
            Self::Thing(thing) => Some(thing),
        }
    }

    /// A name where there is one, else the id.
    pub fn label(&self) -> Option<String> {
        match self {
            Self::Id(id) => Some(id.clone()),
            Self::Thing(thing) => {
                thing.display_name.clone().or_else(|| thing.name.clone()).or_else(|| thing.id.clone())
            }
        }
    }

    /// The id in either form.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Thing(thing) => thing.id.as_deref(),
        }
    }
}

/// A workspace the caller belongs to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Workspace {
    /// The name in paths.
    pub slug: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// 20 admin, 15 member, 5 guest.
    pub role: Option<u32>,
    /// How many people are in it.
    pub total_members: Option<u64>,
}
