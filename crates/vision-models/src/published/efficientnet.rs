//! The names of EfficientNet's tensors in other code bases.
//!
//! They count blocks through all stages or by stage, and give the layers of a block other names.

use std::collections::BTreeSet;
use std::fmt;

use weights::StateDict;
use weights::matching::{Scheme, Target};
use weights::meta::{self, Meta};

use crate::NetConfig;
use crate::efficientnet::{EfficientNetConfig, Variant};

/// The blocks of a net: which stage each belongs to, and whether it widens its input first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// Whether blocks have squeeze-and-excitation.
    excite: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    stage: usize,
    /// Within its stage.
    index: usize,
    expands: bool,
}

/// The layers of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Expand,
    ExpandNorm,
    Depthwise,
    DepthwiseNorm,
    Reduce,
    Excite,
    Project,
    ProjectNorm,
}

impl Layer {
    /// Our name, which is timm's: it depends on what the block has before it.
    fn name(self, expands: bool) -> &'static str {
        match (self, expands) {
            (Layer::Expand, _) => "conv_pw",
            (Layer::ExpandNorm, _) => "bn1",
            (Layer::Depthwise, _) => "conv_dw",
            (Layer::DepthwiseNorm, true) => "bn2",
            (Layer::DepthwiseNorm, false) => "bn1",
            (Layer::Reduce, _) => "se.conv_reduce",
            (Layer::Excite, _) => "se.conv_expand",
            (Layer::Project, true) => "conv_pwl",
            (Layer::Project, false) => "conv_pw",
            (Layer::ProjectNorm, true) => "bn3",
            (Layer::ProjectNorm, false) => "bn2",
        }
    }

    fn is_norm(self) -> bool {
        matches!(self, Layer::ExpandNorm | Layer::DepthwiseNorm | Layer::ProjectNorm)
    }
}

/// Tensors of a batch norm.
const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl Blocks {
    /// The blocks of a net by the names of its tensors.
    pub(super) fn of_ours(names: &BTreeSet<&str>) -> Self {
        let place = |name: &str| {
            let mut words = name.strip_prefix("blocks.")?.split('.');
            Some((words.next()?.parse::<usize>().ok()?, words.next()?.parse::<usize>().ok()?))
        };
        let places: BTreeSet<(usize, usize)> =
            names.iter().filter_map(|name| place(name)).collect();
        let expands = |stage, index| {
            names.contains(format!("blocks.{stage}.{index}.conv_pwl.weight").as_str())
        };
        let block = |(stage, index)| Block { stage, index, expands: expands(stage, index) };
        let excite = names.iter().any(|name| name.contains(".se.conv_reduce."));
        Self { blocks: places.into_iter().map(block).collect(), excite }
    }

    /// The blocks of a net with these many in each stage: the first stage does not widen its input.
    pub(super) fn of_published<'a>(
        mut names: impl Iterator<Item = &'a str>,
        stages: &[usize],
    ) -> Self {
        let of = |(stage, &count): (usize, &usize)| {
            (0..count).map(move |index| Block { stage, index, expands: stage > 0 })
        };
        let excite = names.any(|name| {
            ["_se_reduce.", "se.conv_reduce.", "squeeze_excite.reduce."]
                .iter()
                .any(|se| name.contains(se))
        });
        Self { blocks: stages.iter().enumerate().flat_map(of).collect(), excite }
    }

    /// Our names of all tensors of such a net.
    pub(super) fn names(&self) -> Vec<String> {
        let norm = |layer: String| NORM.map(|part| format!("{layer}.{part}")).to_vec();
        let mut all = vec!["conv_stem.weight".to_owned(), "conv_head.weight".to_owned()];
        all.extend(["classifier.weight", "classifier.bias"].map(str::to_owned));
        all.extend([norm("bn1".to_owned()), norm("bn2".to_owned())].concat());
        for Block { stage, index, expands } in &self.blocks {
            use Layer::*;
            for layer in
                [Expand, ExpandNorm, Depthwise, DepthwiseNorm, Reduce, Excite, Project, ProjectNorm]
            {
                let name = format!("blocks.{stage}.{index}.{}", layer.name(*expands));
                match layer {
                    Expand | ExpandNorm if !expands => {}
                    Reduce | Excite if !self.excite => {}
                    Reduce | Excite => {
                        all.extend([format!("{name}.weight"), format!("{name}.bias")]);
                    }
                    _ if layer.is_norm() => all.extend(norm(name)),
                    _ => all.push(format!("{name}.weight")),
                }
            }
        }
        all
    }

    /// Our name of a tensor of the block `number`, counted through all stages.
    fn flat(&self, number: &str, layer: Layer, last: &str) -> Option<String> {
        let block = self.blocks.get(number.parse::<usize>().ok()?)?;
        let Block { stage, index, expands } = block;
        Some(format!("blocks.{stage}.{index}.{}.{last}", layer.name(*expands)))
    }

    fn stages(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.stage + 1)
    }
}

