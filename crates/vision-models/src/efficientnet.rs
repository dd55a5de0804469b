//! EfficientNet B0 to B8 and L2 (Tan & Le, arXiv 1905.11946; L2: Xie et al., arXiv 1911.04252), and
//! EfficientNet-Lite0 to Lite4.
//!
//! A strided 3×3 stem, seven stages of inverted residual blocks with squeeze-and-excitation and
//! swish, a 1×1 head, average pooling, dropout and one linear layer. B0 is one table; the others
//! multiply its widths and repeats. Padding is TensorFlow's SAME unless `symmetric_padding` asks
//! for that of PyTorch's code bases. Tensors are named as in timm: `conv_stem`, `bn1`,
//! `blocks.S.B.…`, `conv_head`, `bn2`, `classifier`.
//!
//! The Lite nets are made for inference on small machines: ReLU6 in place of swish, no
//! squeeze-and-excitation, and stem, head and the repeats of the first and last stage are B0's in
//! all sizes (`efficientnet_lite_builder.py` of tensorflow/tpu).

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Graph, Operation, Value};
use torch::nn::{
    Activation, Conv2d, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
    global_average_graph, global_average_pool, survival,
};
use torch::{ConfigError, Faults, Features, Mode, Scope, Tensor};

/// Weight of a new batch in batch norm's running statistics: 1 minus TensorFlow's decay of 0.99.
const BN_MOMENTUM: f64 = 0.01;
/// What TensorFlow's code adds to variances.
const BN_EPS: f64 = 1e-3;

/// The published sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Variant {
    B0,
    B1,
    B2,
    B3,
    B4,
    B5,
    B6,
    B7,
    B8,
    L2,
    Lite0,
    Lite1,
    Lite2,
    Lite3,
    Lite4,
}

impl Variant {
    /// Every size, the smallest first; then the Lite nets, again the smallest first.
    pub const ALL: [Variant; 15] = {
        use Variant::*;
        [B0, B1, B2, B3, B4, B5, B6, B7, B8, L2, Lite0, Lite1, Lite2, Lite3, Lite4]
    };

    /// Factor on B0's widths, factor on its repeats, side of the training images in pixels,
    /// dropout.
    fn row(self) -> (f64, f64, i64, f64) {
        match self {
            Variant::B0 => (1.0, 1.0, 224, 0.2),
            Variant::B1 => (1.0, 1.1, 240, 0.2),
            Variant::B2 => (1.1, 1.2, 260, 0.3),
            Variant::B3 => (1.2, 1.4, 300, 0.3),
            Variant::B4 => (1.4, 1.8, 380, 0.4),
            Variant::B5 => (1.6, 2.2, 456, 0.4),
            Variant::B6 => (1.8, 2.6, 528, 0.5),
            Variant::B7 => (2.0, 3.1, 600, 0.5),
            Variant::B8 => (2.2, 3.6, 672, 0.5),
            Variant::L2 => (4.3, 5.3, 800, 0.5),
            Variant::Lite0 => (1.0, 1.0, 224, 0.2),
            Variant::Lite1 => (1.0, 1.1, 240, 0.2),
            Variant::Lite2 => (1.1, 1.2, 260, 0.3),
            Variant::Lite3 => (1.2, 1.4, 280, 0.3),
            Variant::Lite4 => (1.4, 1.8, 300, 0.3),
        }
    }

    /// Whether it is one of the Lite nets.
    pub fn is_lite(self) -> bool {
        use Variant::*;
        matches!(self, Lite0 | Lite1 | Lite2 | Lite3 | Lite4)
    }

    /// The name that recipes and, behind `efficientnet_`, timm have: `b0`, `lite0`.
    pub fn name(self) -> &'static str {
        match self {
            Variant::B0 => "b0",
            Variant::B1 => "b1",
            Variant::B2 => "b2",
            Variant::B3 => "b3",
            Variant::B4 => "b4",
            Variant::B5 => "b5",
            Variant::B6 => "b6",
            Variant::B7 => "b7",
            Variant::B8 => "b8",
            Variant::L2 => "l2",
            Variant::Lite0 => "lite0",
            Variant::Lite1 => "lite1",
            Variant::Lite2 => "lite2",
            Variant::Lite3 => "lite3",
            Variant::Lite4 => "lite4",
        }
    }

    /// Side in pixels of the square images this size is meant for (L2 was trained at 475 before its
    /// last epochs; timm's copies of Lite3 and Lite4 are set to 300 and 380). The network itself
    /// takes any size.
    pub fn resolution(self) -> i64 {
        self.row().2
    }
}

