//! Where all trainings of a seed start: the published net, and a linear classifier on its features.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use torch::{Kind, Model, Tensor, store};
use train::Logistic;
use vision_models::published::{self, Head};
use weights::StateDict;

use super::recipe::Recipe;
use crate::images::setting::Setting;
use crate::run::files;
use crate::run::folds::{Fold, folds};
use crate::run::interrupt;

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
    /// Seconds that one fit may take.
    seconds: f64,
    /// Where fits are kept, and those that this process knows, by name.
    dir: PathBuf,
    heads: RefCell<BTreeMap<String, Logistic>>,
}

/// The penalties that are tried, the strongest first, which is the better of equals and the fastest
/// to fit.
const PENALTIES: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];

/// The one that is taken where no time is left to try them.
const USUAL: f64 = 0.01;

/// scikit-learn's.
const TOLERANCE: f64 = 1e-4;

/// The share of all the time that the choice of the penalty may take, and that one fit may take:
/// both are a moment but for hundreds of classes.
const CHOICE_SHARE: f64 = 0.05;
const FIT_SHARE: f64 = 0.03;

impl Start {
    /// Builds the net; with published weights, loads these, takes the features of the labelled
    /// images and chooses the penalty of the linear classifier, which is kept in `dir`.
    pub(super) fn new(
        recipe: &Recipe,
        setting: &Setting<'_>,
        given: Option<&StateDict>,
        dir: &Path,
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
        let (classes, seconds) = (setting.classes(), (60.0 * recipe.minutes).min(1e9));
        let mut probe = Probe {
            features,
            labels,
            classes,
            c: USUAL,
            seconds: FIT_SHARE * seconds,
            dir: dir.join("heads"),
            heads: RefCell::default(),
        };
        let folds = folds(&probe.labels, 5, 0.2, setting.key("probe"));
        // Another process may have more time for it, or less.
        let chosen = || probe.best_penalty(&folds, CHOICE_SHARE * seconds);
        probe.c = files::once(&dir.join("penalty.json"), chosen)?;
        Ok(Self { model, probe: Some(probe), applied })
    }

    /// The penalty C of the linear classifier, where there is one.
    pub(super) fn penalty(&self) -> Option<f64> {
        self.probe.as_ref().map(|probe| probe.c)
    }

    /// The net with the head that is fitted to the labelled images at `positions`, by a name of
    /// theirs; a net that starts at random as it is. A head is kept: one whose fit the clock ends
    /// would be another in the next process.
    pub(super) fn on(&self, name: &str, positions: &[usize]) -> Result<&Model> {
        let Some(probe) = &self.probe else { return Ok(&self.model) };
        let mut heads = probe.heads.borrow_mut();
        let head = match heads.entry(name.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(probe.head(name, positions)?),
        };
        self.model.last_layer().set(&head.weight, &head.bias);
        Ok(&self.model)
    }

    /// The net with the head that is fitted to all labelled images.
    pub(super) fn on_all(&self) -> Result<&Model> {
        let labeled = self.probe.as_ref().map_or(0, |probe| probe.labels.len());
        self.on("all", &(0..labeled).collect::<Vec<_>>())
    }
}

impl Probe {
    /// The head of some images, as an earlier process kept it, or fitted and kept now.
    fn head(&self, name: &str, positions: &[usize]) -> Result<Logistic> {
        let file = self.dir.join(format!("{name}.safetensors"));
        if file.exists() {
            let mut tensors = store::load(&file)?.tensors;
            let mut take = |part: &str| {
                tensors.remove(part).with_context(|| format!("{}: no {part}", file.display()))
            };
            return Ok(Logistic { weight: take("weight")?, bias: take("bias")? });
        }
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        let head = self.fit(positions, self.c, until);
        interrupt::check()?;
        files::make_folder(&self.dir)?;
        let tensors = [("weight", &head.weight), ("bias", &head.bias)];
        let tensors = tensors.map(|(part, tensor)| (part.to_owned(), tensor.shallow_clone()));
        store::save(&file, &tensors, &BTreeMap::new())?;
        Ok(head)
    }

    fn of(&self, positions: &[usize]) -> (Tensor, Tensor) {
        let at: Vec<i64> = positions.iter().map(|&i| i as i64).collect();
        let labels: Vec<i64> = positions.iter().map(|&i| i64::from(self.labels[i])).collect();
        let device = self.features.device();
        let at = Tensor::from_slice(&at).to_device(device);
        (self.features.index_select(0, &at), Tensor::from_slice(&labels).to_device(device))
    }

    fn fit(&self, positions: &[usize], c: f64, until: Instant) -> Logistic {
        let (x, y) = self.of(positions);
        let goes_on = || Instant::now() < until && interrupt::check().is_ok();
        Logistic::fit_while(&goes_on, TOLERANCE, &x, &y, self.classes as i64, c)
    }

    /// The penalty with the most right answers over the held-out images of all folds, of those that
    /// could be tried in the time.
    fn best_penalty(&self, folds: &[Fold], seconds: f64) -> Result<f64> {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        let mut best = None;
        for c in PENALTIES {
            let right = |fold: &Fold| {
                let (x, y) = self.of(&fold.held_out);
                let found = self.fit(&fold.trained, c, until).logits(&x).argmax(1, false);
                found.eq_tensor(&y).sum(Kind::Int64).int64_value(&[])
            };
            let score: i64 = folds.iter().map(right).sum();
            interrupt::check()?;
            if Instant::now() >= until {
                break;
            }
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, c));
            }
        }
        Ok(best.map_or(USUAL, |(_, c)| c))
    }
}
