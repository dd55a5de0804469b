//! The interface of a method of learning from unlabelled samples.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Device, Mode, Model, Tensor, group};
use train::{Loss, Progress};

/// How much a sample is changed before a network sees it. The recipe says which augmentation each
/// kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewKind {
    /// Not changed.
    Plain,
    /// Slightly: shifts, flips.
    Weak,
    /// Strongly: RandAugment and its like.
    Strong,
}

/// The views that the loader prepares for a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Views {
    /// The view of each labelled sample.
    pub labeled: ViewKind,
    /// The views of each unlabelled sample, in the order of [`Batch::u`]; none for a supervised
    /// method.
    pub unlabeled: Vec<ViewKind>,
}

/// The samples of one step.
#[derive(Debug)]
pub struct Batch {
    /// Labelled samples `[labeled, ...]`.
    pub x: Tensor,
    /// Their classes, int64 `[labeled]`.
    pub y: Tensor,
    /// A tensor `[unlabeled, ...]` for each view of the unlabelled samples.
    pub u: Vec<Tensor>,
    /// Stored targets of the unlabelled samples, probabilities `[unlabeled, classes]`, for methods
    /// that learn from them.
    pub targets: Option<Tensor>,
    /// Which unlabelled samples these are, int64 `[unlabeled]`, counted from 0 up to
    /// [`TaskInfo::unlabeled`], for methods that keep something of each.
    pub unlabeled_indices: Option<Tensor>,
}

impl Batch {
    /// A batch without unlabelled samples.
    pub fn labeled(x: Tensor, y: Tensor) -> Self {
        Self { x, y, u: Vec::new(), targets: None, unlabeled_indices: None }
    }

    /// A batch that shares the tensors of this one.
    pub fn shallow_clone(&self) -> Self {
        let shared = |t: &Option<Tensor>| t.as_ref().map(Tensor::shallow_clone);
        Self {
            x: self.x.shallow_clone(),
            y: self.y.shallow_clone(),
            u: self.u.iter().map(Tensor::shallow_clone).collect(),
            targets: shared(&self.targets),
            unlabeled_indices: shared(&self.unlabeled_indices),
        }
    }

    /// Whether a method that asks for these views can learn from it; the error says what does not
    /// fit. Only sizes are looked at.
    pub fn check(&self, views: &Views) -> Result<(), String> {
        let rows = |t: &Tensor| t.size().first().copied().unwrap_or(0);
        let labeled = rows(&self.x);
        if labeled == 0 {
            return Err("x holds no labelled sample".into());
        }
        if self.y.size() != [labeled] {
            return Err(format!("y is {:?}, and x holds {labeled} samples", self.y.size()));
        }
        if self.u.len() != views.unlabeled.len() {
            let (have, need) = (self.u.len(), views.unlabeled.len());
            return Err(format!("u holds {have} views of the unlabelled samples, not {need}"));
        }
        let Some(unlabeled) = self.u.first().map(rows) else { return Ok(()) };
        if unlabeled == 0 {
            return Err("u holds no unlabelled sample".into());
        }
        let of_each = self.u.iter().chain(&self.targets).chain(&self.unlabeled_indices);
        match of_each.map(rows).find(|&n| n != unlabeled) {
            Some(n) => Err(format!(
                "views, targets and indices of the unlabelled samples are of {unlabeled} and of \
                 {n} samples"
            )),
            None => Ok(()),
        }
    }

    /// The field of this name. Panics if the batch has none.
    pub(crate) fn unlabeled_indices(&self) -> &Tensor {
        self.unlabeled_indices
            .as_ref()
            .expect("a batch that says which unlabelled samples it holds")
    }

    /// How many samples a network takes if it runs once over all of the batch: the labelled ones
    /// and every view of the unlabelled ones.
    pub fn forward_samples(&self) -> usize {
        let rows = |t: &Tensor| t.size()[0] as usize;
        rows(&self.x) + self.u.iter().map(rows).sum::<usize>()
    }
}

/// The networks of a run.
pub struct Nets {
    /// What is trained.
    pub student: Model,
    /// The EMA model, if the run keeps one: what is evaluated, and Mean Teacher's teacher.
    pub ema: Option<Model>,
}

