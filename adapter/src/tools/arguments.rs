//! What a tool takes: one description of each parameter, from which come both the schema and the check.

use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::Failure;

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
            Shape::Text(most) => json!({"type": "string", "maxLength": most}),
            Shape::Integer { least, most, default } => {
                json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
            }
            Shape::Choice(values) => json!({"type": "string", "enum": values, "default": values.first()}),
            Shape::Choices(values) => {
                json!({"type": "array", "items": {"type": "string", "enum": values}, "uniqueItems": true})
            }
        };
        if let (Some(schema), false) = (schema.as_object_mut(), self.description.is_empty()) {
            schema.insert("description".to_owned(), self.description.into());
        }
        schema
    }

    /// Checks one value; models send numbers as text and lists as text with commas, which is meant well.
    fn read(&self, value: Value) -> Result<Option<Argument>, Failure> {
        let wrong = |what: String| Failure::argument(format!("{} {what}", self.name));
        match self.shape {
            Shape::Text(most) => {
                let text = scalar(&value).ok_or_else(|| wrong("must be text".into()))?;
                if text.chars().count() > most {
                    return Err(wrong(format!("must be at most {most} characters")));
                }
                if text.chars().any(char::is_control) {
                    return Err(wrong("must not hold control characters".into()));
                }
                Ok((!text.is_empty()).then_some(Argument::Text(text)))
            }
            Shape::Integer { least, most, .. } => {
                let text = scalar(&value).unwrap_or_default();
                let number = text.parse().ok().or_else(|| value.as_f64().and_then(whole));
                let number = number.filter(|number| (least..=most).contains(number));
                number
                    .map(|number| Some(Argument::Integer(number)))
                    .ok_or_else(|| wrong(format!("must be a whole number from {least} to {most}")))
            }
            Shape::Choice(values) => {
                let text = scalar(&value).unwrap_or_default();
                let chosen = values.iter().find(|known| **known == text);
                chosen
                    .map(|chosen| Some(Argument::Text((*chosen).to_owned())))
                    .ok_or_else(|| wrong(format!("must be one of {}", values.join(", "))))
            }
            Shape::Choices(values) => {
                let given = list(value).ok_or_else(|| wrong("must be a list".into()))?;
                let known = |text: &String| values.iter().copied().find(|known| known == text);
                let chosen: Option<Vec<_>> = given.iter().map(known).collect();
                let chosen = chosen.ok_or_else(|| wrong(format!("can hold {}", values.join(", "))))?;
                Ok((!chosen.is_empty()).then_some(Argument::Choices(chosen)))
            }
        }
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

    /// A text or choice, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Argument::Text(text) => Some(text),
            Argument::Integer(_) | Argument::Choices(_) => None,
        }
    }

    /// A number, given or by default.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Argument::Integer(number) => Some(*number),
            Argument::Text(_) | Argument::Choices(_) => None,
        }
    }

    /// A list of choices, if given.
    pub fn choices(&self, name: &str) -> Option<&[&'static str]> {
        match self.0.get(name)? {
            Argument::Choices(choices) => Some(choices),
            Argument::Text(_) | Argument::Integer(_) => None,
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

/// `25.0` is what some clients make of 25.
#[expect(clippy::cast_possible_truncation, reason = "the value is whole and small")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e9).then_some(number as i64)
}

/// A list, a list written as JSON text, or words with commas between.
fn list(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            list(serde_json::from_str(&text).ok().filter(Value::is_array)?)
        }
        Value::String(text) => {
            Some(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
