//! Recipes: all that changes from run to run, as data. This file only composes the settings of the parts.

mod any;
mod check;
mod edit;
pub(crate) mod methods;
pub(crate) mod points;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use augment::policy::Policy;
use data_pipeline::balance::Selection;
use data_pipeline::dataset::folder::OnBad;
use data_pipeline::split::SplitRule;
use serde::{Deserialize, Serialize};
use ssl_core::methods::{NoisyStudentConfig, Supervised};
use torch::optim::OptimConfig;
use torch::precision::Precision;
use train::{Ema, Schedule};
use vision_models::NetConfig;

use crate::synthetic::Synthetic;

pub(crate) use any::AnyRecipe;
pub(crate) use edit::{Override, parse_override};

/// One row of one table of one paper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// `paper/row`; also where the run's folder goes.
    pub(crate) name: String,
    /// What it is, with its source.
    pub(crate) about: String,
    /// Whether it is the one meant when only the paper is named.
    #[serde(default)]
    pub(crate) default: bool,
    /// What the numbers at the end are measured on.
    #[serde(default)]
    pub(crate) evaluate_on: Part,
    #[serde(default)]
    pub(crate) precision: Precision,
    /// Images of an evaluation batch.
    #[serde(default = "default_eval_batch")]
    pub(crate) eval_batch: usize,
    /// What evaluation and labelling see: nothing random.
    #[serde(default = "Policy::none")]
    pub(crate) eval_augment: Policy,
    pub(crate) data: DataConfig,
    #[serde(default)]
    pub(crate) cadence: Cadence,
    pub(crate) teacher: Teacher,
    pub(crate) labeling: LabelingConfig,
    pub(crate) student: Student,
    /// The students, each taught by the one before it.
    pub(crate) generations: Vec<Generation>,
    pub(crate) robustness: Option<RobustnessConfig>,
    /// Further rows of the table: the same recipe with something changed, one student of the same teacher each.
    #[serde(default)]
    pub(crate) rows: BTreeMap<String, RowConfig>,
    /// What `--quick` changes: dotted key to value.
    #[serde(default)]
    pub(crate) quick: toml::Table,
}

fn default_eval_batch() -> usize {
    256
}

/// A part of the data that was not trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// For the numbers of a finished recipe, once.
    #[default]
    Test,
    /// For every choice.
    Validation,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Test => "test",
            Part::Validation => "validation",
        }
    }
}

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
    Cifar10 {
        rule: SplitRule,
        labels: usize,
        validation: usize,
        /// At most so many unlabelled and test images (the first ones), for small machines.
        unlabeled: Option<usize>,
        test: Option<usize>,
    },
    /// Street View House Numbers with its extra part as unlabelled images.
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
        /// Width and height to which images are resized on loading; without it they keep their own, and the policies crop.
        size: Option<[u32; 2]>,
        #[serde(default)]
        grey: bool,
        #[serde(default)]
        on_bad: OnBad,
    },
}

impl DataConfig {
    /// Makes the paths of folders absolute: below `dir` (`--data`) if there is one, else below the working folder.
    pub(crate) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        let DataConfig::Folder { labeled, unlabeled, test, .. } = self else { return Ok(()) };
        for path in [labeled, unlabeled].into_iter().chain(test) {
            let below = dir.map_or_else(|| path.clone(), |dir| dir.join(&*path));
            *path = std::path::absolute(&below).with_context(|| below.display().to_string())?;
        }
        Ok(())
    }
}

fn default_validation_share() -> f64 {
    0.2
}

/// How often things are written, in steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cadence {
    pub(crate) log: u64,
    pub(crate) evaluate: u64,
    pub(crate) checkpoint: u64,
    /// Checkpoints kept.
    pub(crate) keep: usize,
    /// Threads that load and augment; 0 for none beside the training thread. Has no influence on the numbers.
    pub(crate) workers: usize,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { log: 20, evaluate: 100, checkpoint: 200, keep: 2, workers: 1 }
    }
}

/// The first network: labelled images only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Teacher {
    pub(crate) net: NetConfig,
    /// A safetensors file with the weights of a published or earlier net; it is then not trained when `steps` is 0.
    pub(crate) weights: Option<PathBuf>,
    pub(crate) steps: u64,
    pub(crate) batch: usize,
    pub(crate) lr: Schedule,
    pub(crate) optim: OptimConfig,
    pub(crate) ema: Option<Ema>,
    pub(crate) augment: Policy,
    #[serde(default = "default_smoothing")]
    pub(crate) label_smoothing: f64,
    /// Whether dropout and stochastic depth are on.
    #[serde(default = "yes")]
    pub(crate) noise: bool,
}

