//! Classifiers of one's own samples as rows of a report: accuracy, balanced accuracy, calibration,
//! and differences with an interval over samples.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use report::words::number;
use report::{Comparison, Row, RunResult};
use serde::{Deserialize, Serialize};

use super::result::{balanced_name, listed, one_of, over_seeds, unmeasured_note};
use super::scores::{Paired, Scores};
use super::trial::{Choice, Trained, Trial};

/// Which samples the numbers are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MeasuredOn {
    /// The test part; networks were trained on all labels.
    Test,
    /// One's own validation part, on which the choice was made too; networks were trained on all
    /// labels.
    Validation,
    /// Labelled samples held out by the trial, whose networks were trained on the others: they are
    /// not the one that is kept.
    HeldOut,
    /// Nothing.
    Nothing,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) scores: Scores,
    /// What its training took; none of a row without a network.
    #[serde(default)]
    pub(crate) trained: Option<Trained>,
}

/// Samples of the measured part, by id, that are in parts which were learned from too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Overlap {
    /// Those among the labelled samples.
    pub(crate) labeled: Vec<String>,
    /// Those among the unlabelled ones.
    pub(crate) unlabeled: Vec<String>,
}

/// What a seed found, as far as a report speaks of it.
pub(crate) struct Seen<'a> {
    pub(crate) classes: &'a [String],
    /// How many labels each class has.
    pub(crate) labels: &'a [u64],
    /// The rows in the order of the table.
    pub(crate) rows: &'a [Measured],
    pub(crate) part: MeasuredOn,
    pub(crate) overlap: &'a Overlap,
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

    /// The name of the calibration error, which says whose it is.
    fn calibration(self) -> &'static str {
        match self {
            MeasuredOn::HeldOut => "calibration error (ECE) of the trial's classifiers",
            _ => "calibration error (ECE)",
        }
    }
}

/// `words` is, or `words, student` are.
fn are(rows: &[String]) -> String {
    format!("{} {}", rows.join(", "), if rows.len() == 1 { "is" } else { "are" })
}

