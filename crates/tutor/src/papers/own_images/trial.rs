//! The trial: every method for a short time on some of the labels, measured on the others, to
//! choose by and, where there is no test part, to report.

use std::collections::BTreeMap;

use anyhow::Result;

use super::probe::Labels;
use super::recipe::Recipe;
use super::start::Start;
use super::training::Training;
use crate::images::learner::StoredParts;
use crate::images::setting::Setting;
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::folds::{Fold, folds};
use crate::run::pace::fitting;
use crate::run::seeds::SeedRun;
use crate::run::trial::Trial;

/// Runs all folds; `seconds` is what the whole trial may take. `pace` holds the seconds of a
/// step of each method.
pub(super) fn run(
    recipe: &Recipe,
    setting: &Setting<'_>,
    (start, stored): (&Start, Option<&StoredParts>),
    (seconds, pace): (f64, &BTreeMap<String, f64>),
    run: &mut SeedRun<'_, '_>,
) -> Result<Trial> {
    let data = setting.data;
    let labels: Vec<u32> = data.labeled.labels().into_iter().flatten().collect();
    let folds = match data.validation.len() {
        0 => folds(&labels, recipe.trial.folds, recipe.trial.held_out, setting.key("trial")),
        // One's own validation part is measured on; all labels are trained on.
        _ => vec![Fold { trained: (0..labels.len()).collect(), held_out: Vec::new() }],
    };
    let trainings = folds.len() * recipe.methods().count();
    let mut found = Trial { folds: folds.len(), ..Trial::default() };
    if trainings == 0 || (seconds <= 0.0 && data.test.is_some()) {
        return Ok(Trial { no_labels: trainings == 0, ..Trial::default() });
    }
    let seconds = seconds / trainings as f64;
    found.decides = pace.values().all(|pace| fitting(seconds, *pace) >= recipe.trial.steps);
    if !found.decides && data.test.is_some() {
        return Ok(Trial::default());
    }
    let frozen = start.frozen();
    for (number, fold) in folds.iter().enumerate() {
        let of_fold = data.holding_out(&fold.trained, &fold.held_out);
        let start = |labels| match fold.held_out.is_empty() {
            true => start.on_all(labels),
            false => start.on(labels, &format!("fold-{}", number + 1), &fold.trained),
        };
        let evaluator = setting.evaluator(&recipe.evaluate.augment).interruptible();
        for (row, labels) in &frozen {
            let fast = setting.fast(&recipe.net, start(*labels)?);
            let said = evaluator.predict(&fast, &of_fold.validation)?;
            found.add(row, of_fold.validation.scores(&said));
        }
        for (name, _) in recipe.methods() {
            let dir = run.dir.join("trial").join(format!("{name}-{}", number + 1));
            let file = dir.join("scores.json");
            let (scores, cost, taken) = files::once(&file, || {
                let start = start(Labels::of(name))?;
                let training = Training { recipe, data: &of_fold, name, start, stored, dir: &dir };
                let trained = training.train(seconds, pace[name], run)?;
                let fast = setting.fast(&recipe.net, &trained.model);
                let said = evaluator.predict(&fast, &of_fold.validation)?;
                Training::remove_checkpoints(&dir)?;
                Ok((of_fold.validation.scores(&said), trained.cost, trained.taken(recipe)))
            })?;
            found.add(name, scores);
            found.took(name, taken);
            found.cost = StageCost::sum([found.cost, cost]);
        }
    }
    Ok(found)
}