/// An EfficientNet.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `variant` | `b0` | the published size | `b0` to `b8`, `l2`, `lite0` to `lite4` |
/// | `small_image` | false | stages 2 and 3 keep their resolution, for 32×32 images | |
/// | `dropout` | the variant's, 0.2 to 0.5 | dropout before the linear layer | \[0, 1) |
/// | `stochastic_depth` | 0.2 | block i of N drops its residual branch at the rate i/N of it | \[0, 1) |
/// | `width` | the variant's, 1 to 4.3 | factor on B0's channels (Lite: but for stem and head) | > 0 |
/// | `depth` | the variant's, 1 to 5.3 | factor on B0's repeats (Lite: but for the first and last stage) | > 0 |
/// | `symmetric_padding` | false | strided convolutions padded by half the kernel on every side (PyTorch: timm's `efficientnet_*`, torchvision) instead of TensorFlow's SAME (timm's `tf_efficientnet_*`) | |
/// | `bn_eps` | 0.001 | added to variances; 0.00001 in timm's `efficientnet_*` and in torchvision's B0 to B4 | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EfficientNetConfig {
    /// The published size.
    pub variant: Variant,
    /// Whether stages 2 and 3 keep their resolution.
    pub small_image: bool,
    /// Dropout before the linear layer; `None` is the variant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Block i of N drops its residual branch at the rate i/N of this.
    pub stochastic_depth: f64,
    /// Factor on B0's channels; `None` is the variant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// Factor on B0's repeats; `None` is the variant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// Whether strided convolutions are padded by half the kernel on every side.
    #[serde(skip_serializing_if = "is_tensorflows_padding")]
    pub symmetric_padding: bool,
    /// Added to variances.
    #[serde(skip_serializing_if = "is_tensorflows_eps")]
    pub bn_eps: f64,
}

// Recipes are written as before these keys were there, so that unfinished runs are found.
fn is_tensorflows_padding(symmetric: &bool) -> bool {
    !symmetric
}

fn is_tensorflows_eps(eps: &f64) -> bool {
    *eps == BN_EPS
}

impl Default for EfficientNetConfig {
    fn default() -> Self {
        Self::new(Variant::B0)
    }
}

/// One stage of B0: repeats, kernel, stride, expansion of the inner width, channels out.
type Stage = (i64, i64, i64, i64, i64);

const STAGES: [Stage; 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

impl EfficientNetConfig {
    /// A published size with its own dropout.
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            small_image: false,
            dropout: None,
            stochastic_depth: 0.2,
            width: None,
            depth: None,
            symmetric_padding: false,
            bn_eps: BN_EPS,
        }
    }

    /// A published size as timm's `efficientnet_*` have it, without `tf_` before the name: padded
    /// on every side, with PyTorch's eps of batch norm.
    pub fn symmetric(variant: Variant) -> Self {
        Self { symmetric_padding: true, bn_eps: 1e-5, ..Self::new(variant) }
    }

    /// B0 for 32×32 images, as in Noisy Student's SVHN experiment.
    pub fn b0_small_image() -> Self {
        Self { small_image: true, ..Self::new(Variant::B0) }
    }

    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        faults.rate("dropout", self.dropout()).rate("stochastic_depth", self.stochastic_depth);
        for (key, factor) in [("width", self.width()), ("depth", self.depth())] {
            faults.must_be(factor > 0.0 && factor <= 64.0, key, factor, "in (0, 64]");
        }
        faults.positive("bn_eps", self.bn_eps).done()
    }

    /// The dropout before the linear layer: the key's, else the variant's.
    pub fn dropout(&self) -> f64 {
        self.dropout.unwrap_or(self.variant.row().3)
    }

    fn width(&self) -> f64 {
        self.width.unwrap_or(self.variant.row().0)
    }

    fn depth(&self) -> f64 {
        self.depth.unwrap_or(self.variant.row().1)
    }

    /// B0's `channels` times the width, to the nearest multiple of 8 that is not more than a tenth
    /// below.
    fn channels(&self, channels: i64) -> i64 {
        let wide = channels as f64 * self.width();
        let rounded = ((wide + 4.0) as i64 / 8 * 8).max(8);
        if (rounded as f64) < 0.9 * wide { rounded + 8 } else { rounded }
    }

    /// Channels of stem and head, where B0 has this many.
    fn ends(&self, channels: i64) -> i64 {
        if self.variant.is_lite() { channels } else { self.channels(channels) }
    }

    /// Blocks of a stage, the first of which is 0.
    fn repeats(&self, stage: usize) -> i64 {
        let repeats = STAGES[stage].0;
        let fixed = self.variant.is_lite() && (stage == 0 || stage == STAGES.len() - 1);
        if fixed { repeats } else { (repeats as f64 * self.depth()).ceil() as i64 }
    }

    fn layers(&self) -> Layers {
        let activation = if self.variant.is_lite() { Activation::Relu6 } else { Activation::Swish };
        Layers { symmetric: self.symmetric_padding, eps: self.bn_eps, activation }
    }
}

