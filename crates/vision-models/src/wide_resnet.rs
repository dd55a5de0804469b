//! Wide residual networks (Zagoruyko & Komodakis, arXiv 1605.07146) as semi-supervised papers use
//! them.
//!
//! WRN-d-k has a 3×3 stem of 16 channels, three groups of n = (d - 4) / 6 pre-activation blocks
//! with 16k, 32k and 64k channels (the second and third group halve the image), batch norm, leaky
//! ReLU, average pooling and one linear layer.
//!
//! The default is FixMatch's form without convolution biases: in the very first block the shortcut,
//! too, takes the normalised and activated input. The options are what other code bases do
//! differently. Tensors are named as in kekmodel/FixMatch-pytorch: `conv1`,
//! `block1.layer.0.{bn1,conv1,bn2,conv2,convShortcut}`, `bn1`, `fc`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Graph, Operation, Value};
use torch::nn::{
    Activation, BatchNorm, Conv2d, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
};
use torch::{ConfigError, Faults, Features, Init, Mode, Scope, Tensor};

/// A wide residual network.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `depth` | 28 | number of layers, 6n + 4 for n blocks a group | 10, 16, 22, 28, … |
/// | `width` | 2 | channels of the first group as a multiple of 16; a fraction is rounded to whole channels | > 0 |
/// | `dropout` | 0 | dropout between the two convolutions of a block | \[0, 1) |
/// | `leaky` | 0.1 | slope of the activation below 0; 0 is ReLU | ≥ 0 |
/// | `bn_momentum` | 0.001 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.001 | added to variances | > 0 |
/// | `conv_bias` | false | biases in all convolutions, as TensorFlow's layers have (FixMatch, MixMatch) | |
/// | `symmetric_padding` | false | stride-2 convolutions padded by 1 on every side (PyTorch) instead of TensorFlow's SAME | |
/// | `shortcuts` | fixmatch | `fixmatch`, `raw` or `pooled`: [`Shortcuts`] | |
/// | `raw_transitions` | false | the first block of groups 2 and 3 convolves its raw input, whose `bn1` is then never used (a quirk of kekmodel's FixMatch and of USB) | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WideResNetConfig {
    /// Number of layers, 6n + 4.
    pub depth: i64,
    /// Channels of the first group as a multiple of 16.
    pub width: f64,
    /// Dropout between the two convolutions of a block.
    pub dropout: f64,
    /// Slope of the activation below 0.
    pub leaky: f64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
    /// Whether all convolutions have biases.
    pub conv_bias: bool,
    /// Whether stride-2 convolutions are padded by 1 on every side.
    pub symmetric_padding: bool,
    /// What runs around the blocks.
    pub shortcuts: Shortcuts,
    /// Whether the first block of groups 2 and 3 convolves its raw input.
    pub raw_transitions: bool,
}

/// What runs around the blocks of a wide residual network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shortcuts {
    /// FixMatch's code: a 1×1 convolution where the width changes; in the very first block it takes
    /// the normalised and activated input.
    #[default]
    Fixmatch,
    /// UDA's code of February 2020: the same, from the raw input in the first block, too.
    Raw,
    /// UDA's code of October 2019: averages of 2×2 pixels and empty channels, half of them before
    /// the others, where the width changes; the first block as in FixMatch's. Around each group and
    /// around all three runs one more. There is nothing to be trained in them; the network is in
    /// one piece, without stages, and is not exported as a graph.
    Pooled,
}

impl Default for WideResNetConfig {
    fn default() -> Self {
        Self {
            depth: 28,
            width: 2.0,
            dropout: 0.0,
            leaky: 0.1,
            bn_momentum: 0.001,
            bn_eps: 1e-3,
            conv_bias: false,
            symmetric_padding: false,
            shortcuts: Shortcuts::Fixmatch,
            raw_transitions: false,
        }
    }
}

impl WideResNetConfig {
    /// WRN-`depth`-`width`.
    pub fn new(depth: i64, width: f64) -> Self {
        Self { depth, width, ..Self::default() }
    }

    /// WRN-28-2: CIFAR-10 and SVHN in most papers (1.5 million parameters).
    pub fn wrn28_2() -> Self {
        Self::new(28, 2.0)
    }

    /// WRN-28-8: CIFAR-100 in FixMatch (23.4 million parameters).
    pub fn wrn28_8() -> Self {
        Self::new(28, 8.0)
    }

    /// WRN-28-10, the size of the original paper (36.5 million parameters).
    pub fn wrn28_10() -> Self {
        Self::new(28, 10.0)
    }

