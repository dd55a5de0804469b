//! From what the seeds measured to the numbers of the report.

use anyhow::{Context, Result};
use metrics::{Score, stats};
use report::{Block, Row, RunResult, Section, Table};
use serde::{Deserialize, Serialize};

use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{frame, over_seeds};
use crate::run::seeds::Run;

/// The folder of files of predictions in that of a seed.
pub(super) const PREDICTIONS: &str = "predictions";

/// A score of a part of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measure {
    /// What was measured on which part, such as `dev accuracy`.
    pub(super) metric: String,
    /// `%`, or empty for plain numbers.
    pub(super) unit: String,
    /// None where it is undefined.
    pub(super) value: Option<f64>,
    /// What tables show: 0 where it is undefined.
    pub(super) shown: f64,
    /// Why it is undefined, or what makes it say little.
    pub(super) note: Option<String>,
    /// Of how many examples it is a share, where it is one.
    pub(super) examples: Option<u64>,
}

impl Measure {
    pub(super) fn new(metric: impl Into<String>, unit: &str, score: Score) -> Self {
        let Score { value, shown, note } = score;
        let (metric, unit) = (metric.into(), unit.to_owned());
        Self { metric, unit, value, shown, note, examples: None }
    }

    /// A share of so many examples.
    pub(super) fn of(self, examples: u64) -> Self {
        Self { examples: Some(examples), ..self }
    }
}

/// What a seed found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The task's main score first.
    pub(super) measures: Vec<Measure>,
    pub(super) steps: u64,
    /// What the network started from.
    pub(super) loaded: String,
    pub(super) cost: StageCost,
}

/// What a seed found, in a line.
pub(super) fn line(outcome: &Outcome) -> String {
    let measures = outcome.measures.iter().take(4);
    let words: Vec<String> = measures.map(|m| format!("{} {}", m.metric, shown(m))).collect();
    words.join(", ")
}

fn shown(measure: &Measure) -> String {
    match (measure.value, measure.unit.as_str()) {
        (None, _) => "undefined".to_owned(),
        (Some(value), "%") => format!("{value:.1} %"),
        (Some(value), _) => format!("{value:.3}"),
    }
}

/// The numbers of a run; `data` is what there is in words, and what should be known of it.
pub(super) fn result(
    (head, name): (&Head, &str),
    run: &Run<'_>,
    (data, notes): (&str, &[String]),
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.cost));
    let mut result = frame(head, run, data, cost, "sequences");
    for (i, measure) in first.measures.iter().enumerate() {
        let per_seed = outcomes.iter().map(|outcome| outcome.measures[i].shown).collect();
        let row = Row::new(name, measure.metric.as_str(), per_seed)?.unit(measure.unit.as_str());
        result.rows.push(match measure.examples {
            Some(examples) => row.examples(examples),
            None => row,
        });
    }
    result.notes.push(format!("Started from {}.", first.loaded));
    let note = "Measured once a seed, after the last step; nothing was chosen on these examples \
                in this run.";
    result.notes.push(note.to_owned());
    let said = |measure: &Measure| {
        let what = if measure.value.is_none() { " is undefined and shown as 0" } else { "" };
        Some(format!("{}{what}: {}.", measure.metric, measure.note.as_ref()?))
    };
    let of_each = outcomes.iter().map(|outcome| outcome.measures.iter().filter_map(said));
    result.notes.extend(over_seeds(&result.seeds, of_each));
    result.notes.extend(notes.iter().map(|note| format!("Of the data: {note}.")));
    Ok(result)
}

/// The parts of the report; `seeds` are those of the outcomes, in the same order.
pub(super) fn sections(seeds: &[u64], outcomes: &[Outcome]) -> Vec<Section> {
    let Some(first) = outcomes.first() else { return Vec::new() };
    let mut table = Table::new(["score", "median", "lowest", "highest", "seeds"]);
    for (i, measure) in first.measures.iter().enumerate() {
        let mut values: Vec<f64> = outcomes.iter().filter_map(|o| o.measures[i].value).collect();
        values.sort_by(f64::total_cmp);
        let cell = |value: Option<f64>| shown(&Measure { value, ..measure.clone() });
        table.rows.push(vec![
            measure.metric.clone(),
            cell(stats::median(&values)),
            cell(values.first().copied()),
            cell(values.last().copied()),
            values.len().to_string(),
        ]);
    }
    let words = "Published scores of small tasks are medians over many seeds: CoLA, MRPC, STS-B \
                 and RTE differ much from seed to seed. A score that is undefined counts in none \
                 of these columns.";
    let mut costs = Table::new(["seed", "steps", "time"]);
    for (seed, outcome) in seeds.iter().zip(outcomes) {
        let seconds = format!("{:.0} s", outcome.cost.seconds);
        costs.rows.push(vec![seed.to_string(), outcome.steps.to_string(), seconds]);
    }
    let files = format!(
        "The predictions of each seed lie in `seed-N/{PREDICTIONS}`, in the forms that the \
         official scripts and sites take."
    );
    vec![
        Section::new("medians", "Over seeds")
            .with(Block::Table(table))
            .with(Block::Caption(words.to_owned())),
        Section::new("trainings", "Trainings")
            .with(Block::Table(costs))
            .with(Block::Caption(files)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undefined_score_is_no_zero_among_medians() {
        let outcome = |score| Outcome {
            measures: vec![Measure::new("dev Matthews correlation", "", score)],
            steps: 1,
            loaded: "x".into(),
            cost: StageCost::default(),
        };
        let outcomes = [outcome(Score::undefined("one label")), outcome(Score::of(0.5))];
        let sections = sections(&[3, 7], &outcomes);
        let Block::Table(table) = &sections[0].blocks[0] else { panic!("a table") };
        assert_eq!(table.rows[0], ["dev Matthews correlation", "0.500", "0.500", "0.500", "1"]);
        let Block::Table(costs) = &sections[1].blocks[0] else { panic!("a table") };
        assert_eq!(costs.rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["3", "7"]);
        assert!(line(&outcomes[0]).ends_with("undefined"));
    }
}
