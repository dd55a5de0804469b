//! Noisy Student (Xie et al. 2020, arXiv 1911.04252): a noised student learns from labelled samples
//! and from a teacher's labels of unlabelled ones. This is one step; the loop over generations is
//! up to the caller, who has the files and networks.
//!
//! Labelled and unlabelled samples share batch statistics (one forward pass over both, as in the
//! released code).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Model, Tensor, loss, no_grad};
use train::{Loss, Progress};

use crate::parts::{hard_labels, sharpen};
use crate::{Batch, Method, Nets, ViewKind, Views};

/// What the student learns from the teacher's probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Targets {
    /// The probabilities, without smoothing.
    #[default]
    Soft,
    /// The most probable class, smoothed as a label is.
    Hard,
}

/// When the teacher labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labeling {
    /// Before training, on clean images, into a file.
    #[default]
    Offline,
    /// In each step, on the clean view of the images in the batch.
    InLoop,
}

/// By what the summed loss is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// The number of labelled samples, as in the released code: the loss grows with the unlabelled
    /// ratio.
    #[default]
    Labeled,
    /// The number of all samples, as the paper writes it (section 2, equations 1 and 2 averaged
    /// together).
    All,
}

/// Which samples get the student's dropout and stochastic depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseOn {
    /// All of them: the method.
    #[default]
    All,
    /// The labelled ones only: the paper's ablation «without stochastic depth and dropout».
    Labeled,
    /// None: plain distillation.
    None,
}

/// The settings of Noisy Student's loss.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `label_smoothing` | 0.1 | ε for labels and hard targets; soft targets are never smoothed | 0 to 1 |
/// | `temperature` | 1 | T of p^(1/T) on the teacher's probabilities | above 0 |
/// | `targets` | `soft` | `soft` or `hard` | |
/// | `labeling` | `offline` | `offline` (stored targets) or `in-loop` | |
/// | `average` | `labeled` | by what the sum of losses is divided: `labeled` or `all` | |
/// | `noise_on` | `all` | which samples get dropout and stochastic depth: `all`, `labeled`, `none` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoisyStudentConfig {
    /// ε of label smoothing.
    pub label_smoothing: f64,
    /// T of the teacher's probabilities.
    pub temperature: f64,
    /// Soft or hard targets.
    pub targets: Targets,
    /// Stored targets or a teacher in the loop.
    pub labeling: Labeling,
    /// By what the loss is divided.
    pub average: Average,
    /// Which samples get the model's noise.
    pub noise_on: NoiseOn,
}

impl Default for NoisyStudentConfig {
    fn default() -> Self {
        Self {
            label_smoothing: 0.1,
            temperature: 1.0,
            targets: Targets::default(),
            labeling: Labeling::default(),
            average: Average::default(),
            noise_on: NoiseOn::default(),
        }
    }
}

impl NoisyStudentConfig {
    /// Every setting out of its range.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .rate("label_smoothing", self.label_smoothing)
            .positive("temperature", self.temperature)
            .done()
    }
}

/// The student's side of Noisy Student: loss = Σ CE(labelled, smoothed labels) + Σ CE(unlabelled,
/// targets), divided by [`Average`]. Terms `sup` and `unsup` are means; the note `agree` is the
/// fraction of unlabelled samples on which the noised student and the teacher predict the same
/// class.
pub struct NoisyStudent {
    config: NoisyStudentConfig,
    teacher: Option<Model>,
}

impl NoisyStudent {
    /// A student that learns from stored targets. [`Method::loss`] panics on a batch without
    /// [`Batch::targets`].
    pub fn offline(config: NoisyStudentConfig) -> Self {
        Self { config: NoisyStudentConfig { labeling: Labeling::Offline, ..config }, teacher: None }
    }

    /// A student whose teacher labels the first (clean) view of each unlabelled sample in each
    /// step, without noise and without a gradient. The teacher never changes and is in no
    /// checkpoint: whoever resumes a run has to pass it again.
    pub fn in_loop(config: NoisyStudentConfig, teacher: Model) -> Self {
        Self {
            config: NoisyStudentConfig { labeling: Labeling::InLoop, ..config },
            teacher: Some(teacher),
        }
    }

    /// The teacher's probabilities for this batch: from its own clean view, or as stored.
    fn probs(&self, batch: &Batch) -> Tensor {
        let probabilities = match &self.teacher {
            Some(teacher) => {
                no_grad(|| teacher.forward(&batch.u[0], Mode::Eval).softmax(-1, Kind::Float))
            }
            None => batch
                .targets
                .as_ref()
                .expect("offline labelling: the batch brings targets")
                .shallow_clone(),
        };
        sharpen(&probabilities, self.config.temperature)
    }

    /// The targets of the student. As in the released code, soft targets stay as they are and hard
    /// ones are smoothed.
    fn targets(&self, probs: &Tensor) -> Tensor {
        match self.config.targets {
            Targets::Soft => probs.shallow_clone(),
            Targets::Hard => loss::smoothed_targets(
                &hard_labels(probs),
                probs.size()[1],
                self.config.label_smoothing,
            ),
        }
    }
}

impl Method for NoisyStudent {
    fn views(&self) -> Views {
        let unlabeled = match self.teacher {
            Some(_) => vec![ViewKind::Plain, ViewKind::Strong],
            None => vec![ViewKind::Strong],
        };
        Views { labeled: ViewKind::Strong, unlabeled }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, _at: Progress) -> Loss {
        let noised = batch.u.last().expect("a view of the unlabelled samples");
        let (labeled, unlabeled) = (batch.x.size()[0], noised.size()[0]);
        let mode = match self.config.noise_on {
            NoiseOn::All => Mode::Train,
            NoiseOn::Labeled => Mode::TrainNoisyRows(labeled),
            NoiseOn::None => Mode::TrainWithoutNoise,
        };
        let [x, u] = nets.forward_joint([&batch.x, noised], mode);
        let probs = self.probs(batch);
        let labels = loss::smoothed_targets(&batch.y, x.size()[1], self.config.label_smoothing);
        let divisor = match self.config.average {
            Average::Labeled => labeled,
            Average::All => labeled + unlabeled,
        } as f64;
        let agree =
            hard_labels(&u).eq_tensor(&hard_labels(&probs)).to_kind(Kind::Float).mean(Kind::Float);
        Loss::new()
            .term(
                "sup",
                labeled as f64 / divisor,
                loss::soft_cross_entropy(&x, &labels).mean(Kind::Float),
            )
            .term(
                "unsup",
                unlabeled as f64 / divisor,
                loss::soft_cross_entropy(&u, &self.targets(&probs)).mean(Kind::Float),
            )
            .note("agree", agree)
    }
}