fn default_smoothing() -> f64 {
    0.1
}

fn yes() -> bool {
    true
}

impl Teacher {
    /// The method it is trained by.
    pub(crate) fn method(&self) -> Supervised {
        Supervised {
            label_smoothing: self.label_smoothing,
            noise: self.noise,
            ..Supervised::default()
        }
    }
}

/// How the teacher's labels come about and which are used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelingConfig {
    #[serde(default)]
    pub(crate) source: Source,
    /// Whether the teacher is noised while it labels: the paper's ablation «teacher with aug, SD, dropout».
    #[serde(default)]
    pub(crate) noised_teacher: bool,
    /// Whether classes are brought to one number of images: `select.per_class`, or without it an equal share.
    #[serde(default = "yes")]
    pub(crate) balance: bool,
    #[serde(default)]
    pub(crate) select: Selection,
}

/// Which images the teacher labels for its student.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// The unlabelled ones: Noisy Student.
    #[default]
    Unlabeled,
    /// The labelled ones, without further data: plain distillation.
    Labeled,
    /// None: the student's net and noise on the labels alone.
    None,
}

/// What all students have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Student {
    pub(crate) steps: u64,
    /// Labelled images of a step.
    pub(crate) batch: usize,
    /// Unlabelled images of a step for each labelled one.
    pub(crate) unlabeled_ratio: usize,
    pub(crate) lr: Schedule,
    pub(crate) optim: OptimConfig,
    pub(crate) ema: Option<Ema>,
    /// Noise on labelled images.
    pub(crate) augment: Policy,
    /// What evaluation of the students sees; as the recipe's own when absent.
    pub(crate) eval_augment: Option<Policy>,
    /// Noise on unlabelled images; as `augment` when absent.
    pub(crate) unlabeled_augment: Option<Policy>,
    #[serde(default)]
    pub(crate) method: NoisyStudentConfig,
    /// Start from the teacher's weights (the nets must be equal).
    #[serde(default)]
    pub(crate) warm_start: bool,
    /// The resolution fix after training.
    pub(crate) fix_resolution: Option<FixResolution>,
}

/// Touvron et al. 2019, as the paper uses it: a short training at the larger resolution, on labelled images without
/// augmentation, with the shallow layers frozen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FixResolution {
    pub(crate) steps: u64,
    pub(crate) lr: Schedule,
    /// What training sees at the new resolution.
    pub(crate) augment: Policy,
    /// What evaluation of the fixed net sees.
    pub(crate) eval_augment: Policy,
    /// Parameters whose names begin so stay as they are.
    pub(crate) frozen: Vec<String>,
}

/// What differs from student to student.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generation {
    pub(crate) net: NetConfig,
    pub(crate) unlabeled_ratio: Option<usize>,
    pub(crate) steps: Option<u64>,
}

/// How much of the evaluation data the robustness tables use.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RobustnessConfig {
    /// Images that are corrupted.
    pub(crate) images: usize,
    /// Images of which sequences of perturbations are made.
    pub(crate) sequences: usize,
}

/// A further row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowConfig {
    pub(crate) about: String,
    /// What is changed: dotted key to value.
    pub(crate) set: toml::Table,
}

impl Recipe {
    /// The noise on unlabelled images.
    pub(crate) fn unlabeled_noise(&self) -> &Policy {
        self.student.unlabeled_augment.as_ref().unwrap_or(&self.student.augment)
    }

    /// What evaluation of the students sees, before a resolution fix.
    pub(crate) fn student_eval(&self) -> &Policy {
        self.student.eval_augment.as_ref().unwrap_or(&self.eval_augment)
    }

    /// The recipe of a further row: this one with that row's changes, and no further rows.
    pub(crate) fn row(&self, name: &str) -> Result<Self> {
        let row = self.rows.get(name).with_context(|| {
            let known: Vec<&str> = self.rows.keys().map(String::as_str).collect();
            format!("{} has no row {name}; it has {}", self.name, known.join(", "))
        })?;
        let mut table = toml::Table::try_from(self)?;
        table.remove("rows");
        edit::apply_table(&mut table, &row.set)?;
        Self::from_table(&table).with_context(|| format!("row {name} of {}", self.name))
    }

    /// The resolved recipe as text: running it again is the same run.
    pub(crate) fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// `paper` of `paper/row`.
    pub(crate) fn paper(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    pub(crate) fn from_table(table: &toml::Table) -> Result<Self> {
        let text = toml::to_string_pretty(table)?;
        let recipe: Self = toml::from_str(&text).map_err(edit::explain)?;
        check::check(&recipe)?;
        Ok(recipe)
    }
}
