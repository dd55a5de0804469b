//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use report::{Comparison, Row, RunResult};

use super::recipe::{FROZEN, LABELS_ALONE, Recipe};
use super::seed::{Measured, MeasuredOn, Outcome};
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{balanced_name, frame, unmeasured_note};
use crate::run::scores::Paired;
use crate::run::seeds::Run;

/// What a seed found, in a line.
pub(super) fn line(outcome: &Outcome) -> String {
    let row = |row: &Measured| match row.scores.confusion(outcome.classes.len()).accuracy() {
        Some(accuracy) => format!("{} {accuracy:.2} %", row.name),
        None => row.name.clone(),
    };
    match outcome.rows.is_empty() {
        true => format!("{} is trained; there is nothing to measure it on", outcome.choice.row),
        false => outcome.rows.iter().map(row).collect::<Vec<_>>().join(" -> "),
    }
}

impl MeasuredOn {
    /// The part in the names of metrics.
    pub(super) fn part(self) -> &'static str {
        match self {
            MeasuredOn::Test => "test",
            MeasuredOn::Validation => "validation",
            MeasuredOn::HeldOut | MeasuredOn::Nothing => "held-out",
        }
    }
}

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.cost));
    let mut result = frame(head, run, &first.data, cost, "images");
    let part = first.part.part();
    for (i, measured) in first.rows.iter().enumerate() {
        // Seeds may choose differently; a row stands where all have it.
        if outcomes.iter().any(|o| o.rows.get(i).is_none_or(|row| row.name != measured.name)) {
            continue;
        }
        let confusions: Vec<_> =
            outcomes.iter().map(|o| o.rows[i].scores.confusion(o.classes.len())).collect();
        let accuracy: Option<Vec<f64>> = confusions.iter().map(|c| c.accuracy()).collect();
        let balanced: Option<Vec<f64>> = confusions.iter().map(|c| c.balanced_accuracy()).collect();
        let calibration = outcomes.iter().map(|o| o.rows[i].scores.calibration_error()).collect();
        let known = "an image whose class is known";
        let examples = measured.scores.len() as u64;
        let row = |metric: &str, values| {
            Row::new(&measured.name, metric, values).map(|row| row.group("Networks"))
        };
        let accuracy = row(&format!("{part} accuracy"), accuracy.context(known)?)?;
        result.rows.push(accuracy.examples(examples));
        result.rows.push(row(&balanced_name(&confusions[0]), balanced.context(known)?)?);
        let calibration = row("calibration error (ECE)", calibration)?.unit("points");
        result.rows.push(calibration.better(metrics::Better::Lower));
    }
    let metric = format!("{part} accuracy");
    let find = |name: &str| result.rows.iter().find(|r| r.name == name && r.metric == metric);
    let pairs = recipe.candidates.iter().map(|candidate| (candidate.name.as_str(), LABELS_ALONE));
    let mut comparisons = Vec::new();
    for (left, right) in pairs.chain([(LABELS_ALONE, FROZEN)]) {
        let (Some(ours), Some(other)) = (find(left), find(right)) else { continue };
        let mut comparison = Comparison::between(format!("{left} - {right}"), ours, other)?;
        if let [outcome] = outcomes {
            comparison = comparison
                .over_examples(paired(outcome, left, right)?.ci95, other.examples.unwrap_or(0));
        }
        comparisons.push(comparison);
    }
    result.comparisons = comparisons;
    result.notes = notes(recipe, first, run);
    let confusion = first.rows.first().map(|row| row.scores.confusion(first.classes.len()));
    let unmeasured = |confusion| unmeasured_note(part, &first.classes, &confusion);
    result.notes.extend(confusion.and_then(unmeasured));
    Ok(result)
}

/// The difference of two rows of a seed.
pub(super) fn paired(outcome: &Outcome, left: &str, right: &str) -> Result<Paired> {
    let find = |name: &str| outcome.rows.iter().find(|row| row.name == name);
    let pair = find(left).zip(find(right));
    let (left, right) = pair.with_context(|| format!("rows {left} and {right}"))?;
    Paired::between(&left.scores, &right.scores)
}

fn notes(recipe: &Recipe, first: &Outcome, run: &Run<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let measured = match first.part {
        MeasuredOn::Test => {
            "Measured on the test part; all labels were trained on, and nothing was \
                             chosen on the test part."
                .to_owned()
        }
        MeasuredOn::Validation if first.trial.decides => {
            "Measured on the validation part, on which the method was chosen too: new images will \
             fare a little worse."
                .to_owned()
        }
        MeasuredOn::Validation => {
            "Measured on the validation part; nothing was chosen on it.".to_owned()
        }
        MeasuredOn::HeldOut => format!(
            "There is no test part. Measured on labelled images that were held out, by networks \
             that learned from the other labels for {:.0} s in each of {} splits: the network that \
             is kept had all labels and more time.",
            first.trial.seconds, first.trial.folds
        ),
        MeasuredOn::Nothing => "No label could be held out and there is no test part: nothing was \
                                measured."
            .to_owned(),
    };
    notes.push(measured);
    notes.push(format!("Kept: {}; {}.", first.choice.row, first.choice.why));
    if run.started.seeds.len() == 1 && !first.rows.is_empty() {
        let note = "Intervals are over images: they say what other images of this kind would give, \
                    not what another training would.";
        notes.push(note.to_owned());
    }
    match (&recipe.weights, first.applied.is_empty()) {
        (Some(weights), false) => {
            notes.push(format!("Started from {weights}: {}.", first.applied.join("; ")));
        }
        (Some(weights), true) => notes.push(format!("Started from {weights}.")),
        (None, _) => notes.push("Started at random, without published weights.".to_owned()),
    }
    notes
}
