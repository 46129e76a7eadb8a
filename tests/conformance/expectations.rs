//! What may fail: the table of scenarios that do not apply (README.md) and the checks that fail by decision (baseline.yml).

use std::collections::BTreeSet;

const README: &str = include_str!("README.md");
const BASELINE: &str = include_str!("baseline.yml");

/// A row of the table, once for each scenario in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Explained {
    pub(crate) scenario: String,
    /// A protocol version, `all`, or `extension`.
    version: String,
}

impl Explained {
    /// The table's rows.
    pub(crate) fn all() -> BTreeSet<Self> {
        let table = README.split_once("## Not applicable").unwrap().1;
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        rows.flat_map(|row| {
            let mut columns = row.split('|').skip(1).map(str::trim);
            let (scenarios, version) = (columns.next().unwrap(), columns.next().unwrap());
            scenarios.split(", ").map(|name| {
                let scenario = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap();
                Self { scenario: scenario.to_owned(), version: version.to_owned() }
            })
        })
        .collect()
    }

    /// Whether `scenario` does not apply to `version`.
    pub(crate) fn covers(&self, scenario: &str, version: &str) -> bool {
        self.scenario == scenario && (self.version == "all" || self.version == version)
    }

    /// Whether the row is about a version of those the suite lists for its scenario.
    pub(crate) fn covers_listed(&self, version: &str) -> bool {
        self.version == version || (self.version == "all" && version != "extension")
    }
}

/// `scenario:check` of every check that fails by decision.
pub(crate) fn baseline() -> BTreeSet<String> {
    BASELINE.lines().filter_map(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
}

/// The suite's own file for a run of `version`: the baseline, and the scenarios that do not apply.
pub(crate) fn expected_failures(version: &str) -> String {
    let explained = Explained::all();
    let scenarios = explained.iter().filter(|row| row.covers(&row.scenario, version));
    let scenarios = scenarios.map(|row| format!("  - {}\n", row.scenario));
    BASELINE.lines().map(|line| format!("{line}\n")).chain(scenarios).collect()
}
