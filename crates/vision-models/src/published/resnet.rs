//! The names of ResNet's tensors in other code bases; timm and torchvision have ours.

use weights::matching::{Scheme, Target};

/// The schemes of a ResNet.
pub(super) fn schemes<'a>() -> Vec<Scheme<'a>> {
    vec![
        Scheme {
            name: "transformers (ResNet)",
            translate: Box::new(|name| transformers(name).map(Target::whole)),
        },
        Scheme {
            name: "torchvision (ResNet in a Sequential)",
            translate: Box::new(|name| children(name).map(Target::whole)),
        },
    ]
}

/// `resnet.encoder.stages.0.layers.1.layer.2.convolution.weight`.
fn transformers(name: &str) -> Option<String> {
    let name = name.strip_prefix("resnet.").unwrap_or(name);
    let (layer, last) = name.rsplit_once('.')?;
    let outer = match layer {
        "embedder.embedder.convolution" => "conv1",
        "embedder.embedder.normalization" => "bn1",
        "classifier.1" => "fc",
        _ => {
            let (stage, rest) = layer.strip_prefix("encoder.stages.")?.split_once(".layers.")?;
            let (block, layer) = rest.split_once('.')?;
            let stage = stage.parse::<usize>().ok()? + 1;
            let layer = match layer {
                "shortcut.convolution" => "downsample.0".to_owned(),
                "shortcut.normalization" => "downsample.1".to_owned(),
                _ => {
                    let (number, kind) = layer.strip_prefix("layer.")?.split_once('.')?;
                    let number = number.parse::<usize>().ok()? + 1;
                    match kind {
                        "convolution" => format!("conv{number}"),
                        "normalization" => format!("bn{number}"),
                        _ => return None,
                    }
                }
            };
            return Some(format!("layer{stage}.{block}.{layer}.{last}"));
        }
    };
    Some(format!("{outer}.{last}"))
}

/// `4.0.conv1.weight`: the children of a net, in their order, as methods of self-supervised
/// training keep them, also below `features.` or `f.`.
fn children(name: &str) -> Option<String> {
    let name = name.strip_prefix("features.").or_else(|| name.strip_prefix("f.")).unwrap_or(name);
    let (number, rest) = name.split_once('.')?;
    let child = match number {
        "0" => "conv1",
        "1" => "bn1",
        // 2 and 3 are the activation and the pooling.
        "4" => "layer1",
        "5" => "layer2",
        "6" => "layer3",
        "7" => "layer4",
        _ => return None,
    };
    Some(format!("{child}.{rest}"))
}
