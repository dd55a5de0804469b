//! Where images come from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_pipeline::dataset::folder::{OnBad, is_there};
use data_pipeline::picture::{Decode, Depth};
use data_pipeline::split::SplitRule;
use serde::{Deserialize, Serialize};

use super::evaluate::Part;
use super::faults::Faults;

/// Where the images come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum DataConfig {
    /// The embedded 8x8 digits.
    Digits {
        /// Labelled images a class.
        labels_per_class: usize,
    },
    /// CIFAR-10, binary version.
    Cifar10(Official),
    /// CIFAR-100, binary version.
    Cifar100(Official),
    /// STL-10, binary version: labels from the training part; the unlabelled part is unlabelled.
    Stl10(Official),
    /// MNIST, the four files of its authors.
    Mnist(Official),
    /// Street View House Numbers.
    Svhn {
        /// Whether the extra part stands behind the training part.
        #[serde(default)]
        extra: bool,
        /// The quality at which the images go through JPEG before anything else, as those of Noisy
        /// Student's code do.
        #[serde(skip_serializing_if = "Option::is_none")]
        jpeg: Option<u8>,
        rule: SplitRule,
        labels: Option<usize>,
        validation: usize,
        unlabeled: Option<usize>,
        test: Option<usize>,
    },
    /// Generated images, for trying a recipe without its data.
    Synthetic(Synthetic),
    /// One's own images.
    Folder(Folder),
}

/// One's own images. Each part is a folder, a table of files (CSV, TSV, lines of JSON) or Parquet;
/// `data_pipeline::dataset::folder` says what is read from which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    /// Images with labels: a folder with a sub-folder for each class, a table or Parquet.
    pub(crate) labeled: PathBuf,
    /// A table of files and labels; its paths start from the folder `labeled`.
    pub(crate) labels: Option<PathBuf>,
    /// Images without labels. Without it they are those that a table in `labeled` or `labels` does
    /// not name; those that it names without a label always count too.
    pub(crate) unlabeled: Option<PathBuf>,
    /// Labelled images for choosing weights; without it, a share of `labeled`.
    pub(crate) validation: Option<PathBuf>,
    /// Labelled images for the result; without it, the validation part is also reported on.
    pub(crate) test: Option<PathBuf>,
    /// Labels that stand for none, such as `unsup`: images that have one of them are unlabelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) no_label: Vec<String>,
    /// Labels that are classes although they read as if they stood for none, such as `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) class: Vec<String>,
    /// Share of the labelled images kept for validation, where there is no `validation`.
    #[serde(default = "default_validation_share")]
    pub(crate) validation_share: f64,
    /// Width and height to which images are resized on loading; without it they keep their own,
    /// and the policies crop.
    pub(crate) size: Option<[u32; 2]>,
    #[serde(default)]
    pub(crate) grey: bool,
    #[serde(default)]
    pub(crate) on_bad: OnBad,
    /// Whether images are turned upright by their EXIF orientation, as photographs need it.
    #[serde(default = "default_orient")]
    pub(crate) orient: bool,
    /// How samples of more than 8 bits become bytes.
    #[serde(default)]
    pub(crate) depth: Depth,
    /// The most pixels of an image.
    #[serde(default = "default_max_pixels")]
    pub(crate) max_pixels: u64,
    /// How many MiB of decoded images are kept in memory, all parts together.
    #[serde(default = "default_memory")]
    pub(crate) memory: u64,
    /// Whether images are opened by their headers alone and decoded whenever they are needed, for
    /// parts that are too large to be read before the training. Contents are then not compared
    /// between parts, and an image that cannot be decoded is found when its turn comes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) on_demand: bool,
    /// Whether an image of the validation or test part may be in another part too.
    #[serde(default)]
    pub(crate) allow_duplicates: bool,
}

/// A set with an official training and test part, of which labels are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Official {
    pub(crate) rule: SplitRule,
    pub(crate) labels: usize,
    pub(crate) validation: usize,
    /// At most so many unlabelled and test images (the first ones), for small machines.
    pub(crate) unlabeled: Option<usize>,
    pub(crate) test: Option<usize>,
}

/// What is generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Synthetic {
    /// Rows and columns.
    pub(crate) side: usize,
    /// 1 or 3.
    pub(crate) channels: usize,
    pub(crate) classes: usize,
    pub(crate) labels_per_class: usize,
    pub(crate) unlabeled: usize,
    pub(crate) validation: usize,
    pub(crate) test: usize,
}

fn default_validation_share() -> f64 {
    0.2
}

fn default_max_pixels() -> u64 {
    Decode::default().max_pixels
}

fn default_orient() -> bool {
    true
}

fn default_memory() -> u64 {
    512
}

impl Folder {
    /// How its images are decoded.
    pub(crate) fn decode(&self) -> Decode {
        Decode {
            grey: self.grey,
            size: self.size.map(|[width, height]| (width, height)),
            orient: self.orient,
            depth: self.depth,
            max_pixels: self.max_pixels,
            ..Decode::default()
        }
    }

