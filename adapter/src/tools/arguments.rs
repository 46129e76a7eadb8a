//! What a tool takes: one description of each parameter, from which come both the schema and the check.

mod dates;

use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::Failure;
use crate::plane::path::Uuid;

/// Most entries of a list; nobody asks for more by hand, and each can cost Plane a join.
const LIST_ENTRIES: usize = 50;

/// One parameter of a tool.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub shape: Shape,
    /// Whether the tool cannot do without.
    pub required: bool,
    /// What the model reads; empty when the name says it all.
    pub description: &'static str,
}

/// The values a parameter takes.
#[derive(Debug)]
pub enum Shape {
    /// Text of at most so many characters.
    Text(usize),
    /// Some texts of at most so many characters each.
    Texts(usize),
    /// A UUID, kept as [`Arguments::text`] in lower case.
    Uuid,
    /// `true` or `false`; absent is false.
    Boolean,
    /// A day, kept as [`Arguments::text`] in the form `2026-11-21`. Of a date-time its day is taken, as written.
    Date,
    /// A day or a date-time, kept as [`Arguments::text`]: `2026-11-21`, or `2026-11-21T08:00:00Z` in UTC.
    Moment,
    /// A whole number within bounds.
    Integer {
        /// Smallest.
        least: i64,
        /// Largest.
        most: i64,
        /// Used when it is absent.
        default: i64,
    },
    /// One of these; the first is used when it is absent.
    Choice(&'static [&'static str]),
    /// Some of these.
    Choices(&'static [&'static str]),
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    Text(String),
    Texts(Vec<String>),
    Boolean(bool),
    Integer(i64),
    Choices(Vec<&'static str>),
}

/// The checked arguments of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(BTreeMap<&'static str, Argument>);

impl Parameter {
    /// The parameter's JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = match self.shape {
            // Lengths are checked, not listed: every model is sent the list, and none comes near the bounds.
            Shape::Text(_) => json!({"type": "string"}),
            Shape::Texts(_) => json!({"type": "array", "items": {"type": "string"}}),
            Shape::Uuid => json!({"type": "string", "format": "uuid"}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Date => json!({"type": "string", "format": "date"}),
            // No format: it is one of two.
            Shape::Moment => json!({"type": "string"}),
            Shape::Integer { least, most, default } => {
                json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
            }
            Shape::Choice(values) => json!({"type": "string", "enum": values, "default": values.first()}),
            Shape::Choices(values) => {
                json!({"type": "array", "items": {"type": "string", "enum": values}})
            }
        };
        if let (Some(schema), false) = (schema.as_object_mut(), self.description.is_empty()) {
            schema.insert("description".to_owned(), self.description.into());
        }
        schema
    }

    /// Checks one value; models send numbers as text and lists as text with commas, which is meant well. `None` is
    /// nothing: blank text, an empty list.
    fn read(&self, value: Value) -> Result<Option<Argument>, Failure> {
        let read = match self.shape {
            Shape::Text(most) => scalar(&value)
                .ok_or_else(|| "must be text".to_owned())
                .and_then(|text| plain(text, most))
                .map(|text| (!text.is_empty()).then_some(Argument::Text(text))),
            Shape::Texts(most) => list(value)
                .and_then(|given| given.into_iter().map(|text| plain(text, most)).collect::<Result<_, _>>())
                .map(|texts: Vec<_>| (!texts.is_empty()).then_some(Argument::Texts(texts))),
            Shape::Uuid => scalar(&value)
                .and_then(|text| Uuid::parse(&text))
                .map(|id| Some(Argument::Text(id.as_str().to_owned())))
                .ok_or_else(|| "must be an id such as 0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f".to_owned()),
            Shape::Boolean => match scalar(&value).unwrap_or_default().to_ascii_lowercase().as_str() {
                "true" => Ok(Some(Argument::Boolean(true))),
                "false" => Ok(Some(Argument::Boolean(false))),
                _ => Err("must be true or false".to_owned()),
            },
            Shape::Date => scalar(&value)
                .and_then(|text| dates::day(&text))
                .map(|day| Some(Argument::Text(day)))
                .ok_or_else(|| "must be a date such as 2026-11-21".to_owned()),
            Shape::Moment => scalar(&value)
                .and_then(|text| dates::moment(&text))
                .map(|at| Some(Argument::Text(at)))
                .ok_or_else(|| {
                    "must be a date such as 2026-11-21, or a date-time such as 2026-11-21T08:00:00Z"
                        .to_owned()
                }),
            Shape::Integer { least, most, .. } => integer(&value)
                .filter(|number| (least..=most).contains(number))
                .map(|number| Some(Argument::Integer(number)))
                .ok_or_else(|| format!("must be a whole number from {least} to {most}")),
            Shape::Choice(values) => scalar(&value)
                .and_then(|text| known(values, &text))
                .map(|chosen| Some(Argument::Text(chosen.to_owned())))
                .ok_or_else(|| format!("must be one of {}", values.join(", "))),
            Shape::Choices(values) => list(value)
                .and_then(|given| {
                    let chosen: Option<Vec<_>> = given.iter().map(|text| known(values, text)).collect();
                    chosen.ok_or_else(|| format!("can hold {}", values.join(", ")))
                })
                .map(|chosen| (!chosen.is_empty()).then_some(Argument::Choices(chosen))),
        };
        read.map_err(|wrong| Failure::argument(format!("{} {wrong}", self.name)))
    }
}

