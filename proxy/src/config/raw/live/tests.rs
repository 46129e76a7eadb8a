use toml::{Table, Value};

use super::super::Raw;
use super::*;

/// Every setting of the proxy that docs/configuration.md says changes at once.
fn told_as_live() -> Vec<String> {
    let docs = include_str!("../../../../../docs/configuration.md");
    let rows = docs.lines().skip_while(|line| *line != "| program | settings |").skip(2);
    let rows = rows.take_while(|line| line.starts_with("| proxy |") || line.starts_with("| |"));
    let settings = rows.flat_map(|line| line.split('`').skip(1).step_by(2));
    let mut settings: Vec<String> = settings.map(str::to_owned).collect();
    settings.sort_unstable();
    settings
}

#[test]
fn people_are_told_exactly_which_settings_change_at_once() {
    let mut live = LIVE.to_vec();
    live.sort_unstable();
    assert_eq!(told_as_live(), live);
}

#[test]
fn a_reload_changes_the_live_settings_and_the_content_of_named_files_is_looked_at() {
    let written = |raw: &Raw| Table::try_from(raw).unwrap();
    let defaults = written(&Raw::default());
    let keys: Vec<String> = defaults
        .iter()
        .flat_map(|(section, value)| match value {
            Value::Table(table) => table.keys().map(|key| format!("{section}.{key}")).collect(),
            _ => vec![section.clone()],
        })
        .collect();
    for key in &keys {
        let new = changed(&defaults, key);
        let taken = written(&with_live(&Raw::default(), &new)) != defaults;
        assert_eq!(taken, LIVE.contains(&key.as_str()), "{key}");
        let named = key.ends_with("_file") && !key.starts_with("tls.");
        assert_eq!(named, FILES.contains(&key.as_str()), "{key}");
    }
}

/// The defaults, but for this setting.
fn changed(defaults: &Table, key: &str) -> Raw {
    let mut table = defaults.clone();
    let value = match key.split_once('.') {
        Some((section, name)) => table[section].as_table_mut().unwrap().get_mut(name).unwrap(),
        None => &mut table[key],
    };
    *value = match value {
        Value::Boolean(on) => Value::Boolean(!*on),
        Value::Integer(number) => Value::Integer(*number + 1),
        Value::Float(number) => Value::Float(*number / 2.0 + 0.1),
        Value::Array(_) if key == "routes" => vec![toml::toml! { path = "/x" }].into(),
        Value::Array(_) => vec!["x"].into(),
        _ => "x".into(),
    };
    table.try_into().unwrap()
}
