//! Where all trainings of a seed start: the published net, and a linear classifier on its features.

use anyhow::{Context, Result};
use torch::{Kind, Model, Tensor};
use train::Logistic;
use vision_models::published::{self, Head};
use weights::StateDict;

use super::recipe::Recipe;
use crate::images::setting::Setting;
use crate::run::folds::{Fold, folds};

/// The network that all trainings of a seed start from.
pub(super) struct Start {
    model: Model,
    /// The linear classifier, where there are published weights.
    probe: Option<Probe>,
    /// What was loaded, in words; empty for a net that starts at random.
    pub(super) applied: Vec<String>,
}

/// A linear classifier on the features of the labelled images.
struct Probe {
    /// `[n, width]`.
    features: Tensor,
    labels: Vec<u32>,
    classes: usize,
    /// The penalty C, chosen by cross-validation.
    c: f64,
}

/// The penalties that are tried; the later is the better of equals.
const PENALTIES: [f64; 5] = [10.0, 1.0, 0.1, 0.01, 0.001];

impl Start {
    /// Builds the net; with published weights, loads these, takes the features of the labelled
    /// images and chooses the penalty of the linear classifier.
    pub(super) fn new(
        recipe: &Recipe,
        setting: &Setting<'_>,
        given: Option<&StateDict>,
    ) -> Result<Self> {
        torch::rng::seed(setting.key("start"));
        let model = setting.build(&recipe.net);
        let Some(given) = given else {
            return Ok(Self { model, probe: None, applied: Vec::new() });
        };
        let loaded = published::load(&model.params, given, Head::Replace)?;
        let applied = loaded.applied;
        let labeled = &setting.data.labeled;
        let labels: Option<Vec<u32>> = labeled.labels().into_iter().collect();
        let labels = labels.context("a labelled image has no label")?;
        let evaluator = setting.evaluator(&recipe.evaluate.augment).interruptible();
        let features = evaluator.features(&setting.fast(&recipe.net, &model), labeled)?;
        let mut probe = Probe { features, labels, classes: setting.classes(), c: 1.0 };
        probe.c = probe.best_penalty(&folds(&probe.labels, 5, 0.2, setting.key("probe")));
        Ok(Self { model, probe: Some(probe), applied })
    }

    /// The penalty C of the linear classifier, where there is one.
    pub(super) fn penalty(&self) -> Option<f64> {
        self.probe.as_ref().map(|probe| probe.c)
    }

    /// The net with the head that is fitted to the labelled images at `positions`; a net that
    /// starts at random as it is.
    pub(super) fn on(&self, positions: &[usize]) -> &Model {
        if let Some(probe) = &self.probe {
            let fitted = probe.fit(positions, probe.c);
            self.model.last_layer().set(&fitted.weight, &fitted.bias);
        }
        &self.model
    }
}

impl Probe {
    fn of(&self, positions: &[usize]) -> (Tensor, Tensor) {
        let at: Vec<i64> = positions.iter().map(|&i| i as i64).collect();
        let labels: Vec<i64> = positions.iter().map(|&i| i64::from(self.labels[i])).collect();
        let device = self.features.device();
        let at = Tensor::from_slice(&at).to_device(device);
        (self.features.index_select(0, &at), Tensor::from_slice(&labels).to_device(device))
    }

    fn fit(&self, positions: &[usize], c: f64) -> Logistic {
        let (x, y) = self.of(positions);
        Logistic::fit(&x, &y, self.classes as i64, c)
    }

    /// The penalty with the most right answers over the held-out images of all folds.
    fn best_penalty(&self, folds: &[Fold]) -> f64 {
        let right = |c: f64| -> i64 {
            let of_fold = |fold: &Fold| {
                let (x, y) = self.of(&fold.held_out);
                let found = self.fit(&fold.trained, c).logits(&x).argmax(1, false);
                found.eq_tensor(&y).sum(Kind::Int64).int64_value(&[])
            };
            folds.iter().map(of_fold).sum()
        };
        let scores = PENALTIES.map(|c| (right(c), c));
        let better =
            |best: (i64, f64), next: (i64, f64)| if next.0 >= best.0 { next } else { best };
        scores.into_iter().reduce(better).expect("some penalties").1
    }
}
