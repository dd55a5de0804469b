//! A network made for little arithmetic: 32×32 images on a CPU.
//!
//! It follows the fastest published trainings on CIFAR-10 (Jordan, "94 % on CIFAR-10 in 3.29
//! seconds on a single GPU", arXiv 2404.00498; before it Page, "How to train your ResNet", 2018): a
//! first layer that whitens 2×2 patches and is not trained, then three wide blocks that pool early.
//! It takes 0.24 GFLOP an image forwards, Wide ResNet 28-2 0.42.
//!
//! A block is a 3×3 convolution, 2×2 max pooling, batch norm and leaky ReLU; then a second
//! convolution of the same width with batch norm around a shortcut, and leaky ReLU. Max pooling
//! stands before batch norm, which then reads a quarter of the elements. In the end average
//! pooling, dropout and one linear layer. What differs from the paper: the shortcut, leaky ReLU
//! instead of GELU, average instead of maximum, batch norm with a trained scale, no bias in the
//! first layer, kernels drawn from a normal distribution instead of identities, logits that are not
//! scaled, one learning rate for all tensors.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Graph, Operation, Value};
use torch::nn::{
    Activation, BatchNorm, Conv2d, ConvConfig, ConvNorm, ConvNormConfig, Linear, Padding, dropout,
    global_average_graph, global_average_pool,
};
use torch::{ConfigError, Faults, Features, Init, Kind, Mode, Params, Scope, Tensor, no_grad};

/// A network that whitens patches, and learns from few passes over the images.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `widths` | `[64, 256, 256]` | channels of the blocks; each block halves the image | 1 to 6 of them, ≥ 1 |
/// | `leaky` | 0.1 | slope of the activation below 0; 0 is ReLU | \[0, 1\] |
/// | `dropout` | 0 | dropout before the linear layer | \[0, 1) |
/// | `whiten_eps` | 0.0005 | added to the variances of patches that the first layer divides by | > 0 |
/// | `bn_momentum` | 0.1 | weight of a new batch in the running statistics | (0, 1] |
/// | `bn_eps` | 0.00001 | added to variances | > 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FastNetConfig {
    /// Channels of the blocks.
    pub widths: Vec<i64>,
    /// Slope of the activation below 0.
    pub leaky: f64,
    /// Dropout before the linear layer.
    pub dropout: f64,
    /// Added to the variances of patches.
    pub whiten_eps: f64,
    /// Weight of a new batch in the running statistics.
    pub bn_momentum: f64,
    /// Added to variances.
    pub bn_eps: f64,
}

impl Default for FastNetConfig {
    fn default() -> Self {
        Self {
            widths: vec![64, 256, 256],
            leaky: 0.1,
            dropout: 0.0,
            whiten_eps: 5e-4,
            bn_momentum: 0.1,
            bn_eps: 1e-5,
        }
    }
}

/// Side of the patches that are whitened.
const PATCH: i64 = 2;

impl FastNetConfig {
    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let wide = self.widths.iter().all(|width| (1..=4096).contains(width));
        let blocks = (1..=6).contains(&self.widths.len());
        let allowed = "a list of 1 to 6 widths from 1 to 4096";
        Faults::default()
            .must_be(wide && blocks, "widths", format!("{:?}", self.widths), allowed)
            .fraction("leaky", self.leaky)
            .rate("dropout", self.dropout)
            .positive("whiten_eps", self.whiten_eps)
            .positive_fraction("bn_momentum", self.bn_momentum)
            .positive("bn_eps", self.bn_eps)
            .done()
    }

    /// The smallest side of an image, pixels: every block halves what the one before gives.
    pub fn least_side(&self) -> i64 {
        (1 << self.widths.len()) + 1
    }

    /// Sets the first layer of a network of this configuration from images `[n, channels, h, w]`,
    /// which need no labels: its filters are the eigenvectors of the covariance of their patches,
    /// divided by the roots of the eigenvalues, and the same with the other sign (Jordan, section
    /// 3.1, after Page). Panics if `params` are those of another network.
    pub fn whiten(&self, params: &Params, images: &Tensor) {
        let mut filters = params.get(FILTERS).expect("a fast net's tensors").shallow_clone();
        no_grad(|| {
            let size = filters.numel() as i64 / filters.size()[0];
            let options = (Kind::Double, images.device());
            let [mut sum, mut square] =
                [[size, 1], [size, size]].map(|of| Tensor::zeros(of, options));
            let mut count = 0;
            // Few images at a time, since there are as many patches as pixels.
            for some in images.split(64, 0) {
                let patches = patches(&some.to_kind(Kind::Double));
                sum += patches.sum_dim_intlist([1].as_slice(), true, None);
                square += patches.matmul(&patches.tr());
                count += patches.size()[1];
            }
            let mean = sum / count as f64;
            let covariance = square / count as f64 - mean.matmul(&mean.tr());
            let (values, vectors) = covariance.linalg_eigh("L");
            let rows = vectors.tr() / (values + self.whiten_eps).sqrt().unsqueeze(1);
            filters.copy_(&Tensor::cat(&[&rows, &rows.neg()], 0).view(&filters.size()[..]));
        });
    }
}

