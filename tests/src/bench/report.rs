//! Medians, ratios of the same round, and how far they spread.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::{
    rounds::{LASTING, ROUNDS, Series},
    scenarios::Scenario,
};

/// What was measured in one scenario.
pub struct Compared {
    name: &'static str,
    title: &'static str,
    connections: usize,
    /// The first is us.
    series: Vec<Series>,
}

/// A median, and between what everything was.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Self { median: *values.get(values.len() / 2)?, least, most })
    }

    /// Of one list by another, round by round.
    fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        Self::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
    }

    fn json(self) -> Value {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        json!({ "median": round(self.median), "least": round(self.least), "most": round(self.most) })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}-{:.2})", self.median, self.least, self.most)
    }
}

impl Compared {
    /// What came of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, series: Vec<Series>) -> Self {
        let connections = scenario.contestants.first().map_or(0, |one| one.askers.len());
        Self { name: scenario.name, title: scenario.title, connections, series }
    }

    /// How many of our answers were wrong, or did not come.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.series.first().map_or(0, |ours| ours.failed)
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let of = |values: &[f64]| Spread::of(values.iter().copied()).map(Spread::json);
        let contestants: Vec<Value> = self.series.iter().map(|one| {
            json!({
                "name": one.name, "requests_per_second": of(&one.per_second), "p50_us": of(&one.p50), "p99_us": of(&one.p99),
                "processor_us_per_request": of(&one.processor), "memory_mb": one.memory.round(), "failed": one.failed,
            })
        }).collect();
        let ratios: Vec<Value> = self.pairs().map(|(ours, theirs)| {
            let ratio = |ours: &[f64], theirs: &[f64]| Spread::ratio(ours, theirs).map(Spread::json);
            json!({
                "of": ours.name, "to": theirs.name, "throughput": ratio(&ours.per_second, &theirs.per_second),
                "p50": ratio(&ours.p50, &theirs.p50), "p99": ratio(&ours.p99, &theirs.p99),
                "processor": ratio(&ours.processor, &theirs.processor),
                "memory": (theirs.memory > 0.0).then(|| (ours.memory / theirs.memory * 1000.0).round() / 1000.0),
            })
        }).collect();
        json!({
            "name": self.name, "title": self.title, "connections": self.connections, "rounds": ROUNDS,
            "seconds_a_round": LASTING.as_secs_f64(), "contestants": contestants, "ratios": ratios,
        })
    }

    /// Us beside everybody else.
    fn pairs(&self) -> impl Iterator<Item = (&Series, &Series)> {
        let ours = self.series.first();
        ours.into_iter().flat_map(|ours| self.series.iter().skip(1).map(move |theirs| (ours, theirs)))
    }

    fn table(&self) -> Result<String, fmt::Error> {
        let mut text = format!("{}, {} connections\n", self.title, self.connections);
        writeln!(
            text,
            "  {:<24}{:>12}{:>10}{:>10}{:>14}{:>11}",
            "", "requests/s", "p50 ms", "p99 ms", "CPU µs/req", "memory MB"
        )?;
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
        for one in &self.series {
            let milliseconds = |values: &[f64]| median(values).map_or(0.0, |value| value / 1000.0);
            let processor = median(&one.processor).map_or("-".to_owned(), |value| format!("{value:.0}"));
            let memory = if one.memory > 0.0 { format!("{:.0}", one.memory) } else { "-".to_owned() };
            writeln!(
                text,
                "  {:<24}{:>12.0}{:>10.2}{:>10.2}{processor:>14}{memory:>11}",
                one.name,
                median(&one.per_second).unwrap_or_default(),
                milliseconds(&one.p50),
                milliseconds(&one.p99),
            )?;
        }
        for one in self.series.iter().filter(|one| one.failed > 0) {
            writeln!(text, "  {}: {} answers were wrong or did not come", one.name, one.failed)?;
        }
        for (ours, theirs) in self.pairs() {
            let ratio = |ours: &[f64], theirs: &[f64]| {
                Spread::ratio(ours, theirs).map_or("-".to_owned(), |spread| spread.to_string())
            };
            writeln!(
                text,
                "  {} / {}: requests {}, p50 {}, p99 {}, CPU {}",
                ours.name,
                theirs.name,
                ratio(&ours.per_second, &theirs.per_second),
                ratio(&ours.p50, &theirs.p50),
                ratio(&ours.p99, &theirs.p99),
                ratio(&ours.processor, &theirs.processor),
            )?;
        }
        Ok(text)
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_the_same_round_and_its_spread_is_told() {
        let spread = Spread::ratio(&[10.0, 40.0, 9.0], &[20.0, 40.0, 6.0]).unwrap();
        assert_eq!(spread, Spread { median: 1.0, least: 0.5, most: 1.5 });
        assert_eq!(spread.to_string(), "1.00 (0.50-1.50)");
        assert!(Spread::ratio(&[1.0], &[]).is_none() && Spread::ratio(&[1.0], &[0.0]).is_none());
    }

    #[test]
    fn everybody_has_a_line_and_is_compared_with_the_first() {
        let one = |name, per_second: f64| Series {
            name,
            per_second: vec![per_second],
            p50: vec![1500.0],
            p99: vec![3000.0],
            memory: 12.0,
            failed: usize::from(name == "them"),
            ..Series::default()
        };
        let series = vec![one("us", 100.0), one("them", 50.0)];
        let compared = Compared { name: "x", title: "a title", connections: 4, series };
        let text = compared.to_string();
        assert!(
            text.starts_with("a title, 4 connections\n") && text.contains("us / them: requests 2.00"),
            "{text}"
        );
        assert!(text.contains("them: 1 answers were wrong") && compared.failed() == 0, "{text}");
        let json = compared.json();
        assert_eq!(json["ratios"][0]["throughput"]["median"], 2.0);
        assert_eq!(json["contestants"][1]["processor_us_per_request"], Value::Null);
    }
}
