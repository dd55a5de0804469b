//! Linear classifiers on the features of a published net: of the labels, and of the labels and
//! those that spread from them to unlabelled images.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use augment::rng::Key;
use serde::{Deserialize, Serialize};
use ssl_core::spreading::Neighbours;
use torch::device::tensor_on;
use torch::{Inference, Kind, Tensor, store};
use train::{Logistic, LogisticConfig};

use super::recipe::{Recipe, SpreadLabels};
use crate::images::evaluator::Evaluator;
use crate::images::setting::Setting;
use crate::images::subset::Subset;
use crate::run::files;
use crate::run::folds::{Fold, folds};
use crate::run::interrupt;
use crate::run::trial::LABELS_ALONE;

/// Linear classifiers on the features of the labelled images.
pub(super) struct Probe {
    /// `[n, width]`.
    features: Tensor,
    labels: Vec<u32>,
    classes: usize,
    /// The penalty C, chosen by cross-validation.
    pub(super) c: f64,
    /// Where labels spread to, if that helps.
    spread: Option<Spread>,
    /// Seconds that one fit may take.
    seconds: f64,
    /// Where fits are kept, and those that this process knows, by name.
    dir: PathBuf,
    heads: RefCell<BTreeMap<String, Logistic>>,
}

/// Unlabelled images near the labelled ones.
struct Spread {
    /// Of the labelled images and these.
    graph: Neighbours,
    /// `[n, width]`.
    features: Tensor,
    alpha: f64,
    found: Found,
}

/// What was found of labels that spread.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Found {
    /// How many unlabelled images they spread to.
    unlabeled: usize,
    /// How many held-out labels there were, and how many of them the labels alone got right and
    /// those that spread too; none where none could be held out.
    right: Option<[i64; 3]>,
    used: bool,
}

/// Which labels a classifier learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    Given,
    /// Those that spread too, if that helps.
    Spread,
}

impl Labels {
    /// Of the classifier that a method starts from: what the labels alone give knows nothing of
    /// unlabelled images.
    pub(super) fn of(method: &str) -> Self {
        if method == LABELS_ALONE { Self::Given } else { Self::Spread }
    }
}

/// The penalties that are tried, the strongest first, which is the better of equals and the fastest
/// to fit.
const PENALTIES: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];

/// The one that is taken where no time is left to try them.
const USUAL: f64 = 0.01;

/// scikit-learn's.
const TOLERANCE: f64 = 1e-4;

/// The share of all the time that the choice of the penalty may take, that one fit may take, and
/// that each of the features of unlabelled images and the trial of labels that spread may: the
/// first two are a moment but for hundreds of classes.
const CHOICE_SHARE: f64 = 0.05;
const FIT_SHARE: f64 = 0.03;
const SPREAD_SHARE: f64 = 0.05;

/// Labels spread to so many images at most, of which features are taken some at a time.
const SPREAD_TO: usize = 8192;
const SOME: usize = 256;

impl Probe {
    /// Takes the features of the labelled images, and chooses the penalty and whether labels
    /// spread; both choices are kept in `dir`.
    pub(super) fn new(
        recipe: &Recipe,
        setting: &Setting<'_>,
        net: &Inference,
        dir: &Path,
    ) -> Result<Self> {
        let labeled = &setting.data.labeled;
        let labels: Option<Vec<u32>> = labeled.labels().into_iter().collect();
        let labels = labels.context("a labelled image has no label")?;
        let evaluator = setting.evaluator(&recipe.evaluate.augment).interruptible();
        let features = evaluator.features(net, labeled)?;
        let (classes, seconds) = (setting.classes(), (60.0 * recipe.minutes).min(1e9));
        let mut probe = Self {
            features,
            labels,
            classes,
            c: USUAL,
            spread: None,
            seconds: FIT_SHARE * seconds,
            dir: dir.join("heads"),
            heads: RefCell::default(),
        };
        let folds = folds(&probe.labels, 5, 0.2, setting.key("probe"));
        // Another process may have more time for it, or less.
        let chosen = || probe.best_penalty(&folds, CHOICE_SHARE * seconds);
        probe.c = files::once(&dir.join("penalty.json"), chosen)?;
        if let Some(spread) = recipe.spread_labels
            && setting.data.unlabeled.len() > 0
        {
            let seconds = SPREAD_SHARE * seconds;
            let mut unlabeled = setting.data.unlabeled.clone();
            let key = Key { seed: setting.key("spread"), epoch: 0, index: 0, view: 1004 };
            key.rng().shuffle(&mut unlabeled.indices);
            let features = |count| some_features(&evaluator, net, &unlabeled, count, seconds);
            probe.spread = probe.try_spread(spread, features, &folds, seconds, dir)?;
        }
        Ok(probe)
    }

