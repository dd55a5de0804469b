//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use metrics::words::counted;
use report::RunResult;

use super::parts::Parts;
use super::recipe::{LATENT, PRE_TRAINED, Recipe, STUDENT, UDA, WORDS, is_alone};
use super::seed::Outcome;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::measured::{self, Seen};
use crate::run::result::{frame, over_seeds};
use crate::run::scores::Paired;
use crate::run::seeds::Run;
use crate::run::trial::LABELS_ALONE;

/// What is compared, where both were measured: what unlabelled texts gave, and what a net gave.
const PAIRS: [(&str, &str); 6] = [
    (LATENT, WORDS),
    (PRE_TRAINED, LABELS_ALONE),
    (STUDENT, LABELS_ALONE),
    (UDA, LABELS_ALONE),
    (STUDENT, LATENT),
    (LABELS_ALONE, WORDS),
];

/// The numbers of a run.
pub(super) fn result(
    (head, recipe): (&Head, &Recipe),
    run: &Run<'_>,
    parts: &Parts,
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.cost));
    let unit = first.unit();
    let mut result = frame(head, run, &first.data, cost, unit);
    let seeds: Vec<_> = outcomes.iter().map(Outcome::seen).collect();
    measured::add(&mut result, &seeds, &PAIRS, unit)?;
    result.notes.extend(first.about.iter().map(|about| format!("{about}.")));
    if recipe.net_rows().next().is_some() {
        let rows = recipe.net_rows().collect::<Vec<_>>().join(", ");
        result.notes.push(match (&recipe.weights, &first.applied) {
            (Some(weights), Some(applied)) => {
                format!("The nets ({rows}) started from {weights}: {applied}.")
            }
            _ => format!("The nets ({rows}) started at random, without published weights."),
        });
    }
    if first.pretraining.is_some() {
        result.notes.push(format!(
            "{PRE_TRAINED} began with pre-training on the texts without their labels; the test and \
             validation {unit} are not among them. {LABELS_ALONE} has the same net and vocabulary \
             and did without."
        ));
    }
    let of_each = outcomes.iter().map(|outcome| of_seed(recipe, outcome));
    result.notes.extend(over_seeds(&result.seeds, of_each));
    if recipe.student.is_some() {
        result.notes.push(format!(
            "{STUDENT} learned from the labelled {unit} and from the unlabelled ones with the classes \
             that {LATENT} gave them."
        ));
    }
    if let Some(uda) = &recipe.uda {
        let what = match &parts.paraphrased {
            Some(paraphrased) => format!(
                "a paraphrase of it ({}, drawn anew each time): {}",
                uda.strong.words(),
                paraphrased.told(&parts.unlabeled)
            ),
            None => format!("itself with words changed ({})", uda.strong.words()),
        };
        result.notes.push(format!(
            "{UDA} learned from the labelled {unit}, and from the unlabelled ones that it should say \
             the same of each and of {what}."
        ));
    }
    if recipe.rows().all(is_alone) && !first.unlabeled.is_empty() {
        result.notes.push(format!(
            "The unlabelled {unit} were not learned from: they are listed by what a label of each \
             would tell."
        ));
    }
    result.notes.extend(over_seeds(&result.seeds, seeds.iter().map(better_than_kept)));
    result.notes.extend(measured::unmeasured(&seeds[0]));
    result.notes.extend(parts.notes.iter().map(|note| format!("Of the {unit}: {note}.")));
    Ok(result)
}

/// What is to be known of a seed's trial and pre-training.
fn of_seed(recipe: &Recipe, outcome: &Outcome) -> Vec<String> {
    let tried = &outcome.trial.scores;
    let untried: Vec<&str> =
        recipe.rows().filter(|row| !tried.is_empty() && !tried.contains_key(*row)).collect();
    let untried = (!untried.is_empty()).then(|| {
        format!(
            "{} could not be chosen: there was no time for a trial of {} steps. More minutes, or \
             a larger trial.share in the recipe, would give it.",
            untried.join(", "),
            recipe.trial.steps
        )
    });
    let pretraining = outcome.pretraining.as_ref().map(|found| {
        let seconds = found.cost.seconds;
        format!("Pre-training took {} and {seconds:.0} s.", counted(found.steps, "step"))
    });
    untried.into_iter().chain(pretraining).collect()
}

/// A row that is better on the measured part than the one that is kept, by more than chance.
fn better_than_kept(seen: &Seen<'_>) -> Option<String> {
    let kept = seen.kept()?;
    let best = seen.rows.iter().filter(|row| row.scores.accuracy() > kept.scores.accuracy());
    let best =
        best.max_by(|a, b| a.scores.accuracy().partial_cmp(&b.scores.accuracy()).expect("no NaN"))?;
    let paired = Paired::between(&best.scores, &kept.scores).ok()?;
    (paired.ci95[0] > 0.0).then(|| {
        format!(
            "On the {} part {} is better than {}, which the trial kept. `--model {}` of predict and \
             eval takes it; a choice that is made on that part is no longer measured by it.",
            seen.part.part(),
            best.name,
            kept.name,
            best.name
        )
    })
}
