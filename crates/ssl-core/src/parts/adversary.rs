//! The direction in which a prediction changes most (virtual adversarial training, arXiv
//! 1704.03976, section 3.3).

use serde::{Deserialize, Serialize};
use torch::grad::{grad, with_grad};
use torch::{ConfigError, Faults, Kind, Mode, Model, Net, Tensor, loss};

/// Which of the two predictions is the reference p of KL(p ‖ q). Either way the gradient reaches
/// the perturbed one alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// KL(clean ‖ perturbed), as the paper and its authors' code.
    #[default]
    FromClean,
    /// KL(perturbed ‖ clean), as the code bases of Oliver et al. and of FixMatch.
    FromPerturbed,
}

impl Direction {
    /// The divergence of each sample, `[batch]` in nats. `clean` (no gradient) and `perturbed` are
    /// logits `[batch, classes]`.
    pub fn divergence(self, clean: &Tensor, perturbed: &Tensor) -> Tensor {
        match self {
            Direction::FromClean => loss::kl_divergence(&clean.softmax(-1, Kind::Float), perturbed),
            Direction::FromPerturbed => {
                let log = perturbed.log_softmax(-1, Kind::Float);
                let off = &log - clean.log_softmax(-1, Kind::Float);
                (log.exp() * off).sum_dim_intlist([-1].as_slice(), false, Kind::Float)
            }
        }
    }
}

/// How the perturbation is found.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `epsilon` | 8 | length of the perturbation of a sample, in normalised units (8 with and 10 without flips on CIFAR-10; 3.5 and 2.5 on SVHN; 5 on the embeddings of texts, arXiv 1605.07725) | above 0 |
/// | `xi` | 0.01 | length of the step along which the gradient is taken; the authors' 1e-6, spread over an image, is lost in float32 | above 0 |
/// | `iterations` | 1 | power iterations | at least 1 |
/// | `direction` | `from-clean` | `from-clean` or `from-perturbed` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adversary {
    /// Length of the perturbation.
    pub epsilon: f64,
    /// Length of the step along which the gradient is taken.
    pub xi: f64,
    /// Power iterations.
    pub iterations: usize,
    /// Which prediction is the reference.
    pub direction: Direction,
}

impl Default for Adversary {
    fn default() -> Self {
        Self { epsilon: 8.0, xi: 0.01, iterations: 1, direction: Direction::default() }
    }
}

impl Adversary {
    /// Every setting out of its range.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .positive("epsilon", self.epsilon)
            .positive("xi", self.xi)
            .at_least_one("iterations", self.iterations)
            .done()
    }

    /// The divergence of each sample of `x` `[batch, ...]` under the worst perturbation, `[batch]`,
    /// with a gradient. `clean` are its logits `[batch, classes]`, which get no gradient; the
    /// search starts in the direction `start`, a [random perturbation](Net::random_perturbation).
    /// Batch norm uses the statistics of each pass and leaves the running ones as they are.
    pub fn divergence(&self, model: &Model, x: &Tensor, clean: &Tensor, start: &Tensor) -> Tensor {
        let clean = clean.detach();
        let under = |change: &Tensor| {
            let perturbed = model.forward_perturbed(x, change, Mode::TrainUntracked);
            self.direction.divergence(&clean, &perturbed)
        };
        let mut direction = start.shallow_clone();
        for _ in 0..self.iterations {
            direction = with_grad(|| {
                let probe = (unit(&direction) * self.xi).detach().set_requires_grad(true);
                let kl = under(&probe).mean(Kind::Float);
                grad(&kl, &[&probe]).swap_remove(0).detach()
            });
        }
        under(&(unit(&direction) * self.epsilon))
    }
}

/// Scales each sample to length 1 over all its values, in two steps as the authors do, so that tiny
/// gradients do not vanish.
fn unit(samples: &Tensor) -> Tensor {
    let flat = samples.reshape([samples.size()[0], -1]);
    let flat = &flat / (flat.abs().amax([1].as_slice(), true) + 1e-12);
    let length = flat.square().sum_dim_intlist([1].as_slice(), true, Kind::Float);
    (flat / (length + 1e-6).sqrt()).view_as(samples)
}
