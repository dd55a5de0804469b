//! The recipe of one's own images: what `tutor fit` writes.

use anyhow::Result;
use augment::policy::Policy;
use serde::{Deserialize, Serialize};
use ssl_core::methods::SupervisedConfig;
use ssl_core::{MethodConfig, MethodSettings};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};
use vision_models::NetConfig;

use crate::images::feedback::Feedback;
use crate::images::setting::Shared;
use crate::recipe::data::DataConfig;
use crate::recipe::evaluate::EvaluateConfig;
use crate::recipe::faults::Faults;
use crate::run::trial::{LABELS_ALONE, TrialConfig};

/// The keys of a recipe of kind `own-images`, beside its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// Wall clock of a seed in minutes, from the open data to the last measurement. Trainings take
    /// as many steps as fit, `train.steps` at most.
    pub(super) minutes: f64,
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that load and augment. Has no influence on the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    #[serde(default)]
    pub(super) evaluate: EvaluateConfig,
    #[serde(default = "rarely")]
    pub(super) cadence: Cadence,
    pub(super) data: DataConfig,
    pub(super) net: NetConfig,
    /// Published weights to start from: a file, a folder of the Hugging Face hub, a name of the
    /// catalog. Without it the net starts at random.
    pub(super) weights: Option<String>,
    /// How many of the net's first stages keep the published weights.
    #[serde(default)]
    pub(super) freeze: usize,
    /// How many views of each picture are stored at most, as the frozen stages make them, for
    /// trainings to read in turn; VAT then perturbs what is stored. Without it each step augments
    /// anew and runs these stages.
    pub(super) stored_views: Option<StoredCounts>,
    /// Whether candidates start from a linear classifier that also learned the labels which spread
    /// to unlabelled pictures near the labelled ones, where it is better on held-out labels or none
    /// can be held out.
    pub(super) spread_labels: Option<SpreadLabels>,
    /// Unlabelled images of a step for each labelled one.
    pub(super) unlabeled_ratio: usize,
    /// The weak view.
    pub(super) weak: Policy,
    /// The strong view.
    pub(super) strong: Policy,
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) trial: TrialConfig,
    /// What the labels alone give: the row that all others are compared with.
    #[serde(default = "supervised")]
    pub(super) labels_alone: MethodConfig,
    /// Methods that learn from the unlabelled images too. The best of them in the trial, or the
    /// first where the trial cannot tell, is trained beside the labels alone.
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
}

/// How labels spread ([`ssl_core::spreading`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpreadLabels {
    /// The nearest others of a picture by the net's features.
    pub(super) neighbours: usize,
    /// α: how far labels spread.
    pub(super) alpha: f64,
}

/// How many views of each picture are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCounts {
    /// Of each labelled picture and kind of view.
    pub(super) labeled: usize,
    /// Weak ones of each unlabelled picture.
    pub(super) weak: usize,
    /// Strong ones of each unlabelled picture.
    pub(super) strong: usize,
}

/// A method that might be used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) method: MethodConfig,
}

/// The row of a linear classifier on what the published net says.
pub(super) const FROZEN: &str = "frozen-features";

/// The same of the labels that spread to unlabelled images, too.
pub(super) const SPREAD: &str = "spread-labels";

fn one() -> usize {
    1
}

fn rarely() -> Cadence {
    Cadence { log: 10, evaluate: 0, checkpoint: 50, keep: 2 }
}

fn supervised() -> MethodConfig {
    MethodConfig::Supervised(SupervisedConfig::default())
}

impl Recipe {
    pub(super) fn shared(&self) -> Shared<'_> {
        Shared {
            evaluate: &self.evaluate,
            cadence: &self.cadence,
            precision: self.precision,
            workers: self.workers,
        }
    }

    /// Every method by the name of its row, the labels alone first.
    pub(super) fn methods(&self) -> impl Iterator<Item = (&str, &MethodConfig)> {
        let candidates = self.candidates.iter().map(|c| (c.name.as_str(), &c.method));
        std::iter::once((LABELS_ALONE, &self.labels_alone)).chain(candidates)
    }

    /// The method of a row.
    pub(super) fn method(&self, name: &str) -> &MethodConfig {
        let found = self.methods().find(|(row, _)| *row == name);
        found.expect("a row of the recipe").1
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.values().positive("minutes", self.minutes);
        self.evaluate.check(&mut faults);
        faults.cadence(&self.cadence);
        self.data.check_parts(&mut faults);
        faults.within("net", self.net.faults());
        if self.net.faults().is_empty() && self.freeze > 0 {
            let stages = self.net.outline(3, 2).stages();
            if self.freeze > stages {
                let fault = format!("is {}; the net has {stages} stages", self.freeze);
                faults.add("freeze", fault);
            }
        }
        self.check_stored_views(&mut faults);
        if let Some(SpreadLabels { neighbours, alpha }) = self.spread_labels {
            faults.positive("spread_labels.neighbours", neighbours as u64);
            faults.values().rate("spread_labels.alpha", alpha);
            if self.weights.is_none() {
                faults.add("spread_labels", "goes by the features of published weights: name some");
            }
        }
        faults.train("train", &self.train, false);
        faults.positive("unlabeled_ratio", self.unlabeled_ratio as u64);
        faults.policy("weak", &self.weak);
        faults.policy("strong", &self.strong);
        self.trial.check(&mut faults);
        for (i, (row, method)) in self.methods().enumerate() {
            let key = match i {
                0 => "labels_alone".to_owned(),
                i => format!("candidates.{}.method", i - 1),
            };
            faults.within(&key, method.faults());
            if method.needs().ema && self.train.ema.is_none() {
                faults.add("train.ema", format!("is missing: {row} learns from an EMA model"));
            }
        }
        faults.rows(self.candidates.iter().map(|c| (c.name.as_str(), None)));
        let own = [LABELS_ALONE, FROZEN, SPREAD];
        if self.candidates.iter().any(|c| own.contains(&c.name.as_str())) {
            let fault = format!("{} are rows that runs have of themselves", own.join(", "));
            faults.add("candidates", fault);
        }
        faults.done(name)
    }

    fn check_stored_views(&self, faults: &mut Faults) {
        let Some(StoredCounts { labeled, weak, strong }) = self.stored_views else { return };
        for (key, count) in [("labeled", labeled), ("weak", weak), ("strong", strong)] {
            faults.positive(&format!("stored_views.{key}"), count as u64);
        }
        let mut add = |fault: &str| faults.add("stored_views", fault);
        if self.freeze == 0 {
            add("are what frozen stages make of pictures, and freeze is 0");
        }
        if self.train.swa.is_some() {
            add("cannot be had with train.swa, whose statistics are taken of pictures");
        }
        if Feedback::of(&self.strong).is_some() {
            add("stay as they are, and the strong view learns from training (CTAugment)");
        }
        for (row, method) in self.methods() {
            let needs = method.needs();
            if needs.images || needs.continuous {
                add(&format!("are no pictures any more, and {row} mixes or turns pictures"));
            }
        }
    }
}
