//! Holds a run against what its recipe expects.

use anyhow::Result;

use crate::expectation::{Checked, Expectation, Subject, Verdict};
use crate::result::RunResult;

impl RunResult {
    /// Holds the run against one expectation. It is not comparable when the run is quick, has fewer
    /// seeds than the expectation was measured with, or does not have the row, the comparison or
    /// the metric (a recipe whose settings were overridden, data without a test part).
    ///
    /// # Errors
    /// When numbers of the expectation are out of range. That a name exists at all is for
    /// [`Expectation::check`] to find out before the run.
    pub fn check_expectation(&self, expectation: &Expectation) -> Result<Checked> {
        expectation.check_numbers()?;
        let metric = &expectation.metric;
        let (what, found) = match &expectation.subject {
            Subject::Row(name) => {
                let found = self.find(name, metric).map(|r| (r.mean, r.unit.clone()));
                (format!("{metric} of {name}"), found)
            }
            Subject::Comparison(name) => {
                let named =
                    self.comparisons.iter().find(|c| c.name == *name && c.metric == *metric);
                (format!("{metric}, difference {name}"), named.map(|c| (c.mean, c.unit.clone())))
            }
        };
        let seeds = self.seeds.len() as u64;
        let plural = |n: u64| if n == 1 { "1 seed".to_owned() } else { format!("{n} seeds") };
        let reason = if self.quick {
            Some("the run is quick".into())
        } else if seeds < expectation.seeds {
            let want = plural(expectation.seeds);
            Some(format!("the run has {}, the expectation is over {want}", plural(seeds)))
        } else if found.is_none() {
            Some("the run does not have it".into())
        } else {
            None
        };
        let (found, unit) = found.unzip();
        let near = found.is_some_and(|v| (v - expectation.value).abs() <= expectation.tolerance);
        let verdict = match reason {
            Some(reason) => Verdict::NotComparable(reason),
            None if near => Verdict::Within,
            None => Verdict::Outside,
        };
        Ok(Checked {
            what,
            unit: unit.unwrap_or_default(),
            expected: expectation.value,
            tolerance: expectation.tolerance,
            found,
            verdict,
            measured: format!(
                "commit {}, {} on {}, {}",
                expectation.commit,
                plural(expectation.seeds),
                expectation.machine,
                expectation.cost
            ),
        })
    }
}