    /// A linear classifier of the images at `positions`, by a name of theirs. It is kept: one whose
    /// fit the clock ended would be another in the next process.
    pub(super) fn head(&self, labels: Labels, name: &str, positions: &[usize]) -> Result<Logistic> {
        let spread = self.spread.as_ref().filter(|_| labels == Labels::Spread);
        let name = if spread.is_some() { format!("{name}-spread") } else { name.to_owned() };
        let mut heads = self.heads.borrow_mut();
        let head = match heads.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let head = self.kept(place.key(), spread, positions)?;
                place.insert(head)
            }
        };
        let [weight, bias] = [&head.weight, &head.bias].map(Tensor::shallow_clone);
        Ok(Logistic { weight, bias })
    }

    /// Whether labels spread.
    pub(super) fn spreads(&self) -> bool {
        self.spread.is_some()
    }

    /// Whether labels spread without a label that could be held out to try it.
    pub(super) fn is_untried(&self) -> bool {
        self.spread.as_ref().is_some_and(|spread| spread.found.right.is_none())
    }

    /// All positions.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.labels.len()).collect()
    }

    /// What labels that spread are good for, in words; nothing where that was not tried.
    pub(super) fn told(&self) -> Option<String> {
        let Found { unlabeled, right, .. } = self.spread.as_ref()?.found;
        let why = match right {
            Some([all, alone, spread]) => {
                format!(
                    "it got {spread} of {all} held-out labels right, that of the labels alone {alone}"
                )
            }
            None => "no label can be held out to see whether that is better".to_owned(),
        };
        Some(format!(
            "methods that learn from unlabelled images began with a linear classifier of the labels and \
             of those that spread to {unlabeled} unlabelled images near them; {why}"
        ))
    }

    /// As an earlier process kept it, or fitted and kept now.
    fn kept(&self, name: &str, spread: Option<&Spread>, positions: &[usize]) -> Result<Logistic> {
        let file = self.dir.join(format!("{name}.safetensors"));
        if file.exists() {
            let mut tensors = store::load(&file)?.tensors;
            let mut take = |part: &str| {
                tensors.remove(part).with_context(|| format!("{}: no {part}", file.display()))
            };
            return Ok(Logistic { weight: take("weight")?, bias: take("bias")? });
        }
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        let head = match spread {
            Some(spread) => self.fit_spread(spread, positions, until),
            None => self.fit(positions, self.c, until),
        };
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
        let at = tensor_on(&at, device);
        (self.features.index_select(0, &at), tensor_on(&labels, device))
    }

    fn fit(&self, positions: &[usize], c: f64, until: Instant) -> Logistic {
        let (x, y) = self.of(positions);
        self.fit_to(&x, &y, c, until)
    }

    fn fit_to(&self, x: &Tensor, y: &Tensor, c: f64, until: Instant) -> Logistic {
        let config = LogisticConfig { c, tolerance: TOLERANCE };
        let stop = || Instant::now() >= until || interrupt::check().is_err();
        Logistic::fit_until(&config, x, y, self.classes as i64, &stop)
    }

    /// Of the images at `positions` and the unlabelled ones to which their labels spread.
    fn fit_spread(&self, spread: &Spread, positions: &[usize], until: Instant) -> Logistic {
        let count = self.labels.len();
        let mut given = vec![None; count + spread.features.size()[0] as usize];
        positions.iter().for_each(|&i| given[i] = Some(self.labels[i]));
        let z = spread.graph.spread(&given, self.classes as i64, spread.alpha);
        let (most, class) = z.narrow(0, count as i64, spread.features.size()[0]).max_dim(1, false);
        let reached = most.gt(0.0).nonzero().squeeze_dim(1);
        let (x, y) = self.of(positions);
        let x = Tensor::cat(&[x, spread.features.index_select(0, &reached)], 0);
        let y = Tensor::cat(&[y, class.index_select(0, &reached)], 0);
        self.fit_to(&x, &y, self.c, until)
    }

    fn right(&self, head: &Logistic, positions: &[usize]) -> i64 {
        let (x, y) = self.of(positions);
        head.logits(&x).argmax(1, false).eq_tensor(&y).sum(Kind::Int64).int64_value(&[])
    }

    /// The penalty with the most right answers over the held-out images of all folds, of those that
    /// could be tried in the time.
    fn best_penalty(&self, folds: &[Fold], seconds: f64) -> Result<f64> {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        let mut best = None;
        for c in PENALTIES {
            let right =
                |fold: &Fold| self.right(&self.fit(&fold.trained, c, until), &fold.held_out);
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

    /// Where labels spread to, if the classifiers that learn these too are better on held-out
    /// labels, or none can be held out. `features` are those of so many unlabelled images, or of as
    /// many as there is time for.
    fn try_spread(
        &self,
        SpreadLabels { neighbours, alpha }: SpreadLabels,
        features: impl Fn(Option<usize>) -> Result<Tensor>,
        folds: &[Fold],
        seconds: f64,
        dir: &Path,
    ) -> Result<Option<Spread>> {
        let file = dir.join("spread.json");
        let before: Option<Found> = files::found_before(&file)?;
        if before.is_some_and(|found| !found.used) {
            return Ok(None);
        }
        let features = features(before.map(|found| found.unlabeled))?;
        let all = Tensor::cat(&[&self.features, &features], 0);
        let graph = Neighbours::of(&all, neighbours as i64);
        let unlabeled = features.size()[0] as usize;
        let untried = Found { unlabeled, right: None, used: true };
        let mut spread = Spread { graph, features, alpha, found: untried };
        spread.found = files::once(&file, || {
            let until = Instant::now() + Duration::from_secs_f64(seconds);
            let mut right = [0; 3];
            for fold in folds {
                let alone = self.fit(&fold.trained, self.c, until);
                let with = self.fit_spread(&spread, &fold.trained, until);
                let of = |head| self.right(head, &fold.held_out);
                let more = [fold.held_out.len() as i64, of(&alone), of(&with)];
                right = std::array::from_fn(|i| right[i] + more[i]);
                interrupt::check()?;
            }
            let in_time = Instant::now() < until;
            let right = (!folds.is_empty()).then_some(right);
            let is_better = right.is_none_or(|[_, alone, with]| with > alone);
            Ok(Found { unlabeled, right, used: in_time && is_better })
        })?;
        Ok(spread.found.used.then_some(spread))
    }
}

/// The features of the first images of a subset: of `count` of them, or of as many as can be had in
/// some seconds, [`SPREAD_TO`] at most.
fn some_features(
    evaluator: &Evaluator,
    net: &Inference,
    subset: &Subset,
    count: Option<usize>,
    seconds: f64,
) -> Result<Tensor> {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut found = Vec::new();
    let most = count.unwrap_or(SPREAD_TO).min(subset.len());
    for some in subset.indices[..most].chunks(SOME) {
        let some = Subset { set: subset.set.clone(), indices: some.to_vec() };
        found.push(evaluator.features(net, &some)?);
        if count.is_none() && Instant::now() >= until {
            break;
        }
    }
    Ok(Tensor::cat(&found, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than anything here takes.
    const SECONDS: f64 = 3600.0;

    fn probe(rows: &[Vec<f32>], labels: Vec<u32>, c: f64) -> Probe {
        let features = Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1]);
        let (dir, heads) = (PathBuf::new(), RefCell::default());
        Probe { features, labels, classes: 2, c, spread: None, seconds: SECONDS, dir, heads }
    }

    fn side(i: usize) -> f32 {
        [-1.0, 1.0][i % 2]
    }

    /// Forty samples of two classes by turns, of which the first feature tells the class. The last
    /// eight labels are wrong, and a weak penalty learns these by heart: every sample has a feature
    /// of its own.
    fn with_wrong_labels(c: f64) -> Probe {
        let row = |i: usize| {
            let mut row = vec![0.0; 41];
            (row[0], row[1 + i]) = (side(i), 1.0);
            row
        };
        let label = |i: usize| (i as u32 % 2) ^ u32::from(i >= 32);
        let rows: Vec<_> = (0..40).map(row).collect();
        probe(&rows, (0..40).map(label).collect(), c)
    }

    /// Five folds of forty samples; a sample of one class and the next, of the other, are together.
    fn five() -> Vec<Fold> {
        let fold = |number: usize| {
            let (held_out, trained) = (0..40).partition(|&i: &usize| i / 2 % 5 == number);
            Fold { trained, held_out }
        };
        (0..5).map(fold).collect()
    }

    /// Of labels that were held out any penalty gets 32 right, as their own features were not
    /// learned from; of those that were learned from the weakest gets all right.
    #[test]
    fn the_penalty_is_chosen_by_labels_that_were_held_out() {
        let chosen = |probe: Probe| probe.best_penalty(&five(), SECONDS).expect("a penalty");
        assert_eq!(chosen(with_wrong_labels(USUAL)), PENALTIES[0], "the first of equals");
        // A loud feature is right for 28 of 40, a quiet one always: a strong penalty keeps from it.
        let is_right = |i: usize| i / 2 % 10 < 7;
        let loud = |i: usize| if is_right(i) { 10.0 * side(i) } else { -10.0 * side(i) };
        let rows: Vec<_> = (0..40).map(|i| vec![loud(i), side(i)]).collect();
        assert!(chosen(probe(&rows, (0..40).map(|i| i % 2).collect(), USUAL)) >= 0.1);
    }

    /// With the weakest penalty, which gets all labels right that were learned from.
    #[test]
    fn labels_that_spread_are_tried_on_labels_that_were_held_out() {
        let unlabeled = Tensor::zeros([10, 41], (Kind::Float, torch::Device::Cpu));
        let sides: Vec<f32> = (0..10).map(side).collect();
        unlabeled.select(1, 0).copy_(&Tensor::from_slice(&sides));
        let dir = tempfile::tempdir().expect("a folder");
        let spread = SpreadLabels { neighbours: 5, alpha: 0.9 };
        let features = |_| Ok(unlabeled.shallow_clone());
        let probe = with_wrong_labels(10.0);
        probe.try_spread(spread, features, &five(), SECONDS, dir.path()).expect("tried");
        let found: Option<Found> =
            files::found_before(&dir.path().join("spread.json")).expect("it");
        let [all, alone, _] = found.and_then(|found| found.right).expect("labels held out");
        assert_eq!((all, alone), (40, 32));
    }

    /// Four labelled directions, and two unlabelled ones beside each.
    #[test]
    fn labels_that_are_held_out_do_not_spread() {
        let direction = |degrees: f32| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            vec![cos, sin]
        };
        let labeled = [0.0, 90.0, 180.0, 270.0];
        let rows: Vec<_> = labeled.map(direction).to_vec();
        let beside: Vec<_> = labeled.iter().flat_map(|at| [at + 5.0, at + 10.0]).collect();
        let beside: Vec<_> = beside.into_iter().flat_map(direction).collect();
        let unlabeled = Tensor::from_slice(&beside).view([8, 2]);
        let fitted = |labels: [u32; 4]| {
            let probe = probe(&rows, labels.to_vec(), 1.0);
            let graph = Neighbours::of(&Tensor::cat(&[&probe.features, &unlabeled], 0), 2);
            let found = Found { unlabeled: 8, right: None, used: true };
            let features = unlabeled.shallow_clone();
            let spread = Spread { graph, features, alpha: 0.9, found };
            let until = Instant::now() + Duration::from_secs_f64(SECONDS);
            let head = probe.fit_spread(&spread, &[0, 1], until);
            (head.weight, head.bias)
        };
        let expected = fitted([0, 1, 0, 1]);
        assert_eq!(fitted([0, 1, 1, 0]), expected, "the last two labels are held out");
        assert_ne!(fitted([1, 0, 0, 1]), expected, "the first two are learned from");
    }
}
