//! Classifiers of one's own samples as rows of a report: accuracy, balanced accuracy, calibration,
//! and differences with an interval over samples.

use anyhow::{Context, Result};
use report::{Comparison, Row, RunResult};
use serde::{Deserialize, Serialize};

use super::result::{balanced_name, unmeasured_note};
use super::scores::{Paired, Scores};
use super::trial::{Choice, Trial};

/// Which samples the numbers are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MeasuredOn {
    /// The test part; networks were trained on all labels.
    Test,
    /// One's own validation part, on which the choice was made too.
    Validation,
    /// Labelled samples held out by the trial; networks were trained on the others, for a shorter
    /// time than the one that is kept.
    HeldOut,
    /// Nothing.
    Nothing,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) scores: Scores,
    /// Steps of its training; 0 where there was none.
    pub(crate) steps: u64,
}

/// What a seed found, as far as a report speaks of it.
pub(crate) struct Seen<'a> {
    pub(crate) classes: &'a [String],
    /// How many labels each class has.
    pub(crate) labels: &'a [u64],
    /// The rows in the order of the table.
    pub(crate) rows: &'a [Measured],
    pub(crate) part: MeasuredOn,
    pub(crate) trial: &'a Trial,
    pub(crate) choice: &'a Choice,
}

impl MeasuredOn {
    /// The part in the names of metrics.
    pub(crate) fn part(self) -> &'static str {
        match self {
            MeasuredOn::Test => "test",
            MeasuredOn::Validation => "validation",
            MeasuredOn::HeldOut | MeasuredOn::Nothing => "held-out",
        }
    }
}

impl Seen<'_> {
    /// The row whose network is kept.
    pub(crate) fn kept(&self) -> Option<&Measured> {
        self.rows.iter().find(|row| row.name == self.choice.row)
    }

    /// The accuracies in a line.
    pub(crate) fn line(&self) -> String {
        let row = |row: &Measured| match row.scores.accuracy() {
            Some(accuracy) => format!("{} {accuracy:.2} %", row.name),
            None => row.name.clone(),
        };
        match self.rows.is_empty() {
            true => format!("{} is trained; there is nothing to measure it on", self.choice.row),
            false => self.rows.iter().map(row).collect::<Vec<_>>().join(" -> "),
        }
    }

    /// The difference of two rows.
    fn paired(&self, left: &str, right: &str) -> Result<Paired> {
        let find = |name: &str| self.rows.iter().find(|row| row.name == name);
        let pair = find(left).zip(find(right));
        let (left, right) = pair.with_context(|| format!("rows {left} and {right}"))?;
        Paired::between(&left.scores, &right.scores)
    }

    /// How it was measured and what is kept, a sentence each. `unit`: `images`.
    fn notes(&self, unit: &str) -> Vec<String> {
        let measured = match self.part {
            MeasuredOn::Test => {
                "Measured on the test part; all labels were trained on, and nothing \
                                 was chosen on the test part."
                    .to_owned()
            }
            MeasuredOn::Validation if self.trial.decides => format!(
                "Measured on the validation part, on which the method was chosen too: new {unit} \
                 will fare a little worse."
            ),
            MeasuredOn::Validation => {
                "Measured on the validation part; nothing was chosen on it.".to_owned()
            }
            MeasuredOn::HeldOut => format!(
                "There is no test part. Measured on labelled {unit} that were held out, by classifiers \
                 that learned from the other labels in {} splits (networks for {:.0} s): the one that \
                 is kept had all labels, and a network more time.",
                self.trial.folds, self.trial.seconds
            ),
            MeasuredOn::Nothing => "No label could be held out and there is no test part: nothing \
                                    was measured."
                .to_owned(),
        };
        vec![measured, format!("Kept: {}; {}.", self.choice.row, self.choice.why)]
    }
}

/// Adds rows, differences of `pairs` of them where both were measured, and notes to the result.
/// `unit` is what a sample is, in the plural.
pub(crate) fn add(
    result: &mut RunResult,
    seeds: &[Seen<'_>],
    pairs: &[(&str, &str)],
    unit: &str,
) -> Result<()> {
    let first = seeds.first().context("a run has at least one seed")?;
    let part = first.part.part();
    let metric = format!("{part} accuracy");
    for (i, measured) in first.rows.iter().enumerate() {
        // Seeds may choose differently; a row stands where all have it.
        if seeds.iter().any(|s| s.rows.get(i).is_none_or(|row| row.name != measured.name)) {
            continue;
        }
        let confusions: Vec<_> =
            seeds.iter().map(|s| s.rows[i].scores.confusion(s.classes.len())).collect();
        let accuracy: Option<Vec<f64>> = confusions.iter().map(|c| c.accuracy()).collect();
        let balanced: Option<Vec<f64>> = confusions.iter().map(|c| c.balanced_accuracy()).collect();
        let calibration = seeds.iter().map(|s| s.rows[i].scores.calibration_error()).collect();
        let known = "a sample whose class is known";
        let row = |metric: &str, values| {
            Row::new(&measured.name, metric, values).map(|row| row.group("Networks"))
        };
        let accuracy = row(&metric, accuracy.context(known)?)?;
        result.rows.push(accuracy.examples(measured.scores.len() as u64));
        result.rows.push(row(&balanced_name(&confusions[0]), balanced.context(known)?)?);
        let calibration = row("calibration error (ECE)", calibration)?.unit("points");
        result.rows.push(calibration.better(metrics::Better::Lower));
    }
    let find = |name: &str| result.rows.iter().find(|r| r.name == name && r.metric == metric);
    let mut comparisons = Vec::new();
    for (left, right) in pairs {
        let (Some(ours), Some(other)) = (find(left), find(right)) else { continue };
        let mut comparison = Comparison::between(format!("{left} - {right}"), ours, other)?;
        if let [one] = seeds {
            let examples = other.examples.unwrap_or(0);
            comparison = comparison.over_examples(one.paired(left, right)?.ci95, examples);
        }
        comparisons.push(comparison);
    }
    result.comparisons = comparisons;
    result.notes.extend(first.notes(unit));
    if result.seeds.len() == 1 && !first.rows.is_empty() {
        result.notes.push(format!(
            "Intervals are over {unit}: they say what other {unit} of this kind would give, not what \
             another training would."
        ));
    }
    Ok(())
}

/// Which classes were not measured, in a sentence, if there are any.
pub(crate) fn unmeasured(seen: &Seen<'_>) -> Option<String> {
    let confusion = seen.rows.first()?.scores.confusion(seen.classes.len());
    unmeasured_note(seen.part.part(), seen.classes, &confusion)
}
