//! S⁴L-Rotation (Zhai et al. 2019, arXiv 1905.03670): learns the labels, and on all images to
//! recognise their rotation.
//!
//! All four rotations of every image, labelled and unlabelled, go through the network in one pass,
//! which moves the running batch-norm statistics; with `joint = false` only the labelled images
//! without rotation do, for nets that should not be evaluated with statistics of rotated images.
//! The labels' term sees the images without rotation (from memory, the paper applies it to the
//! rotated copies as well: `rotate_labels`).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::rotations;
use crate::{Batch, Head, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of S⁴L-Rotation. Leave `rotate_labels` off for classes that a rotation turns into
/// one another, such as 6 and 9.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | weight of the rotation term | a schedule |
/// | `rotate_labels` | false | whether labels are learnt from all four rotations; needs `joint` | |
/// | `joint` | true | whether rotated images move the running statistics | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S4lConfig {
    /// Weight of the rotation term.
    pub weight: Schedule,
    /// Whether labels are learnt from all four rotations.
    pub rotate_labels: bool,
    /// Whether rotated images move the running statistics.
    pub joint: bool,
}

impl Default for S4lConfig {
    fn default() -> Self {
        Self { weight: Schedule::constant(1.0), rotate_labels: false, joint: true }
    }
}

impl MethodSettings for S4lConfig {
    fn faults(&self) -> Vec<ConfigError> {
        let whole = self.joint || !self.rotate_labels;
        Faults::default()
            .unless(whole, "rotate_labels", "needs joint = true")
            .within("weight", self.weight.faults())
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(S4l::new(self.clone()))
    }

    fn needs(&self) -> Needs {
        Needs { images: true, ..Needs::default() }
    }
}

/// S⁴L-Rotation, with settings [`S4lConfig`].
#[derive(Debug)]
pub struct S4l {
    config: S4lConfig,
}

impl S4l {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: S4lConfig) -> Self {
        Self { config }
    }
}

const ROTATION: &str = "rotation";

impl Method for S4l {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn heads(&self) -> Vec<Head> {
        vec![Head { name: ROTATION, outputs: 4 }]
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let (x, x_turns) = rotations(&batch.x);
        let (u, u_turns) = rotations(&batch.u[0]);
        let mode = if self.config.joint { Mode::Train } else { Mode::TrainUntracked };
        let features = nets.student.forward_features(&Tensor::cat(&[&x, &u], 0), mode);
        let turns = Tensor::cat(&[&x_turns, &u_turns], 0);
        // The first quarter is not rotated.
        let copies = if self.config.rotate_labels { 4 } else { 1 };
        let labels = batch.y.repeat([copies]);
        let logits = match self.config.joint {
            true => nets.student.forward_head(&features.narrow(0, 0, labels.size()[0]), mode),
            false => nets.student.forward(&batch.x, Mode::Train),
        };
        let turned = nets.student.forward_added_head(ROTATION, &features);
        Loss::new().term("sup", 1.0, cross_entropy(&logits, &labels).mean(Kind::Float)).term(
            "rotation",
            self.config.weight.at(at),
            cross_entropy(&turned, &turns).mean(Kind::Float),
        )
    }
}
