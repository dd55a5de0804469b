//! Data sets of images: from a recipe's `[data]` to an open set, and from that to one seed's parts.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use augment::policy::Policy;
use augment::rng::{Key, Rng};
use data_pipeline::dataset::cifar10::Cifar10;
use data_pipeline::dataset::cifar100::Cifar100;
use data_pipeline::dataset::stl10::Stl10;
use data_pipeline::dataset::svhn::Svhn;
use data_pipeline::dataset::{Concat, ImageSamples, Part as Official, Recompressed, digits, idx};
use data_pipeline::picture::Decode;
use data_pipeline::split::{Split, SplitRequest, digits_split};
use vision_models::NetConfig;

use super::folder::{self, Folder, Note};
use super::input::{Input, Normalization};
use super::subset::{Set, Subset};
use super::synthetic;
use crate::recipe::data::{DataConfig, Official as OfficialConfig};
use crate::recipe::evaluate::Part;
use crate::run::measured::Overlap;
use crate::run::note::note;

/// The data of one seed.
#[derive(Clone)]
pub(crate) struct Data {
    /// How it was divided.
    pub(crate) split: Split,
    pub(crate) labeled: Subset,
    pub(crate) unlabeled: Subset,
    pub(crate) validation: Subset,
    /// None where the data have no part for it.
    pub(crate) test: Option<Subset>,
    pub(crate) input: Input,
    /// What else should be known of the images.
    notes: Vec<Note>,
    /// Images of the validation and of the test part that are in other parts too.
    pub(crate) overlap: BTreeMap<&'static str, Overlap>,
}

impl Data {
    /// The part that is asked for, or the validation part where there is no test part.
    pub(crate) fn part(&self, asked: Part) -> (Part, &Subset) {
        match (&self.test, asked) {
            (Some(test), Part::Test) => (Part::Test, test),
            _ => (Part::Validation, &self.validation),
        }
    }

    /// The same with other labelled images: those at `trained` to train on, those at `held_out` to
    /// measure on instead of the validation part, which stays where nothing is held out.
    pub(crate) fn holding_out(&self, trained: &[usize], held_out: &[usize]) -> Self {
        let at = |positions: &[usize]| Subset {
            set: self.labeled.set.clone(),
            indices: positions.iter().map(|&i| self.labeled.indices[i]).collect(),
        };
        let (labeled, validation) = match held_out {
            [] => (at(trained), self.validation.clone()),
            held_out => (at(trained), at(held_out)),
        };
        Self { labeled, validation, test: None, ..self.clone() }
    }

    /// An error if the part to measure on has no labelled image: found before any training, what
    /// would otherwise be missing after it.
    pub(crate) fn can_be_measured(&self, asked: Part) -> Result<()> {
        let (part, subset) = self.part(asked);
        ensure!(
            subset.labels().iter().any(Option::is_some),
            "there is no labelled image in the {} part to measure on: the split rule or the sizes in \
             [data] leave none",
            part.name()
        );
        Ok(())
    }

    /// How many samples of what, and what else should be known of them, in words.
    pub(crate) fn describe(&self) -> String {
        self.in_full().join("; ")
    }

    /// The same with few examples of what was left out.
    pub(crate) fn brief(&self) -> String {
        let notes = self.notes.iter().map(|note| note.brief.clone());
        std::iter::once(self.counts()).chain(notes).collect::<Vec<_>>().join("; ")
    }

    /// The parts of [`describe`](Self::describe).
    pub(crate) fn in_full(&self) -> Vec<String> {
        let notes = self.notes.iter().map(|note| note.full.clone());
        std::iter::once(self.counts()).chain(notes).collect()
    }

    /// How many samples of what.
    fn counts(&self) -> String {
        let test = self.test.as_ref().map_or("no".to_owned(), |test| test.len().to_string());
        format!(
            "{} labelled, {} unlabelled, {} validation and {test} test images of {} classes",
            self.labeled.len(),
            self.unlabeled.len(),
            self.validation.len(),
            self.input.classes.len()
        )
    }
}

