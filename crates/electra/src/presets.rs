//! The published pre-trainings, and two for small machines, as data.

use serde::{Deserialize, Serialize};
use torch::optim::{AdamW, OptimConfig};
use train::{Schedule, TrainConfig, WarmUp};

use crate::pretrain::{GeneratorConfig, PretrainConfig};
use crate::{EncoderConfig, flops};

/// A pre-training: networks, batches and learning rate. The optimiser is the same for all
/// ([`torch::optim::AdamW::bert`], decay 0.01, clipped to a norm of 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// The networks.
    pub config: PretrainConfig,
    /// Tokens of a sequence, at most.
    pub length: usize,
    /// Sequences of a batch.
    pub batch: usize,
    /// Part of the tokens that are masked.
    pub mask_probability: f64,
    /// The learning rate that warm-up and decay multiply.
    pub lr: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// Steps.
    pub steps: u64,
}

impl Preset {
    /// Settings of the training loop: Adam as BERT has it, linear warm-up and decay, gradients
    /// clipped to a norm of 1.
    pub fn train_config(&self) -> TrainConfig {
        let lr =
            Schedule::DecayFromStart { from: self.lr, warmup: self.warmup, rule: WarmUp::Times };
        let adam = OptimConfig::Adamw(AdamW::bert());
        TrainConfig { clip_norm: Some(1.0), ..TrainConfig::new(self.steps, self.batch, lr, adam) }
    }

    /// What it costs in operations ([`flops`](crate::flops)), with sequences of full length.
    pub fn flops(&self) -> f64 {
        flops::sequence(&self.config, self.length) * self.batch as f64 * self.steps as f64
    }
}

/// All pre-trainings: `tiny` and `mini` for two processor cores (ours), and the published `small`,
/// `small++`, `base`, `large-400k` and `large` (ELECTRA's released code; `base` trains 766,000
/// steps, `large` 1.75 million).
///
/// ```
/// let small = electra::presets().into_iter().find(|p| p.name == "small").expect("it");
/// assert_eq!((small.batch, small.length, small.steps), (128, 128, 1_000_000));
/// ```
pub fn presets() -> Vec<Preset> {
    let preset = |name: &str, encoder, fraction| Preset {
        name: name.to_owned(),
        config: PretrainConfig {
            encoder,
            generator: GeneratorConfig { fraction, ..GeneratorConfig::default() },
            ..PretrainConfig::default()
        },
        length: 128,
        batch: 128,
        mask_probability: 0.15,
        lr: 5e-4,
        warmup: 10_000,
        steps: 1_000_000,
    };
    let long = |name, encoder, fraction| Preset {
        length: 512,
        lr: 2e-4,
        ..preset(name, encoder, fraction)
    };
    let large = |name, steps| Preset {
        batch: 2048,
        mask_probability: 0.25,
        steps,
        ..long(name, EncoderConfig::large(), 0.25)
    };
    let own = |name, encoder| Preset {
        batch: 64,
        lr: 1e-3,
        warmup: 500,
        steps: 10_000,
        ..preset(name, encoder, 0.5)
    };
    vec![
        own("tiny", EncoderConfig::tiny()),
        own("mini", EncoderConfig::mini()),
        preset("small", EncoderConfig::small(), 0.25),
        Preset { steps: 4_000_000, ..preset("small++", EncoderConfig::small(), 0.25) },
        Preset { batch: 256, steps: 766_000, ..long("base", EncoderConfig::base(), 1.0 / 3.0) },
        large("large-400k", 400_000),
        large("large", 1_750_000),
    ]
}
