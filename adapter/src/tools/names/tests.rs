use super::matching::{Found, Rule, candidates, find};
use super::*;

const ONE: &str = "8d861676-a5be-40eb-8a7b-e92bd5f506e4";
const TWO: &str = "72f7db8e-104f-419c-822a-ad93a6ee934a";
const THREE: &str = "1a623129-d570-4033-8cd7-30154ea57c16";

fn states(names: &[(&str, &str)]) -> Vec<State> {
    let state = |(id, name): &(&str, &str)| State {
        id: Some((*id).into()),
        name: Some((*name).into()),
        ..State::default()
    };
    names.iter().map(state).collect()
}

fn ids(rows: &[State], text: &str, rule: Rule) -> Option<Vec<String>> {
    match find(rows, text, rule) {
        Found::Ids(ids) => Some(ids.iter().map(|id| id.as_str().to_owned()).collect()),
        Found::Nothing => None,
        Found::Several(rows) => Some(vec![format!("{} of them", rows.len())]),
    }
}

#[test]
fn the_exact_name_wins_over_names_that_begin_so() {
    let rows = states(&[(ONE, "In Progress"), (TWO, "In"), (THREE, "Done")]);
    assert_eq!(ids(&rows, "in", Rule::One), Some(vec![TWO.to_owned()]));
    assert_eq!(ids(&rows, " IN PROGRESS ", Rule::One), Some(vec![ONE.to_owned()]));
    assert_eq!(ids(&rows, "do", Rule::One), Some(vec![THREE.to_owned()]));
    assert_eq!(ids(&rows, "rogress", Rule::One), None);
    assert_eq!(ids(&rows, "", Rule::One), None);
}

#[test]
fn a_beginning_that_fits_several_names_means_none_of_them() {
    let rows = states(&[(ONE, "In Progress"), (TWO, "In Review")]);
    assert_eq!(ids(&rows, "in", Rule::One), Some(vec!["2 of them".to_owned()]));
    assert_eq!(ids(&rows, "in", Rule::AllOfOneName), Some(vec!["2 of them".to_owned()]));
}

#[test]
fn states_of_one_name_in_several_projects_are_all_meant() {
    let rows = states(&[(ONE, "Backlog"), (TWO, "backlog"), (THREE, "Done")]);
    assert_eq!(ids(&rows, "Backlog", Rule::AllOfOneName), Some(vec![ONE.to_owned(), TWO.to_owned()]));
    assert_eq!(ids(&rows, "Backlog", Rule::One), Some(vec!["2 of them".to_owned()]));
}

#[test]
fn an_id_is_taken_only_when_it_is_one_of_them() {
    let rows = states(&[(ONE, "Backlog")]);
    assert_eq!(ids(&rows, &ONE.to_uppercase(), Rule::One), Some(vec![ONE.to_owned()]));
    assert_eq!(ids(&rows, TWO, Rule::One), None);
}

#[test]
fn people_are_known_by_display_name_full_name_and_address() {
    let user = User {
        id: Some(ONE.into()),
        display_name: Some("ali".into()),
        first_name: Some("Alice".into()),
        last_name: Some("Adams".into()),
        email: Some("alice@example.com".into()),
        role: None,
    };
    for text in ["ALI", "alice adams", "Alice", "alice@example.com"] {
        assert!(matches!(find(std::slice::from_ref(&user), text, Rule::One), Found::Ids(_)), "{text}");
    }
    assert!(matches!(find(std::slice::from_ref(&user), "Adams", Rule::One), Found::Nothing));
}

#[test]
fn candidates_that_hold_the_text_come_first_and_are_few() {
    let mut rows = states(&[(ONE, "Backlog"), (TWO, "Backlog"), (THREE, "In Review")]);
    assert_eq!(candidates(&rows, "review"), ["In Review", "Backlog"]);
    let many: Vec<String> = (0..30).map(|number| format!("State {number}")).collect();
    rows.extend(many.iter().map(|name| State { name: Some(name.clone()), ..State::default() }));
    assert_eq!(candidates(&rows, "x").len(), 10);
}