/// All patches of images, a column each, in the order of a kernel's elements.
fn patches(images: &Tensor) -> Tensor {
    let places = |axis: usize| images.size()[axis] - PATCH + 1;
    let mut rows = Vec::new();
    for channel in 0..images.size()[1] {
        let channel = images.select(1, channel);
        for (row, column) in (0..PATCH * PATCH).map(|i| (i / PATCH, i % PATCH)) {
            let at = channel.narrow(1, row, places(2)).narrow(2, column, places(3));
            rows.push(at.reshape([-1]));
        }
    }
    Tensor::stack(&rows, 0)
}

/// The name of the first layer's filters.
const FILTERS: &str = "whiten.weight";

/// Two convolutions; the first halves the image.
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
    second: ConvNorm,
}

impl Block {
    fn new(scope: &mut Scope<'_>, config: &FastNetConfig, [inputs, outputs]: [i64; 2]) -> Self {
        let padding = Padding::Symmetric(1);
        let conv = |inputs| ConvConfig { padding, ..ConvConfig::new(inputs, outputs, 3) };
        let (momentum, eps) = (config.bn_momentum, config.bn_eps);
        let activation = Activation::LeakyRelu(config.leaky);
        let second = ConvNormConfig { conv: conv(outputs), momentum, eps, activation };
        Self {
            conv: Conv2d::new(&mut scope.sub("conv1"), conv(inputs)),
            norm: BatchNorm::new(&mut scope.sub("norm1"), outputs, momentum, eps),
            second: ConvNorm::new(scope, ["conv2", "norm2"], second),
        }
    }

    fn forward(&self, x: &Tensor, leaky: f64, mode: Mode) -> Tensor {
        let x = self.conv.forward(x).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        let x = self.norm.forward_relu(&x, leaky, mode);
        self.second.forward_residual(&x, &x, None, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value, leaky: f64) -> Value {
        let x = self.conv.graph(graph, x);
        let x = graph.push(Operation::MaxPool { kernel: 2, stride: 2, padding: 0 }, &[x]);
        let x = self.norm.graph_relu(graph, x, leaky);
        self.second.graph(graph, x, Some(x))
    }
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of at least
/// 2^blocks + 1 pixels a side.
pub struct FastNet {
    whiten: Conv2d,
    blocks: Vec<Block>,
    fc: Linear,
    leaky: f64,
    dropout: f64,
}

impl FastNet {
    /// Makes the network's tensors: `whiten.weight`, which [`FastNetConfig::whiten`] sets,
    /// `blocks.B.{conv1,norm1,conv2,norm2}`, `fc`. Convolutions are drawn from N(0, 2 / (9 ·
    /// outputs)), the linear layer from N(0, 2 / (inputs + outputs)) (Glorot normal).
    pub fn new(
        scope: &mut Scope<'_>,
        config: &FastNetConfig,
        channels_in: i64,
        classes: i64,
    ) -> Self {
        let inputs = channels_in * PATCH * PATCH;
        let whiten = ConvConfig {
            padding: Padding::Symmetric(0),
            fixed: true,
            ..ConvConfig::new(channels_in, 2 * inputs, PATCH)
        };
        let whiten = Conv2d::new(&mut scope.sub("whiten"), whiten);
        let (mut blocks, mut inputs) = (Vec::new(), 2 * inputs);
        for (number, &width) in config.widths.iter().enumerate() {
            let mut scope = scope.sub(format!("blocks.{number}"));
            blocks.push(Block::new(&mut scope, config, [inputs, width]));
            inputs = width;
            scope.end_stage();
        }
        let init = Init::Normal { std: (2.0 / (inputs + classes) as f64).sqrt() };
        let fc = Linear::with_init(&mut scope.sub("fc"), inputs, classes, init);
        Self { whiten, blocks, fc, leaky: config.leaky, dropout: config.dropout }
    }
}

impl Features for FastNet {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    /// The blocks, the first one with the whitening before it.
    fn stages(&self) -> usize {
        self.blocks.len()
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| {
            // Each filter is there with both signs, so that ReLU loses nothing.
            let x = if stage == 0 { self.whiten.forward(&x).relu_() } else { x };
            self.blocks[stage].forward(&x, self.leaky, mode)
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.forward_stages(x, stage..self.stages(), mode);
        dropout(&global_average_pool(&x), self.dropout, mode)
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        let x = self.whiten.graph(graph, x);
        let x = graph.push(Operation::LeakyRelu(0.0), &[x]);
        let x = self.blocks.iter().fold(x, |x, block| block.graph(graph, x, self.leaky));
        Some(global_average_graph(graph, x))
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}