/// A data set that is open, of which each seed draws its labels.
#[derive(Clone)]
pub(crate) struct ImageSource {
    config: DataConfig,
    train: Set,
    /// The unlabelled images, when they are a set of their own.
    unlabeled: Option<Set>,
    /// The same of images to choose weights by.
    validation: Option<Set>,
    test: Option<Set>,
    /// Images of `train`, by number, that are copies of others and in no part.
    left_out: HashSet<u32>,
    notes: Vec<Note>,
    overlap: BTreeMap<&'static str, Overlap>,
}

impl ImageSource {
    /// Opens what the recipe names. `dir` is `--data`, for sets that are not embedded.
    pub(crate) fn open(config: &DataConfig, dir: Option<&Path>) -> Result<Self> {
        let config = config.clone();
        let (train, test): (Set, Option<Set>) = match &config {
            DataConfig::Digits { .. } => (Arc::new(digits::load()), None),
            DataConfig::Synthetic(spec) => (Arc::new(synthetic::make(spec)?), None),
            DataConfig::Cifar10(_) => {
                let dir = needed(dir, "cifar10")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Cifar10::open(&dir, part)?)) };
                (open(Official::Train)?, Some(open(Official::Test)?))
            }
            DataConfig::Cifar100(_) => {
                let dir = needed_here(dir, "cifar100")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Cifar100::open(&dir, part)?)) };
                (open(Official::Train)?, Some(open(Official::Test)?))
            }
            DataConfig::Stl10(_) => {
                let dir = needed_here(dir, "stl10")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Stl10::open(&dir, part)?)) };
                let (train, test) = (open(Official::Train)?, Some(open(Official::Test)?));
                let unlabeled = Some(open(Official::Extra)?);
                return Ok(Self { unlabeled, ..Self::of_one(config, train, test) });
            }
            DataConfig::Mnist(_) => {
                let dir = needed(dir, "mnist")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(idx::mnist(&dir, part)?)) };
                (open(Official::Train)?, Some(open(Official::Test)?))
            }
            DataConfig::Svhn { extra, jpeg, .. } => {
                let dir = needed(dir, "svhn")?;
                let open = |part| -> Result<Set> { Ok(Arc::new(Svhn::open(&dir, part)?)) };
                let train = open(Official::Train)?;
                let train = if *extra {
                    Arc::new(Concat::new(vec![train, open(Official::Extra)?])?)
                } else {
                    train
                };
                let kept = |set: Set| -> Result<Set> {
                    Ok(match *jpeg {
                        Some(quality) => Arc::new(Recompressed::new(set, quality)?),
                        None => set,
                    })
                };
                (kept(train)?, Some(kept(open(Official::Test)?)?))
            }
            DataConfig::Folder(folder) => {
                let missing = folder.missing();
                ensure!(missing.is_empty(), "{}", missing.join("\n"));
                let folder = Folder::open(folder)?;
                folder.notes.iter().for_each(|text| note(&text.full));
                let Folder { labeled: train, unlabeled, validation, test, .. } = folder;
                let Folder { left_out, notes, overlap, .. } = folder;
                let all = Self::of_one(config, train, test);
                return Ok(Self { unlabeled, validation, left_out, notes, overlap, ..all });
            }
        };
        Ok(Self::of_one(config, train, test))
    }

    /// Of one set from which unlabelled and validation images are drawn, too.
    fn of_one(config: DataConfig, train: Set, test: Option<Set>) -> Self {
        let (unlabeled, validation) = (None, None);
        let (left_out, notes, overlap) = Default::default();
        Self { config, train, unlabeled, validation, test, left_out, notes, overlap }
    }

    /// What is not there of the data that a recipe names, a sentence each. Fails where the labels
    /// that it asks for cannot be drawn. Opens nothing but what is embedded.
    pub(crate) fn missing(config: &DataConfig, dir: Option<&Path>) -> Result<Vec<String>> {
        let mut config = config.clone();
        config.anchor(dir)?;
        let asked = |set: &OfficialConfig| set.labels.saturating_add(set.validation);
        let (drawn, images, place) = match &config {
            DataConfig::Synthetic(_) => return Ok(vec![]),
            DataConfig::Folder(folder) => return Ok(folder.missing()),
            DataConfig::Digits { .. } => {
                return Self::open(&config, None)?.draw(1).map(|_| vec![]);
            }
            DataConfig::Cifar10(set) => (asked(set), 50_000, needed(dir, "cifar10")),
            DataConfig::Cifar100(set) => (asked(set), 50_000, needed_here(dir, "cifar100")),
            DataConfig::Stl10(set) => (asked(set), 5_000, needed_here(dir, "stl10")),
            DataConfig::Mnist(set) => (asked(set), 60_000, needed(dir, "mnist")),
            DataConfig::Svhn { labels, validation, .. } => {
                let drawn = labels.unwrap_or(0).saturating_add(*validation);
                (drawn, SVHN_TRAIN, needed(dir, "svhn"))
            }
        };
        ensure!(
            drawn <= images,
            "data: {drawn} images of labels and validation are asked for, and there are {images} to \
             train on"
        );
        Ok(match place {
            Ok(dir) if dir.is_dir() => vec![],
            Ok(dir) => vec![format!("{}: there is no such folder of data sets", dir.display())],
            Err(error) => vec![error.to_string()],
        })
    }

    /// Refuses a network that cannot take images as small as some policy makes them, before there
    /// is a folder of a run. `net` and `policies` come with their keys in the recipe. A policy
    /// makes all images of one size, so that the first one tells.
    pub(crate) fn suits(
        &self,
        (key, net): (&str, &NetConfig),
        policies: &[(&str, &Policy)],
    ) -> Result<()> {
        let least = net.least_side() as usize;
        if least == 1 || self.train.is_empty() {
            return Ok(());
        }
        let image = self.train.item(0)?;
        for (policy_key, policy) in policies {
            let seen = policy.apply(image.clone(), &mut Rng::new(0));
            let [width, height] = [seen.width(), seen.height()];
            ensure!(
                width.min(height) >= least,
                "{key}: it takes images of at least {least} pixels a side, and {policy_key} gives \
                 it {width}x{height}: take another net, or enlarge the images by a step of kind \
                 resize in every policy"
            );
        }
        Ok(())
    }

    /// Keeps in a run's folder which images of one's own it is about, or makes sure that they are
    /// those that it began with. The other sets never change. Fails in all of several processes
    /// unless they have the same images.
    pub(crate) fn keep(&self, dir: &Path) -> Result<()> {
        let parts = [
            ("labelled", Some(&self.train)),
            ("unlabelled", self.unlabeled.as_ref()),
            ("validation", self.validation.as_ref()),
            ("test", self.test.as_ref()),
        ];
        let parts: Vec<(&str, &ImageSamples)> =
            parts.into_iter().filter_map(|(name, set)| Some((name, &**set?))).collect();
        folder::keep(&parts, matches!(self.config, DataConfig::Folder(_)).then_some(dir))
    }

    /// The same images with other labels.
    pub(crate) fn of(&self, config: &DataConfig) -> Self {
        Self { config: config.clone(), ..self.clone() }
    }

    /// Draws the parts for one seed.
    pub(crate) fn draw(&self, seed: u64) -> Result<Data> {
        let subset = |indices: Vec<u32>| Subset { set: self.train.clone(), indices };
        let request = |rule, labels, validation, train| SplitRequest {
            rule,
            labels,
            validation,
            test: 0,
            seed,
            train,
        };
        let (split, most_unlabeled, most_test) = match &self.config {
            DataConfig::Digits { labels_per_class } => {
                (digits_split(*labels_per_class, seed)?, None, None)
            }
            DataConfig::Synthetic(spec) => {
                (synthetic::split(spec, seed).split_set(&*self.train)?, None, None)
            }
            DataConfig::Cifar10(set)
            | DataConfig::Cifar100(set)
            | DataConfig::Stl10(set)
            | DataConfig::Mnist(set) => {
                let request = request(set.rule, Some(set.labels), set.validation, None);
                (request.split_set(&*self.train)?, set.unlabeled, set.test)
            }
            DataConfig::Svhn { rule, labels, validation, unlabeled, test, .. } => {
                let train = Some(SVHN_TRAIN.min(self.train.len()));
                let request = request(*rule, *labels, *validation, train);
                (request.split_set(&*self.train)?, *unlabeled, *test)
            }
            DataConfig::Folder(folder) => {
                let own = self.validation.is_some();
                let share = if own { 0.0 } else { folder.validation_share };
                (folder_split(&*self.train, share, &self.left_out)?, None, None)
            }
        };
        let Split { labeled, unlabeled, validation, test, .. } = split.clone();
        let labeled = subset(labeled);
        let unlabeled = self
            .unlabeled
            .clone()
            .map_or_else(|| subset(unlabeled), Subset::all)
            .first(most_unlabeled);
        let validation = self.validation.clone().map_or_else(|| subset(validation), Subset::all);
        let test = match &self.test {
            Some(set) => Subset::all(set.clone()).first(most_test),
            None => subset(test),
        };
        let first = labeled.indices.first().context("no image is labelled")?;
        let image = self.train.item(*first as usize)?;
        let channels = image.channels();
        let normalization = match published(&self.config) {
            Some((mean, std)) => Normalization { mean: mean.to_vec(), std: std.to_vec() },
            None => measured(&[&labeled, &unlabeled], channels)?,
        };
        let (size, decode) = match &self.config {
            DataConfig::Folder(folder) => (folder.decode().size, folder.decode()),
            _ => (Some((image.width() as u32, image.height() as u32)), Decode::default()),
        };
        let Decode { orient, depth, max_pixels, .. } = decode;
        let classes = self.train.classes().to_vec();
        let input = Input { classes, channels, size, normalization, orient, depth, max_pixels };
        let test = Some(test).filter(|test| test.len() > 0);
        let (notes, overlap) = (self.notes.clone(), self.overlap.clone());
        Ok(Data { split, labeled, unlabeled, validation, test, input, notes, overlap })
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

/// The same for a set that `tutor data` does not download.
fn needed_here(dir: Option<&Path>, set: &str) -> Result<PathBuf> {
    dir.map(Path::to_owned).with_context(|| {
        format!(
            "{set} is not embedded: name the folder that holds it with --data DIR or $TUTOR_DATA"
        )
    })
}

/// The constants that the papers' codes normalise by.
fn published(config: &DataConfig) -> Option<([f64; 3], [f64; 3])> {
    match config {
        DataConfig::Cifar10(_) => Some((
            [0.491_399_68, 0.482_158_41, 0.446_530_91],
            [0.247_032_23, 0.243_485_13, 0.261_587_84],
        )),
        DataConfig::Svhn { .. } => Some((
            [0.437_682_1, 0.443_769_7, 0.472_804_42],
            [0.198_030_12, 0.201_015_62, 0.197_036_14],
        )),
        DataConfig::Folder(folder) if !folder.grey => {
            Some(([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        }
        DataConfig::Folder(_)
        | DataConfig::Digits { .. }
        | DataConfig::Cifar100(_)
        | DataConfig::Stl10(_)
        | DataConfig::Mnist(_)
        | DataConfig::Synthetic(_) => None,
    }
}

/// Mean and deviation of the training images themselves, as far as 10,000 of each subset tell.
fn measured(subsets: &[&Subset], channels: usize) -> Result<Normalization> {
    let mut sums = vec![(0.0, 0.0); channels];
    // 20,000 pictures have more pixels than 32 bits count.
    let mut count: u64 = 0;
    for subset in subsets {
        for &index in subset.indices.iter().take(10_000) {
            let image = subset.set.item(index as usize)?;
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
    let n = count.max(1) as f64;
    let mean = sums.iter().map(|s| s.0 / n).collect();
    // A channel that never changes has no deviation to divide by.
    let std =
        sums.iter().map(|s| (s.1 / n - (s.0 / n).powi(2)).max(0.0).sqrt().max(1e-3)).collect();
    Ok(Normalization { mean, std })
}

/// Keeps a share of every class for validation, at least one image where a class has two; the same
/// for every seed, so that seeds differ in training alone. What is left out is in no part.
fn folder_split(set: &ImageSamples, share: f64, left_out: &HashSet<u32>) -> Result<Split> {
    let labels = set.labels()?;
    let mut rng = Key { seed: 0, epoch: 0, index: 0, view: 1000 }.rng();
    let (mut labeled, mut validation) = (Vec::new(), Vec::new());
    for class in 0..set.classes().len() as u32 {
        let mut members: Vec<u32> = (0..labels.len() as u32)
            .filter(|i| labels[*i as usize] == class && !left_out.contains(i))
            .collect();
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
