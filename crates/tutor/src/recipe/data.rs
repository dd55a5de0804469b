//! Where images come from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_pipeline::dataset::folder::OnBad;
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
    /// MNIST, the four files of its authors.
    Mnist(Official),
    /// Street View House Numbers.
    Svhn {
        /// Whether the extra part stands behind the training part.
        #[serde(default)]
        extra: bool,
        rule: SplitRule,
        labels: Option<usize>,
        validation: usize,
        unlabeled: Option<usize>,
        test: Option<usize>,
    },
    /// Generated images, for trying a recipe without its data.
    Synthetic(Synthetic),
    /// One's own images: a folder with a sub-folder a class, and a folder of unlabelled images.
    Folder {
        labeled: PathBuf,
        unlabeled: PathBuf,
        /// A folder like `labeled`; without it, the validation part is also what is reported on.
        test: Option<PathBuf>,
        /// Share of the labelled images kept for validation.
        #[serde(default = "default_validation_share")]
        validation_share: f64,
        /// Width and height to which images are resized on loading; without it they keep their own,
        /// and the policies crop.
        size: Option<[u32; 2]>,
        #[serde(default)]
        grey: bool,
        #[serde(default)]
        on_bad: OnBad,
    },
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

impl DataConfig {
    /// Makes the paths of folders absolute: below `dir` (`--data`) if there is one, else below the
    /// working folder.
    pub(crate) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        let DataConfig::Folder { labeled, unlabeled, test, .. } = self else { return Ok(()) };
        for path in [labeled, unlabeled].into_iter().chain(test) {
            let below = dir.map_or_else(|| path.clone(), |dir| dir.join(&*path));
            *path = std::path::absolute(&below).with_context(|| below.display().to_string())?;
        }
        Ok(())
    }

    /// The same images with so many labels in all.
    pub(crate) fn with_labels(&self, count: usize) -> Result<Self> {
        let per_class = |classes: usize| match count % classes {
            0 if count > 0 => Ok(count / classes),
            _ => bail!("labels: {count} are not as many of each of the {classes} classes"),
        };
        let mut data = self.clone();
        match &mut data {
            DataConfig::Digits { labels_per_class } => *labels_per_class = per_class(10)?,
            DataConfig::Synthetic(spec) => spec.labels_per_class = per_class(spec.classes)?,
            DataConfig::Cifar10(official) | DataConfig::Mnist(official) => official.labels = count,
            DataConfig::Svhn { labels, .. } => *labels = Some(count),
            DataConfig::Folder { .. } => {
                bail!("labels: a folder has the labels that it has; leave images out of it instead")
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
            DataConfig::Cifar10(official) | DataConfig::Mnist(official) => {
                faults.positive("data.labels", official.labels as u64)
            }
            DataConfig::Svhn { labels, .. } => {
                faults.positive("data.labels", labels.unwrap_or(1) as u64)
            }
            DataConfig::Folder { validation_share: share, test, size, .. } => {
                if !(0.0..1.0).contains(share) {
                    let fault = format!("is {share}; it must be in [0, 1)");
                    faults.add("data.validation_share", fault);
                }
                if *share == 0.0 && (test.is_none() || evaluated == Part::Validation) {
                    let fault = "is 0, and there is no other part to measure on: name data.test";
                    faults.add("data.validation_share", fault);
                }
                if size.is_some_and(|sides| sides.contains(&0)) {
                    faults.add("data.size", "must be at least 1 in both directions");
                }
            }
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
