//! The exponential moving average of a network's weights, kept in a second network of the same
//! shape.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Params, Role, Tensor, foreach, no_grad};

use crate::Progress;

/// What happens to the tensors that are not trained: batch norm's running statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Buffers {
    /// Averaged like the weights (UDA, Noisy Student).
    #[default]
    Averaged,
    /// Copied as they are (FixMatch's code base).
    Raw,
}

/// How weights are averaged: `average ← d · average + (1 − d) · weights` after every step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// The weight `d` of the past, in [0, 1).
    pub decay: f64,
    /// Whether the average follows faster at first: at step `t`, `d = min(decay, (1 + t) / (10 +
    /// t))`.
    #[serde(default)]
    pub warmup: bool,
    /// What happens to running statistics.
    #[serde(default)]
    pub buffers: Buffers,
}

impl Ema {
    /// An average without warm-up, which takes in running statistics too.
    pub fn new(decay: f64) -> Self {
        Self { decay, warmup: false, buffers: Buffers::Averaged }
    }

    /// An average with warm-up, as in Noisy Student's code (TensorFlow's `num_updates`).
    pub fn with_warmup(decay: f64) -> Self {
        Self { warmup: true, ..Self::new(decay) }
    }

    /// Every value that makes no sense: a decay outside [0, 1).
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default().rate("decay", self.decay).done()
    }

    /// The weight of the past at step `t`, counted from 0.
    pub fn decay_at(&self, step: u64) -> f64 {
        let t = step as f64;
        if self.warmup { self.decay.min((1.0 + t) / (10.0 + t)) } else { self.decay }
    }

    /// Moves `average` towards `weights`, two networks of the same shape; call it in
    /// [`Objective::after_step`](crate::Objective::after_step). A new average starts as a copy
    /// ([`Params::copy_from`]), not at zero. Panics if the networks have different tensors.
    pub fn update(&self, average: &Params, weights: &Params, at: Progress) {
        let mut lerp = (Vec::new(), Vec::new());
        let mut copy = (Vec::new(), Vec::new());
        for (to, from) in average.iter().zip(weights.iter()) {
            assert_eq!(to.name, from.name, "tensors of an average and its network");
            let raw = to.role == Role::Buffer && self.buffers == Buffers::Raw;
            let list = if raw { &mut copy } else { &mut lerp };
            list.0.push(to.tensor.shallow_clone());
            list.1.push(from.tensor.shallow_clone());
        }
        assert_eq!(average.iter().count(), weights.iter().count(), "tensors of an average");
        no_grad(|| {
            foreach::lerp(&lerp.0, &lerp.1, 1.0 - self.decay_at(at.step));
            foreach::copy(&copy.0, &copy.1);
        });
    }
}

/// All tensors of `params` as `(prefix + name, tensor)`: how an objective lists its average in
/// [`Objective::state`](crate::Objective::state).
pub fn state_of(prefix: &str, params: &Params) -> Vec<(String, Tensor)> {
    params.iter().map(|p| (format!("{prefix}{}", p.name), p.tensor.shallow_clone())).collect()
}