impl Nets {
    /// The EMA model. Panics if the run keeps none: [`MethodSettings::needs`] says which methods
    /// need it.
    pub fn ema_model(&self) -> &Model {
        self.ema.as_ref().expect("a run that keeps an EMA model")
    }

    /// Runs the student once over all inputs together, so that they share batch-norm statistics,
    /// and splits the logits.
    pub fn forward_joint<const N: usize>(&self, inputs: [&Tensor; N], mode: Mode) -> [Tensor; N] {
        Self::joint(inputs, |sizes, all| group::joint(sizes, || self.student.forward(all, mode)))
    }

    /// The same where processes that share a batch may each have another number of samples; all of
    /// them have to call this together.
    pub fn forward_joint_unequal<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        mode: Mode,
    ) -> [Tensor; N] {
        Self::joint(inputs, |sizes, all| {
            group::joint_unequal(sizes, || self.student.forward(all, mode))
        })
    }

    fn joint<const N: usize>(
        inputs: [&Tensor; N],
        forward: impl FnOnce(&[i64], &Tensor) -> Tensor,
    ) -> [Tensor; N] {
        let sizes = inputs.map(|t| t.size()[0]);
        let logits = forward(&sizes, &Tensor::cat(&inputs, 0));
        let mut parts = logits.split_with_sizes(&sizes[..], 0).into_iter();
        std::array::from_fn(|_| parts.next().expect("one part an input"))
    }
}

/// What a method may need to know of the task before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    /// Number of classes.
    pub classes: i64,
    /// Number of unlabelled samples of the task.
    pub unlabeled: i64,
    /// Where tensors are.
    pub device: Device,
}

/// A layer on the features that a method adds to the network and that is not part of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name in checkpoints.
    pub name: &'static str,
    /// How many logits it gives.
    pub outputs: i64,
}

/// What a method needs besides labelled and unlabelled samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The EMA model ([`Nets::ema`]).
    pub ema: bool,
    /// Samples that are images `[n, c, h, w]`, because it turns them or treats them as images in
    /// another way: points and texts cannot be its samples.
    pub images: bool,
    /// Samples of continuous values, because it mixes them or takes gradients of gradients: the
    /// token ids of texts cannot be its samples.
    pub continuous: bool,
}

/// The settings of a method, as a recipe has them.
pub trait MethodSettings {
    /// Every setting out of its range ([`torch::Faults`] has the usual ranges).
    fn faults(&self) -> Vec<ConfigError>;

    /// Whether the settings are of so many classes; the error names the first that is not.
    fn fits_classes(&self, _classes: usize) -> Result<(), ConfigError> {
        Ok(())
    }

    /// The method in a fresh state. Settings with [faults](MethodSettings::faults), or that
    /// [`fits_classes`](MethodSettings::fits_classes) refuses, are a bug here and may panic.
    fn build(&self, task: &TaskInfo) -> Box<dyn Method>;

    /// What the method needs.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether several processes may each compute the loss of their share of a batch: whatever goes
    /// by other samples of the batch, or is drawn for it, is then the same as in one process.
    fn shares_batches(&self) -> bool {
        false
    }
}

/// One way of learning from labelled and unlabelled samples.
pub trait Method {
    /// The views that the loader has to prepare.
    fn views(&self) -> Views;

    /// Whether the method can teach a network whose last layer takes `features` numbers; the error
    /// names the setting and says what to change. Asked before the first step.
    fn fits(&self, _features: i64) -> Result<(), ConfigError> {
        Ok(())
    }

    /// The loss of a batch, which fits the method's views ([`Batch::check`], which
    /// [`Ssl`](crate::Ssl) calls).
    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss;

    /// Layers that [`Ssl`](crate::Ssl) adds to the networks for this method.
    fn heads(&self) -> Vec<Head> {
        Vec::new()
    }

    /// The method's own tensors, which a checkpoint keeps and restores in place.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

impl<M: Method + ?Sized> Method for Box<M> {
    fn views(&self) -> Views {
        (**self).views()
    }

    fn fits(&self, features: i64) -> Result<(), ConfigError> {
        (**self).fits(features)
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        (**self).loss(nets, batch, at)
    }

    fn heads(&self) -> Vec<Head> {
        (**self).heads()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        (**self).state()
    }
}