impl Seen<'_> {
    /// The row whose network is kept.
    pub(crate) fn kept(&self) -> Option<&Measured> {
        self.row(&self.choice.row)
    }

    fn row(&self, name: &str) -> Option<&Measured> {
        self.rows.iter().find(|row| row.name == name)
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

    /// The class that most measured samples are of, what always answering it is called, and the
    /// share of the samples that it is right for, in percent.
    pub(crate) fn baseline(&self) -> Option<(u32, String, f64)> {
        let (class, share) = self.rows.first()?.scores.most_frequent()?;
        Some((class, format!("always `{}`", self.classes[class as usize]), share))
    }

    /// The difference of two rows.
    fn paired(&self, left: &str, right: &str) -> Result<Paired> {
        let pair = self.row(left).zip(self.row(right));
        let (left, right) = pair.with_context(|| format!("rows {left} and {right}"))?;
        Paired::between(&left.scores, &right.scores)
    }

    /// Why the difference of a row to one that is ahead of it over all seeds shows nothing of the
    /// two, if the training of the one that is behind was too short for that.
    fn caveat(&self, behind: &str, ahead: &str) -> Option<String> {
        let of = |name| self.row(name).and_then(|row| row.trained);
        let trained = of(behind)?;
        if !trained.is_short(of(ahead)) {
            return None;
        }
        let other = of(ahead).map_or(String::new(), |of| format!(", {ahead} {}", of.told()));
        let why = match trained.has_few_steps() {
            true => {
                // Where the training may have no more than that, another key sets the number.
                let key = if trained.enough < trained.most { " (trial.steps)" } else { "" };
                format!("fewer than {} steps tell little{key}", trained.enough)
            }
            false => "that is clearly less time".to_owned(),
        };
        Some(format!("{behind} had {}{other}; {why}", trained.told()))
    }

    /// What the trainings took, in a sentence, if one was too short to be held against another.
    fn unequal(&self) -> Option<String> {
        let all = || self.rows.iter().filter_map(|row| Some((&row.name, row.trained?)));
        let is_short = |one: Trained| all().any(|(_, other)| one.is_short(Some(other)));
        let told: Vec<String> =
            all().map(|(name, trained)| format!("{name} {}", trained.told())).collect();
        all()
            .any(|(_, trained)| is_short(trained))
            .then(|| format!("Trainings were short or unequal: {}.", told.join(", ")))
    }

    /// What should be known of rows that tell classes apart no better than one answer for all, or
    /// never say one, a sentence each.
    fn unlearned(&self, unit: &str) -> Vec<String> {
        let Some((_, always, share)) = self.baseline() else { return Vec::new() };
        let mut notes = Vec::new();
        let is_below = |row: &&Measured| row.scores.accuracy().is_some_and(|of| of <= share);
        let told = |row: &Measured| {
            format!("{} ({} %)", row.name, number(row.scores.accuracy().unwrap_or(0.0), "%"))
        };
        let below: Vec<String> = self.rows.iter().filter(is_below).map(told).collect();
        if !below.is_empty() {
            notes.push(format!(
                "{} not above the baseline: {always} would be right for {} % of these {unit}.",
                are(&below),
                number(share, "%")
            ));
        }
        for row in self.rows {
            let said: BTreeSet<u32> = row.scores.tops().map(|(class, _)| class).collect();
            let missing: BTreeSet<u32> =
                row.scores.truth.iter().copied().filter(|class| !said.contains(class)).collect();
            let name = |class: &u32| self.classes[*class as usize].as_str();
            let is_kept = row.name == self.choice.row;
            if let (Some(only), 1, false) = (said.first(), said.len(), missing.is_empty()) {
                let all = row.scores.len();
                notes.push(format!("{} said `{}` of all {all} {unit}.", row.name, name(only)));
            } else if is_kept && !missing.is_empty() {
                let names: Vec<&str> = missing.iter().map(name).collect();
                let count = row.scores.truth.iter().filter(|of| missing.contains(of)).count();
                notes.push(format!(
                    "{} never said {}: of the {} {unit}, {count} {} labelled so.",
                    row.name,
                    listed(&names),
                    row.scores.len(),
                    if count == 1 { "is" } else { "are" }
                ));
            }
        }
        notes
    }

    /// Which measured samples were learned from, a sentence for each part that they are in, and
    /// the accuracies without them.
    fn overlapping(&self, unit: &str) -> Vec<String> {
        let part = self.part.part();
        let ids = self.rows.first().map(|row| row.scores.ids.iter().map(String::as_str));
        let measured: BTreeSet<&str> = ids.into_iter().flatten().collect();
        let Overlap { labeled, unlabeled } = self.overlap;
        let [labeled, unlabeled] = [labeled, unlabeled].map(|seen| {
            let seen: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
            measured.intersection(&seen).copied().collect::<BTreeSet<&str>>()
        });
        let mut notes = Vec::new();
        for (seen, among) in [
            (&labeled, "labelled ones, which were trained on"),
            (&unlabeled, "unlabelled ones, which were trained on without their labels"),
        ] {
            let (count, all) = (seen.len(), measured.len());
            if count > 0 {
                let are = if count == 1 { "is" } else { "are" };
                notes.push(format!("{count} of the {all} {part} {unit} {are} among the {among}."));
            }
        }
        let seen: BTreeSet<&str> = labeled.union(&unlabeled).copied().collect();
        let without = |row: &Measured| {
            let accuracy = row.scores.accuracy_without(&seen)?;
            Some(format!("{} {} %", row.name, number(accuracy, "%")))
        };
        let without: Option<Vec<String>> = self.rows.iter().map(without).collect();
        if let (false, Some(without)) = (seen.is_empty(), without) {
            let left = measured.len() - seen.len();
            notes.push(format!(
                "Accuracy on the {left} {unit} that were not seen before: {}.",
                without.join(", ")
            ));
        }
        notes
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
            MeasuredOn::HeldOut => {
                let networks = self.trial.seconds();
                let networks = networks.map_or(String::new(), |of| format!(" (networks for {of})"));
                let chosen = match self.trial.decides {
                    true => format!(
                        " The method was chosen on these {unit} too: new {unit} will fare a little \
                         worse."
                    ),
                    false => String::new(),
                };
                format!(
                    "There is no test part. Measured on labelled {unit} that were held out, by \
                     classifiers that learned from the other labels in {} splits{networks}: the \
                     one that is kept learned from all labels. Its probabilities are others, so \
                     that no threshold for predict can be told from these; --test gives \
                     some.{chosen}",
                    self.trial.folds
                )
            }
            MeasuredOn::Nothing => {
                "No label could be held out and there is no test part: label two \
                                    or more of each class, or name a test part (--test)."
                    .to_owned()
            }
        };
        let mut notes = vec![measured];
        notes.extend(self.overlapping(unit));
        notes.extend(self.unlearned(unit));
        notes.extend(self.unequal());
        notes.push(format!("Kept: {}; {}.", self.choice.row, self.choice.why));
        notes
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
    let known = "a sample whose class is known";
    let row = |name: &str, metric: &str, values| {
        Row::new(name, metric, values).map(|row| row.group("Networks"))
    };
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
        let row = |metric: &str, values| row(&measured.name, metric, values);
        let accuracy = row(&metric, accuracy.context(known)?)?;
        result.rows.push(accuracy.examples(measured.scores.len() as u64));
        result.rows.push(row(&balanced_name(&confusions[0]), balanced.context(known)?)?);
        let calibration = row(first.part.calibration(), calibration)?.unit("points");
        result.rows.push(calibration.better(metrics::Better::Lower));
    }
    if let (Some((class, always, _)), Some(measured)) = (first.baseline(), first.rows.first()) {
        let scores = |s: &Seen<'_>| s.rows.first().map(|row| row.scores.share_of(class));
        let shares: Option<Vec<f64>> = seeds.iter().map(scores).collect();
        let accuracy = row(&always, &metric, shares.context(known)?)?;
        result.rows.push(accuracy.examples(measured.scores.len() as u64).baseline());
        let confusion = measured.scores.confusion(first.classes.len());
        let classes = first.classes.len() - confusion.unmeasured().count();
        let balanced = vec![100.0 / classes as f64; seeds.len()];
        result.rows.push(row(&always, &balanced_name(&confusion), balanced)?.baseline());
    }
    let find = |name: &str| result.rows.iter().find(|r| r.name == name && r.metric == metric);
    let mut comparisons = Vec::new();
    for (left, right) in pairs {
        let (Some(ours), Some(other)) = (find(left), find(right)) else { continue };
        let mut comparison = Comparison::between(format!("{left} - {right}"), ours, other)?;
        if let [one] = seeds {
            let examples = other.examples.unwrap_or(0);
            let ci95 = one.paired(left, right)?.ci95;
            comparison = comparison.over_examples(ci95, examples, one_of(unit));
        }
        let (behind, ahead) = if comparison.mean < 0.0 { (left, right) } else { (right, left) };
        comparison.caveat = seeds.iter().find_map(|seen| seen.caveat(behind, ahead));
        comparisons.push(comparison);
    }
    result.comparisons = comparisons;
    let notes = seeds.iter().map(|seen| seen.notes(unit));
    result.notes.extend(over_seeds(&result.seeds, notes));
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

#[cfg(test)]
mod tests;
