//! Networks by the names that timm and torchvision give them.

use crate::NetConfig;
use crate::efficientnet::{EfficientNetConfig, Variant};
use crate::resnet::ResNetConfig;
use crate::vit::{Size, VitConfig};

impl NetConfig {
    /// The names that [`by_name`](Self::by_name) knows, in words.
    pub const NAMES: &str = "efficientnet_b0 to b8, l2 and lite0 to lite4 (tf_efficientnet_... \
                             as in TensorFlow), resnet50, 101 and 152, resnext101_32x8d and 32x48d, \
                             vit_small_patch14_dinov2, base and large (reg4 behind the patch too)";

    /// The network that timm or torchvision call so: `efficientnet_b0` to `b8` and `l2`,
    /// `efficientnet_lite0` to `lite4` (padded on every side, with an eps of 1e-5; with `tf_`
    /// before them as in TensorFlow), `resnet50`, `resnet101`,
    /// `resnet152`, `resnext101_32x8d`, `resnext101_32x48d`, `vit_small_patch14_dinov2`, `base` and
    /// `large`, with `_reg4` behind the patch too. What stands behind a dot or begins
    /// with `_ns` names the training and is passed over: `tf_efficientnet_b5.ns_jft_in1k`. `None`
    /// for any other name.
    ///
    /// ```
    /// use vision_models::NetConfig;
    /// let net = NetConfig::by_name("tf_efficientnet_lite0.in1k").expect("a known net");
    /// assert_eq!(net.outline(3, 1000).count(), 4_652_008);
    /// assert!(NetConfig::by_name("efficientnet_b9").is_none());
    /// ```
    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name).to_lowercase().replace('-', "_");
        let name = name.split('.').next().unwrap_or_default();
        let (name, tensorflow) = match name.strip_prefix("tf_") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if let Some(variant) = name.strip_prefix("efficientnet_") {
            let variant = variant.split("_ns").next().unwrap_or(variant);
            let found = Variant::ALL.into_iter().find(|known| known.name() == variant)?;
            return Some(NetConfig::EfficientNet(match tensorflow {
                true => EfficientNetConfig::new(found),
                false => EfficientNetConfig::symmetric(found),
            }));
        }
        if let Some(form) = name.strip_prefix("vit_") {
            let (size, form) = form.split_once('_')?;
            let size = match size {
                "small" => Size::Small,
                "base" => Size::Base,
                "large" => Size::Large,
                _ => return None,
            };
            return match form {
                "patch14_dinov2" => Some(VitConfig::dinov2(size).into()),
                "patch14_reg4_dinov2" => Some(VitConfig::dinov2_registers(size).into()),
                _ => None,
            };
        }
        let bottlenecks = |layers| ResNetConfig { layers, ..ResNetConfig::default() };
        Some(NetConfig::ResNet(match name {
            "resnet50" => ResNetConfig::resnet50(),
            "resnet101" => bottlenecks([3, 4, 23, 3]),
            "resnet152" => bottlenecks([3, 8, 36, 3]),
            "resnext101_32x8d" => ResNetConfig::resnext101_32x8d(),
            "resnext101_32x48d" => ResNetConfig::resnext101_32x48d(),
            _ => return None,
        }))
    }

    /// The network's name in timm, if timm has it. An EfficientNet may have another padding or eps
    /// of batch norm than the net of that name: [`set_meta`](Self::set_meta) says which.
    ///
    /// ```
    /// use vision_models::NetConfig;
    /// let vit = "vit_small_patch14_reg4_dinov2";
    /// for name in ["tf_efficientnet_lite0", "efficientnet_b7", "resnet101", vit] {
    ///     let net = NetConfig::by_name(name).expect("a known net");
    ///     assert_eq!(net.timm_name().as_deref(), Some(name));
    /// }
    /// ```
    pub fn timm_name(&self) -> Option<String> {
        match self {
            NetConfig::EfficientNet(config) => {
                // What only matters in training.
                let EfficientNetConfig { variant, dropout, stochastic_depth, .. } = *config;
                // What is said beside the name.
                let EfficientNetConfig { symmetric_padding, bn_eps, .. } = *config;
                let known = EfficientNetConfig {
                    dropout,
                    stochastic_depth,
                    symmetric_padding,
                    bn_eps,
                    ..EfficientNetConfig::new(variant)
                };
                let before = if symmetric_padding { "" } else { "tf_" };
                (*config == known).then(|| format!("{before}efficientnet_{}", variant.name()))
            }
            NetConfig::ResNet(ResNetConfig {
                layers, groups, width_per_group, stem: 64, ..
            }) => {
                let name = match (layers, groups, width_per_group) {
                    ([3, 4, 6, 3], 1, 64) => "resnet50",
                    ([3, 4, 23, 3], 1, 64) => "resnet101",
                    ([3, 8, 36, 3], 1, 64) => "resnet152",
                    ([3, 4, 23, 3], 32, 8) => "resnext101_32x8d",
                    ([3, 4, 23, 3], 32, 48) => "resnext101_32x48d",
                    _ => return None,
                };
                Some(name.to_owned())
            }
            NetConfig::Vit(config) => {
                let size = match config.size {
                    Size::Small => "small",
                    Size::Base => "base",
                    Size::Large => "large",
                };
                // What only matters in training.
                let VitConfig { layer_scale, dropout, stochastic_depth, .. } = *config;
                let forms = [
                    (VitConfig::dinov2(config.size), "patch14_dinov2"),
                    (VitConfig::dinov2_registers(config.size), "patch14_reg4_dinov2"),
                ];
                let mut forms = forms.into_iter();
                let (_, form) = forms.find(|(form, _)| {
                    *config == VitConfig { layer_scale, dropout, stochastic_depth, ..form.clone() }
                })?;
                Some(format!("vit_{size}_{form}"))
            }
            _ => None,
        }
    }
}
