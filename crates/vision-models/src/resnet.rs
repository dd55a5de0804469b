//! Residual networks with bottlenecks (He et al. 2016, arXiv 1512.03385) and their wider variants,
//! ResNeXt (Xie et al. 2017, arXiv 1611.05431), for images of about 224 pixels.
//!
//! The form of torchvision and timm («V1.5»): a stride sits on the 3×3 convolution. Tensors are
//! named as theirs: `conv1`, `bn1`,
//! `layer1.0.{conv1,bn1,conv2,bn2,conv3,bn3,downsample.0,downsample.1}`, `fc`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Graph, Operation, Value};
use torch::nn::{
    Activation, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
    global_average_graph, global_average_pool,
};
use torch::{ConfigError, Faults, Features, Init, Mode, Scope, Tensor};

/// A residual network.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `layers` | \[3, 4, 6, 3\] | bottlenecks in each of the four stages | ≥ 1 each |
/// | `groups` | 1 | groups of the 3×3 convolutions | ≥ 1 |
/// | `width_per_group` | 64 | channels of a group in the first stage, of 64 for ResNet | ≥ 1 |
/// | `stem` | 64 | channels of the stem; all others scale with it | ≥ 1 |
/// | `dropout` | 0 | dropout before the linear layer | \[0, 1) |
/// | `bn_momentum` | 0.1 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResNetConfig {
    /// Bottlenecks in each of the four stages.
    pub layers: [i64; 4],
    /// Groups of the 3×3 convolutions.
    pub groups: i64,
    /// Channels of a group in the first stage, of 64.
    pub width_per_group: i64,
    /// Channels of the stem.
    pub stem: i64,
    /// Dropout before the linear layer.
    pub dropout: f64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            layers: [3, 4, 6, 3],
            groups: 1,
            width_per_group: 64,
            stem: 64,
            dropout: 0.0,
            bn_momentum: 0.1,
            bn_eps: 1e-5,
        }
    }
}

impl ResNetConfig {
    /// ResNet-50: UDA's and S⁴L's net for ImageNet (25.6 million parameters).
    pub fn resnet50() -> Self {
        Self::default()
    }

    /// ResNeXt-101 32x8d (88.8 million parameters), `resnext101_32x8d` of torchvision and of timm's
    /// WSL weights.
    pub fn resnext101_32x8d() -> Self {
        Self { layers: [3, 4, 23, 3], groups: 32, width_per_group: 8, ..Self::default() }
    }

    /// ResNeXt-101 32x48d (828 million parameters): the largest net trained on weakly labelled
    /// images (WSL), to which Noisy Student is compared.
    pub fn resnext101_32x48d() -> Self {
        Self { width_per_group: 48, ..Self::resnext101_32x8d() }
    }

    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let layers = self.layers.iter().all(|&n| n >= 1);
        let wide = self.stem < 1 || self.inner(0) >= self.groups;
        Faults::default()
            .must_be(layers, "layers", format!("{:?}", self.layers), "at least 1 each")
            .at_least_one("groups", self.groups)
            .at_least_one("width_per_group", self.width_per_group)
            .at_least_one("stem", self.stem)
            .must_be(wide, "width_per_group", self.width_per_group, "enough for a channel a group")
            .rate("dropout", self.dropout)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    /// Channels inside a bottleneck of stage 0 to 3.
    fn inner(&self, stage: u32) -> i64 {
        self.stem * 2_i64.pow(stage) * self.width_per_group / 64 * self.groups
    }

    /// A convolution and batch norm, with a ReLU if asked for.
    fn conv(
        &self,
        scope: &mut Scope<'_>,
        names: [&str; 2],
        conv: ConvConfig,
        relu: bool,
    ) -> ConvNorm {
        let conv = ConvConfig { padding: Padding::Symmetric(conv.kernel / 2), ..conv };
        let activation = if relu { Activation::LeakyRelu(0.0) } else { Activation::None };
        let (momentum, eps) = (self.bn_momentum, self.bn_eps);
        ConvNorm::new(scope, names, ConvNormConfig { conv, momentum, eps, activation })
    }
}

