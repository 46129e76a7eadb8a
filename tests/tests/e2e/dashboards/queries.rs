//! The queries of the chart's dashboards and rules, and what they select.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use stack::prometheus::Api;

use super::{ADAPTER, NAMESPACE, PROXY, root};

/// What Grafana fills in where nobody has chosen; a rate's interval is long enough for the whole load.
const FILLED_IN: [(&str, &str); 4] =
    [("$__rate_interval", "1m"), ("$namespace", NAMESPACE), ("$proxy", PROXY), ("$adapter", ADAPTER)];

/// What no program of ours tells: Prometheus itself does.
const OF_PROMETHEUS: [&str; 2] = ["ALERTS", "up"];

/// A query, and the panel or rule that asks it.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) asked_by: String,
    pub(super) expression: String,
}

/// Every query of every panel of every dashboard.
pub(super) fn of_dashboards() -> Vec<Query> {
    let mut queries = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(root().join("helm/mcp-edge/dashboards")).unwrap().flatten().collect();
    files.sort_by_key(fs::DirEntry::path);
    for file in files {
        let dashboard: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        let name = file.path().file_stem().unwrap().to_string_lossy().into_owned();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let mut expression = target["expr"].as_str().unwrap().to_owned();
                for (variable, value) in FILLED_IN {
                    expression = expression.replace(variable, value);
                }
                assert!(!expression.contains('$'), "{expression}");
                let asked_by = format!("{name}: {}", panel["title"].as_str().unwrap());
                queries.push(Query { asked_by, expression });
            }
        }
    }
    assert!(queries.len() > 50, "{} queries", queries.len());
    queries
}

/// The expression of every rule; what one records has a colon in its name.
pub(super) fn of_rules(rules: &str) -> Vec<Query> {
    let rules: Value = serde_norway::from_str(rules).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let all = groups.flat_map(|group| group["rules"].as_array().unwrap());
    all.map(|rule| {
        let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
        Query { asked_by: name.to_owned(), expression: rule["expr"].as_str().unwrap().to_owned() }
    })
    .collect()
}

impl Query {
    /// The selectors and labels in it that find nothing. Prometheus takes it apart.
    pub(super) async fn selects_nothing(&self, api: &Api) -> Vec<String> {
        let parsed = api.ask("parse_query", &[("query", &self.expression)]).await.unwrap();
        let (mut selectors, mut grouped) = (BTreeSet::new(), BTreeSet::new());
        walk(&parsed, &mut selectors, &mut grouped);
        assert!(!selectors.is_empty(), "{}", self.expression);
        let (mut nothing, mut labels) = (Vec::new(), BTreeSet::new());
        for selector in &selectors {
            // A rule records only while there is something to record.
            let found = api.query(&format!("last_over_time({selector}[10m])")).await.unwrap();
            if found.is_empty() && !OF_PROMETHEUS.iter().any(|name| selector.starts_with(name)) {
                nothing.push(format!("{}: {selector}", self.asked_by));
            }
            labels.extend(found.into_iter().flat_map(|(labels, _)| labels.into_keys()));
        }
        let missing = grouped.difference(&labels).filter(|_| nothing.is_empty());
        let missing: Vec<_> = missing.map(|label| format!("{}: by {label}", self.asked_by)).collect();
        nothing.extend(missing);
        nothing
    }
}

/// Gathers the selectors of a syntax tree and the labels it groups by.
fn walk(tree: &Value, selectors: &mut BTreeSet<String>, grouped: &mut BTreeSet<String>) {
    if let Some(matchers) = tree["matchers"].as_array() {
        selectors.extend(every_word(tree["name"].as_str().unwrap(), matchers));
    }
    let groups = [&tree["grouping"], &tree["matching"]["labels"]];
    for label in groups.into_iter().filter_map(Value::as_array).flatten() {
        grouped.insert(label.as_str().unwrap().to_owned());
    }
    let below: Vec<&Value> = match tree {
        Value::Array(below) => below.iter().collect(),
        Value::Object(below) => below.values().collect(),
        _ => Vec::new(),
    };
    for part in below {
        walk(part, selectors, grouped);
    }
}

/// The selector, once for each of the words that an `a|b` of it stands for: each must find something.
fn every_word(name: &str, matchers: &[Value]) -> Vec<String> {
    let mut all = vec![Vec::new()];
    for matcher in matchers {
        let text = |key: &str| matcher[key].as_str().unwrap();
        let (label, kind, value) = (text("name"), text("type"), text("value"));
        if label == "__name__" {
            continue;
        }
        let words: Vec<&str> = if kind == "=~" { value.split('|').collect() } else { vec![value] };
        let with = |word: &str| format!("{label}{kind}{word:?}");
        all = all
            .iter()
            .flat_map(|before: &Vec<String>| {
                words.iter().map(move |word| before.iter().cloned().chain([with(word)]).collect())
            })
            .collect();
    }
    all.into_iter().map(|matchers| format!("{name}{{{}}}", matchers.join(","))).collect()
}
