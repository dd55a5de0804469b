//! The trial: every method for a short time on some of the labels, measured on the others, to
//! choose by and, where there is no test part, to report.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::folds::{Fold, folds};
use super::recipe::{FROZEN, LABELS_ALONE, Recipe};
use super::start::Start;
use super::training::{Training, fitting};
use crate::images::setting::Setting;
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::scores::{Paired, Scores};
use crate::run::seeds::SeedRun;

/// What the trial found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trial {
    /// Of each row, what it said of the images that were held out.
    pub(super) scores: BTreeMap<String, Scores>,
    /// How many folds were trained.
    pub(super) folds: usize,
    /// Seconds of each of its trainings.
    pub(super) seconds: f64,
    /// Whether they were long enough to choose by.
    pub(super) decides: bool,
    pub(super) cost: StageCost,
}

/// Why a row was chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Choice {
    pub(super) row: String,
    pub(super) why: String,
}

impl Trial {
    /// Runs all folds; `seconds` is what the whole trial may take. `pace` holds the seconds of a
    /// step of each method.
    pub(super) fn run(
        recipe: &Recipe,
        setting: &Setting<'_>,
        start: &Start,
        (seconds, pace): (f64, &BTreeMap<String, f64>),
        run: &mut SeedRun<'_, '_>,
    ) -> Result<Self> {
        let data = setting.data;
        let labels: Vec<u32> = data.labeled.labels().into_iter().flatten().collect();
        let folds = match data.validation.len() {
            0 => folds(&labels, recipe.trial.folds, recipe.trial.held_out, setting.key("trial")),
            // One's own validation part is measured on; all labels are trained on.
            _ => vec![Fold { trained: (0..labels.len()).collect(), held_out: Vec::new() }],
        };
        let trainings = folds.len() * recipe.methods().count();
        let mut found = Self { folds: folds.len(), ..Self::default() };
        if trainings == 0 || (seconds <= 0.0 && data.test.is_some()) {
            return Ok(Self::default());
        }
        found.seconds = seconds / trainings as f64;
        found.decides =
            pace.values().all(|pace| fitting(found.seconds, *pace) >= recipe.trial.steps);
        if !found.decides && data.test.is_some() {
            return Ok(Self::default());
        }
        for (number, fold) in folds.iter().enumerate() {
            let of_fold = data.holding_out(&fold.trained, &fold.held_out);
            let model = start.on(&fold.trained);
            let evaluator = setting.evaluator(&recipe.evaluate.augment).interruptible();
            if start.penalty().is_some() {
                let fast = setting.fast(&recipe.net, model);
                let said = evaluator.predict(&fast, &of_fold.validation)?;
                found.add(FROZEN, of_fold.validation.scores(&said));
            }
            for (name, _) in recipe.methods() {
                let dir = run.dir.join("trial").join(format!("{name}-{}", number + 1));
                let training = Training { recipe, data: &of_fold, name, start: model, dir: &dir };
                let file = dir.join("scores.json");
                let (scores, cost) = files::once(&file, || {
                    let trained = training.train(found.seconds, pace[name], run)?;
                    let fast = setting.fast(&recipe.net, &trained.model);
                    let said = evaluator.predict(&fast, &of_fold.validation)?;
                    Training::remove_checkpoints(&dir)?;
                    Ok((of_fold.validation.scores(&said), trained.cost))
                })?;
                found.add(name, scores);
                found.cost = StageCost::sum([found.cost, cost]);
            }
        }
        Ok(found)
    }

    fn add(&mut self, row: &str, scores: Scores) {
        self.scores.entry(row.to_owned()).or_default().extend(scores);
    }

    /// The row whose network is used: the best candidate, unless the labels alone are better by
    /// more than two standard errors. Short trainings do not do justice to methods that need more
    /// steps, so less is no reason to do without the unlabelled images.
    pub(super) fn choose(&self, recipe: &Recipe) -> Result<Choice> {
        let Some(first) = recipe.candidates.first() else {
            let why = "there is no method for unlabelled images".to_owned();
            return Ok(Choice { row: LABELS_ALONE.to_owned(), why });
        };
        let accuracy = |row: &str| self.scores.get(row)?.accuracy();
        let alone = match accuracy(LABELS_ALONE) {
            Some(alone) if self.decides => alone,
            _ => {
                let why = "the default: a trial on held-out labels would be too short to choose by, \
                           or no label could be held out";
                return Ok(Choice { row: first.name.clone(), why: why.to_owned() });
            }
        };
        let mut best = (first.name.as_str(), accuracy(&first.name).unwrap_or(0.0));
        for candidate in &recipe.candidates[1..] {
            let found = accuracy(&candidate.name).unwrap_or(0.0);
            if found > best.1 {
                best = (&candidate.name, found);
            }
        }
        let paired = Paired::between(&self.scores[LABELS_ALONE], &self.scores[best.0])?;
        let (row, verdict) = match paired.mean > 2.0 * paired.error {
            true => (LABELS_ALONE, "better by more than two standard errors"),
            false if paired.mean > 0.0 => (best.0, "kept, as the difference may be chance"),
            false => (best.0, "not behind"),
        };
        let why = format!(
            "in the trial {} got {:.1} % of {} held-out images, {LABELS_ALONE} {alone:.1} %: {row} is {verdict}",
            best.0,
            best.1,
            self.scores[best.0].len()
        );
        Ok(Choice { row: row.to_owned(), why })
    }
}
