//! From a recipe to objects: the only place that matches on a recipe's `kind`.

use std::cell::Cell;
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

use crate::input::{Input, Normalization};
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
    /// None where the data have no part for it.
    pub(crate) test: Option<Pool>,
    pub(crate) input: Input,
    /// Files that are no images and were left out.
    skipped: usize,
}

impl Data {
    /// How many samples of what, in words.
    pub(crate) fn describe(&self) -> String {
        let test = self.test.as_ref().map_or("no".to_owned(), |test| test.len().to_string());
        let skipped = match self.skipped {
            0 => String::new(),
            n => format!("; {n} files are no images and were left out"),
        };
        format!(
            "{} labelled, {} unlabelled, {} validation and {test} test images of {} classes{skipped}",
            self.labeled.len(),
            self.unlabeled.len(),
            self.validation.len(),
            self.input.classes.len()
        )
    }
}

/// A data set that is open, of which each seed draws its labels.
#[derive(Clone)]
pub(crate) struct Source {
    config: DataConfig,
    train: Set,
    /// The unlabelled images, when they are a set of their own.
    unlabeled: Option<Set>,
    test: Option<Set>,
    skipped: usize,
}

impl Source {
    /// Opens what the recipe names. `dir` is `--data`, for sets that are not embedded.
    pub(crate) fn open(config: &DataConfig, dir: Option<&Path>) -> Result<Self> {
        let config = config.clone();
        let skipped = Cell::new(0);
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
                    let options = FolderOptions {
                        labeled,
                        classes: classes.map(<[String]>::to_vec),
                        grey: *grey,
                        size: size.map(|[width, height]| (width, height)),
                        on_bad: *on_bad,
                        ..FolderOptions::default()
                    };
                    let set = FolderSet::open(path, &options)?;
                    for file in set.skipped() {
                        tracing::warn!("skipped: {}: {}", file.path.display(), file.fault);
                    }
                    skipped.set(skipped.get() + set.skipped().len());
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
        Ok(Self { config, train, unlabeled, test, skipped: skipped.get() })
    }

    /// The same images with other labels.
    pub(crate) fn of(&self, config: &DataConfig) -> Self {
        Self { config: config.clone(), ..self.clone() }
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
                (folder_split(&*self.train, *validation_share)?, None, None)
            }
        };
        let Split { labeled, unlabeled, validation, test, .. } = split.clone();
        let labeled = pool(labeled);
        let unlabeled =
            self.unlabeled.clone().map_or_else(|| pool(unlabeled), Pool::all).first(most_unlabeled);
        let validation = pool(validation);
        let test = match &self.test {
            Some(set) => Pool::all(set.clone()).first(most_test),
            None => pool(test),
        };
        let first = labeled.indices.first().context("no image is labelled")?;
        let image = self.train.image(*first as usize)?;
        let channels = image.channels();
        let normalization = match published(&self.config) {
            Some((mean, std)) => Normalization { mean: mean.to_vec(), std: std.to_vec() },
            None => measured(&[&labeled, &unlabeled], channels)?,
        };
        let size = match &self.config {
            DataConfig::Folder { size, .. } => size.map(|[width, height]| (width, height)),
            _ => Some((image.width() as u32, image.height() as u32)),
        };
        let classes = self.train.classes().to_vec();
        let input = Input { classes, channels, size, normalization };
        let test = Some(test).filter(|test| test.len() > 0);
        Ok(Data { split, labeled, unlabeled, validation, test, input, skipped: self.skipped })
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

/// Keeps a share of every class for validation, at least one image where a class has two; the same for every seed, so that
/// seeds differ in training alone.
fn folder_split(set: &dyn Samples, share: f64) -> Result<Split> {
    let labels = set.labels()?;
    let mut rng = Key { seed: 0, epoch: 0, index: 0, view: 1000 }.rng();
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
        seed: 0,
        samples,
        labeled_ids: labeled.iter().map(|&i| set.id(i as usize)).collect(),
        labeled,
        unlabeled: vec![],
        validation,
        test: vec![],
    })
}

/// A policy as the loader takes it.
pub(crate) fn view(policy: &Policy) -> View {
    let policy = policy.clone();
    Arc::new(move |image, rng, scratch, _| policy.apply_in_place(image, rng, scratch))
}
