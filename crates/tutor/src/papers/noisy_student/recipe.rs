//! Noisy Student's recipe: a teacher, how it labels, its students, further rows.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use augment::policy::Policy;
use data_pipeline::balance::Selection;
use serde::{Deserialize, Serialize};
use ssl_core::methods::{NoisyStudentConfig, SupervisedConfig};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};
use vision_models::NetConfig;

use crate::images::setting::Shared;
use crate::recipe::data::DataConfig;
use crate::recipe::evaluate::EvaluateConfig;
use crate::recipe::row;
use crate::run::processes;

/// Policies by their keys.
type Policies<'a> = Vec<(&'static str, &'a Policy)>;

/// The keys of a recipe of kind `noisy-student`, beside its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that load and augment; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    /// Numbers of labels, each of which is run; the data's own when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<usize>,
    #[serde(default)]
    pub(super) evaluate: EvaluateConfig,
    pub(super) data: DataConfig,
    #[serde(default)]
    pub(super) cadence: Cadence,
    pub(super) teacher: Teacher,
    pub(super) labeling: LabelingConfig,
    pub(super) student: Student,
    /// The students, each taught by the one before it.
    pub(super) generations: Vec<Generation>,
    pub(super) robustness: Option<RobustnessConfig>,
    /// Further rows of the table: the same recipe with something changed, one student of the same
    /// teacher each.
    #[serde(default)]
    pub(super) rows: BTreeMap<String, RowConfig>,
}

fn one() -> usize {
    1
}

/// The first network: labelled images only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Teacher {
    pub(super) net: NetConfig,
    /// Weights of a published or earlier net: a file, or a name that is found in the user's caches;
    /// it is not trained when `train.steps` is 0. Otherwise a head of another size is replaced.
    pub(super) weights: Option<String>,
    pub(super) augment: Policy,
    #[serde(default = "default_smoothing")]
    pub(super) label_smoothing: f64,
    /// Whether dropout and stochastic depth are on.
    #[serde(default = "yes")]
    pub(super) noise: bool,
    pub(super) train: TrainConfig,
}

fn default_smoothing() -> f64 {
    0.1
}

fn yes() -> bool {
    true
}

impl Teacher {
    /// The method it is trained by.
    pub(super) fn method(&self) -> SupervisedConfig {
        SupervisedConfig {
            label_smoothing: self.label_smoothing,
            noise: self.noise,
            ..SupervisedConfig::default()
        }
    }
}

/// How the teacher's labels come about and which are used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelingConfig {
    #[serde(default)]
    pub(super) source: LabelSource,
    /// Whether the teacher is noised while it labels: the paper's ablation "teacher with aug, SD,
    /// dropout".
    #[serde(default)]
    pub(super) noised_teacher: bool,
    /// Whether classes are brought to one number of images: `select.per_class`, or without it an
    /// equal share.
    #[serde(default = "yes")]
    pub(super) balance: bool,
    #[serde(default)]
    pub(super) select: Selection,
}

/// Which images the teacher labels for its student.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LabelSource {
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
pub(super) struct Student {
    /// Unlabelled images of a step for each labelled one.
    pub(super) unlabeled_ratio: usize,
    /// Noise on labelled images.
    pub(super) augment: Policy,
    /// What evaluation of the students sees; as the recipe's own when absent.
    pub(super) eval_augment: Option<Policy>,
    /// Noise on unlabelled images; as `augment` when absent.
    pub(super) unlabeled_augment: Option<Policy>,
    #[serde(default)]
    pub(super) method: NoisyStudentConfig,
    /// Start from the teacher's weights (the nets must be equal).
    #[serde(default)]
    pub(super) warm_start: bool,
    pub(super) train: TrainConfig,
    /// The resolution fix after training.
    pub(super) fix_resolution: Option<FixResolution>,
}

