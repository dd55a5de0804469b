//! Conv-Large: the 13-layer network of the semi-supervised methods before wide residual ones (Laine
//! & Aila 2017; here as in VAT, Miyato et al. 2018, arXiv 1704.03976, table 7).
//!
//! Three 3×3 convolutions of 128 channels, three of 256, each three followed by 2×2 max pooling and
//! dropout; a 3×3 convolution of 512 without padding, two 1×1 ones of 256 and 128, average pooling
//! and one linear layer. Batch norm and leaky ReLU after each convolution. Tensors are named
//! `layers.N.{conv,bn}` and `fc`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::nn::{
    Activation, BatchNorm, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
    global_average_pool,
};
use torch::{ConfigError, Faults, Features, Init, Mode, Scope, Tensor};

/// Conv-Large.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `width` | 128 | channels of the first convolutions; the others are 2 and 4 times as wide | ≥ 1 |
/// | `dropout` | 0.5 | dropout after each pooling | \[0, 1) |
/// | `leaky` | 0.1 | slope of the activation below 0 | \[0, 1\] |
/// | `conv_bias` | false | biases in the convolutions | |
/// | `logits_norm` | false | batch norm on the logits, as VAT has it for SVHN | |
/// | `bn_momentum` | 0.001 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvLargeConfig {
    /// Channels of the first convolutions.
    pub width: i64,
    /// Dropout after each pooling.
    pub dropout: f64,
    /// Slope of the activation below 0.
    pub leaky: f64,
    /// Biases in the convolutions.
    pub conv_bias: bool,
    /// Batch norm on the logits.
    pub logits_norm: bool,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for ConvLargeConfig {
    fn default() -> Self {
        Self {
            width: 128,
            dropout: 0.5,
            leaky: 0.1,
            conv_bias: false,
            logits_norm: false,
            bn_momentum: 0.001,
            bn_eps: 1e-5,
        }
    }
}

impl ConvLargeConfig {
    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .at_least_one("width", self.width)
            .rate("dropout", self.dropout)
            .fraction("leaky", self.leaky)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }
}

/// Channels as a multiple of the width, kernel, padding.
const LAYERS: [(i64, i64, i64); 9] = [
    (1, 3, 1),
    (1, 3, 1),
    (1, 3, 1),
    (2, 3, 1),
    (2, 3, 1),
    (2, 3, 1),
    (4, 3, 0),
    (2, 1, 0),
    (1, 1, 0),
];

/// The layers after which images are halved.
const POOLED: [usize; 2] = [2, 5];

/// The smallest side of an image, pixels: what two poolings leave of it is as large as the kernel
/// without padding.
pub(crate) const LEAST_SIDE: i64 = 3 << POOLED.len();

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of at least 12
/// pixels a side.
pub struct ConvLarge {
    layers: Vec<ConvNorm>,
    fc: Linear,
    logits_norm: Option<BatchNorm>,
    dropout: f64,
}

impl ConvLarge {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), the
    /// linear layer from N(0, 2 / (inputs + outputs)) (Glorot normal).
    pub fn new(
        scope: &mut Scope<'_>,
        config: &ConvLargeConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let norm = |scope: &mut Scope<'_>, channels| {
            BatchNorm::new(scope, channels, config.bn_momentum, config.bn_eps)
        };
        let (mut layers, mut inputs) = (Vec::new(), channels_in);
        for (i, (multiple, kernel, padding)) in LAYERS.into_iter().enumerate() {
            let outputs = multiple * config.width;
            let mut sub = scope.sub(format!("layers.{i}"));
            let conv = ConvConfig {
                padding: Padding::Symmetric(padding),
                bias: config.conv_bias,
                ..ConvConfig::new(inputs, outputs, kernel)
            };
            let (momentum, eps) = (config.bn_momentum, config.bn_eps);
            let activation = Activation::LeakyRelu(config.leaky);
            let config = ConvNormConfig { conv, momentum, eps, activation };
            layers.push(ConvNorm::new(&mut sub, ["conv", "bn"], config));
            inputs = outputs;
            if i % 3 == 2 {
                scope.end_stage();
            }
        }
        let init = Init::Normal { std: (2.0 / (inputs + classes) as f64).sqrt() };
        let fc = Linear::with_init(&mut scope.sub("fc"), inputs, classes, init);
        let logits_norm = config.logits_norm.then(|| norm(&mut scope.sub("logits_bn"), classes));
        Self { layers, fc, logits_norm, dropout: config.dropout }
    }
}

impl Features for ConvLarge {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// Three times three layers, the first two with pooling and dropout behind them.
    fn stages(&self) -> usize {
        3
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        let (mut x, layers) = (x.shallow_clone(), 3 * stages.start..3 * stages.end);
        for (i, conv) in self.layers.iter().enumerate().take(layers.end).skip(layers.start) {
            x = conv.forward(&x, mode);
            if POOLED.contains(&i) {
                x = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
                x = dropout(&x, self.dropout, mode);
            }
        }
        x
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        global_average_pool(&self.forward_stages(x, stage..self.stages(), mode))
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }

    fn forward_head(&self, features: &Tensor, mode: Mode) -> Tensor {
        let logits = self.fc.forward(features);
        match &self.logits_norm {
            Some(norm) => norm.forward(&logits, mode),
            None => logits,
        }
    }
}
