//! A compact residual network for the default runs: 8×8 digits and 32×32 images on a CPU.
//!
//! It is in no paper, and has the parts that the papers' noise needs. Each stage is a 3×3
//! convolution with batch norm and ReLU (from the second stage on it halves the image and doubles
//! the channels), then residual blocks x ← ReLU(x + SD(BN(conv(x)))), where SD is stochastic depth
//! (Huang et al., arXiv 1603.09382); in the end average pooling, dropout and one linear layer. One
//! convolution a block keeps the number of layers, and with it the time that a CPU loses between
//! them, small. CPU kernels take channels 16 at a time, so 24 take more than three quarters of the
//! time of 32.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Graph, Value};
use torch::nn::{
    Activation, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
    global_average_graph, global_average_pool, survival,
};
use torch::{ConfigError, Faults, Features, Init, Mode, Scope, Tensor};

/// A small residual network.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `width` | 16 | channels of the first stage | ≥ 1 |
/// | `width_multiplier` | 1 | factor on `width`, to widen a student; channels are rounded to a multiple of 8 (at least 8) | > 0 |
/// | `stages` | 2 | stages; each but the first halves the image and doubles the channels | 1 to 6 |
/// | `blocks` | 1 | residual blocks a stage | ≥ 0 |
/// | `stem_stride` | 1 | stride of the very first convolution; 2 makes 32×32 images four times cheaper | 1 or 2 |
/// | `dropout` | 0 | dropout before the linear layer | \[0, 1) |
/// | `stochastic_depth` | 0 | rate at which the last block's branch is dropped; block l of L has l/L of it | \[0, 1) |
/// | `bn_momentum` | 0.1 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmallNetConfig {
    /// Channels of the first stage.
    pub width: i64,
    /// Factor on `width`.
    pub width_multiplier: f64,
    /// Number of stages.
    pub stages: i64,
    /// Residual blocks a stage.
    pub blocks: i64,
    /// Stride of the very first convolution.
    pub stem_stride: i64,
    /// Dropout before the linear layer.
    pub dropout: f64,
    /// Rate at which the last block's branch is dropped.
    pub stochastic_depth: f64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for SmallNetConfig {
    fn default() -> Self {
        Self {
            width: 16,
            width_multiplier: 1.0,
            stages: 2,
            blocks: 1,
            stem_stride: 1,
            dropout: 0.0,
            stochastic_depth: 0.0,
            bn_momentum: 0.1,
            bn_eps: 1e-5,
        }
    }
}

impl SmallNetConfig {
    /// For 8×8 digits.
    pub fn digits() -> Self {
        Self::default()
    }

    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let factor = self.width_multiplier;
        Faults::default()
            .in_range("width", self.width, 1..=4096)
            .must_be(factor > 0.0 && factor <= 64.0, "width_multiplier", factor, "in (0, 64]")
            .in_range("stages", self.stages, 1..=6)
            .in_range("blocks", self.blocks, 0..=100)
            .in_range("stem_stride", self.stem_stride, 1..=2)
            .rate("dropout", self.dropout)
            .rate("stochastic_depth", self.stochastic_depth)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    /// Channels of the first stage, after widening.
    pub fn channels(&self) -> i64 {
        let wide = self.width as f64 * self.width_multiplier;
        ((wide / 8.0).round() as i64 * 8).max(8)
    }
}

/// A 3×3 convolution, batch norm and ReLU.
fn conv_norm(
    scope: &mut Scope<'_>,
    config: &SmallNetConfig,
    [inputs, outputs]: [i64; 2],
    stride: i64,
) -> ConvNorm {
    // TensorFlow's padding would copy the image before each strided convolution.
    let padding = Padding::Symmetric(1);
    let conv = ConvConfig { padding, ..ConvConfig::new(inputs, outputs, 3).stride(stride) };
    let (momentum, eps) = (config.bn_momentum, config.bn_eps);
    let activation = Activation::LeakyRelu(0.0);
    ConvNorm::new(scope, ["conv", "bn"], ConvNormConfig { conv, momentum, eps, activation })
}

/// One layer of the trunk.
enum Layer {
    /// The first of a stage.
    Plain(ConvNorm),
    /// A residual branch and the rate at which it is dropped.
    Residual(ConvNorm, f64),
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct SmallNet {
    stages: Vec<Vec<Layer>>,
    fc: Linear,
    dropout: f64,
}

impl SmallNet {
    /// Makes the network's tensors: `stages.S.down.{conv,bn}`, `stages.S.blocks.B.{conv,bn}`, `fc`.
    /// Convolutions are drawn from N(0, 2 / (9 · outputs)), the linear layer from N(0, 2 / (inputs
    /// + outputs)) (Glorot normal).
    pub fn new(
        scope: &mut Scope<'_>,
        config: &SmallNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let mut stages = Vec::new();
        let (mut inputs, mut outputs) = (channels_in, config.channels());
        let all = (config.stages * config.blocks) as f64;
        for stage in 0..config.stages {
            let (mut layers, mut scope) = (Vec::new(), scope.sub(format!("stages.{stage}")));
            let stride = if stage == 0 { config.stem_stride } else { 2 };
            let down = conv_norm(&mut scope.sub("down"), config, [inputs, outputs], stride);
            layers.push(Layer::Plain(down));
            for block in 0..config.blocks {
                let at = stage * config.blocks + block + 1;
                let rate = config.stochastic_depth * at as f64 / all;
                let mut scope = scope.sub(format!("blocks.{block}"));
                let branch = conv_norm(&mut scope, config, [outputs, outputs], 1);
                layers.push(Layer::Residual(branch, rate));
            }
            scope.end_stage();
            stages.push(layers);
            (inputs, outputs) = (outputs, 2 * outputs);
        }
        let init = Init::Normal { std: (2.0 / (inputs + classes) as f64).sqrt() };
        let fc = Linear::with_init(&mut scope.sub("fc"), inputs, classes, init);
        Self { stages, fc, dropout: config.dropout }
    }
}

impl Features for SmallNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    fn stages(&self) -> usize {
        self.stages.len()
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        let layers = self.stages[stages].iter().flatten();
        layers.fold(x.shallow_clone(), |x, layer| match layer {
            Layer::Plain(conv) => conv.forward(&x, mode),
            Layer::Residual(conv, rate) => {
                let keep = survival(&x, *rate, mode);
                conv.forward_residual(&x, &x, keep.as_ref(), mode)
            }
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.forward_stages(x, stage..self.stages(), mode);
        dropout(&global_average_pool(&x), self.dropout, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        let x = self.stages.iter().flatten().fold(x, |x, layer| match layer {
            Layer::Plain(conv) => conv.graph(graph, x, None),
            Layer::Residual(conv, _) => conv.graph(graph, x, Some(x)),
        });
        Some(global_average_graph(graph, x))
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}
