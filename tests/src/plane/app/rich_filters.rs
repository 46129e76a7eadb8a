//! The parameter `filters` of the app API's lists: a JSON expression of `and`, `or`, `not` over named lookups.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::filters::{holds, uuid};

/// Names of lookups by id, and the field of the row; each also with `__in` and `__exact`.
const BY_ID: [(&str, &str); 7] = [
    ("assignee_id", "assignee_ids"),
    ("cycle_id", "cycle_id"),
    ("module_id", "module_ids"),
    ("label_id", "label_ids"),
    ("created_by_id", "created_by"),
    ("state_id", "state_id"),
    ("project_id", "project_id"),
];
/// Names of lookups by word; each also with `__in` and `__exact`.
const BY_WORD: [(&str, &str); 2] = [("state_group", "state__group"), ("priority", "priority")];
/// Names of lookups by time; each also with `__range` and `__exact`.
const BY_TIME: [&str; 4] = ["start_date", "target_date", "created_at", "updated_at"];
/// How deep an expression may be.
const MAX_DEPTH: usize = 5;

/// Whether the row passes the expression.
///
/// # Errors
/// Plane's 400 for what is no such expression or names no lookup.
pub(super) fn admit(row: &Value, expression: &str) -> Result<bool, Answer> {
    let Ok(node) = serde_json::from_str::<Value>(expression) else {
        return Err(refused("invalid_json", "Invalid JSON for 'filter'. Expected a valid JSON object."));
    };
    if node.as_object().is_some_and(Map::is_empty) { Ok(true) } else { passes(row, &node, 1) }
}

fn passes(row: &Value, node: &Value, depth: usize) -> Result<bool, Answer> {
    if depth > MAX_DEPTH {
        let message = format!("Filter nesting is too deep (max {MAX_DEPTH}); found depth {depth}");
        return Err(refused("max_depth_exceeded", &message));
    }
    let Some(node) = node.as_object() else {
        return Err(refused("invalid_filter_node", "Each filter node must be a JSON object"));
    };
    if node.is_empty() {
        return Err(refused("empty_filter_object", "Filter objects must not be empty"));
    }
    let Some((operator, children)) =
        node.iter().find(|(key, _)| matches!(key.as_str(), "and" | "or" | "not"))
    else {
        return leaf(row, node);
    };
    if node.len() > 1 {
        let message = format!("Cannot mix logical operator '{operator}' with field keys at the same level");
        return Err(refused("mixed_operator_and_fields", &message));
    }
    if operator == "not" {
        return Ok(!passes(row, children, depth + 1)?);
    }
    let Some(children) = children.as_array().filter(|children| !children.is_empty()) else {
        let message = format!("'{operator}' must be a non-empty list of filter objects");
        return Err(refused("invalid_operator_children", &message));
    };
    // Every child is looked at, so that a wrong one is refused whatever the others say.
    let children: Vec<bool> =
        children.iter().map(|child| passes(row, child, depth + 1)).collect::<Result<_, _>>()?;
    Ok(if operator == "and" { children.iter().all(|one| *one) } else { children.iter().any(|one| *one) })
}

fn leaf(row: &Value, node: &Map<String, Value>) -> Result<bool, Answer> {
    let mut all = true;
    for (key, value) in node {
        all &= lookup(row, key, &said(value))?;
    }
    Ok(all)
}

/// A value as the query string it is made into: of a list the last element is what counts.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(values) => values.last().map(said).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn lookup(row: &Value, key: &str, said: &str) -> Result<bool, Answer> {
    let (name, how) = key.split_once("__").unwrap_or((key, "exact"));
    let named = |table: &[(&str, &'static str)]| {
        table.iter().find(|(one, _)| *one == name && matches!(how, "exact" | "in")).map(|(_, field)| *field)
    };
    let values: Vec<&str> = if how == "exact" { vec![said] } else { said.split(',').collect() };
    if let Some(field) = named(&BY_ID) {
        let ids: Option<Vec<String>> = values.into_iter().map(uuid).collect();
        let ids = ids.ok_or_else(|| invalid(key, "Enter a valid UUID."))?;
        return Ok(holds(row.get(field), &ids));
    }
    if let Some(field) = named(&BY_WORD) {
        let words: Vec<String> = values.into_iter().map(str::to_owned).collect();
        return Ok(holds(row.get(field), &words));
    }
    if BY_TIME.contains(&name) && matches!(how, "exact" | "range") {
        return time(row, key, name, &values);
    }
    match (name, how) {
        ("is_draft", "exact") => Ok(said.eq_ignore_ascii_case("false")),
        ("is_archived", "exact") => Ok(!said.eq_ignore_ascii_case("true")),
        ("mention_id" | "subscriber_id", "exact" | "in") => Ok(false),
        _ => Err(refused("invalid_filter_field", &format!("Filtering on field '{key}' is not allowed"))),
    }
}

/// Times compare as text: the row's in UTC, the asked one completed to the start of its day.
fn time(row: &Value, key: &str, name: &str, values: &[&str]) -> Result<bool, Answer> {
    let is_date = name.ends_with("_date");
    let bounds: Option<Vec<String>> = values.iter().map(|value| whole(value, is_date)).collect();
    let wrong = if is_date { "Enter a valid date." } else { "Enter a valid date/time." };
    let bounds = bounds.ok_or_else(|| invalid(key, wrong))?;
    let Some(value) = row.get(name).and_then(Value::as_str) else { return Ok(false) };
    match bounds.as_slice() {
        [on] => Ok(value == on),
        [from, to] => Ok(value >= from.as_str() && value <= to.as_str()),
        _ => Err(invalid(key, "Range query expects two values.")),
    }
}

/// The date, or the date and time in UTC, in the row's spelling.
pub(super) fn whole(said: &str, is_date: bool) -> Option<String> {
    let said = said.trim();
    let day = said.get(..10).filter(|day| day.bytes().filter(|byte| *byte == b'-').count() == 2)?;
    if !day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    if is_date {
        return (said.len() == 10).then(|| day.to_owned());
    }
    let time =
        said.get(10..)?.trim_start_matches(['T', ' ']).trim_end_matches('Z').trim_end_matches("+00:00");
    let mut whole = if time.is_empty() { "00:00:00".to_owned() } else { time.to_owned() };
    if !whole.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')) {
        return None;
    }
    if !whole.contains('.') {
        whole.push_str(".000000");
    }
    Some(format!("{day}T{whole}Z"))
}

fn invalid(key: &str, message: &str) -> Answer {
    let body = json!({
        "message": "Invalid filter parameters",
        "code": "invalid_filterset",
        "errors": {key: [message]},
    });
    Answer::json(StatusCode::BAD_REQUEST, body)
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, json!({"message": message, "code": code}))
}
