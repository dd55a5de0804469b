//! PyramidNet (Han et al. 2017, arXiv 1610.02915) with ShakeDrop (Yamada et al. 2018, arXiv
//! 1802.02375): the largest net of UDA's and AutoAugment's tables.
//!
//! PyramidNet-272 with α 200 has a 3×3 stem of 16 channels and three stages of 30 bottlenecks whose
//! widths rise evenly from 16 to 216 (times 4 on the outside); the second and third stage halve the
//! image. A block is BN, 1×1, BN, ReLU, 3×3, BN, ReLU, 1×1, BN; its shortcut is averaged down and
//! padded with empty channels. ShakeDrop multiplies the branch of each image in training by b + α −
//! bα, and its gradient by b + β − bβ, with b drawn from Bernoulli(1 − l/(2L)), α from U(−1, 1) and
//! β from U(0, 1) for block l of L; without the model's noise by the expectation, 1 − l/(2L).
//! Convolutions pad as TensorFlow's SAME, as in UDA's code (the authors' pads one row on every
//! side). Tensors are named `conv1`, `bn1`, `layer{1,2,3}.B.{bn1,conv1,bn2,conv2,bn3,conv3,bn4}`,
//! `bn_final`, `fc`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::nn::{
    Activation, BatchNorm, ConvConfig, ConvNorm, ConvNormConfig, Linear, global_average_pool,
};
use torch::{ConfigError, Faults, Features, Init, Mode, NoisyRows, Scope, Tensor};

/// A PyramidNet with ShakeDrop.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `depth` | 272 | number of layers, 9n + 2 for n bottlenecks a stage | 11, 20, 29, … |
/// | `alpha` | 200 | by how many channels the last block is wider than the stem's 16 | ≥ 0 |
/// | `shake_drop` | 0.5 | probability with which the last block's branch is shaken; block l of L has l/L of it; 0 turns it off | \[0, 1) |
/// | `bn_momentum` | 0.1 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PyramidNetConfig {
    /// Number of layers, 9n + 2.
    pub depth: i64,
    /// By how many channels the last block is wider than the stem.
    pub alpha: f64,
    /// Probability with which the last block's branch is shaken.
    pub shake_drop: f64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for PyramidNetConfig {
    fn default() -> Self {
        Self { depth: 272, alpha: 200.0, shake_drop: 0.5, bn_momentum: 0.1, bn_eps: 1e-5 }
    }
}

impl PyramidNetConfig {
    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let depth = self.depth >= 11 && self.depth % 9 == 2;
        Faults::default()
            .must_be(depth, "depth", self.depth, "9n + 2, as 11, 20, 110, 272")
            .not_negative("alpha", self.alpha)
            .rate("shake_drop", self.shake_drop)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    fn norm(&self, scope: &mut Scope<'_>, name: &str, channels: i64) -> BatchNorm {
        BatchNorm::new(&mut scope.sub(name), channels, self.bn_momentum, self.bn_eps)
    }

    fn conv(
        &self,
        scope: &mut Scope<'_>,
        names: [&str; 2],
        conv: ConvConfig,
        activation: Activation,
    ) -> ConvNorm {
        let (momentum, eps) = (self.bn_momentum, self.bn_eps);
        ConvNorm::new(scope, names, ConvNormConfig { conv, momentum, eps, activation })
    }
}

struct Block {
    norm: BatchNorm,
    convs: [ConvNorm; 3],
    outputs: i64,
    stride: i64,
    /// Probability that the branch is kept as it is.
    keep: f64,
}

impl Block {
    fn new(
        scope: &mut Scope<'_>,
        config: &PyramidNetConfig,
        [inputs, inner]: [i64; 2],
        stride: i64,
        keep: f64,
    ) -> Self {
        let outputs = 4 * inner;
        let relu = Activation::LeakyRelu(0.0);
        let norm = config.norm(scope, "bn1", inputs);
        let first = ConvConfig::new(inputs, inner, 1);
        let first = config.conv(scope, ["conv1", "bn2"], first, relu);
        let second = ConvConfig::new(inner, inner, 3).stride(stride);
        let second = config.conv(scope, ["conv2", "bn3"], second, relu);
        let third = ConvConfig::new(inner, outputs, 1);
        let third = config.conv(scope, ["conv3", "bn4"], third, Activation::None);
        Self { norm, convs: [first, second, third], outputs, stride, keep }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let h = self.norm.forward(x, mode);
        let h = self.convs.iter().fold(h, |h, conv| conv.forward(&h, mode));
        let mut x = x.shallow_clone();
        if self.stride == 2 {
            // TensorFlow's SAME: at an odd side the last average is over the pixels that exist.
            x = x.avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None::<i64>);
        }
        let missing = self.outputs - x.size()[1];
        shake_drop(&h, self.keep, mode) + x.constant_pad_nd([0, 0, 0, 0, 0, missing])
    }
}

