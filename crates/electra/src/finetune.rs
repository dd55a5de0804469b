//! How ELECTRA's authors fine-tune, as data.

use serde::{Deserialize, Serialize};
use torch::optim::{AdamW, OptimConfig};
use torch::{ConfigError, Faults};
use train::{Schedule, TrainConfig, WarmUp};

use crate::LayerRates;

/// The settings of a fine-tuning.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `lr` | 1e-4 | learning rate of the head, which warm-up and decay multiply | > 0 |
/// | `layer_decay` | 0.8 | factor of the learning rate from a layer to the one below | (0, 1\] |
/// | `corrected` | false | whether the head is one step above the top layer, see [`LayerRates`] | |
/// | `weight_decay` | 0.01 | on all but norms and biases | \[0, 1) |
/// | `batch` | 32 | texts of a batch | ≥ 1 |
/// | `warmup` | 0.1 | part of the steps in which the rate rises | \[0, 1\] |
///
/// The defaults are the released code's for ELECTRA-Small.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTuning {
    /// The learning rate of the head.
    pub lr: f64,
    /// The factor of the learning rate from a layer to the one below.
    pub layer_decay: f64,
    /// Whether the head is one step above the top layer.
    pub corrected: bool,
    /// The share of weights, times the rate, that a step takes away.
    pub weight_decay: f64,
    /// Texts of a batch.
    pub batch: usize,
    /// Part of the steps in which the rate rises.
    pub warmup: f64,
}

impl Default for FineTuning {
    fn default() -> Self {
        Self {
            lr: 1e-4,
            layer_decay: 0.8,
            corrected: false,
            weight_decay: 0.01,
            batch: 32,
            warmup: 0.1,
        }
    }
}

impl FineTuning {
    /// ELECTRA-Small by the paper's table: three times the code's rate, no weight decay.
    pub fn small_of_paper() -> Self {
        Self { lr: 3e-4, weight_decay: 0.0, ..Self::default() }
    }

    /// ELECTRA-Base; the same in code and paper but for weight decay.
    pub fn base() -> Self {
        Self::default()
    }

    /// ELECTRA-Large.
    pub fn large() -> Self {
        Self { lr: 5e-5, layer_decay: 0.9, ..Self::default() }
    }

    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .positive("lr", self.lr)
            .positive_fraction("layer_decay", self.layer_decay)
            .rate("weight_decay", self.weight_decay)
            .at_least_one("batch", self.batch)
            .fraction("warmup", self.warmup)
            .done()
    }

    /// Steps of so many passes over so many texts, as the released code counts them: texts are
    /// filled up to whole batches, and the result is rounded down.
    ///
    /// ```
    /// let settings = electra::FineTuning::default();
    /// assert_eq!(settings.steps(2_490, 10.0), 780);
    /// ```
    pub fn steps(&self, texts: usize, epochs: f64) -> u64 {
        (texts.div_ceil(self.batch) as f64 * epochs) as u64
    }

    /// Settings of a training loop of so many steps: Adam as BERT has it, linear warm-up and decay,
    /// gradients clipped to a norm of 1. The rates of layers are [`rates`](Self::rates).
    pub fn train_config(&self, steps: u64) -> TrainConfig {
        let adam = AdamW { weight_decay: self.weight_decay, ..AdamW::bert() };
        let warmup = (steps as f64 * self.warmup) as u64;
        let lr = Schedule::DecayFromStart { from: self.lr, warmup, rule: WarmUp::Times };
        let config = TrainConfig::new(steps, self.batch, lr, OptimConfig::Adamw(adam));
        TrainConfig { clip_norm: Some(1.0), ..config }
    }

    /// The rates of layers, for [`OptimConfig::build_with_rates`].
    pub fn rates(&self) -> LayerRates {
        LayerRates { decay: self.layer_decay, corrected: self.corrected }
    }
}