    /// WRN-28 with 135 filters and biases: the 26-million net of MixMatch.
    pub fn mixmatch_26m() -> Self {
        Self { conv_bias: true, ..Self::new(28, 135.0 / 16.0) }
    }

    /// WRN-16-2, with half the blocks of WRN-28-2.
    pub fn wrn16_2() -> Self {
        Self::new(16, 2.0)
    }

    /// WRN-10-1: the smallest, one block a group.
    pub fn wrn10_1() -> Self {
        Self::new(10, 1.0)
    }

    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let depth = self.depth >= 10 && self.depth % 6 == 4;
        let width = self.width.is_finite() && self.channels(0) >= 1;
        let even = self.channels(0) >= 16 && self.channels(0) % 2 == 0;
        let pooled = self.shortcuts == Shortcuts::Pooled;
        let allowed = "at least 1 and a multiple of 1/8, which shortcuts = \"pooled\" needs";
        Faults::default()
            .must_be(depth, "depth", self.depth, "6n + 4, as 10, 16, 22, 28, 40")
            .must_be(width, "width", self.width, "at least 1/16")
            .must_be(!pooled || even, "width", self.width, allowed)
            .rate("dropout", self.dropout)
            .fraction("leaky", self.leaky)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    /// Channels of group 0, 1 or 2.
    fn channels(&self, group: u32) -> i64 {
        (16.0 * self.width).round() as i64 * 2_i64.pow(group)
    }

    fn conv(&self, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> ConvConfig {
        let conv = ConvConfig::new(inputs, outputs, kernel).stride(stride);
        let padding =
            if self.symmetric_padding { Padding::Symmetric(kernel / 2) } else { Padding::Same };
        ConvConfig { padding, bias: self.conv_bias, ..conv }
    }

    fn batch_norm(&self, scope: &mut Scope<'_>, channels: i64) -> BatchNorm {
        BatchNorm::new(scope, channels, self.bn_momentum, self.bn_eps)
    }
}

/// Two convolutions, each after batch norm and activation, around a shortcut.
struct Block {
    bn1: BatchNorm,
    conv1: ConvNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
    /// The stride and channels of a pooled shortcut.
    pooled: Option<[i64; 2]>,
    input: Input,
    leaky: f64,
    dropout: f64,
}

/// What the two paths of a block start from.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    /// Both from the activated input: the first block of the net.
    Activated,
    /// The convolutions from the activated input, the shortcut from the raw one.
    Mixed,
    /// Both from the raw input.
    Raw,
}

