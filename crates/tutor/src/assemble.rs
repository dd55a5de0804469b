//! From a recipe to objects: the only place that matches on a recipe's `kind`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use augment::policy::Policy;
use augment::rng::Key;
use data_pipeline::dataset::cifar10::Cifar10;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
use data_pipeline::dataset::svhn::Svhn;
use data_pipeline::dataset::{Concat, Part, Samples, digits};
use data_pipeline::loader::View;
use data_pipeline::split::{Split, SplitRequest, digits_split};

use crate::recipe::DataConfig;
use crate::synthetic;

/// A data set that loader threads share.
pub(crate) type Set = Arc<dyn Samples>;

/// Some samples of a set.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) set: Set,
    pub(crate) indices: Vec<u32>,
}

impl Pool {
    pub(crate) fn all(set: Set) -> Self {
        let indices = (0..set.len() as u32).collect();
        Self { set, indices }
    }

    fn first(mut self, at_most: Option<usize>) -> Self {
        self.indices.truncate(at_most.unwrap_or(usize::MAX));
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// The true class of each sample, where it is known.
    pub(crate) fn labels(&self) -> Vec<Option<u32>> {
        self.indices.iter().map(|&i| self.set.label(i as usize)).collect()
    }

    /// At most `n` samples, spread evenly over the pool, so that a sorted pool keeps all its classes.
    pub(crate) fn spread(&self, n: usize) -> Self {
        let n = n.min(self.len());
        let indices = (0..n).map(|i| self.indices[i * self.len() / n]).collect();
        Self { set: self.set.clone(), indices }
    }
}

/// The data of one seed.
pub(crate) struct Data {
    /// How it was divided.
    pub(crate) split: Split,
    pub(crate) labeled: Pool,
    pub(crate) unlabeled: Pool,
    pub(crate) validation: Pool,
    pub(crate) test: Pool,
    pub(crate) classes: Vec<String>,
    pub(crate) channels: i64,
    pub(crate) normalization: Normalization,
}

impl Data {
    /// How many samples of what, in words.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} labelled, {} unlabelled, {} validation and {} test images of {} classes",
            self.labeled.len(),
            self.unlabeled.len(),
            self.validation.len(),
            self.test.len(),
            self.classes.len()
        )
    }
}

/// Channel means and standard deviations of pixels scaled to 0..1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Normalization {
    pub(crate) mean: Vec<f64>,
    pub(crate) std: Vec<f64>,
}

/// A data set that is open, of which each seed draws its labels.
pub(crate) struct Source {
    config: DataConfig,
    train: Set,
    /// The unlabelled images, when they are a set of their own.
    unlabeled: Option<Set>,
    test: Option<Set>,
}

impl Source {
    /// Opens what the recipe names. `dir` is `--data`, for sets that are not embedded.
    pub(crate) fn open(config: &DataConfig, dir: Option<&Path>) -> Result<Self> {
        let config = config.clone();
        let (train, unlabeled, test): (Set, Option<Set>, Option<Set>) = match &config {
            DataConfig::Digits { .. } => (Arc::new(digits::load()), None, None),
            DataConfig::Synthetic(spec) => (Arc::new(synthetic::make(spec)?), None, None),
            DataConfig::Cifar10 { .. } => {
                let dir = needed(dir, "cifar10")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Cifar10::open(&dir, part)?)) };
                (open(Part::Train)?, None, Some(open(Part::Test)?))
            }
            DataConfig::Svhn { extra, .. } => {
                let dir = needed(dir, "svhn")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Svhn::open(&dir, part)?)) };
                let train = open(Part::Train)?;
                let train = if *extra {
                    Arc::new(Concat::new(vec![train, open(Part::Extra)?])?)
                } else {
                    train
                };
                (train, None, Some(open(Part::Test)?))
            }
            DataConfig::Folder { labeled, unlabeled, test, size, grey, on_bad, .. } => {
                let open = |path: &PathBuf, labeled: bool, classes: Option<&[String]>| {
                    let path = if path.is_relative() {
                        dir.map_or(path.clone(), |d| d.join(path))
                    } else {
                        path.clone()
                    };
                    let options = FolderOptions {
                        labeled,
                        classes: classes.map(<[String]>::to_vec),
                        grey: *grey,
                        size: size.map(|[width, height]| (width, height)),
                        on_bad: *on_bad,
                        ..FolderOptions::default()
                    };
                    let set = FolderSet::open(&path, &options)?;
                    if !set.skipped().is_empty() {
                        tracing::warn!(
                            "{}: {} files are no images and were skipped",
                            path.display(),
                            set.skipped().len()
                        );
                    }
                    ensure!(!set.is_empty(), "{}: there is no image", path.display());
                    Ok(Arc::new(set) as Set)
                };
                let train = open(labeled, true, None)?;
                // A test folder may lack a class, but not bring a new one.
                let classes = Some(train.classes());
                let test = test.as_ref().map(|path| open(path, true, classes)).transpose()?;
                let unlabeled = open(unlabeled, false, None)?;
                (train, Some(unlabeled), test)
            }
        };
        Ok(Self { config, train, unlabeled, test })
    }

    /// Draws the parts for one seed.
    pub(crate) fn draw(&self, seed: u64) -> Result<Data> {
        let pool = |indices: Vec<u32>| Pool { set: self.train.clone(), indices };
        let (split, most_unlabeled, most_test) = match &self.config {
            DataConfig::Digits { labels_per_class } => {
                (digits_split(*labels_per_class, seed)?, None, None)
            }
            DataConfig::Synthetic(spec) => (spec.split(seed)?.split_set(&*self.train)?, None, None),
            DataConfig::Cifar10 { rule, labels, validation, unlabeled, test } => {
                let request = SplitRequest {
                    rule: *rule,
                    labels: Some(*labels),
                    validation: *validation,
                    test: 0,
                    seed,
                    train: None,
                };
                (request.split_set(&*self.train)?, *unlabeled, *test)
            }
            DataConfig::Svhn { rule, labels, validation, unlabeled, test, .. } => {
                let request = SplitRequest {
                    rule: *rule,
                    labels: *labels,
                    validation: *validation,
                    test: 0,
                    seed,
                    train: Some(SVHN_TRAIN.min(self.train.len())),
                };
                (request.split_set(&*self.train)?, *unlabeled, *test)
            }
            DataConfig::Folder { validation_share, .. } => {
                (folder_split(&*self.train, *validation_share, seed)?, None, None)
            }
        };
        let Split { labeled, unlabeled, validation, test, .. } = split.clone();
        let labeled = pool(labeled);
        let unlabeled =
            self.unlabeled.clone().map_or_else(|| pool(unlabeled), Pool::all).first(most_unlabeled);
        let validation = pool(validation);
        let test = match &self.test {
            Some(set) => Pool::all(set.clone()).first(most_test),
            None if test.is_empty() => validation.clone(),
            None => pool(test),
        };
        let first = labeled.indices.first().context("no image is labelled")?;
        let channels = self.train.image(*first as usize)?.channels();
        let normalization = match published(&self.config) {
            Some((mean, std)) => Normalization { mean: mean.to_vec(), std: std.to_vec() },
            None => measured(&[&labeled, &unlabeled], channels)?,
        };
        let classes = self.train.classes().to_vec();
        Ok(Data {
            split,
            labeled,
            unlabeled,
            validation,
            test,
            classes,
            channels: channels as i64,
            normalization,
        })
    }
}

