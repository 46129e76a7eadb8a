use serde_json::json;

use super::*;

const ONE: &str = "8d861676-a5be-40eb-8a7b-e92bd5f506e4";
const TWO: &str = "72f7db8e-104f-419c-822a-ad93a6ee934a";

fn any(ids: &[&str], none: bool) -> AnyOf {
    AnyOf { ids: ids.iter().map(|id| Uuid::parse(id).unwrap()).collect(), none }
}

fn item(given: serde_json::Value) -> WorkItem {
    serde_json::from_value(given).unwrap()
}

#[test]
fn nothing_asked_for_takes_everything_and_asks_nothing() {
    let filter = Filter::default();
    assert!(filter.is_empty() && filter.is_planes() && filter.takes(&WorkItem::default()));
    assert_eq!(filter.asked(Path::app("x/"), true).into_text(), "/api/x/");
}

#[test]
fn both_of_planes_ways_to_name_things_are_filtered_alike() {
    let filter = Filter { assignees: any(&[ONE], false), labels: any(&[], true), ..Filter::default() };
    let public = json!({"assignees": [{"id": ONE, "display_name": "alice"}], "labels": []});
    let application = json!({"assignee_ids": [TWO, ONE], "label_ids": []});
    assert!(filter.takes(&item(public)) && filter.takes(&item(application)));
    assert!(!filter.takes(&item(json!({"assignee_ids": [TWO], "label_ids": []}))));
    assert!(!filter.takes(&item(json!({"assignee_ids": [ONE], "label_ids": [TWO]}))));
}

#[test]
fn none_is_looked_for_here_also_together_with_names() {
    let filter = Filter { assignees: any(&[ONE], true), cycle: any(&[], true), ..Filter::default() };
    assert!(!filter.is_planes());
    assert_eq!(filter.asked(Path::app("x/"), true).into_text(), "/api/x/");
    assert!(filter.takes(&item(json!({"assignee_ids": []}))));
    assert!(filter.takes(&item(json!({"assignee_ids": [ONE]}))));
    assert!(!filter.takes(&item(json!({"assignee_ids": [TWO]}))));
    assert!(!filter.takes(&item(json!({"assignee_ids": [], "cycle_id": TWO}))));
}

#[test]
fn days_and_moments_bound_what_is_taken() {
    let filter = Filter {
        target_before: Some("2026-11-21".into()),
        updated_since: moment("2026-11-20"),
        ..Filter::default()
    };
    let dated = |due: Option<&str>, updated: &str| {
        filter.takes(&item(json!({"target_date": due, "updated_at": updated})))
    };
    assert!(dated(Some("2026-11-21"), "2026-11-20T00:00:00Z"));
    // An hour before midnight in UTC, whatever the day is called elsewhere.
    assert!(!dated(Some("2026-11-21"), "2026-11-20T00:30:00+01:30"));
    assert!(!dated(Some("2026-11-22"), "2026-11-21T00:00:00Z"));
    assert!(!dated(None, "2026-11-21T00:00:00Z"));
}

#[test]
fn words_are_found_in_titles_in_any_case() {
    let filter = Filter { text: Some("LOGIN".into()), ..Filter::default() };
    assert!(filter.takes(&item(json!({"name": "Fix login"}))));
    assert!(!filter.takes(&item(json!({"name": "Fix logout"}))));
}
