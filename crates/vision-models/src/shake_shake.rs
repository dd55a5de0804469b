//! Shake-Shake (Gastaldi 2017, arXiv 1705.07485): residual networks of two branches that are mixed
//! at random, and mixed differently for the gradient.
//!
//! Shake-Shake 26 2×kd has a 3×3 stem of 16 channels with batch norm, three stages of four blocks
//! with k, 2k and 4k channels, ReLU, average pooling and one linear layer. In training each image
//! mixes its branches by two random numbers of sum 1, and the gradient flows by two others, drawn
//! independently (UDA's form: each pair is two uniform numbers divided by their sum); without the
//! model's noise each branch has one half. Convolutions pad as TensorFlow's SAME, as in UDA's code
//! (Gastaldi's pads one row on every side). Tensors are named `stem.{conv,bn}`,
//! `stages.S.B.{0,1}.{conv1,bn1,conv2,bn2}`, `stages.S.0.shortcut.{conv1,conv2,bn}`, `fc`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::nn::{
    Activation, BatchNorm, Conv2d, ConvConfig, ConvNorm, ConvNormConfig, Linear,
    global_average_pool,
};
use torch::{ConfigError, Faults, Features, Init, Mode, NoisyRows, Scope, Tensor};

/// A Shake-Shake network.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `width` | 96 | k, channels of the first stage: 32, 96 and 112 have been published | even, ≥ 2 |
/// | `blocks` | 4 | blocks a stage | ≥ 1 |
/// | `bn_momentum` | 0.1 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShakeShakeConfig {
    /// Channels of the first stage.
    pub width: i64,
    /// Blocks a stage.
    pub blocks: i64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for ShakeShakeConfig {
    fn default() -> Self {
        Self { width: 96, blocks: 4, bn_momentum: 0.1, bn_eps: 1e-5 }
    }
}

impl ShakeShakeConfig {
    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let even = self.width >= 2 && self.width % 2 == 0;
        Faults::default()
            .must_be(even, "width", self.width, "an even number from 2 on")
            .at_least_one("blocks", self.blocks)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    fn conv(
        scope: &mut Scope<'_>,
        name: &str,
        channels: [i64; 2],
        kernel: i64,
        stride: i64,
    ) -> Conv2d {
        let [inputs, outputs] = channels;
        let config = ConvConfig::new(inputs, outputs, kernel).stride(stride);
        Conv2d::new(&mut scope.sub(name), config)
    }

    /// A 3×3 convolution and batch norm.
    fn conv_norm(
        &self,
        scope: &mut Scope<'_>,
        names: [&str; 2],
        [inputs, outputs]: [i64; 2],
        stride: i64,
    ) -> ConvNorm {
        let conv = ConvConfig::new(inputs, outputs, 3).stride(stride);
        let (momentum, eps) = (self.bn_momentum, self.bn_eps);
        let activation = Activation::None;
        ConvNorm::new(scope, names, ConvNormConfig { conv, momentum, eps, activation })
    }

    fn norm(&self, scope: &mut Scope<'_>, name: &str, channels: i64) -> BatchNorm {
        BatchNorm::new(&mut scope.sub(name), channels, self.bn_momentum, self.bn_eps)
    }
}

/// ReLU, convolution, batch norm, twice.
struct Branch {
    convs: [ConvNorm; 2],
}

impl Branch {
    fn new(
        scope: &mut Scope<'_>,
        config: &ShakeShakeConfig,
        [inputs, outputs]: [i64; 2],
        stride: i64,
    ) -> Self {
        let first = config.conv_norm(scope, ["conv1", "bn1"], [inputs, outputs], stride);
        let second = config.conv_norm(scope, ["conv2", "bn2"], [outputs, outputs], 1);
        Self { convs: [first, second] }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.convs.iter().fold(x.shallow_clone(), |x, conv| conv.forward(&x.relu(), mode))
    }
}

/// Two paths side by side that take every second pixel, one of them shifted by a pixel.
struct Shortcut {
    convs: [Conv2d; 2],
    norm: BatchNorm,
    stride: i64,
}

impl Shortcut {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let every =
            |x: &Tensor| x.slice(2, None, None, self.stride).slice(3, None, None, self.stride);
        // One pixel further to the right and down, zeros coming in.
        let (h, w) = (x.size()[2], x.size()[3]);
        let further = x.narrow(2, 1, h - 1).narrow(3, 1, w - 1).constant_pad_nd([0, 1, 0, 1]);
        let paths = [self.convs[0].forward(&every(x)), self.convs[1].forward(&every(&further))];
        self.norm.forward(&Tensor::cat(&paths, 1), mode)
    }
}

struct Block {
    branches: [Branch; 2],
    shortcut: Option<Shortcut>,
}

impl Block {
    fn new(
        scope: &mut Scope<'_>,
        config: &ShakeShakeConfig,
        channels: [i64; 2],
        stride: i64,
    ) -> Self {
        let [inputs, outputs] = channels;
        let branches = [0, 1].map(|b| Branch::new(&mut scope.sub(b), config, channels, stride));
        let shortcut = (inputs != outputs).then(|| {
            let mut scope = scope.sub("shortcut");
            let convs = ["conv1", "conv2"]
                .map(|name| ShakeShakeConfig::conv(&mut scope, name, [inputs, outputs / 2], 1, 1));
            Shortcut { convs, norm: config.norm(&mut scope, "bn", outputs), stride }
        });
        Self { branches, shortcut }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let [first, second] = self.branches.each_ref().map(|branch| branch.forward(x, mode));
        let mixed = shake(&first, &second, mode);
        match &self.shortcut {
            Some(shortcut) => mixed + shortcut.forward(x, mode),
            None => mixed + x,
        }
    }
}