const SVHN_TRAIN: usize = 73_257;

fn needed(dir: Option<&Path>, set: &str) -> Result<PathBuf> {
    match dir {
        Some(dir) => Ok(dir.to_owned()),
        None => bail!(
            "{set} is not embedded: name the folder that holds it with --data DIR or $TUTOR_DATA, or download it with \
             `tutor data fetch {set} DIR`"
        ),
    }
}

/// The constants that the papers' codes normalise by.
fn published(config: &DataConfig) -> Option<([f64; 3], [f64; 3])> {
    match config {
        DataConfig::Cifar10 { .. } => Some((
            [0.491_399_68, 0.482_158_41, 0.446_530_91],
            [0.247_032_23, 0.243_485_13, 0.261_587_84],
        )),
        DataConfig::Svhn { .. } => Some((
            [0.437_682_1, 0.443_769_7, 0.472_804_42],
            [0.198_030_12, 0.201_015_62, 0.197_036_14],
        )),
        DataConfig::Folder { grey: false, .. } => {
            Some(([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        }
        DataConfig::Folder { .. } | DataConfig::Digits { .. } | DataConfig::Synthetic(_) => None,
    }
}

/// Mean and deviation of the training images themselves, as far as 10,000 of each pool tell.
fn measured(pools: &[&Pool], channels: usize) -> Result<Normalization> {
    let mut sums = vec![(0.0, 0.0); channels];
    let mut count = 0;
    for pool in pools {
        for &index in pool.indices.iter().take(10_000) {
            let image = pool.set.image(index as usize)?;
            for pixel in image.pixels().chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    let value = f64::from(value) / 255.0;
                    sum.0 += value;
                    sum.1 += value * value;
                }
                count += 1;
            }
        }
    }
    let n = f64::from(count.max(1));
    let mean = sums.iter().map(|s| s.0 / n).collect();
    // A channel that never changes has no deviation to divide by.
    let std =
        sums.iter().map(|s| (s.1 / n - (s.0 / n).powi(2)).max(0.0).sqrt().max(1e-3)).collect();
    Ok(Normalization { mean, std })
}

/// Keeps a share of every class for validation, at least one image where a class has two.
fn folder_split(set: &dyn Samples, share: f64, seed: u64) -> Result<Split> {
    ensure!((0.0..1.0).contains(&share), "data.validation_share is {share}; it must be in [0, 1)");
    let labels = set.labels()?;
    let mut rng = Key { seed, epoch: 0, index: 0, view: 1000 }.rng();
    let (mut labeled, mut validation) = (Vec::new(), Vec::new());
    for class in 0..set.classes().len() as u32 {
        let mut members: Vec<u32> =
            (0..labels.len() as u32).filter(|&i| labels[i as usize] == class).collect();
        rng.shuffle(&mut members);
        let kept = (members.len() as f64 * share).ceil() as usize;
        let kept = kept.min(members.len().saturating_sub(1));
        validation.extend(members.drain(..kept));
        labeled.extend(members);
    }
    let rule = data_pipeline::split::SplitRule::Balanced;
    let samples = labels.len();
    Ok(Split {
        format: 1,
        rule,
        seed,
        samples,
        labeled,
        unlabeled: vec![],
        validation,
        test: vec![],
        labeled_ids: vec![],
    })
}

/// A policy as the loader takes it.
pub(crate) fn view(policy: &Policy) -> View {
    let policy = policy.clone();
    Arc::new(move |image, rng| policy.apply(image, rng))
}
