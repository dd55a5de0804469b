//! Vision transformers (Dosovitskiy et al., arXiv 2010.11929) in the form of DINOv2 (Oquab et al.,
//! arXiv 2304.07193): patches of 14 pixels, a class token, LayerScale, and in the later nets four
//! registers (Darcet et al., arXiv 2309.16588).
//!
//! Tensors are named as in timm's `vit_small_patch14_dinov2` and `vit_small_patch14_reg4_dinov2`:
//! `cls_token`, `reg_token`, `pos_embed`, `patch_embed.proj`,
//! `blocks.N.{norm1,attn.qkv,attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.fc2,ls2.gamma}`, `norm`, `head`.
//! With registers, positions belong to patches alone, as in timm.
//!
//! Positions are learned for square images of one side. For others they are resized as timm does
//! (`dynamic_img_size`): bicubic, with antialiasing. The authors' own code resizes without it and
//! by a factor that is a tenth of a patch too large, so that its features at other sizes than 518
//! differ in the second digit or so. Rows and columns of pixels that fill no patch are left out.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use torch::graph::{Array, Graph, Operation, Value};
use torch::nn::{Conv2d, ConvConfig, LayerNorm, Linear, Padding, dropout, stochastic_depth};
use torch::{ConfigError, Faults, Features, Init, Kind, Mode, Role, Scope, Tensor, no_grad};

const EPS: f64 = 1e-6;

/// The published sizes (of DINOv2's four; the giant has another kind of block).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Size {
    Small,
    Base,
    Large,
}

impl Size {
    /// Width, blocks, heads.
    fn row(self) -> (i64, i64, i64) {
        match self {
            Size::Small => (384, 12, 6),
            Size::Base => (768, 12, 12),
            Size::Large => (1024, 24, 16),
        }
    }
}

/// A vision transformer.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | `small` | the published size | `small`, `base`, `large` |
/// | `registers` | 0 | further tokens, 4 in the published nets that have them | 0 to 64 |
/// | `mean_patches` | false | whether the features are the class token and the mean of the patches, side by side, as in DINOv2's linear evaluation; else the class token | |
/// | `side` | 518 | side in pixels of the images that the positions are for | ≥ `patch` |
/// | `patch` | 14 | side of a patch in pixels | ≥ 1 |
/// | `layer_scale` | 0.00001 | what branches are multiplied by at first | > 0 |
/// | `dropout` | 0 | dropout before the linear layer | \[0, 1) |
/// | `stochastic_depth` | 0 | rate at which the last block's branches are dropped, rising from 0 in the first | \[0, 1) |
/// | `width` | the size's, 384 to 1024 | width of a token | a multiple of `heads` |
/// | `depth` | the size's, 12 or 24 | blocks | 1 to 100 |
/// | `heads` | the size's, 6 to 16 | heads of attention | ≥ 1 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VitConfig {
    /// The published size.
    pub size: Size,
    /// Number of registers.
    pub registers: i64,
    /// Whether the mean of the patches is part of the features.
    pub mean_patches: bool,
    /// Side in pixels of the images that the positions are for.
    pub side: i64,
    /// Side of a patch in pixels.
    pub patch: i64,
    /// What branches are multiplied by at first.
    pub layer_scale: f64,
    /// Dropout before the linear layer.
    pub dropout: f64,
    /// Rate at which the last block's branches are dropped.
    pub stochastic_depth: f64,
    /// Width of a token; `None` is the size's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// Blocks; `None` is the size's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<i64>,
    /// Heads of attention; `None` is the size's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<i64>,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self::dinov2(Size::Small)
    }
}

impl VitConfig {
    /// DINOv2's net of this size without registers.
    pub fn dinov2(size: Size) -> Self {
        Self {
            size,
            registers: 0,
            mean_patches: false,
            side: 518,
            patch: 14,
            layer_scale: 1e-5,
            dropout: 0.0,
            stochastic_depth: 0.0,
            width: None,
            depth: None,
            heads: None,
        }
    }

    /// The same with four registers.
    pub fn dinov2_registers(size: Size) -> Self {
        Self { registers: 4, ..Self::dinov2(size) }
    }

    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let (width, depth, heads) = self.shape();
        let whole = width >= 1 && (heads < 1 || width % heads == 0);
        Faults::default()
            .in_range("registers", self.registers, 0..=64)
            .at_least_one("patch", self.patch)
            .must_be(self.side >= self.patch.max(1), "side", self.side, "at least a patch")
            .positive("layer_scale", self.layer_scale)
            .rate("dropout", self.dropout)
            .rate("stochastic_depth", self.stochastic_depth)
            .in_range("depth", depth, 1..=100)
            .at_least_one("heads", heads)
            .must_be(whole, "width", width, "a multiple of heads")
            .done()
    }

    /// Width, blocks, heads.
    fn shape(&self) -> (i64, i64, i64) {
        let (width, depth, heads) = self.size.row();
        (self.width.unwrap_or(width), self.depth.unwrap_or(depth), self.heads.unwrap_or(heads))
    }

    /// Patches along a side of the images that the positions are for.
    fn grid(&self) -> i64 {
        self.side / self.patch
    }
}

