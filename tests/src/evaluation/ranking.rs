//! Which tool the words of a question point to: Okapi BM25 over names, titles, descriptions and arguments, which is about
//! what a client's tool search does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How soon more of the same word stops to count, and how much long descriptions are held back: the usual values.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;
/// Words that say nothing about what is asked for.
const EMPTY: [&str; 38] = [
    "a", "all", "an", "and", "any", "are", "as", "at", "be", "by", "did", "do", "does", "for", "from", "has",
    "have", "how", "i", "in", "is", "it", "its", "of", "on", "or", "our", "that", "the", "there", "this",
    "to", "was", "we", "what", "which", "with", "you",
];

/// The tools of one `tools/list`, ready to be ranked.
#[derive(Debug)]
pub struct Ranking {
    /// By tool: its words and how often each occurs.
    tools: Vec<(String, BTreeMap<String, u32>)>,
}

impl Ranking {
    /// Reads the `tools` of a `tools/list` result.
    #[must_use]
    pub fn of(tools: &[Value]) -> Self {
        let read = |tool: &Value| {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut counts = BTreeMap::new();
            for word in words(&text_of(tool)) {
                *counts.entry(word).or_insert(0) += 1;
            }
            (name, counts)
        };
        Self { tools: tools.iter().map(read).collect() }
    }

    /// The tools' names, the best fit first; among equals, in the order they are listed.
    #[must_use]
    pub fn rank(&self, question: &str) -> Vec<&str> {
        let asked: BTreeSet<String> = words(question).collect();
        let mut scored: Vec<(f64, &str)> =
            self.tools.iter().map(|(name, counts)| (self.score(&asked, counts), name.as_str())).collect();
        scored.sort_by(|one, other| other.0.total_cmp(&one.0));
        scored.into_iter().map(|(_, name)| name).collect()
    }

    fn score(&self, asked: &BTreeSet<String>, counts: &BTreeMap<String, u32>) -> f64 {
        let length = |counts: &BTreeMap<String, u32>| f64::from(counts.values().sum::<u32>());
        let number = f64::from(u32::try_from(self.tools.len()).unwrap_or(u32::MAX));
        let usual: f64 = self.tools.iter().map(|(_, counts)| length(counts)).sum::<f64>() / number;
        let weight = |word: &String| {
            let count = f64::from(counts.get(word).copied().unwrap_or(0));
            let with = self.tools.iter().filter(|(_, counts)| counts.contains_key(word)).count();
            let with = f64::from(u32::try_from(with).unwrap_or(u32::MAX));
            let rare = ((number - with + 0.5) / (with + 0.5)).ln_1p();
            let held_back = SATURATION * (1.0 - LENGTH + LENGTH * length(counts) / usual);
            rare * count * (SATURATION + 1.0) / (count + held_back)
        };
        asked.iter().map(weight).sum()
    }
}

/// Everything a model reads about a tool.
fn text_of(tool: &Value) -> String {
    let mut text = String::new();
    let mut add = |value: Option<&Value>| {
        text.push_str(value.and_then(Value::as_str).unwrap_or_default());
        text.push(' ');
    };
    add(tool.get("name"));
    add(tool.get("title"));
    add(tool.get("description"));
    let properties = tool.pointer("/inputSchema/properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        add(Some(&Value::from(name.as_str())));
        add(schema.get("description"));
        let choices = schema.get("enum").or_else(|| schema.pointer("/items/enum")).and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            add(Some(choice));
        }
    }
    text
}

/// The words that carry meaning, in their simplest form.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).filter(|word| !EMPTY.contains(&word.as_str())).map(|word| stem(&word))
}

/// Without the endings of plural, past and progress, so that "assigned" meets "assignee" and "labels" meets "label".
fn stem(word: &str) -> String {
    for ending in ["ies", "ing", "ees", "ee", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.chars().count() >= 3) {
            return if ending == "ies" { format!("{stem}y") } else { stem.to_owned() };
        }
    }
    word.trim_end_matches('e').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tool_that_speaks_of_what_is_asked_comes_first() {
        let tools = [
            json!({"name": "list_states", "description": "The workflow states of a project."}),
            json!({"name": "list_cycles", "description": "The cycles (sprints) of a project with progress."}),
            json!({"name": "get_me", "description": "Who the signed-in user is."}),
        ];
        let ranking = Ranking::of(&tools);
        assert_eq!(ranking.rank("Which sprints are there?").first(), Some(&"list_cycles"));
        assert_eq!(ranking.rank("Who am I signed in as?").first(), Some(&"get_me"));
    }

    #[test]
    fn endings_do_not_keep_words_apart() {
        for (one, other) in
            [("assigned", "assignee"), ("labels", "label"), ("activities", "activity"), ("cycle", "cycles")]
        {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
    }
}