/// The schemes of a net with these blocks.
pub(super) fn schemes<'a>(blocks: Blocks) -> Vec<Scheme<'a>> {
    let (theirs, torchvisions, transformers) = (blocks.clone(), blocks.clone(), blocks);
    let whole = |name: Option<String>| name.map(Target::whole);
    vec![
        Scheme {
            name: "lukemelas/EfficientNet-PyTorch",
            translate: Box::new(move |name| whole(lukemelas(name, &theirs))),
        },
        Scheme {
            name: "torchvision (EfficientNet)",
            translate: Box::new(move |name| whole(torchvision(name, &torchvisions))),
        },
        Scheme {
            name: "transformers (EfficientNet)",
            translate: Box::new(move |name| whole(transformer(name, &transformers))),
        },
    ]
}

/// `_blocks.3._depthwise_conv.weight`: blocks are counted through, norms by what precedes them.
fn lukemelas(name: &str, blocks: &Blocks) -> Option<String> {
    let (layer, last) = name.rsplit_once('.')?;
    let outer = match layer {
        "_conv_stem" => "conv_stem",
        "_bn0" => "bn1",
        "_conv_head" => "conv_head",
        "_bn1" => "bn2",
        "_fc" => "classifier",
        _ => {
            let (number, layer) = layer.strip_prefix("_blocks.")?.split_once('.')?;
            let layer = match layer {
                "_expand_conv" => Layer::Expand,
                "_bn0" => Layer::ExpandNorm,
                "_depthwise_conv" => Layer::Depthwise,
                "_bn1" => Layer::DepthwiseNorm,
                "_se_reduce" => Layer::Reduce,
                "_se_expand" => Layer::Excite,
                "_project_conv" => Layer::Project,
                "_bn2" => Layer::ProjectNorm,
                _ => return None,
            };
            return blocks.flat(number, layer, last);
        }
    };
    Some(format!("{outer}.{last}"))
}

/// `features.2.0.block.1.0.weight`: stage 1 is `features.1`, the head comes behind the last; layers
/// are numbered, those of convolution 0 and of its norm 1.
fn torchvision(name: &str, blocks: &Blocks) -> Option<String> {
    if let Some(last) = name.strip_prefix("classifier.1.") {
        return Some(format!("classifier.{last}"));
    }
    let (number, rest) = name.strip_prefix("features.")?.split_once('.')?;
    let number: usize = number.parse().ok()?;
    let end = blocks.stages() + 1;
    if number == 0 || number == end {
        let (conv, norm) = if number == 0 { ("conv_stem", "bn1") } else { ("conv_head", "bn2") };
        let (layer, last) = rest.split_once('.')?;
        let layer = match layer {
            "0" => conv,
            "1" => norm,
            _ => return None,
        };
        return Some(format!("{layer}.{last}"));
    }
    let (index, rest) = rest.split_once(".block.")?;
    let stage = number - 1;
    let index: usize = index.parse().ok()?;
    let block = blocks.blocks.iter().find(|block| block.stage == stage && block.index == index)?;
    let (layer, last) = rest.rsplit_once('.')?;
    let (step, part) = layer.split_once('.')?;
    // Blocks that do not widen begin with the depthwise convolution.
    let step = step.parse::<usize>().ok()? + usize::from(!block.expands);
    let layer = match (step, part) {
        (0, "0") => Layer::Expand,
        (0, "1") => Layer::ExpandNorm,
        (1, "0") => Layer::Depthwise,
        (1, "1") => Layer::DepthwiseNorm,
        (2, "fc1") => Layer::Reduce,
        (2, "fc2") => Layer::Excite,
        (3, "0") => Layer::Project,
        (3, "1") => Layer::ProjectNorm,
        _ => return None,
    };
    Some(format!("blocks.{stage}.{index}.{}.{last}", layer.name(block.expands)))
}