    /// The paths that are named.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { labeled, labels, unlabeled, validation, test, .. } = self;
        let others = [labels, unlabeled, validation, test].into_iter().flatten();
        std::iter::once(labeled).chain(others)
    }

    /// Which of its paths are not there, a sentence each.
    pub(crate) fn missing(&self) -> Vec<String> {
        let others = [
            ("labels", &self.labels),
            ("unlabeled", &self.unlabeled),
            ("validation", &self.validation),
            ("test", &self.test),
        ];
        let others = others.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
        std::iter::once(("labeled", &self.labeled))
            .chain(others)
            .filter(|(_, path)| !is_there(path))
            .map(|(key, path)| {
                let path = path.display();
                format!("data.{key}: {path} is not there (--set data.{key}=PATH names another)")
            })
            .collect()
    }

    fn check(&self, evaluated: Part, faults: &mut Faults) {
        self.check_parts(faults);
        let share = self.validation_share;
        if !(0.0..1.0).contains(&share) {
            // Said by check_parts.
            return;
        }
        let measured = match evaluated {
            Part::Validation => &None,
            Part::Test => &self.test,
        };
        if share == 0.0 && self.validation.is_none() && measured.is_none() {
            let fault = "is 0, and there is no other part to measure on: name data.test";
            faults.add("data.validation_share", fault);
        }
    }

    /// The same, where what is measured on is found out later.
    fn check_parts(&self, faults: &mut Faults) {
        if self.on_demand && self.on_bad == OnBad::Skip {
            let fault = "skips what cannot be decoded, which on_demand finds out when it is too \
                         late: leave one of them out";
            faults.add("data.on_bad", fault);
        }
        faults.values().rate("data.validation_share", self.validation_share);
        if self.size.is_some_and(|sides| sides.iter().any(|side| !(1..=1 << 14).contains(side))) {
            faults.add("data.size", "must be from 1 to 16384 in both directions");
        }
        faults.positive("data.max_pixels", self.max_pixels);
    }
}

impl DataConfig {
    /// Makes the paths of folders absolute: below `dir` (`--data`) if there is one, else below the
    /// working folder.
    pub(crate) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        let DataConfig::Folder(folder) = self else { return Ok(()) };
        for path in folder.paths() {
            let below = dir.map_or_else(|| path.clone(), |dir| dir.join(&*path));
            *path = std::path::absolute(&below).with_context(|| below.display().to_string())?;
        }
        Ok(())
    }

    /// The same images with so many labels in all.
    pub(crate) fn with_labels(&self, count: usize) -> Result<Self> {
        let per_class = |classes: usize| match count % classes {
            0 if count > 0 => Ok(count / classes),
            _ => bail!(
                "{count} labels are not the same number of each of the {classes} classes: take a \
                 multiple of {classes}"
            ),
        };
        let mut data = self.clone();
        match &mut data {
            DataConfig::Digits { labels_per_class } => *labels_per_class = per_class(10)?,
            DataConfig::Synthetic(spec) => spec.labels_per_class = per_class(spec.classes)?,
            DataConfig::Cifar10(official)
            | DataConfig::Cifar100(official)
            | DataConfig::Stl10(official)
            | DataConfig::Mnist(official) => official.labels = count,
            DataConfig::Svhn { labels, .. } => *labels = Some(count),
            DataConfig::Folder(_) => {
                bail!("a folder has the labels that it has; leave images out of it instead")
            }
        }
        Ok(data)
    }

    pub(crate) fn check(&self, evaluated: Part, faults: &mut Faults) {
        match self {
            DataConfig::Digits { labels_per_class } => {
                faults.positive("data.labels_per_class", *labels_per_class as u64)
            }
            DataConfig::Synthetic(spec) => faults.of("data", spec.check()),
            DataConfig::Cifar10(official)
            | DataConfig::Cifar100(official)
            | DataConfig::Stl10(official)
            | DataConfig::Mnist(official) => faults.positive("data.labels", official.labels as u64),
            DataConfig::Svhn { labels, jpeg, .. } => {
                faults.positive("data.labels", labels.unwrap_or(1) as u64);
                if jpeg.is_some_and(|quality| !(1..=100).contains(&quality)) {
                    faults.add("data.jpeg", "must be a quality from 1 to 100");
                }
            }
            DataConfig::Folder(folder) => folder.check(evaluated, faults),
        }
    }

    /// The same for a paper that finds a part to measure on itself.
    pub(crate) fn check_parts(&self, faults: &mut Faults) {
        match self {
            DataConfig::Folder(folder) => folder.check_parts(faults),
            other => other.check(Part::Validation, faults),
        }
    }
}

impl Synthetic {
    /// Whether there is something to generate.
    fn check(&self) -> Result<(), String> {
        let positive = [
            ("side", self.side),
            ("classes", self.classes),
            ("labels_per_class", self.labels_per_class),
            ("unlabeled", self.unlabeled),
            ("validation", self.validation),
            ("test", self.test),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(format!("{key} must be at least 1")),
            None if self.channels != 1 && self.channels != 3 => {
                Err("channels must be 1 or 3".to_owned())
            }
            None => Ok(()),
        }
    }
}
