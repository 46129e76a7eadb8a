//! Which work items a list of the app API holds: the filters of the query's own parameters.
//!
//! As Plane has it, all parameters must hold, several values of one are alternatives, and what it does not know it ignores: an id
//! that is none, a date it cannot read, a parameter it has no filter for.

use serde_json::Value;

use super::super::rows::Query;
use super::super::world::{moment, text};

/// Parameters that hold ids, and the field of the row they are looked for in.
const BY_ID: [(&str, &str); 8] = [
    ("state", "state_id"),
    ("parent", "parent_id"),
    ("labels", "label_ids"),
    ("assignees", "assignee_ids"),
    ("created_by", "created_by"),
    ("cycle", "cycle_id"),
    ("module", "module_ids"),
    ("project", "project_id"),
];
/// Those of them that know the value `None`: the field is empty.
const MAY_BE_NONE: [&str; 6] = ["parent", "labels", "assignees", "created_by", "cycle", "module"];
/// Parameters that hold words.
const BY_WORD: [(&str, &str); 3] =
    [("state_group", "state__group"), ("priority", "priority"), ("estimate_point", "estimate_point")];
/// Parameters that hold dates. The time of a change is looked for in the time of creation: so does Plane.
const BY_DATE: [(&str, &str); 5] = [
    ("created_at", "created_at"),
    ("updated_at", "created_at"),
    ("start_date", "start_date"),
    ("target_date", "target_date"),
    ("completed_at", "completed_at"),
];
const DAY: u64 = 86_400;

/// Whether the row passes every filter of the query. `now` is in Unix seconds.
pub(super) fn admit(row: &Value, query: &Query, now: u64) -> bool {
    let given = |name: &str| query.last(name).map(str::to_owned);
    BY_ID.iter().all(|(name, field)| given(name).is_none_or(|said| has_id(row, field, name, &said)))
        && BY_WORD.iter().all(|(name, field)| given(name).is_none_or(|said| has_word(row, field, &said)))
        && BY_DATE.iter().all(|(name, field)| given(name).is_none_or(|said| has_date(row, field, &said, now)))
        && given("name").is_none_or(|said| text(row, "name").to_lowercase().contains(&said.to_lowercase()))
        && given("type").is_none_or(|said| is_of_type(row, &said))
        && given("sub_issue").is_none_or(|said| said != "false" || is_empty(row.get("parent_id")))
        && given("start_target_date").is_none_or(|said| {
            said != "true" || !(is_empty(row.get("start_date")) || is_empty(row.get("target_date")))
        })
}

fn has_id(row: &Value, field: &str, name: &str, said: &str) -> bool {
    let value = row.get(field);
    let wanted: Vec<String> = said.split(',').filter_map(uuid).collect();
    let none = MAY_BE_NONE.contains(&name) && said.split(',').any(|one| one == "None");
    (!none || is_empty(value)) && (wanted.is_empty() || holds(value, &wanted))
}

fn has_word(row: &Value, field: &str, said: &str) -> bool {
    let wanted: Vec<String> = said.split(',').filter(|one| *one != "null").map(str::to_owned).collect();
    wanted.is_empty() || wanted.iter().any(String::is_empty) || holds(row.get(field), &wanted)
}

/// Several dates must all hold; of two bounds on one side the last counts.
fn has_date(row: &Value, field: &str, said: &str, now: u64) -> bool {
    if said.split(',').any(str::is_empty) {
        return true;
    }
    let (mut after, mut before, mut on) = (None, None, None);
    for one in said.split(',') {
        let parts: Vec<&str> = one.split(';').collect();
        let Some(date) = parts.first() else { continue };
        if let Some(moved) = moved(&parts, now) {
            let side = if parts.get(1) == Some(&"after") { &mut after } else { &mut before };
            *side = Some(moved);
        } else if is_date(date) {
            let side = match parts.len() {
                1 => &mut on,
                _ if parts.contains(&"after") => &mut after,
                _ => &mut before,
            };
            *side = Some((*date).to_owned());
        }
    }
    let day = row.get(field).and_then(Value::as_str).and_then(|value| value.get(..10));
    let passes = |bound: Option<String>, test: fn(&str, &str) -> bool| {
        bound.is_none_or(|bound| day.is_some_and(|day| test(day, &bound)))
    };
    passes(after, |day, bound| day >= bound)
        && passes(before, |day, bound| day <= bound)
        && passes(on, |day, bound| day == bound)
}

/// `2_weeks;after;fromnow`: a day so many weeks, or months of 30 days, from now on or back.
fn moved(parts: &[&str], now: u64) -> Option<String> {
    let [span, _, offset] = *parts else { return None };
    let (count, term) = span.split_once('_')?;
    let span: u64 = match term {
        "weeks" => 7,
        "months" => 30,
        _ => return None,
    };
    let days = span * count.parse::<u64>().ok()?;
    let time = if offset == "fromnow" { now + days * DAY } else { now.saturating_sub(days * DAY) };
    moment(time).get(..10).map(str::to_owned)
}

fn is_of_type(row: &Value, said: &str) -> bool {
    let group = text(row, "state__group");
    match said {
        "backlog" => group == "backlog",
        "active" => matches!(group, "unstarted" | "started"),
        _ => true,
    }
}

/// Whether a field, or one of its elements, is among the wanted.
pub(super) fn holds(value: Option<&Value>, wanted: &[String]) -> bool {
    let is_wanted = |value: &Value| value.as_str().is_some_and(|value| wanted.iter().any(|one| one == value));
    match value {
        Some(Value::Array(values)) => values.iter().any(is_wanted),
        Some(value) => is_wanted(value),
        None => false,
    }
}

/// Null, absent, or an empty list.
pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(value) => value.as_array().is_some_and(Vec::is_empty),
    }
}

/// A UUID in any of Python's spellings, in the usual one.
pub(super) fn uuid(said: &str) -> Option<String> {
    let bare = said.trim_start_matches("urn:uuid:").trim_matches(['{', '}']);
    let digits: String = bare.chars().filter(|c| *c != '-').collect::<String>().to_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let cut = |from: usize, to: usize| digits.get(from..to);
    Some([cut(0, 8)?, cut(8, 12)?, cut(12, 16)?, cut(16, 20)?, cut(20, 32)?].join("-"))
}

fn is_date(said: &str) -> bool {
    said.len() == 10
        && said.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