/// ShakeDrop on a branch `[batch, ...]`.
fn shake_drop(x: &Tensor, keep: f64, mode: Mode) -> Tensor {
    if keep >= 1.0 {
        return x.shallow_clone();
    }
    let rows = x.size()[0];
    let noisy = match mode.noise() {
        NoisyRows::None => 0,
        NoisyRows::First(n) => n.min(rows),
        NoisyRows::All => rows,
    };
    if noisy == 0 {
        return x * keep;
    }
    let _alone = torch::rng::exclusive();
    let column = || Tensor::empty([noisy, 1, 1, 1], (x.kind(), x.device()));
    let kept = column().bernoulli_float_(keep);
    let scale = |low: f64| {
        let free = column().uniform_(low, 1.0);
        // b + a − b a: 1 where the branch is kept, else what was drawn.
        let drawn = &kept + &free - &kept * &free;
        Tensor::cat(
            &[drawn, Tensor::full([rows - noisy, 1, 1, 1], keep, (x.kind(), x.device()))],
            0,
        )
    };
    let (value, gradient) = (x * scale(-1.0), x * scale(0.0));
    (value - &gradient).detach() + gradient
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of any size.
pub struct PyramidNet {
    stem: ConvNorm,
    blocks: [Vec<Block>; 3],
    norm: BatchNorm,
    fc: Linear,
}

impl PyramidNet {
    /// Makes the network's tensors. Convolutions are drawn from N(0, 2 / (k² · outputs)), the
    /// linear layer uniformly from ±1/√outputs.
    pub fn new(
        scope: &mut Scope<'_>,
        config: &PyramidNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let stem = ConvConfig::new(channels_in, 16, 3);
        let stem = config.conv(scope, ["conv1", "bn1"], stem, Activation::None);
        let a_stage = (config.depth - 2) / 9;
        let all = 3 * a_stage;
        scope.end_stage();
        let (mut blocks, mut inputs) = ([0; 3].map(|_| Vec::new()), 16);
        for number in 1..=all {
            let (stage, block) = ((number - 1) / a_stage, (number - 1) % a_stage);
            let inner = (16.0 + number as f64 * config.alpha / all as f64 + 0.5).floor() as i64;
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let keep = 1.0 - config.shake_drop * number as f64 / all as f64;
            let mut sub = scope.sub(format!("layer{}.{block}", stage + 1));
            let made = Block::new(&mut sub, config, [inputs, inner], stride, keep);
            blocks[stage as usize].push(made);
            inputs = 4 * inner;
            if stage < 2 && block == a_stage - 1 {
                scope.end_stage();
            }
        }
        let norm = config.norm(scope, "bn_final", inputs);
        scope.end_stage();
        let init = Init::Uniform { bound: 1.0 / (classes as f64).sqrt() };
        let fc = Linear::with_init(&mut scope.sub("fc"), inputs, classes, init);
        Self { stem, blocks, norm, fc }
    }
}

impl Features for PyramidNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The stem and three stages of blocks, the last one with batch norm and ReLU behind it.
    fn stages(&self) -> usize {
        4
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| {
            if stage == 0 {
                return self.stem.forward(&x, mode);
            }
            let x = self.blocks[stage - 1].iter().fold(x, |x, block| block.forward(&x, mode));
            if stage == 3 { self.norm.forward_relu(&x, 0.0, mode) } else { x }
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        global_average_pool(&self.forward_stages(x, stage..self.stages(), mode))
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
    fn branches_are_kept_or_shaken_for_value_and_gradient() {
        let _alone = torch::rng::exclusive();
        const ROWS: i64 = 4000;
        let x = Tensor::ones([ROWS, 1, 1, 1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let value = shake_drop(&x, 0.6, Mode::Train);
        value.sum(Kind::Float).backward();
        let list = |t: &Tensor| Vec::<f32>::try_from(t.detach().reshape([-1])).expect("a vector");
        let (values, gradients) = (list(&value), list(&x.grad()));
        let whole = |v: &f32| (v - 1.0).abs() < 1e-6;
        let kept = values.iter().filter(|v| whole(v)).count() as f64 / ROWS as f64;
        assert!((kept - 0.6).abs() < 0.04, "{kept} are kept");
        for (v, g) in values.iter().zip(&gradients) {
            assert!((-1.001..1.001).contains(v) && (0.0..1.001).contains(g), "{v} and {g}");
            assert_eq!(whole(v), whole(g), "kept for both");
        }
        let mean = |of: &[f32]| of.iter().map(|v| f64::from(*v)).sum::<f64>() / ROWS as f64;
        assert!((mean(&values) - 0.6).abs() < 0.04 && (mean(&gradients) - 0.8).abs() < 0.04);
        assert_eq!(list(&shake_drop(&x, 0.6, Mode::Eval))[0], 0.6);
    }
}