/// What all layers of a network share.
#[derive(Clone, Copy)]
struct Layers {
    symmetric: bool,
    eps: f64,
    activation: Activation,
}

impl Layers {
    /// A convolution and batch norm, without an activation.
    fn linear(self, scope: &mut Scope<'_>, names: [&str; 2], conv: ConvConfig) -> ConvNorm {
        Self { activation: Activation::None, ..self }.conv_norm(scope, names, conv)
    }

    /// A convolution, batch norm and the activation.
    fn conv_norm(self, scope: &mut Scope<'_>, names: [&str; 2], conv: ConvConfig) -> ConvNorm {
        let Self { symmetric, eps, activation } = self;
        let padding = if symmetric { Padding::Symmetric(conv.kernel / 2) } else { Padding::Same };
        let conv = ConvConfig { padding, ..conv };
        ConvNorm::new(scope, names, ConvNormConfig { conv, momentum: BN_MOMENTUM, eps, activation })
    }
}

/// Squeeze-and-excitation (Hu et al., arXiv 1709.01507): each channel times a factor computed from
/// all channels' means.
struct SqueezeExcite {
    reduce: Conv2d,
    expand: Conv2d,
}

impl SqueezeExcite {
    fn new(scope: &mut Scope<'_>, channels: i64, squeezed: i64) -> Self {
        let reduce = ConvConfig::new(channels, squeezed, 1).with_bias();
        let expand = ConvConfig::new(squeezed, channels, 1).with_bias();
        Self {
            reduce: Conv2d::new(&mut scope.sub("conv_reduce"), reduce),
            expand: Conv2d::new(&mut scope.sub("conv_expand"), expand),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mean = x.mean_dim([2, 3].as_slice(), true, None);
        x * self.expand.forward(&self.reduce.forward(&mean).silu()).sigmoid()
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let mean = graph.push(Operation::Mean, &[x]);
        let reduced = self.reduce.graph(graph, mean);
        let reduced = Activation::Swish.graph(graph, reduced);
        let expanded = self.expand.graph(graph, reduced);
        let gate = graph.push(Operation::Sigmoid, &[expanded]);
        graph.push(Operation::Mul, &[x, gate])
    }
}

/// An inverted residual block: expand, filter each channel, squeeze and excite, project.
struct Block {
    /// Missing where the inner width is the input's (stage 0).
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    /// Missing in Lite nets.
    se: Option<SqueezeExcite>,
    project: ConvNorm,
    /// The rate at which the branch is dropped, if there is an identity beside it.
    residual: Option<f64>,
}

/// The shape of one block.
struct BlockConfig {
    inputs: i64,
    outputs: i64,
    kernel: i64,
    stride: i64,
    expansion: i64,
    drop: f64,
    layers: Layers,
}

impl Block {
    fn new(scope: &mut Scope<'_>, config: BlockConfig) -> Self {
        let BlockConfig { inputs, outputs, kernel, stride, expansion, drop, layers } = config;
        let inner = inputs * expansion;
        let filter = ConvConfig::depthwise(inner, kernel).stride(stride);
        let project = ConvConfig::new(inner, outputs, 1);
        let (expand, dw_names, project_names) = if expansion == 1 {
            (None, ["conv_dw", "bn1"], ["conv_pw", "bn2"])
        } else {
            let expand = ConvConfig::new(inputs, inner, 1);
            let expand = layers.conv_norm(scope, ["conv_pw", "bn1"], expand);
            (Some(expand), ["conv_dw", "bn2"], ["conv_pwl", "bn3"])
        };
        Self {
            expand,
            depthwise: layers.conv_norm(scope, dw_names, filter),
            se: (layers.activation == Activation::Swish)
                .then(|| SqueezeExcite::new(&mut scope.sub("se"), inner, (inputs / 4).max(1))),
            project: layers.linear(scope, project_names, project),
            residual: (stride == 1 && inputs == outputs).then_some(drop),
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let h = match &self.expand {
            Some(expand) => self.depthwise.forward(&expand.forward(x, mode), mode),
            None => self.depthwise.forward(x, mode),
        };
        let h = match &self.se {
            Some(se) => se.forward(&h),
            None => h,
        };
        match self.residual {
            Some(rate) => {
                self.project.forward_residual(&h, x, survival(x, rate, mode).as_ref(), mode)
            }
            None => self.project.forward(&h, mode),
        }
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let h = self.expand.as_ref().map_or(x, |expand| expand.graph(graph, x, None));
        let h = self.depthwise.graph(graph, h, None);
        let h = self.se.as_ref().map_or(h, |se| se.graph(graph, h));
        self.project.graph(graph, h, self.residual.map(|_| x))
    }
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct EfficientNet {
    stem: ConvNorm,
    blocks: [Vec<Block>; 7],
    head: ConvNorm,
    classifier: Linear,
    dropout: f64,
}

impl EfficientNet {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), depthwise
    /// ones from N(0, 2 / k²), the linear layer uniformly from ±1/√classes.
    pub fn new(
        scope: &mut Scope<'_>,
        config: &EfficientNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let mut inputs = config.ends(32);
        let layers = config.layers();
        let stem = ConvConfig::new(channels_in, inputs, 3).stride(2);
        let stem = layers.conv_norm(scope, ["conv_stem", "bn1"], stem);
        scope.end_stage();
        let all: i64 = (0..STAGES.len()).map(|s| config.repeats(s)).sum();
        let (mut blocks, mut before) = (STAGES.map(|_| Vec::new()), 0);
        for (s, &(_, kernel, stride, expansion, channels)) in STAGES.iter().enumerate() {
            let outputs = config.channels(channels);
            for b in 0..config.repeats(s) {
                // The paper counts stages from 1: its stages 2 and 3 are the second and third row
                // of the table.
                let keeps_size = b > 0 || (config.small_image && (s == 1 || s == 2));
                let stride = if keeps_size { 1 } else { stride };
                let drop = config.stochastic_depth * f64::from(before) / all as f64;
                let block =
                    BlockConfig { inputs, outputs, kernel, stride, expansion, drop, layers };
                blocks[s].push(Block::new(&mut scope.sub(format!("blocks.{s}.{b}")), block));
                inputs = outputs;
                before += 1;
            }
            scope.end_stage();
        }
        let features = config.ends(1280);
        let head = ConvConfig::new(inputs, features, 1);
        let head = layers.conv_norm(scope, ["conv_head", "bn2"], head);
        scope.end_stage();
        Self {
            stem,
            blocks,
            head,
            classifier: Linear::new(&mut scope.sub("classifier"), features, classes),
            dropout: config.dropout(),
        }
    }
}

impl Features for EfficientNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The paper's: the stem, seven stages of blocks, the head's convolution.
    fn stages(&self) -> usize {
        9
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| match stage {
            0 => self.stem.forward(&x, mode),
            8 => self.head.forward(&x, mode),
            _ => self.blocks[stage - 1].iter().fold(x, |x, block| block.forward(&x, mode)),
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.forward_stages(x, stage..self.stages(), mode);
        dropout(&global_average_pool(&x), self.dropout, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        let x = self.stem.graph(graph, x, None);
        let x = self.blocks.iter().flatten().fold(x, |x, block| block.graph(graph, x));
        let x = self.head.graph(graph, x, None);
        Some(global_average_graph(graph, x))
    }

    fn classifier(&self) -> &Linear {
        &self.classifier
    }
}

#[cfg(test)]
mod tests {
    use torch::Params;

    use super::*;

    #[test]
    fn branches_are_dropped_at_rates_that_rise_with_the_block() {
        let config = EfficientNetConfig::default();
        let mut rates = Vec::new();
        let _ = Params::outline(|scope| {
            let net = EfficientNet::new(scope, &config, 3, 10);
            rates.extend(net.blocks.iter().flatten().map(|block| block.residual));
        });
        // B0's blocks with an identity beside the branch, of 16.
        let with_identity = [2, 4, 6, 7, 9, 10, 12, 13, 14];
        assert_eq!(rates.len(), 16);
        for (i, rate) in rates.into_iter().enumerate() {
            let expected = with_identity.contains(&i).then_some(0.2 * i as f64 / 16.0);
            assert_eq!(rate, expected, "block {i}");
        }
    }
}