/// `efficientnet.encoder.blocks.3.expansion.expand_conv.weight`.
fn transformer(name: &str, blocks: &Blocks) -> Option<String> {
    let name = name.strip_prefix("efficientnet.").unwrap_or(name);
    let (layer, last) = name.rsplit_once('.')?;
    let outer = match layer {
        "embeddings.convolution" => "conv_stem",
        "embeddings.batchnorm" => "bn1",
        "encoder.top_conv" => "conv_head",
        "encoder.top_bn" => "bn2",
        "classifier" => "classifier",
        _ => {
            let (number, layer) = layer.strip_prefix("encoder.blocks.")?.split_once('.')?;
            let layer = match layer {
                "expansion.expand_conv" => Layer::Expand,
                "expansion.expand_bn" => Layer::ExpandNorm,
                "depthwise_conv.depthwise_conv" => Layer::Depthwise,
                "depthwise_conv.depthwise_norm" => Layer::DepthwiseNorm,
                "squeeze_excite.reduce" => Layer::Reduce,
                "squeeze_excite.expand" => Layer::Excite,
                "projection.project_conv" => Layer::Project,
                "projection.project_bn" => Layer::ProjectNorm,
                _ => return None,
            };
            return blocks.flat(number, layer, last);
        }
    };
    Some(format!("{outer}.{last}"))
}

/// How the nets of a code base pad, and what their batch norm adds to variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Form {
    symmetric_padding: bool,
    bn_eps: f64,
}

impl Form {
    fn of(config: &EfficientNetConfig) -> Self {
        let EfficientNetConfig { symmetric_padding, bn_eps, .. } = *config;
        Self { symmetric_padding, bn_eps }
    }

    /// Writes the form of a net into a header that has this name of it, where that says another.
    pub(super) fn set_meta(config: &EfficientNetConfig, name: &str, meta: &mut Meta) {
        let own = Self::of(config);
        if NetConfig::by_name(name).is_some_and(|net| Self::of_net(&net) == Some(own)) {
            return;
        }
        meta.insert(meta::SYMMETRIC_PADDING.to_owned(), own.symmetric_padding.to_string());
        meta.insert(meta::BN_EPS.to_owned(), own.bn_eps.to_string());
    }

    /// That which a header has beside the name of the net.
    fn of_meta(meta: &Meta) -> Option<Self> {
        let symmetric_padding = meta.get(meta::SYMMETRIC_PADDING)?.parse().ok()?;
        let bn_eps = meta.get(meta::BN_EPS)?.parse().ok()?;
        (bn_eps > 0.0 && f64::is_finite(bn_eps)).then_some(Self { symmetric_padding, bn_eps })
    }

    fn of_net(net: &NetConfig) -> Option<Self> {
        match net {
            NetConfig::EfficientNet(config) => Some(Self::of(config)),
            _ => None,
        }
    }

    /// That of weights, by what the header says of it, else by whose names their tensors have or,
    /// where these are timm's, by the name of the net in the header. `None` where nothing tells.
    pub(super) fn of_weights(given: &StateDict, variant: Variant) -> Option<Self> {
        if let Some(said) = Self::of_meta(&given.meta) {
            return Some(said);
        }
        let has = |part: &str| given.tensors.keys().any(|name| name.contains(part));
        if has("features.1.0.block.") {
            // torchvision/models/efficientnet.py: B5 to B7 have TensorFlow's eps.
            let tensorflows_eps = matches!(variant, Variant::B5 | Variant::B6 | Variant::B7);
            let bn_eps = if tensorflows_eps { 1e-3 } else { 1e-5 };
            return Some(Self { symmetric_padding: true, bn_eps });
        }
        if has("_blocks.0._depthwise_conv") || has("blocks.0.depthwise_conv.depthwise_conv") {
            return Some(Self::of(&EfficientNetConfig::new(variant)));
        }
        Self::of_net(&NetConfig::by_name(given.meta.get(meta::ARCHITECTURE)?)?)
    }

    /// The same net in this form.
    pub(super) fn put_on(self, config: &mut EfficientNetConfig) {
        let Self { symmetric_padding, bn_eps } = self;
        *config = EfficientNetConfig { symmetric_padding, bn_eps, ..config.clone() };
    }

    /// What must be known of a net that has weights of another form.
    pub(super) fn caveat(self, config: &EfficientNetConfig) -> Option<String> {
        let own = Self::of(config);
        (own != self).then(|| {
            format!(
                "trained with {self}; this net has {own}: it is to be trained further, not to be \
                 used as it is (set symmetric_padding = {} and bn_eps = {:?} of the net to use it)",
                self.symmetric_padding, self.bn_eps
            )
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = match self.symmetric_padding {
            true => "symmetric padding",
            false => "TensorFlow's padding",
        };
        write!(f, "{padding} and batch norm's eps of {:?}", self.bn_eps)
    }
}