fn linear(scope: &mut Scope<'_>, name: &str, inputs: i64, outputs: i64) -> Linear {
    Linear::hidden(&mut scope.sub(name), inputs, outputs, Init::Normal { std: 0.02 })
}

/// Attention and a perceptron, each a branch beside an identity.
struct Block {
    norms: [LayerNorm; 2],
    scales: [Tensor; 2],
    qkv: Linear,
    proj: Linear,
    mlp: [Linear; 2],
    heads: i64,
    drop: f64,
}

impl Block {
    fn new(scope: &mut Scope<'_>, config: &VitConfig, drop: f64) -> Self {
        let (width, _, heads) = config.shape();
        let norm1 = LayerNorm::new(&mut scope.sub("norm1"), width, EPS);
        let mut attn = scope.sub("attn");
        let (qkv, proj) =
            (linear(&mut attn, "qkv", width, 3 * width), linear(&mut attn, "proj", width, width));
        let scale = |scope: &mut Scope<'_>, name: &str| {
            scope.sub(name).tensor("gamma", &[width], Role::Norm, Init::Const(config.layer_scale))
        };
        let ls1 = scale(scope, "ls1");
        let norm2 = LayerNorm::new(&mut scope.sub("norm2"), width, EPS);
        let mut sub = scope.sub("mlp");
        let mlp =
            [linear(&mut sub, "fc1", width, 4 * width), linear(&mut sub, "fc2", 4 * width, width)];
        let ls2 = scale(scope, "ls2");
        Self { norms: [norm1, norm2], scales: [ls1, ls2], qkv, proj, mlp, heads, drop }
    }

    /// Every token looks at every other: `[batch, tokens, width]` to the same shape.
    fn attention(&self, x: &Tensor) -> Tensor {
        let (batch, tokens, width) = x.size3().expect("tokens");
        let shape = [batch, tokens, 3, self.heads, width / self.heads];
        let qkv = self.qkv.forward(x).view(shape).permute([2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|i| qkv.select(0, i));
        let none = None::<&Tensor>;
        let mixed = Tensor::scaled_dot_product_attention(&q, &k, &v, none, 0.0, false, None, false);
        self.proj.forward(&mixed.transpose(1, 2).reshape([batch, tokens, width]))
    }

    fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let [norm1, norm2] = &self.norms;
        let [fc1, fc2] = &self.mlp;
        let h = norm1.graph(graph, x);
        let h = self.qkv.graph_of_tokens(graph, h, None);
        let h = graph.push(Operation::Attention { heads: self.heads }, &[h]);
        let h = self.proj.graph_of_tokens(graph, h, Some(&self.scales[0]));
        let x = graph.push(Operation::Add, &[x, h]);
        let h = norm2.graph(graph, x);
        let h = fc1.graph_of_tokens(graph, h, None);
        let h = graph.push(Operation::Gelu, &[h]);
        let h = fc2.graph_of_tokens(graph, h, Some(&self.scales[1]));
        graph.push(Operation::Add, &[x, h])
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let [norm1, norm2] = &self.norms;
        let [fc1, fc2] = &self.mlp;
        let add = |x: &Tensor, branch: Tensor, scale: &Tensor| {
            x + stochastic_depth(&(branch * scale), self.drop, mode)
        };
        let x = add(x, self.attention(&norm1.forward(x)), &self.scales[0]);
        let hidden = fc1.forward(&norm2.forward(&x)).gelu("none");
        add(&x, fc2.forward(&hidden), &self.scales[1])
    }
}

/// The network: `[batch, channels, h, w]` to logits `[batch, classes]`, for images of at least one
/// patch a side.
pub struct Vit {
    class: Tensor,
    registers: Option<Tensor>,
    positions: Tensor,
    patches: Conv2d,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    config: VitConfig,
}

impl Vit {
    /// Makes the network's tensors: linear layers and positions from N(0, 0.02²), tokens from N(0,
    /// 10⁻¹²), the patches' convolution uniformly from ±1/√(channels · patch²).
    pub fn new(scope: &mut Scope<'_>, config: &VitConfig, channels_in: i64, classes: i64) -> Self {
        let (width, depth, _) = config.shape();
        let token = Init::Normal { std: 1e-6 };
        let class = scope.tensor("cls_token", &[1, 1, width], Role::Bias, token);
        let registers = (config.registers > 0)
            .then(|| scope.tensor("reg_token", &[1, config.registers, width], Role::Bias, token));
        // With registers the class token has no position.
        let places = config.grid().pow(2) + i64::from(registers.is_none());
        let init = Init::Normal { std: 0.02 };
        let positions = scope.tensor("pos_embed", &[1, places, width], Role::Bias, init);
        let bound = 1.0 / ((channels_in * config.patch.pow(2)) as f64).sqrt();
        let patches = ConvConfig {
            padding: Padding::Symmetric(0),
            init: Init::Uniform { bound },
            ..ConvConfig::new(channels_in, width, config.patch).stride(config.patch).with_bias()
        };
        let patches = Conv2d::new(&mut scope.sub("patch_embed").sub("proj"), patches);
        scope.end_stage();
        let mut blocks = Vec::new();
        for i in 0..depth {
            let drop = config.stochastic_depth * i as f64 / (depth - 1).max(1) as f64;
            blocks.push(Block::new(&mut scope.sub(format!("blocks.{i}")), config, drop));
            if i < depth - 1 {
                scope.end_stage();
            }
        }
        let norm = LayerNorm::new(&mut scope.sub("norm"), width, EPS);
        scope.end_stage();
        let features = if config.mean_patches { 2 * width } else { width };
        let head = Linear::with_init(&mut scope.sub("head"), features, classes, init);
        let config = config.clone();
        Self { class, registers, positions, patches, blocks, norm, head, config }
    }

