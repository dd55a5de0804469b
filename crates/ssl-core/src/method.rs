//! What a method of learning from unlabelled samples is.

use torch::{Mode, Model, Tensor};
use train::{Loss, Progress};

/// How much a sample is changed before a network sees it. Which augmentation that means is the recipe's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Not at all.
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
    pub labeled: View,
    /// The views of each unlabelled sample, in the order of [`Batch::u`]; none for a supervised method.
    pub unlabeled: Vec<View>,
}

/// One step's samples.
#[derive(Debug)]
pub struct Batch {
    /// Labelled samples `[labeled, ...]`.
    pub x: Tensor,
    /// Their classes, int64 `[labeled]`.
    pub y: Tensor,
    /// A tensor `[unlabeled, ...]` for each view of the unlabelled samples.
    pub u: Vec<Tensor>,
    /// Stored targets of the unlabelled samples, probabilities `[unlabeled, classes]`, for methods that learn from them.
    pub targets: Option<Tensor>,
}

impl Batch {
    /// A batch without unlabelled samples.
    pub fn labeled(x: Tensor, y: Tensor) -> Self {
        Self { x, y, u: Vec::new(), targets: None }
    }

    /// How many images a network sees in this batch.
    pub fn images(&self) -> usize {
        let rows = |t: &Tensor| t.size()[0] as usize;
        rows(&self.x) + self.u.iter().map(rows).sum::<usize>()
    }
}

/// The networks of a run.
pub struct Nets {
    /// What is trained.
    pub student: Model,
    /// Its averaged twin, if the run keeps one: what is evaluated, and Mean Teacher's teacher.
    pub ema: Option<Model>,
}

impl Nets {
    /// Runs the student once over all inputs together, so that they share batch-norm statistics, and splits the logits.
    pub fn forward_joint<const N: usize>(&self, inputs: [&Tensor; N], mode: Mode) -> [Tensor; N] {
        let sizes: Vec<i64> = inputs.iter().map(|t| t.size()[0]).collect();
        let logits = self.student.forward(&Tensor::cat(&inputs, 0), mode);
        let mut parts = logits.split_with_sizes(&sizes, 0).into_iter();
        std::array::from_fn(|_| parts.next().expect("one part an input"))
    }
}

/// One way of learning from labelled and unlabelled samples.
pub trait Method {
    /// What the loader prepares.
    fn views(&self) -> Views;

    /// The loss of a batch.
    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss;

    /// Tensors of the method's own that a checkpoint keeps and restores in place.
    fn memory(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

impl<M: Method + ?Sized> Method for Box<M> {
    fn views(&self) -> Views {
        (**self).views()
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        (**self).loss(nets, batch, at)
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        (**self).memory()
    }
}