/// Mixes two branches `[batch, ...]`; where the mode has noise, with other weights for the value
/// than for the gradient.
fn shake(first: &Tensor, second: &Tensor, mode: Mode) -> Tensor {
    let rows = first.size()[0];
    let noisy = match mode.noise() {
        NoisyRows::None => 0,
        NoisyRows::First(n) => n.min(rows),
        NoisyRows::All => rows,
    };
    let alpha = || {
        let _alone = torch::rng::exclusive();
        let draw = |_| Tensor::rand([noisy, 1, 1, 1], (first.kind(), first.device()));
        let [a, b] = [0, 1].map(draw);
        let half = Tensor::full([rows - noisy, 1, 1, 1], 0.5, (first.kind(), first.device()));
        Tensor::cat(&[&a / (&a + b), half], 0)
    };
    if noisy == 0 {
        return (first + second) * 0.5;
    }
    let mix = |alpha: &Tensor| second + alpha * (first - second);
    let (value, gradient) = (mix(&alpha()), mix(&alpha()));
    (value - &gradient).detach() + gradient
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct ShakeShake {
    stem: ConvNorm,
    blocks: [Vec<Block>; 3],
    fc: Linear,
}

impl ShakeShake {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), the
    /// linear layer uniformly from ±1/√outputs.
    pub fn new(
        scope: &mut Scope<'_>,
        config: &ShakeShakeConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let stem = config.conv_norm(&mut scope.sub("stem"), ["conv", "bn"], [channels_in, 16], 1);
        scope.end_stage();
        let (mut blocks, mut inputs) = ([0; 3].map(|_| Vec::new()), 16);
        for (stage, blocks) in (0_u32..).zip(&mut blocks) {
            let outputs = config.width * 2_i64.pow(stage);
            for block in 0..config.blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let mut scope = scope.sub(format!("stages.{stage}.{block}"));
                blocks.push(Block::new(&mut scope, config, [inputs, outputs], stride));
                inputs = outputs;
            }
            scope.end_stage();
        }
        let init = Init::Uniform { bound: 1.0 / (classes as f64).sqrt() };
        Self { stem, blocks, fc: Linear::with_init(&mut scope.sub("fc"), inputs, classes, init) }
    }
}

impl Features for ShakeShake {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The stem and three stages of blocks.
    fn stages(&self) -> usize {
        4
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| match stage {
            0 => self.stem.forward(&x, mode),
            _ => self.blocks[stage - 1].iter().fold(x, |x, block| block.forward(&x, mode)),
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        global_average_pool(&self.forward_stages(x, stage..self.stages(), mode).relu())
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}

#[cfg(test)]
mod tests {
    use torch::{Device, Kind};

    use super::*;

    #[test]
    fn value_and_gradient_are_mixed_independently_image_by_image() {
        let _alone = torch::rng::exclusive();
        let leaf = |value: f64| {
            Tensor::full([6, 2, 1, 1], value, (Kind::Float, Device::Cpu)).set_requires_grad(true)
        };
        let alphas = |t: &Tensor| {
            let rows = t.detach().reshape([6, 2]);
            assert_eq!(rows.select(1, 0), rows.select(1, 1), "one α for each image");
            Vec::<f64>::try_from(rows.select(1, 0).to_kind(Kind::Double)).expect("a vector")
        };
        let (first, second) = (leaf(1.0), leaf(0.0));
        let value = shake(&first, &second, Mode::TrainNoisyRows(5));
        value.sum(Kind::Float).backward();
        let (forward, backward) = (alphas(&value), alphas(&first.grad()));
        for (i, (f, b)) in forward.iter().zip(&backward).enumerate() {
            assert!((0.0..=1.0).contains(f) && (0.0..=1.0).contains(b));
            assert_eq!((f - b).abs() > 1e-4, i < 5, "{f} and {b} of image {i}");
        }
        assert_eq!((forward[5], backward[5]), (0.5, 0.5), "without noise");
        let sum = first.grad() + second.grad();
        assert!(sum.allclose(&sum.ones_like(), 1e-6, 1e-6, false));
        assert_eq!(alphas(&shake(&first, &second, Mode::Eval)), [0.5; 6]);
    }

    #[test]
    fn branches_are_weighted_by_two_uniform_numbers_divided_by_their_sum() {
        let _alone = torch::rng::exclusive();
        const ROWS: i64 = 20_000;
        let branch = |value: f64| Tensor::full([ROWS, 1, 1, 1], value, (Kind::Float, Device::Cpu));
        let alpha = shake(&branch(1.0), &branch(0.0), Mode::Train);
        // a / (a + b) has the mean 1/2 and the variance 3/4 − ln 2; a single number's is 1/12.
        let mean = alpha.mean(Kind::Double).double_value(&[]);
        let variance = alpha.var(true).double_value(&[]);
        assert!((mean - 0.5).abs() < 0.012, "{mean}");
        assert!((variance - (0.75 - 2f64.ln())).abs() < 0.004, "{variance}");
    }
}
