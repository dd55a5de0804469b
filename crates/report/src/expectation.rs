//! What a recipe says its run gives, and how that compares with what a run gave.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::words::with_unit;

/// One number that a recipe expects of its full run, as an `[[expect]]` table has it, with what it
/// was measured by. It is the mean of a row or of a paired difference.
///
/// In a file the subject is one of the keys `row` and `comparison`. [`Expectation::check`] belongs
/// where a recipe is read, so that a misspelt name is found before hours of training and not after
/// them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Expectation {
    /// The row or comparison that is meant.
    pub subject: Subject,
    /// The metric of the row or the comparison, such as `test accuracy`.
    pub metric: String,
    /// The mean over seeds, in the metric's unit.
    pub value: f64,
    /// How far a run may be from it on either side.
    pub tolerance: f64,
    /// Commit at which it was measured.
    pub commit: String,
    /// Machine on which it was measured.
    pub machine: String,
    /// Number of seeds that it was measured with.
    pub seeds: u64,
    /// What the run took, in words.
    pub cost: String,
}

/// The row or comparison that an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The mean of the row of this name.
    Row(String),
    /// The mean of the comparison of this name.
    Comparison(String),
}

impl Subject {
    /// The name of the row or comparison.
    pub fn name(&self) -> &str {
        match self {
            Self::Row(name) | Self::Comparison(name) => name,
        }
    }
}

/// The keys of an expectation in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    row: Option<String>,
    #[serde(default)]
    comparison: Option<String>,
    metric: String,
    value: f64,
    tolerance: f64,
    commit: String,
    machine: String,
    seeds: u64,
    cost: String,
}

impl TryFrom<Keys> for Expectation {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let Keys { row, comparison, metric, value, tolerance, commit, machine, seeds, cost } = keys;
        let subject = match (row, comparison) {
            (Some(row), None) => Subject::Row(row),
            (None, Some(comparison)) => Subject::Comparison(comparison),
            _ => return Err(format!("[expect] of {metric}: give either `row` or `comparison`")),
        };
        Ok(Self { subject, metric, value, tolerance, commit, machine, seeds, cost })
    }
}

impl From<Expectation> for Keys {
    fn from(expectation: Expectation) -> Self {
        let Expectation { subject, metric, value, tolerance, commit, machine, seeds, cost } =
            expectation;
        let (row, comparison) = match subject {
            Subject::Row(row) => (Some(row), None),
            Subject::Comparison(comparison) => (None, Some(comparison)),
        };
        Self { row, comparison, metric, value, tolerance, commit, machine, seeds, cost }
    }
}

impl Expectation {
    /// Checks the values, and that the recipe's own full run has the row or comparison, `rows` and
    /// `comparisons` being the names of all that it has.
    ///
    /// # Errors
    /// When a number is out of range, or the name is one that no full run of the recipe could have;
    /// the message lists those that it has.
    pub fn check<S: AsRef<str>>(&self, rows: &[S], comparisons: &[S]) -> Result<()> {
        self.check_numbers()?;
        let (kind, name, known) = match &self.subject {
            Subject::Row(name) => ("row", name, rows),
            Subject::Comparison(name) => ("comparison", name, comparisons),
        };
        if known.iter().all(|k| k.as_ref() != name) {
            let names: Vec<String> = known.iter().map(|k| format!("`{}`", k.as_ref())).collect();
            bail!(
                "[expect] names the {kind} `{name}`, which no full run of this recipe has; it has {}",
                if names.is_empty() { "none".into() } else { names.join(", ") }
            );
        }
        Ok(())
    }

    /// Checks that value and tolerance are finite and that there is a seed.
    pub(crate) fn check_numbers(&self) -> Result<()> {
        ensure!(
            self.value.is_finite() && self.tolerance.is_finite() && self.tolerance >= 0.0,
            "[expect] of {}: value {} and tolerance {} must be finite, the tolerance not below 0",
            self.metric,
            self.value,
            self.tolerance
        );
        ensure!(self.seeds > 0, "[expect] of {}: seeds must be at least 1", self.metric);
        Ok(())
    }
}

/// An expectation beside what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Which number, in words.
    pub what: String,
    /// The unit of all values; empty for plain numbers and where the run does not have the row.
    pub unit: String,
    /// The expected value.
    pub expected: f64,
    /// How far a run may be from it on either side.
    pub tolerance: f64,
    /// What the run found; `None` where it does not have the number.
    pub found: Option<f64>,
    /// Whether the two agree.
    pub verdict: Verdict,
    /// What the expected value was measured with, in words.
    pub measured: String,
}

/// Whether a run gave what its recipe expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Within the tolerance.
    Within,
    /// Outside of the tolerance.
    Outside,
    /// The run cannot be held against the expectation, for this reason.
    NotComparable(String),
}

impl Checked {
    /// The outcome as one line.
    ///
    /// ```
    /// use report::{Checked, Verdict};
    /// let checked = Checked {
    ///     what: "test accuracy of wide net".into(),
    ///     unit: "%".into(),
    ///     expected: 96.5,
    ///     tolerance: 1.5,
    ///     found: Some(96.6),
    ///     verdict: Verdict::Within,
    ///     measured: String::new(),
    /// };
    /// let line = "as expected: test accuracy of wide net 96.60 %, expected 96.5 ± 1.5";
    /// assert_eq!(checked.sentence(), line);
    /// ```
    pub fn sentence(&self) -> String {
        let found = self.found.map(|v| format!(" {}", with_unit(v, &self.unit)));
        let found = found.unwrap_or_default();
        let (what, expected) = (&self.what, self.bounds());
        match &self.verdict {
            Verdict::Within => format!("as expected: {what}{found}, expected {expected}"),
            Verdict::Outside => {
                format!("OUTSIDE of what the recipe expects: {what}{found}, expected {expected}")
            }
            Verdict::NotComparable(why) => {
                format!("not held against the expected {what} ({expected}): {why}")
            }
        }
    }

    /// The expected value and its tolerance, as the recipe writes them.
    pub(crate) fn bounds(&self) -> String {
        format!("{} ± {}", self.expected, self.tolerance)
    }
}