/// 1×1, 3×3 and 1×1 convolutions around a shortcut.
struct Bottleneck {
    convs: [ConvNorm; 3],
    downsample: Option<ConvNorm>,
}

impl Bottleneck {
    fn new(
        scope: &mut Scope<'_>,
        config: &ResNetConfig,
        [inputs, inner, outputs]: [i64; 3],
        stride: i64,
    ) -> Self {
        let middle = ConvConfig { groups: config.groups, ..ConvConfig::new(inner, inner, 3) };
        let first = ConvConfig::new(inputs, inner, 1);
        let first = config.conv(scope, ["conv1", "bn1"], first, true);
        let second = config.conv(scope, ["conv2", "bn2"], middle.stride(stride), true);
        let third = ConvConfig::new(inner, outputs, 1);
        let third = config.conv(scope, ["conv3", "bn3"], third, true);
        let downsample = (stride != 1 || inputs != outputs).then(|| {
            let conv = ConvConfig::new(inputs, outputs, 1).stride(stride);
            config.conv(&mut scope.sub("downsample"), ["0", "1"], conv, false)
        });
        Self { convs: [first, second, third], downsample }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let [first, second, third] = &self.convs;
        let h = second.forward(&first.forward(x, mode), mode);
        let rest = match &self.downsample {
            Some(conv) => conv.forward(x, mode),
            None => x.shallow_clone(),
        };
        third.forward_residual(&h, &rest, None, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let [first, second, third] = &self.convs;
        let h = first.graph(graph, x, None);
        let h = second.graph(graph, h, None);
        let rest = self.downsample.as_ref().map_or(x, |conv| conv.graph(graph, x, None));
        third.graph(graph, h, Some(rest))
    }
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct ResNet {
    stem: ConvNorm,
    blocks: [Vec<Bottleneck>; 4],
    fc: Linear,
    dropout: f64,
}

impl ResNet {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), the
    /// linear layer uniformly from ±1/√inputs.
    pub fn new(
        scope: &mut Scope<'_>,
        config: &ResNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let stem = ConvConfig::new(channels_in, config.stem, 7).stride(2);
        let stem = config.conv(scope, ["conv1", "bn1"], stem, true);
        scope.end_stage();
        let (mut blocks, mut inputs) = ([0; 4].map(|_| Vec::new()), config.stem);
        for ((stage, &count), blocks) in (0_u32..).zip(&config.layers).zip(&mut blocks) {
            let outputs = 4 * config.stem * 2_i64.pow(stage);
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let mut scope = scope.sub(format!("layer{}.{block}", stage + 1));
                let widths = [inputs, config.inner(stage), outputs];
                blocks.push(Bottleneck::new(&mut scope, config, widths, stride));
                inputs = outputs;
            }
            scope.end_stage();
        }
        let init = Init::Uniform { bound: 1.0 / (inputs as f64).sqrt() };
        let fc = Linear::with_init(&mut scope.sub("fc"), inputs, classes, init);
        Self { stem, blocks, fc, dropout: config.dropout }
    }
}

impl Features for ResNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The stem with its pooling, and `layer1` to `layer4`.
    fn stages(&self) -> usize {
        5
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| match stage {
            0 => {
                let x = self.stem.forward(&x, mode);
                x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)
            }
            _ => self.blocks[stage - 1].iter().fold(x, |x, block| block.forward(&x, mode)),
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.forward_stages(x, stage..self.stages(), mode);
        dropout(&global_average_pool(&x), self.dropout, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        let x = self.stem.graph(graph, x, None);
        let x = graph.push(Operation::MaxPool { kernel: 3, stride: 2, padding: 1 }, &[x]);
        let x = self.blocks.iter().flatten().fold(x, |x, block| block.graph(graph, x));
        Some(global_average_graph(graph, x))
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}
