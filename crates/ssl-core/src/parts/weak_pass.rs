//! How the weak view, whose prediction teaches the strong one, is predicted.

use serde::{Deserialize, Serialize};
use torch::{Mode, Tensor, no_grad};

use crate::{Batch, Nets};

/// How the weak view is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakPass {
    /// Together with all other samples, by the statistics of the batch, as the authors do.
    #[default]
    Joint,
    /// Apart, as in evaluation: by the running statistics, without dropout, and without a graph,
    /// which saves a quarter of a step. For networks that start from published weights, whose
    /// running statistics are good from the first step on.
    Apart,
    /// Apart, as in training, but without a graph. Of a network whose samples do not depend on one
    /// another (no batch norm) the loss is that of `joint`, for less work.
    ApartNoised,
}

impl WeakPass {
    /// Logits of the labelled samples and of the weak and the strong view, the first two of
    /// [`Batch::u`]. Only with [`WeakPass::Joint`] those of the weak view have a gradient.
    pub(crate) fn forward(self, nets: &Nets, batch: &Batch) -> [Tensor; 3] {
        let mode = match self {
            WeakPass::Joint => {
                return nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
            }
            WeakPass::Apart => Mode::Eval,
            WeakPass::ApartNoised => Mode::TrainUntracked,
        };
        let weak = no_grad(|| nets.student.forward(&batch.u[0], mode));
        let [x, strong] = nets.forward_joint([&batch.x, &batch.u[1]], Mode::Train);
        [x, weak, strong]
    }
}
