//! What is kept of a run that has no time for the method it would choose.

use super::recipe::{FROZEN, Recipe};
use super::start::Start;
use crate::run::trial::{Choice, LABELS_ALONE, Trial};

/// With fewer steps of a training than this share of `trial.steps`, fine-tuning is behind the
/// classifier on frozen features that it starts from.
const SHARE: f64 = 0.25;

/// The row that is kept where the first candidate has fewer steps than `trial.steps` and the trial
/// decides nothing: the labels alone, or the frozen features where these have hardly a step either.
/// `steps` gives the steps that a method has time for.
pub(super) fn of_few_steps(
    recipe: &Recipe,
    trial: &Trial,
    start: &Start,
    steps: impl Fn(&str) -> u64,
) -> Option<Choice> {
    let first = &recipe.candidates.first()?.name;
    let enough = recipe.trial.steps.min(recipe.train.steps);
    let (own, alone) = (steps(first), steps(LABELS_ALONE));
    if trial.decides || own >= enough {
        return None;
    }
    let is_start_better = (alone as f64) < SHARE * enough as f64 && start.penalty().is_some();
    let why = format!(
        "there is time for {own} steps of {first} and {alone} of {LABELS_ALONE}: a method that \
         learns from its own predictions needs {enough} or more (trial.steps)"
    );
    let row = if is_start_better { FROZEN } else { LABELS_ALONE };
    Some(Choice { row: row.to_owned(), why })
}
