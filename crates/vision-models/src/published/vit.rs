//! The names of a vision transformer's tensors in other code bases; timm has ours.

use std::collections::BTreeMap;

use torch::Tensor;
use weights::matching::{Scheme, Target};
use weights::{StateDict, TensorData};

use crate::NetConfig;

/// The schemes of a vision transformer.
pub(super) fn schemes<'a>() -> Vec<Scheme<'a>> {
    vec![
        Scheme {
            name: "facebookresearch/dinov2",
            translate: Box::new(|name| dinov2(name).map(Target::whole)),
        },
        Scheme { name: "transformers (ViT)", translate: Box::new(transformers) },
    ]
}

/// timm's names but for the registers, the gated perceptrons, and blocks that lie in chunks
/// (`blocks.CHUNK.BLOCK.…`, with blocks counted through).
fn dinov2(name: &str) -> Option<String> {
    if name == "register_tokens" {
        return Some("reg_token".to_owned());
    }
    let Some(rest) = name.strip_prefix("blocks.") else { return Some(name.to_owned()) };
    let (first, rest) = rest.split_once('.')?;
    let (number, layer) = match rest.split_once('.') {
        Some((second, layer)) if second.parse::<usize>().is_ok() => (second, layer),
        _ => (first, rest),
    };
    let layer = layer.replace("mlp.w12.", "mlp.fc1.").replace("mlp.w3.", "mlp.fc2.");
    Some(format!("blocks.{number}.{layer}"))
}

/// `vit.encoder.layer.0.attention.attention.query.weight`: the three parts of attention's first
/// layer are tensors of their own. DINOv2's blocks have other names than ViT's.
fn transformers(name: &str) -> Option<Target> {
    let name = ["vit.", "deit.", "dinov2.", "dinov2_with_registers."]
        .iter()
        .find_map(|model| name.strip_prefix(model))
        .unwrap_or(name);
    let token = match name {
        "embeddings.cls_token" => Some("cls_token"),
        "embeddings.register_tokens" => Some("reg_token"),
        "embeddings.position_embeddings" => Some("pos_embed"),
        _ => None,
    };
    if let Some(token) = token {
        return Some(Target::whole(token));
    }
    let (layer, last) = name.rsplit_once('.')?;
    let outer = match layer {
        "embeddings.patch_embeddings.projection" => "patch_embed.proj",
        "layernorm" => "norm",
        "classifier" => "head",
        _ => {
            let (number, layer) = layer.strip_prefix("encoder.layer.")?.split_once('.')?;
            return block(number, layer, last);
        }
    };
    Some(Target::whole(format!("{outer}.{last}")))
}

fn block(number: &str, layer: &str, last: &str) -> Option<Target> {
    let part = match layer {
        "attention.attention.query" => Some(0),
        "attention.attention.key" => Some(1),
        "attention.attention.value" => Some(2),
        _ => None,
    };
    if let Some(part) = part {
        return Some(Target { name: format!("blocks.{number}.attn.qkv.{last}"), part });
    }
    let ours = match (layer, last) {
        ("layer_scale1", "lambda1") => "ls1.gamma".to_owned(),
        ("layer_scale2", "lambda1") => "ls2.gamma".to_owned(),
        ("norm1" | "layernorm_before", _) => format!("norm1.{last}"),
        ("norm2" | "layernorm_after", _) => format!("norm2.{last}"),
        ("attention.output.dense", _) => format!("attn.proj.{last}"),
        ("mlp.fc1" | "mlp.weights_in" | "intermediate.dense", _) => format!("mlp.fc1.{last}"),
        ("mlp.fc2" | "mlp.weights_out" | "output.dense", _) => format!("mlp.fc2.{last}"),
        _ => return None,
    };
    Some(Target::whole(format!("blocks.{number}.{ours}")))
}

impl NetConfig {
    /// The same with positions for pictures of the size that these weights are for: a vision
    /// transformer brings them from there to the pictures it sees. Other nets have none.
    pub(super) fn with_positions_of(mut self, given: &StateDict) -> Self {
        let is_one = |name: &str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            matches!(last, "pos_embed" | "position_embeddings")
        };
        let found = given.tensors.iter().find(|(name, _)| is_one(name));
        if let (Self::Vit(config), Some((_, positions))) = (&mut self, found)
            && let &[1, count, _] = positions.shape()
        {
            // With the class token's position or without.
            let grids = [count, count.saturating_sub(1)].map(|places| (places.isqrt(), places));
            let grid = grids.into_iter().find(|(grid, places)| *grid > 0 && grid * grid == *places);
            if let Some((grid, _)) = grid
                && grid as i64 != config.side / config.patch
            {
                config.side = grid as i64 * config.patch;
            }
        }
        self
    }
}

/// Brings positions to the form that is wanted: where they leave out the class token's, as timm's
/// nets with registers do, it is added to the class token.
pub(super) fn fit_positions(
    tensors: &mut BTreeMap<String, TensorData>,
    wanted: &BTreeMap<&str, &Tensor>,
    applied: &mut Vec<String>,
) {
    let (Some(ours), Some(positions), Some(class)) =
        (wanted.get("pos_embed"), tensors.get("pos_embed"), tensors.get("cls_token"))
    else {
        return;
    };
    let (size, &[1, found, found_width]) = (ours.size(), positions.shape()) else { return };
    let [_, count, width] = size[..] else { return };
    let fits = found as i64 == count + 1 && found_width as i64 == width;
    if !fits || class.shape() != [1, 1, found_width] {
        return;
    }
    let all = positions.to_f32();
    let (first, rest) = all.split_at(found_width);
    let sum: Vec<f32> = class.to_f32().iter().zip(first).map(|(a, b)| a + b).collect();
    tensors.insert("cls_token".to_owned(), TensorData::from_f32(vec![1, 1, found_width], &sum));
    let rest = TensorData::from_f32(vec![1, found - 1, found_width], rest);
    tensors.insert("pos_embed".to_owned(), rest);
    applied.push("the class token's position added to the token".to_owned());
}