    /// The positions `[1, rows · columns, width]` of patches.
    fn places(&self, positions: &Tensor, rows: i64, columns: i64) -> Tensor {
        let (grid, width) = (self.config.grid(), self.class.size()[2]);
        if (rows, columns) == (grid, grid) {
            return positions.shallow_clone();
        }
        let square = positions.view([1, grid, grid, width]).permute([0, 3, 1, 2]);
        let resized = square.internal_upsample_bicubic2d_aa([rows, columns], false, None, None);
        resized.permute([0, 2, 3, 1]).reshape([1, rows * columns, width])
    }

    /// What images of so many rows and columns of patches have in common: the tokens that come
    /// before the patches, and the positions of these.
    fn common(&self, rows: i64, columns: i64) -> [Tensor; 2] {
        let own = i64::from(self.registers.is_none());
        let count = self.positions.size()[1];
        let places = self.places(&self.positions.narrow(1, own, count - own), rows, columns);
        let first = match &self.registers {
            Some(registers) => Tensor::cat(&[&self.class, registers], 1),
            None => &self.class + self.positions.narrow(1, 0, 1),
        };
        [first, places]
    }

    /// Images to tokens `[batch, 1 + registers + patches, width]`.
    fn embed(&self, x: &Tensor) -> Tensor {
        let x = self.patches.forward(x);
        let (batch, width, rows, columns) = x.size4().expect("images");
        let [first, places] = self.common(rows, columns);
        let patches = x.flatten(2, 3).transpose(1, 2) + places;
        Tensor::cat(&[first.expand([batch, -1, width], false), patches], 1)
    }
}

impl Features for Vit {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }

    /// The tokens, then the blocks, the last one with the norm behind it.
    fn stages(&self) -> usize {
        self.blocks.len() + 1
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        stages.fold(x.shallow_clone(), |x, stage| match stage {
            0 => self.embed(&x),
            _ => {
                let x = self.blocks[stage - 1].forward(&x, mode);
                if stage == self.blocks.len() { self.norm.forward(&x) } else { x }
            }
        })
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let tokens = self.forward_stages(x, stage..self.stages(), mode);
        let class = tokens.select(1, 0);
        let features = if self.config.mean_patches {
            let (first, all) = (1 + self.config.registers, tokens.size()[1]);
            let patches = tokens.narrow(1, first, all - first);
            Tensor::cat(&[class, patches.mean_dim([1].as_slice(), false, None::<Kind>)], 1)
        } else {
            class
        };
        dropout(&features, self.config.dropout, mode)
    }

    /// For images of one height and width: the positions are resized for these.
    fn graph(&self, graph: &mut Graph, x: Value) -> Option<Value> {
        let [rows, columns] = graph.fix_sides()?.map(|side| side / self.config.patch);
        let [first, places] = no_grad(|| self.common(rows, columns)).map(|t| Array::of(&t));
        let x = self.patches.graph(graph, x);
        let x = graph.push(Operation::Tokens, &[x]);
        let x = graph.push(Operation::Plus(places), &[x]);
        let x = graph.push(Operation::Before(first), &[x]);
        let x = self.blocks.iter().fold(x, |x, block| block.graph(graph, x));
        let x = self.norm.graph(graph, x);
        let class = graph.push(Operation::Token(0), &[x]);
        if !self.config.mean_patches {
            return Some(class);
        }
        let patches = graph.push(Operation::MeanOfTokens(1 + self.config.registers), &[x]);
        Some(graph.push(Operation::Concat, &[class, patches]))
    }
}

#[cfg(test)]
mod tests {
    use torch::Params;

    use super::*;

    /// As in timm: linspace(0, rate, depth).
    #[test]
    fn branches_are_dropped_at_rates_that_rise_to_that_of_the_last_block() {
        let config = VitConfig {
            width: Some(8),
            depth: Some(3),
            heads: Some(1),
            patch: 4,
            side: 8,
            stochastic_depth: 0.2,
            ..Default::default()
        };
        let mut rates = Vec::new();
        let _ = Params::outline(|scope| {
            let net = Vit::new(scope, &config, 3, 10);
            rates.extend(net.blocks.iter().map(|block| block.drop));
        });
        assert_eq!(rates, [0.0, 0.1, 0.2]);
    }
}