/// Touvron et al. 2019, as the paper uses it: a short training at the larger resolution, on
/// labelled images without augmentation, with the shallow layers frozen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixResolution {
    pub(super) train: TrainConfig,
    /// What training sees at the new resolution.
    pub(super) augment: Policy,
    /// What evaluation of the fixed net sees.
    pub(super) eval_augment: Policy,
    /// Parameters whose names begin so stay as they are.
    pub(super) frozen: Vec<String>,
}

/// What differs from student to student.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generation {
    pub(super) net: NetConfig,
    /// As `student.unlabeled_ratio` when absent.
    pub(super) unlabeled_ratio: Option<usize>,
    /// As `student.train.steps` when absent.
    pub(super) steps: Option<u64>,
}

/// How much of the evaluation data the robustness tables use.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RobustnessConfig {
    /// Images that are corrupted.
    pub(super) images: usize,
    /// Images of which sequences of perturbations are made.
    pub(super) sequences: usize,
}

/// A further row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowConfig {
    pub(super) about: String,
    /// What is changed: dotted key to value.
    pub(super) set: toml::Table,
}

impl Recipe {
    /// What its trainings share.
    pub(super) fn shared(&self) -> Shared<'_> {
        Shared {
            evaluate: &self.evaluate,
            cadence: &self.cadence,
            precision: self.precision,
            workers: self.workers,
        }
    }

    /// The noise on unlabelled images.
    pub(super) fn unlabeled_noise(&self) -> &Policy {
        self.student.unlabeled_augment.as_ref().unwrap_or(&self.student.augment)
    }

    /// What evaluation of the students sees, before a resolution fix.
    pub(super) fn student_eval(&self) -> &Policy {
        self.student.eval_augment.as_ref().unwrap_or(&self.evaluate.augment)
    }

    /// Every network by its key, with the policies through which it sees images by theirs.
    pub(super) fn nets(&self) -> Vec<(String, &NetConfig, Policies<'_>)> {
        let own = [
            ("evaluate.augment", &self.evaluate.augment),
            ("teacher.augment", &self.teacher.augment),
        ];
        let mut of_students = vec![
            ("student.eval_augment", self.student_eval()),
            ("student.augment", &self.student.augment),
            ("student.unlabeled_augment", self.unlabeled_noise()),
        ];
        if let Some(fix) = &self.student.fix_resolution {
            of_students.push(("student.fix_resolution.augment", &fix.augment));
            of_students.push(("student.fix_resolution.eval_augment", &fix.eval_augment));
        }
        let students = self.generations.iter().enumerate().map(|(i, generation)| {
            (format!("generations.{i}.net"), &generation.net, of_students.clone())
        });
        let teacher = ("teacher.net".to_owned(), &self.teacher.net, own.to_vec());
        std::iter::once(teacher).chain(students).collect()
    }

    /// The recipe of a further row: this one with that row's changes, and no further rows.
    pub(super) fn row(&self, name: &str) -> Result<Self> {
        let row = self.rows.get(name).with_context(|| {
            let known: Vec<&str> = self.rows.keys().map(String::as_str).collect();
            format!("there is no row {name}; the rows are {}", known.join(", "))
        })?;
        // The row shares its teacher and its data with the others: changing them there would change
        // nothing.
        let own = ["labeling.", "student.", "generations.0."];
        let allowed = |key: &str| own.iter().any(|own| key.starts_with(own));
        row::changed(self, name, &row.set, ("labeling, student and generations.0", allowed))
    }

    /// Refuses trainings whose batches cannot be shared by so many processes.
    pub(super) fn shares(&self, processes: usize) -> Result<()> {
        if self.teacher.train.steps > 0 {
            processes::check_batch("teacher.train", &self.teacher.train, processes)?;
        }
        processes::check_batch("student.train", &self.student.train, processes)?;
        match &self.student.fix_resolution {
            Some(fix) => {
                processes::check_batch("student.fix_resolution.train", &fix.train, processes)
            }
            None => Ok(()),
        }
    }

    /// The training of a student of this generation.
    pub(super) fn student_train(&self, generation: &Generation) -> TrainConfig {
        let train = self.student.train.clone();
        TrainConfig { steps: generation.steps.unwrap_or(train.steps), ..train }
    }
}