impl Block {
    fn new(
        scope: &mut Scope<'_>,
        config: &WideResNetConfig,
        [inputs, outputs]: [i64; 2],
        stride: i64,
        input: Input,
    ) -> Self {
        let pooled = config.shortcuts == Shortcuts::Pooled;
        let shortcut = inputs != outputs;
        let &WideResNetConfig { leaky, dropout, bn_momentum: momentum, bn_eps: eps, .. } = config;
        let (conv, activation) =
            (config.conv(inputs, outputs, 3, stride), Activation::LeakyRelu(leaky));
        let conv1 = ConvNormConfig { conv, momentum, eps, activation };
        Self {
            bn1: config.batch_norm(&mut scope.sub("bn1"), inputs),
            conv1: ConvNorm::new(scope, ["conv1", "bn2"], conv1),
            conv2: Conv2d::new(&mut scope.sub("conv2"), config.conv(outputs, outputs, 3, 1)),
            pooled: (shortcut && pooled).then_some([stride, outputs]),
            shortcut: (shortcut && !pooled).then(|| {
                let conv = config.conv(inputs, outputs, 1, stride);
                Conv2d::new(&mut scope.sub("convShortcut"), conv)
            }),
            input,
            leaky,
            dropout,
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let activated = match self.input {
            Input::Raw => x.shallow_clone(),
            _ => self.bn1.forward_relu(x, self.leaky, mode),
        };
        let h = self.conv1.forward(&activated, mode);
        let h = self.conv2.forward(&dropout(&h, self.dropout, mode));
        let x = if self.input == Input::Mixed { x } else { &activated };
        match (&self.shortcut, self.pooled) {
            (Some(conv), _) => h + conv.forward(x),
            (None, Some([stride, channels])) => h + pooled(x, stride, channels),
            (None, None) => h + x,
        }
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let activated = match self.input {
            Input::Raw => x,
            _ => self.bn1.graph_relu(graph, x, self.leaky),
        };
        let h = self.conv1.graph(graph, activated, None);
        let h = self.conv2.graph(graph, h);
        let x = if self.input == Input::Mixed { x } else { activated };
        let x = self.shortcut.as_ref().map_or(x, |conv| conv.graph(graph, x));
        graph.push(Operation::Add, &[h, x])
    }
}

/// The means of `side`×`side` pixels (of those that there are, at an odd edge), with empty channels
/// before and after the others.
fn pooled(x: &Tensor, side: i64, channels: i64) -> Tensor {
    let window = [side, side];
    let x = x.avg_pool2d(window, window, [0, 0], true, false, None::<i64>);
    let empty = (channels - x.size()[1]) / 2;
    x.constant_pad_nd([0, 0, 0, 0, empty, empty])
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct WideResNet {
    stem: Conv2d,
    blocks: [Vec<Block>; 3],
    bn: BatchNorm,
    fc: Linear,
    leaky: f64,
    /// Whether pooled shortcuts run around the groups.
    skips: bool,
}

impl WideResNet {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), the
    /// linear layer from N(0, 2 / (inputs + outputs)) (Glorot normal), with UDA's shortcuts
    /// uniformly from ±1/√outputs, as in its code.
    pub fn new(
        scope: &mut Scope<'_>,
        config: &WideResNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let stem = Conv2d::new(&mut scope.sub("conv1"), config.conv(channels_in, 16, 3, 1));
        let skips = config.shortcuts == Shortcuts::Pooled;
        let end_stage = |scope: &mut Scope<'_>| {
            if !skips {
                scope.end_stage();
            }
        };
        end_stage(scope);
        let mut blocks = [0; 3].map(|_| Vec::new());
        let mut inputs = 16;
        for (group, blocks) in (0..3).zip(&mut blocks) {
            let outputs = config.channels(group);
            for i in 0..(config.depth - 4) / 6 {
                let (stride, input) = match (group, i) {
                    (0, 0) if config.shortcuts == Shortcuts::Raw => (1, Input::Mixed),
                    (0, 0) => (1, Input::Activated),
                    (_, 0) if config.raw_transitions => (2, Input::Raw),
                    (_, 0) => (2, Input::Mixed),
                    _ => (1, Input::Mixed),
                };
                let mut scope = scope.sub(format!("block{}.layer.{i}", group + 1));
                blocks.push(Block::new(&mut scope, config, [inputs, outputs], stride, input));
                inputs = outputs;
            }
            if group < 2 {
                end_stage(scope);
            }
        }
        let bn = config.batch_norm(&mut scope.sub("bn1"), inputs);
        end_stage(scope);
        let init = match config.shortcuts {
            Shortcuts::Fixmatch => Init::Normal { std: (2.0 / (inputs + classes) as f64).sqrt() },
            _ => Init::Uniform { bound: 1.0 / (classes as f64).sqrt() },
        };
        Self {
            stem,
            blocks,
            bn,
            fc: Linear::with_init(&mut scope.sub("fc"), inputs, classes, init),
            leaky: config.leaky,
            skips,
        }
    }

    /// With pooled shortcuts around each group and around all of them.
    fn forward_with_skips(&self, x: &Tensor, mode: Mode) -> Tensor {
        let stem = self.stem.forward(x);
        let mut x = stem.shallow_clone();
        for (blocks, side) in self.blocks.iter().zip([1, 2, 2]) {
            let h = blocks.iter().fold(x.shallow_clone(), |x, block| block.forward(&x, mode));
            x = pooled(&x, side, h.size()[1]) + h;
        }
        let x = pooled(&stem, 4, x.size()[1]) + x;
        self.bn.forward_relu(&x, self.leaky, mode)
    }
}

impl Features for WideResNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The stem and the three groups, the last one with batch norm and activation behind it; none
    /// where shortcuts run around the groups.
    fn stages(&self) -> usize {
        if self.skips { 0 } else { 4 }
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        assert!(stages.end <= self.stages(), "a network of {} stages", self.stages());
        stages.fold(x.shallow_clone(), |x, stage| {
            if stage == 0 {
                return self.stem.forward(&x);
            }
            let x = self.blocks[stage - 1].iter().fold(x, |x, block| block.forward(&x, mode));
            if stage == 3 { self.bn.forward_relu(&x, self.leaky, mode) } else { x }
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        if self.skips {
            assert_eq!(stage, 0, "a network in one piece has no stage {stage}");
            return torch::nn::global_average_pool(&self.forward_with_skips(x, mode));
        }
        torch::nn::global_average_pool(&self.forward_stages(x, stage..self.stages(), mode))
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        if self.skips {
            return None;
        }
        let x = self.stem.graph(graph, x);
        let x = self.blocks.iter().flatten().fold(x, |x, block| block.graph(graph, x));
        let x = self.bn.graph_relu(graph, x, self.leaky);
        Some(torch::nn::global_average_graph(graph, x))
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}
