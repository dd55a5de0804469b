//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use report::{Row, RunResult};

use super::recipe::{Draw, From, Recipe, named};
use super::start::Source;
use super::training::Training;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{compared, frame};
use crate::run::scores::Paired;
use crate::run::seeds::Run;

pub(super) const METRIC: &str = "test accuracy";

/// What a seed found, in a line: the accuracies of each row, by labels.
pub(super) fn line(trainings: &[Training]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for training in trainings {
        let accuracy = training.scores.accuracy().unwrap_or(f64::NAN);
        if last == Some(&training.row) {
            let line = words.last_mut().expect("a row before");
            *line += &format!(" / {accuracy:.1}");
        } else {
            words.push(format!("{} {accuracy:.1}", training.row));
        }
        last = Some(&training.row);
    }
    format!("accuracy in %: {}", words.join("; "))
}

/// The same training of each seed; `None` where the row was not run with so many labels.
pub(super) fn find<'a>(
    outcomes: &'a [Vec<Training>],
    labels: usize,
    row: &str,
) -> Option<Vec<&'a Training>> {
    let of = |seed: &'a Vec<Training>| seed.iter().find(|t| t.labels == labels && t.row == row);
    let found: Option<Vec<&Training>> = outcomes.iter().map(of).collect();
    found.filter(|found| !found.is_empty())
}

/// The numbers of a run. `left_out` says which rows were not run, and why.
pub(super) fn result<'a>(
    (head, recipe): (&Head, &Recipe),
    run: &Run<'_>,
    (about, sources): (&str, impl Iterator<Item = &'a Source>),
    outcomes: &[Vec<Training>],
    left_out: &[String],
) -> Result<RunResult> {
    let pretrainings: Vec<StageCost> =
        sources.filter_map(|source| Some(source.pretraining()?.cost)).collect();
    let has_pretraining = !pretrainings.is_empty();
    let all = outcomes.iter().flatten().map(|training| training.cost);
    let cost = StageCost::sum(all.chain(pretrainings));
    let mut result = frame(head, run, about, cost, "texts");
    for &labels in &recipe.labels {
        for row in &recipe.rows {
            let Some(trainings) = find(outcomes, labels, &row.name) else { continue };
            let per_seed: Option<Vec<f64>> =
                trainings.iter().map(|training| training.scores.accuracy()).collect();
            let per_seed = per_seed.context("a test text whose class is known")?;
            let line = Row::new(named(labels, &row.name), METRIC, per_seed)?;
            let examples = trainings[0].scores.len() as u64;
            result.rows.push(line.group("Classifiers").examples(examples));
        }
    }
    let mut comparisons = Vec::new();
    for &labels in &recipe.labels {
        for row in &recipe.rows {
            let Some(against) = &row.against else { continue };
            let line = |name: &str| result.find(&named(labels, name), METRIC);
            for comparison in compared(std::iter::once((line(&row.name), line(against))))? {
                let both = [&row.name, against].map(|name| find(outcomes, labels, name));
                comparisons.push(match (&both, outcomes.len()) {
                    ([Some(left), Some(right)], 1) => {
                        let paired = Paired::between(&left[0].scores, &right[0].scores)?;
                        let texts = left[0].scores.len() as u64;
                        comparison.over_examples(paired.ci95, texts, "text")
                    }
                    _ => comparison,
                });
            }
        }
    }
    let is_over_texts = outcomes.len() == 1 && !comparisons.is_empty();
    result.comparisons = comparisons;
    result.notes.extend(notes(recipe, is_over_texts, has_pretraining));
    result.notes.extend(left_out.iter().cloned());
    Ok(result)
}

/// What a reader has to know of the numbers; `is_over_texts` where there are intervals over texts.
fn notes(recipe: &Recipe, is_over_texts: bool, has_pretraining: bool) -> Vec<String> {
    let mut notes = vec![
        "Each row is measured once, after its last step; nothing was chosen on the test texts in \
         this run. UDA's code evaluates 20 checkpoints on the test part and reports the best."
            .to_owned(),
        match recipe.draw {
            Draw::Seed => "Labels are drawn by the seed, as many of each class, so that intervals \
                           over seeds hold for other labels too."
                .to_owned(),
            Draw::First => "All seeds have the same labels, the first of each class in the file: \
                            intervals over seeds say nothing of other labels."
                .to_owned(),
        },
    ];
    if has_pretraining {
        let note = "Pre-training on the unlabelled texts was done once, for all seeds.";
        notes.push(note.to_owned());
    }
    if is_over_texts {
        let note = "Intervals are over test texts: they say what other texts of this kind would \
                    give, not what another training or other labels would.";
        notes.push(note.to_owned());
    }
    if let Some(weights) = &recipe.weights
        && recipe
            .trainings()
            .is_ok_and(|rows| rows.iter().any(|row| row.recipe.start.from == From::Weights))
    {
        notes.push(format!("Rows that start from weights start from {weights}."));
    }
    notes
}
