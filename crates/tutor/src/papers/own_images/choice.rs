//! What is kept of a run that has no time for the method it would choose.

use std::collections::BTreeMap;

use anyhow::Result;
use metrics::words::counted;

use super::recipe::Recipe;
use crate::run::pace::{FEWEST_STEPS, fitting, needed};
use crate::run::trial::{Choice, LABELS_ALONE, Trial};

/// With fewer steps of a training than this share of `trial.steps`, fine-tuning is behind the
/// classifier on frozen features that it starts from.
const SHARE: f64 = 0.25;

/// The steps that there is time for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Steps {
    alone: u64,
    /// Of the first candidate, where there is one.
    candidate: Option<u64>,
}

impl Steps {
    /// In `seconds` for both trainings, whose steps take `pace`: half of the time each, and to the
    /// candidate what the labels alone do not need for all their steps.
    fn fitting(recipe: &Recipe, seconds: f64, pace: &BTreeMap<String, f64>) -> Self {
        let most = recipe.train.steps;
        let Some(first) = recipe.candidates.first() else {
            let alone = fitting(seconds, pace[LABELS_ALONE]).min(most);
            return Self { alone, candidate: None };
        };
        let alone = fitting(seconds / 2.0, pace[LABELS_ALONE]).min(most);
        let taken = (seconds / 2.0).min(needed(alone.max(1), pace[LABELS_ALONE]));
        let candidate = fitting(seconds - taken, pace[&first.name]).min(most);
        Self { alone, candidate: Some(candidate) }
    }

    /// The fewest of a training.
    fn fewest(self) -> u64 {
        self.candidate.map_or(self.alone, |candidate| candidate.min(self.alone))
    }
}

/// The row that is kept, and what has to be said of the time. `frozen` is the linear classifier
/// that trainings start from, and `untried` whether no label could be held out to try it; `left`
/// are the seconds of the trainings, `other` those of everything but them and the trial.
pub(super) fn choose(
    recipe: &Recipe,
    trial: &Trial,
    (frozen, untried): (Option<&str>, bool),
    pace: &BTreeMap<String, f64>,
    (left, other): (f64, f64),
) -> Result<(Choice, Vec<String>)> {
    let candidates: Vec<&str> = recipe.candidates.iter().map(|c| c.name.as_str()).collect();
    let steps = Steps::fitting(recipe, left, pace);
    let choice = match of_few_steps(recipe, trial, frozen, steps) {
        // Trained on a label or so of each class, methods that go by their own predictions may
        // become worse than what they start from, and nothing would tell.
        _ if untried && !trial.decides => Choice {
            row: frozen.unwrap_or(LABELS_ALONE).to_owned(),
            why: "no label can be held out to see whether training makes it better".to_owned(),
        },
        Some(choice) => choice,
        None => trial.choose(&[LABELS_ALONE], &candidates, "images")?,
    };
    let fewest = FEWEST_STEPS.min(recipe.train.steps);
    let note = (steps.fewest() < fewest).then(|| {
        // Trainings of so few steps get the same time, so the slowest says how much; and the trial
        // takes its share of whatever there is.
        let slowest = pace.values().copied().fold(0.0, f64::max);
        let trainings = if candidates.is_empty() { 1.0 } else { 2.0 };
        let trial = if trial.scores.is_empty() { 0.0 } else { recipe.trial.share };
        let seconds = trainings * needed(fewest, slowest) / (1.0 - trial);
        format!(
            "{} {} too short for {fewest} steps of each training, which are made all the \
             same: give it {:.1} minutes or more on this machine.",
            counted(recipe.minutes, "minute"),
            if recipe.minutes == 1.0 { "is" } else { "are" },
            (((other + seconds) / 6.0).ceil() / 10.0).max(recipe.minutes + 0.1)
        )
    });
    Ok((choice, note.into_iter().collect()))
}