impl Arguments {
    /// Checks what a client sent. Absent, `null` and blank mean the same; an unknown argument is refused by name.
    ///
    /// # Errors
    /// [`super::Code::ArgumentInvalid`] for the first that is wrong.
    pub fn parse(parameters: &'static [Parameter], given: Option<JsonObject>) -> Result<Self, Failure> {
        let mut given = given.unwrap_or_default();
        let mut arguments = Self::default();
        for parameter in parameters {
            let value = given.remove(parameter.name).filter(|value| !is_blank(value));
            let argument = match value {
                Some(value) => parameter.read(value)?,
                None => None,
            };
            match (argument, &parameter.shape) {
                (Some(argument), _) => arguments.set(parameter, argument),
                (None, _) if parameter.required => {
                    return Err(Failure::argument(format!("{} is required", parameter.name)));
                }
                (None, Shape::Integer { default, .. }) => {
                    arguments.set(parameter, Argument::Integer(*default))
                }
                (None, Shape::Choice([first, ..])) => {
                    arguments.set(parameter, Argument::Text((*first).to_owned()));
                }
                (None, _) => {}
            }
        }
        match given.into_iter().next() {
            None => Ok(arguments),
            Some((unknown, _)) => {
                let unknown: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
                let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
                Err(Failure {
                    hint: format!("The arguments are: {}.", known.join(", ")),
                    ..Failure::argument(format!("there is no argument \"{unknown}\""))
                })
            }
        }
    }

    fn set(&mut self, parameter: &'static Parameter, argument: Argument) {
        self.0.insert(parameter.name, argument);
    }

    /// A text, choice, id, date or moment, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list; none when it was not given.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            Some(Argument::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Whether it was given and is true.
    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Argument::Boolean(true)))
    }

    /// A number, given or by default.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Argument::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A list of choices, if given.
    pub fn choices(&self, name: &str) -> Option<&[&'static str]> {
        match self.0.get(name)? {
            Argument::Choices(choices) => Some(choices),
            _ => None,
        }
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The entry of `values` that is meant; upper and lower case do not matter.
fn known(values: &'static [&'static str], text: &str) -> Option<&'static str> {
    values.iter().copied().find(|known| known.eq_ignore_ascii_case(text))
}

fn plain(text: String, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        return Err(format!("must be at most {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters".to_owned());
    }
    Ok(text)
}

fn integer(value: &Value) -> Option<i64> {
    let text = scalar(value)?;
    text.parse().ok().or_else(|| value.as_f64().and_then(whole))
}

/// `25.0` is what some clients make of 25.
#[expect(clippy::cast_possible_truncation, reason = "the value is whole and small")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e9).then_some(number as i64)
}

/// A list, a list written as JSON text, or words with commas between. Each entry is there once.
fn list(value: Value) -> Result<Vec<String>, String> {
    let given: Option<Vec<String>> = match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => items.iter().map(scalar).collect(),
            _ => None,
        },
        Value::String(text) => Some(text.split(',').map(|word| word.trim().to_owned()).collect()),
        number @ (Value::Number(_) | Value::Bool(_)) => scalar(&number).map(|only| vec![only]),
        Value::Null | Value::Object(_) => None,
    };
    let given = given.ok_or_else(|| "must be a list".to_owned())?;
    let mut entries: Vec<String> = Vec::new();
    for text in given {
        if !text.is_empty() && !entries.contains(&text) {
            entries.push(text);
        }
        if entries.len() > LIST_ENTRIES {
            return Err(format!("must hold at most {LIST_ENTRIES} entries"));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
