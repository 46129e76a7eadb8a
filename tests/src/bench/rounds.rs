//! Who is asked when: round after round everybody in turn, so that what else the machine does meets all alike.

use std::time::Duration;

use super::{load, scenarios::Scenario};
use crate::trouble::{Outcome, Trouble};

/// How often everybody is asked.
pub const ROUNDS: usize = 7;
/// For how long each time, beside the warm-up.
pub const LASTING: Duration = Duration::from_millis(1500);

/// What a contestant did, round by round.
#[derive(Debug, Default)]
pub struct Series {
    /// Who.
    pub name: &'static str,
    /// Right answers a second.
    pub per_second: Vec<f64>,
    /// Microseconds that half of the answers took at most.
    pub p50: Vec<f64>,
    /// Microseconds that 99 of 100 took at most.
    pub p99: Vec<f64>,
    /// Microseconds of processor time a request; empty where none is measured.
    pub processor: Vec<f64>,
    /// Megabytes at the end.
    pub memory: f64,
    /// Wrong answers and broken connections of all rounds.
    pub failed: usize,
}

/// Runs a scenario; gives what its contestants did, in their order.
///
/// # Errors
/// When somebody cannot be measured; the sentence says who.
pub async fn run(scenario: &Scenario) -> Outcome<Vec<Series>> {
    let contestants = &scenario.contestants;
    let mut all: Vec<Series> =
        contestants.iter().map(|one| Series { name: one.name, ..Series::default() }).collect();
    for round in 0..ROUNDS {
        // Nobody is always after the same other.
        for turn in 0..contestants.len() {
            let place = (round + turn) % contestants.len();
            let (Some(one), Some(series)) = (contestants.get(place), all.get_mut(place)) else { continue };
            let before = one.programs.processor();
            let measured = load::round(&one.place, &one.askers, LASTING)
                .await
                .map_err(|trouble| Trouble::new(format!("{} in {}: {trouble}", one.name, scenario.name)))?;
            let used = one.programs.processor() - before;
            series.note(&measured, used);
        }
    }
    for (one, series) in contestants.iter().zip(&mut all) {
        series.memory = one.programs.memory();
    }
    Ok(all)
}

impl Series {
    fn note(&mut self, measured: &load::Measured, used: f64) {
        self.per_second.push(measured.per_second);
        self.p50.push(measured.p50);
        self.p99.push(measured.p99);
        self.failed += measured.failed;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let answered = measured.answered as f64;
        if used > 0.0 && answered > 0.0 {
            self.processor.push(used / answered);
        }
    }
}