/// The row that is kept where there are few steps and the trial decides nothing: the labels alone
/// where the first candidate has fewer than `trial.steps`, and the linear classifier `frozen`
/// where the labels alone have hardly a step either.
fn of_few_steps(
    recipe: &Recipe,
    trial: &Trial,
    frozen: Option<&str>,
    steps: Steps,
) -> Option<Choice> {
    let enough = recipe.trial.steps.min(recipe.train.steps);
    let least = (SHARE * enough as f64).ceil() as u64;
    let Steps { alone, candidate } = steps;
    let has_few = candidate.is_some_and(|candidate| candidate < enough);
    let frozen = frozen.filter(|_| alone < least && (has_few || candidate.is_none()));
    if trial.decides || !(has_few || frozen.is_some()) {
        return None;
    }
    let mut why = match (candidate, recipe.candidates.first()) {
        (Some(candidate), Some(first)) => format!(
            "there is time for {} of {} and {alone} of {LABELS_ALONE}: a method that learns from its \
             own predictions needs {enough} or more{}",
            counted(candidate, "step"),
            first.name,
            // Where a training is shorter than that, another key says so.
            if enough == recipe.trial.steps { " (trial.steps)" } else { "" }
        ),
        _ => format!("there is time for {} of {LABELS_ALONE}", counted(alone, "step")),
    };
    if frozen.is_some() {
        why += &format!(
            ", and fine-tuning needs {least} or more to get ahead of the features that it starts from"
        );
    }
    Some(Choice { row: frozen.unwrap_or(LABELS_ALONE).to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::super::recipe::FROZEN;
    use super::*;

    /// Ten steps a second of the labels alone, five of the candidate; 1,000 steps at most.
    fn recipe(has_candidate: bool) -> (Recipe, BTreeMap<String, f64>) {
        let mut text = "minutes = 1.0
            unlabeled_ratio = 1
            weak = []
            strong = []
            net = { kind = 'wide-resnet', depth = 10, width = 1 }
            data = { kind = 'digits', labels_per_class = 1 }
            [train]
            steps = 1000
            batch = 4
            lr = { kind = 'constant', value = 0.1 }
            optim = { kind = 'adamw' }
            "
        .to_owned();
        if has_candidate {
            text += "\n[[candidates]]\nname = 'it'\nmethod = { kind = 'supervised' }";
        }
        let pace = [(LABELS_ALONE.to_owned(), 0.1), ("it".to_owned(), 0.2)];
        (toml::from_str(&text).expect("a recipe"), pace.into())
    }

    #[test]
    fn what_the_labels_alone_do_not_need_goes_to_the_candidate() {
        let (recipe, pace) = recipe(true);
        let of = |seconds| Steps::fitting(&recipe, seconds, &pace);
        assert_eq!(of(20.01), Steps { alone: 92, candidate: Some(46) });
        let long = of(250.0);
        assert_eq!(long.alone, 1000);
        let long = long.candidate.expect("a candidate");
        assert!((640..=655).contains(&long), "{long}");
        assert_eq!(of(0.0).fewest(), 0);
        let (recipe, pace) = self::recipe(false);
        let alone = Steps::fitting(&recipe, 10.01, &pace);
        assert_eq!(alone, Steps { alone: 92, candidate: None });
    }

    #[test]
    fn what_has_no_time_is_not_kept() {
        let kept = |has_candidate, has_frozen: bool, alone, own: u64| {
            let (recipe, _) = recipe(has_candidate);
            let steps = Steps { alone, candidate: has_candidate.then_some(own) };
            let frozen = has_frozen.then_some(FROZEN);
            of_few_steps(&recipe, &Trial::default(), frozen, steps).map(|choice| choice.row)
        };
        let row = |name: &str| Some(name.to_owned());
        assert_eq!(kept(true, true, 200, 100), None);
        assert_eq!(kept(true, true, 198, 99), row(LABELS_ALONE));
        assert_eq!(kept(true, true, 25, 12), row(LABELS_ALONE));
        assert_eq!(kept(true, true, 24, 12), row(FROZEN));
        assert_eq!(kept(true, false, 24, 12), row(LABELS_ALONE));
        assert_eq!(kept(false, true, 24, 0), row(FROZEN));
        assert_eq!(kept(false, true, 25, 0), None);
        assert_eq!(kept(false, false, 24, 0), None);
        let (recipe, _) = recipe(true);
        let steps = Steps { alone: 24, candidate: Some(12) };
        let decides = Trial { decides: true, ..Trial::default() };
        assert!(of_few_steps(&recipe, &decides, Some(FROZEN), steps).is_none());
        let told =
            of_few_steps(&recipe, &Trial::default(), Some(FROZEN), steps).expect("a choice").why;
        assert!(told.contains("12 steps of it and 24 of labels-alone"), "{told}");
        assert!(told.contains("fine-tuning needs 25 or more"), "{told}");
        let steps = Steps { alone: 1, candidate: Some(1) };
        let one = of_few_steps(&recipe, &Trial::default(), None, steps).expect("a choice").why;
        assert!(one.contains("there is time for 1 step of it and 1 of labels-alone:"), "{one}");
    }

    #[test]
    fn what_is_said_of_too_little_time_is_a_sentence() {
        let (recipe, pace) = recipe(false);
        let frozen = (None, false);
        let (_, notes) =
            choose(&recipe, &Trial::default(), frozen, &pace, (0.0, 1.0)).expect("a choice");
        assert!(notes.len() == 1 && notes[0].ends_with("on this machine."), "{notes:?}");
    }

    #[test]
    fn a_start_that_could_not_be_tried_is_kept_unless_a_trial_decides() {
        let kept = |untried, decides, seconds| {
            let (recipe, pace) = recipe(false);
            let trial = Trial { decides, ..Trial::default() };
            let frozen = (Some(FROZEN), untried);
            let (choice, notes) =
                choose(&recipe, &trial, frozen, &pace, (seconds, 1.0)).expect("a choice");
            assert!(notes.is_empty(), "{notes:?}");
            choice.row
        };
        for seconds in [20.0, 1000.0] {
            assert_eq!(kept(true, false, seconds), FROZEN);
            assert_eq!(kept(true, true, seconds), LABELS_ALONE);
            assert_eq!(kept(false, false, seconds), LABELS_ALONE);
        }
    }
}
