//! What a program's `/metrics` says, read as Prometheus would.

use std::collections::BTreeMap;

use crate::{
    program::Program,
    trouble::{Outcome, Trouble},
};

/// One answer of `/metrics`.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// As it came.
    pub text: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// A metric as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its labels' names, sorted; without the buckets' own.
    pub labels: Vec<String>,
}

impl Scrape {
    /// What `program` says now.
    ///
    /// # Errors
    /// When it does not answer, or not in the format.
    pub async fn of(program: &Program) -> Outcome<Self> {
        let (status, text) = program.admin("/metrics").await?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples: Option<Vec<_>> = lines.map(Sample::read).collect();
        match samples {
            Some(samples) if status == 200 => Ok(Self { text, samples }),
            _ => Err(Trouble::new(format!("{status} and no metrics: {text}"))),
        }
    }

    /// The sum of all samples of this name with these labels; none where there is no sample.
    #[must_use]
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            let has = |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|v| v == value);
            sample.name == name && labels.iter().all(has)
        };
        self.samples.iter().filter(fits).map(|sample| sample.value).reduce(|one, other| one + other)
    }

    /// The same, 0 where there is no sample.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or(0.0)
    }

    /// Every metric there is, by name.
    #[must_use]
    pub fn families(&self) -> BTreeMap<String, Family> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.map(|(name, kind)| (name.to_owned(), self.family(name, kind))).collect()
    }

    fn family(&self, name: &str, kind: &str) -> Family {
        let own = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let sample = self.samples.iter().find(|sample| sample.name == own);
        let labels = sample.map(|sample| sample.labels.keys().cloned().collect()).unwrap_or_default();
        Family { kind: kind.to_owned(), labels }
    }
}

impl Sample {
    /// `name{label="value",…} 1`; no label value of ours holds a quote or a comma.
    fn read(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pairs = labels.strip_suffix('}')?.split(',').filter(|pair| !pair.is_empty());
        let labels: Option<_> = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((name.to_owned(), value.trim_matches('"').to_owned()))
            })
            .collect();
        Some(Self { name: name.to_owned(), labels: labels?, value: value.parse().ok()? })
    }
}
