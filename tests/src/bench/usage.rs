//! Processor time and memory of running programs, as Linux counts them in `/proc`.

use std::fs;

/// Microseconds of one tick of `/proc/<pid>/stat`: `USER_HZ` is 100 on every Linux.
const TICK: f64 = 10_000.0;
/// Kibibytes of a megabyte.
const MB: f64 = 1000.0 / 1.024;

/// Programs that are measured as one: with their child processes.
#[derive(Debug, Clone, Default)]
pub struct Programs(Vec<u32>);

impl Programs {
    /// These, and what they have started by now.
    #[must_use]
    pub fn new(mut pids: Vec<u32>) -> Self {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let all: Vec<u32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        // Parents may come after their children in the list.
        for _ in 0..3 {
            let children: Vec<u32> = all
                .iter()
                .filter(|pid| {
                    !pids.contains(pid) && parent(**pid).is_some_and(|parent| pids.contains(&parent))
                })
                .copied()
                .collect();
            pids.extend(children);
        }
        Self(pids)
    }

    /// The processor time they have used so far, in microseconds.
    #[must_use]
    pub fn processor(&self) -> f64 {
        let ticks = self.0.iter().filter_map(|pid| {
            let fields = stat(*pid)?;
            Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
        });
        ticks.sum::<f64>() * TICK
    }

    /// The memory they hold, in megabytes: that which is theirs and their share of what they have in common.
    #[must_use]
    pub fn memory(&self) -> f64 {
        let sizes = self.0.iter().filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        });
        sizes.sum::<f64>() / MB
    }
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields after the name, which may hold anything: state, parent, … as numbered in proc(5) from 3.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let own = Programs::new(vec![std::process::id()]);
        let before = own.processor();
        let mut sum = 0_u64;
        while own.processor() < before + TICK {
            sum = (0..100_000).fold(sum, |sum, number| sum.rotate_left(1) ^ number);
        }
        assert!(own.memory() > 1.0, "{sum}");
        assert!(Programs::new(vec![u32::MAX]).processor() < 1.0);
    }
}
