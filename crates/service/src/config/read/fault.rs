//! What is wrong with one setting, and where.

use std::fmt::{self, Display, Write};

use config::{Value, ValueKind};
use serde::de::{Error, Expected, Unexpected};

/// Why a tree of values cannot be read.
#[derive(Debug)]
pub(in crate::config) struct Fault {
    /// From the inside out, as it is found on the way back.
    path: Vec<Segment>,
    message: String,
    /// The environment variable the value came from.
    variable: Option<String>,
    unknown_key: bool,
}

#[derive(Debug)]
enum Segment {
    Key(String),
    Element(usize),
}

impl Fault {
    pub(super) fn expected(expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    /// Moves the fault into the entry `key` of a table; `variable` is where that entry came from.
    pub(super) fn within(self, key: &str, variable: Option<&str>) -> Self {
        self.inside(Segment::Key(key.to_owned()), variable)
    }

    /// Moves the fault into an element of a list.
    pub(super) fn within_element(self, index: usize, variable: Option<&str>) -> Self {
        self.inside(Segment::Element(index), variable)
    }

    fn inside(mut self, segment: Segment, variable: Option<&str>) -> Self {
        if self.path.is_empty() {
            self.variable = variable.map(str::to_owned);
        }
        self.path.push(segment);
        self
    }

    /// The setting, as in `list[1].name`.
    pub(in crate::config) fn key(&self) -> String {
        let mut key = String::new();
        for segment in self.path.iter().rev() {
            let dot = if key.is_empty() { "" } else { "." };
            // Writing to a string does not fail.
            let _ = match segment {
                Segment::Key(name) => write!(key, "{dot}{name}"),
                Segment::Element(index) => write!(key, "[{index}]"),
            };
        }
        if key.is_empty() { "configuration".to_owned() } else { key }
    }

    /// What is wrong, and with which environment variable if it is one.
    pub(in crate::config) fn message(&self) -> String {
        match &self.variable {
            Some(variable) => format!("{} (from {variable})", self.message),
            None => self.message.clone(),
        }
    }

    /// The environment variable the setting came from.
    pub(in crate::config) fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    /// Whether the setting does not exist.
    pub(in crate::config) fn is_unknown_key(&self) -> bool {
        self.unknown_key
    }

    /// Takes the setting away, or the nearest thing around it that is there. False when nothing was.
    pub(in crate::config) fn remove_from(&self, root: &mut Value) -> bool {
        let path: Vec<&Segment> = self.path.iter().rev().collect();
        (1..=path.len()).rev().any(|depth| path.get(..depth).is_some_and(|path| remove(root, path)))
    }
}

fn remove(value: &mut Value, path: &[&Segment]) -> bool {
    match (path, &mut value.kind) {
        ([Segment::Key(key)], ValueKind::Table(table)) => table.remove(key).is_some(),
        ([Segment::Key(key), rest @ ..], ValueKind::Table(table)) => {
            table.get_mut(key).is_some_and(|value| remove(value, rest))
        }
        ([Segment::Element(index)], ValueKind::Array(list)) => list.get_mut(*index).is_some_and(|element| {
            let there = !matches!(element.kind, ValueKind::Nil);
            element.kind = ValueKind::Nil;
            there
        }),
        ([Segment::Element(index), rest @ ..], ValueKind::Array(list)) => {
            list.get_mut(*index).is_some_and(|value| remove(value, rest))
        }
        _ => false,
    }
}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self { path: Vec::new(), message: message.to_string(), variable: None, unknown_key: false }
    }

    // Serde's own words for these would show the value.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("expected one of {}", known.join(", ")))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let message = match nearest(field, known) {
            Some(nearest) => format!("unknown key, did you mean {nearest}?"),
            None => format!("unknown key, known here: {}", known.join(", ")),
        };
        Self { unknown_key: true, ..Self::custom(message) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom("is missing").within(field, None)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom("is set under two of its names").within(field, None)
    }
}

/// The known key that a misspelt one was meant to be: at most a third of its letters differ.
fn nearest(field: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let distances = known.iter().map(|known| (strsim::osa_distance(field, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= field.chars().count().max(3)).then_some(nearest)
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key(), self.message())
    }
}

impl std::error::Error for Fault {}
