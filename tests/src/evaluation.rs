//! The tool evaluation: questions a project manager asks, the tool calls that answer them, and the answers.
//!
//! Two things are measured over `tests/evaluation/questions.toml`. Whether the tools *can* answer: a deterministic planner
//! makes the calls written beside each question and reads the answer out of what comes back. And whether a model would
//! *find* the tool: the words of the question are ranked against the words of the tools ([`Ranking`]).

mod ranking;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{Era, SignedIn},
    trouble::{Outcome, Trouble, While},
};

pub use ranking::Ranking;

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question, in the asker's words.
    pub ask: String,
    /// Who asks.
    #[serde(default = "alice")]
    pub user: String,
    /// The calls, in order; the last one gives the answer.
    pub calls: Vec<Planned>,
    /// Where the answer is and what it is.
    pub answer: Answer,
}

/// One tool call of a plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The tool.
    pub tool: String,
    /// Its arguments. A text `{0/cycles/0/name}` stands for what the call of that number answered there.
    #[serde(default)]
    pub arguments: Value,
}

/// What the last call must answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Keys and indexes with `/` between, `*` for every element of a list, which makes the answer a list.
    pub at: String,
    /// The answer.
    pub is: Value,
}

/// What happened when a question was asked.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What was found where the answer should be.
    pub found: Value,
    /// Bytes of all answers, as the model reads them.
    pub bytes: usize,
}

fn alice() -> String {
    "alice".to_owned()
}

/// The questions, as they are written down.
///
/// # Errors
/// When the file is not as it should be.
pub fn questions() -> Outcome<Vec<Question>> {
    #[derive(Deserialize)]
    struct File {
        question: Vec<Question>,
    }
    let text = include_str!("../evaluation/questions.toml");
    Ok(toml::from_str::<File>(text).while_doing("read the questions")?.question)
}

impl Question {
    /// The tool that gives the answer.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.calls.last().map_or("", |call| call.tool.as_str())
    }

    /// Makes the calls as the signed-in user and reads the answer.
    ///
    /// # Errors
    /// When a call fails, or a placeholder names nothing.
    pub async fn put(&self, session: &SignedIn) -> Outcome<Answered> {
        let mut results: Vec<Value> = Vec::new();
        let mut bytes = 0;
        for call in &self.calls {
            let arguments = filled(&call.arguments, &results)?;
            let arguments = if arguments.is_null() { serde_json::json!({}) } else { arguments };
            let result = session.tool(Era::Modern, &call.tool, &arguments).await?;
            bytes += result.to_string().len();
            results.push(result);
        }
        let last = results.last().ok_or_else(|| Trouble::new("a question without calls"))?;
        Ok(Answered { found: at(last, &self.answer.at), bytes })
    }
}

/// The arguments with their placeholders replaced.
fn filled(arguments: &Value, results: &[Value]) -> Outcome<Value> {
    Ok(match arguments {
        Value::String(text) if text.starts_with('{') && text.ends_with('}') => {
            let inner = text.trim_matches(['{', '}']);
            let (number, path) = inner.split_once('/').unwrap_or((inner, ""));
            let result = number.parse().ok().and_then(|number: usize| results.get(number));
            let found = result.map(|result| at(result, path)).unwrap_or_default();
            if found.is_null() {
                return Err(Trouble::new(format!("{text} names nothing in {results:?}")));
            }
            found
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| filled(item, results)).collect::<Outcome<_>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), filled(value, results)?)));
            Value::Object(fields.collect::<Outcome<_>>()?)
        }
        other => other.clone(),
    })
}

/// What is at a path; null where nothing is.
fn at(value: &Value, path: &str) -> Value {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    match (head, value) {
        ("", _) => value.clone(),
        ("*", Value::Array(items)) => items.iter().map(|item| at(item, rest)).collect(),
        (key, Value::Object(fields)) => fields.get(key).map(|value| at(value, rest)).unwrap_or_default(),
        (index, Value::Array(items)) => {
            let item = index.parse().ok().and_then(|index: usize| items.get(index));
            item.map(|item| at(item, rest)).unwrap_or_default()
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_reads_keys_indexes_and_whole_lists() {
        let value = json!({"rows": [{"name": "a"}, {"name": "b"}], "total": 2});
        assert_eq!(at(&value, "total"), 2);
        assert_eq!(at(&value, "rows/1/name"), "b");
        assert_eq!(at(&value, "rows/*/name"), json!(["a", "b"]));
        assert_eq!(at(&value, "rows/7/name"), Value::Null);
        assert_eq!(at(&value, ""), value);
    }

    #[test]
    fn a_placeholder_is_what_an_earlier_call_answered() {
        let results = [json!({"cycles": [{"name": "Sprint 2"}]})];
        let arguments = json!({"project": "ENG", "cycle": "{0/cycles/0/name}"});
        assert_eq!(filled(&arguments, &results).unwrap(), json!({"project": "ENG", "cycle": "Sprint 2"}));
        assert!(filled(&json!("{1/cycles}"), &results).is_err());
    }
}
