//! The choice of a network as data: one enum over the models' own configurations.

use serde::{Deserialize, Serialize};
use torch::precision::Precision;
use torch::{ConfigError, Device, Inference, InvalidConfig, Model, Net, Params, Scope, Tensor};

use crate::conv_large::{self, ConvLarge, ConvLargeConfig};
use crate::efficientnet::{EfficientNet, EfficientNetConfig};
use crate::fast_net::{FastNet, FastNetConfig};
use crate::pyramidnet::{PyramidNet, PyramidNetConfig};
use crate::resnet::{ResNet, ResNetConfig};
use crate::shake_shake::{ShakeShake, ShakeShakeConfig};
use crate::small_net::{SmallNet, SmallNetConfig};
use crate::vit::{Vit, VitConfig};
use crate::wide_resnet::{WideResNet, WideResNetConfig};

/// Any network of this crate. In a recipe the key `kind` (`wide-resnet`, `efficientnet`,
/// `conv-large`, `shake-shake`, `pyramidnet`, `resnet`, `vit`, `small-net` or `fast-net`) says
/// which, and the other keys are those of its configuration:
/// `{ kind = "wide-resnet", depth = 28, width = 2 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum NetConfig {
    /// A wide residual network.
    #[serde(rename = "wide-resnet")]
    WideResNet(WideResNetConfig),
    /// An EfficientNet.
    #[serde(rename = "efficientnet")]
    EfficientNet(EfficientNetConfig),
    /// Conv-Large.
    #[serde(rename = "conv-large")]
    ConvLarge(ConvLargeConfig),
    /// A Shake-Shake network.
    #[serde(rename = "shake-shake")]
    ShakeShake(ShakeShakeConfig),
    /// A PyramidNet with ShakeDrop.
    #[serde(rename = "pyramidnet")]
    PyramidNet(PyramidNetConfig),
    /// A ResNet or ResNeXt.
    #[serde(rename = "resnet")]
    ResNet(ResNetConfig),
    /// A vision transformer.
    #[serde(rename = "vit")]
    Vit(VitConfig),
    /// The compact net of the default runs.
    #[serde(rename = "small-net")]
    SmallNet(SmallNetConfig),
    /// The net that learns from little arithmetic.
    #[serde(rename = "fast-net")]
    FastNet(FastNetConfig),
}

impl NetConfig {
    /// Every value that no net can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        match self {
            NetConfig::WideResNet(config) => config.faults(),
            NetConfig::EfficientNet(config) => config.faults(),
            NetConfig::ConvLarge(config) => config.faults(),
            NetConfig::ShakeShake(config) => config.faults(),
            NetConfig::PyramidNet(config) => config.faults(),
            NetConfig::ResNet(config) => config.faults(),
            NetConfig::Vit(config) => config.faults(),
            NetConfig::SmallNet(config) => config.faults(),
            NetConfig::FastNet(config) => config.faults(),
        }
    }

    /// Makes the network for images `[batch, channels_in, h, w]` of any size from
    /// [`least_side`](Self::least_side) on and for `classes` classes, with random weights from the
    /// CPU generator. A configuration with [faults](Self::faults) is a bug here and panics with
    /// them, and so do fewer than one channel or class.
    pub fn build(&self, device: Device, channels_in: i64, classes: i64) -> Model {
        Model::build(device, |scope| self.make(scope, channels_in, classes))
    }

    /// How many images, which need no labels, a new network of this kind wants to see before it is
    /// trained ([`NetConfig::start_from`]); 0 for most.
    pub fn images_at_start(&self) -> usize {
        match self {
            NetConfig::FastNet(_) => 2000,
            _ => 0,
        }
    }

    /// The smallest side of an image that the network can take, pixels.
    ///
    /// ```
    /// use vision_models::{ConvLargeConfig, NetConfig, VitConfig};
    /// assert_eq!(NetConfig::from(ConvLargeConfig::default()).least_side(), 12);
    /// assert_eq!(NetConfig::from(VitConfig::default()).least_side(), 14);
    /// ```
    pub fn least_side(&self) -> i64 {
        match self {
            NetConfig::FastNet(config) => config.least_side(),
            NetConfig::ConvLarge(_) => conv_large::LEAST_SIDE,
            NetConfig::Vit(config) => config.patch,
            _ => 1,
        }
    }

    /// Sets what a new network takes from images `[n, channels, h, w]`; for most that is nothing.
    /// The same images give the same values.
    pub fn start_from(&self, params: &Params, images: &Tensor) {
        if let NetConfig::FastNet(config) = self {
            config.whiten(params, images);
        }
    }

    /// The names, shapes and roles of the network's tensors, without memory for their values.
    pub fn outline(&self, channels_in: i64, classes: i64) -> Params {
        Params::outline(|scope| self.make(scope, channels_in, classes))
    }

    /// The network whose tensors are `params`, made for running only: batch norm folded into the
    /// convolutions, weights laid out for the processor ([`Inference`]). The numbers of channels
    /// and classes are those that it was built with.
    pub fn for_inference(
        &self,
        params: &Params,
        channels_in: i64,
        classes: i64,
        precision: Precision,
    ) -> Inference {
        Inference::new(params, precision, |scope| self.make(scope, channels_in, classes))
    }

    /// The same in a place of a larger network.
    pub fn make(&self, scope: &mut Scope<'_>, channels_in: i64, classes: i64) -> Box<dyn Net> {
        InvalidConfig::assert_none(self.faults(), "no net can have this");
        assert!(channels_in >= 1, "model: images of {channels_in} channels: at least 1 is needed");
        assert!(classes >= 1, "model: {classes} classes: at least 1 is needed");
        match self {
            NetConfig::WideResNet(c) => Box::new(WideResNet::new(scope, c, channels_in, classes)),
            NetConfig::EfficientNet(c) => {
                Box::new(EfficientNet::new(scope, c, channels_in, classes))
            }
            NetConfig::ConvLarge(c) => Box::new(ConvLarge::new(scope, c, channels_in, classes)),
            NetConfig::ShakeShake(c) => Box::new(ShakeShake::new(scope, c, channels_in, classes)),
            NetConfig::PyramidNet(c) => Box::new(PyramidNet::new(scope, c, channels_in, classes)),
            NetConfig::ResNet(c) => Box::new(ResNet::new(scope, c, channels_in, classes)),
            NetConfig::Vit(c) => Box::new(Vit::new(scope, c, channels_in, classes)),
            NetConfig::SmallNet(c) => Box::new(SmallNet::new(scope, c, channels_in, classes)),
            NetConfig::FastNet(c) => Box::new(FastNet::new(scope, c, channels_in, classes)),
        }
    }
}

impl From<WideResNetConfig> for NetConfig {
    fn from(config: WideResNetConfig) -> Self {
        NetConfig::WideResNet(config)
    }
}

impl From<EfficientNetConfig> for NetConfig {
    fn from(config: EfficientNetConfig) -> Self {
        NetConfig::EfficientNet(config)
    }
}

impl From<ConvLargeConfig> for NetConfig {
    fn from(config: ConvLargeConfig) -> Self {
        NetConfig::ConvLarge(config)
    }
}

impl From<ShakeShakeConfig> for NetConfig {
    fn from(config: ShakeShakeConfig) -> Self {
        NetConfig::ShakeShake(config)
    }
}

impl From<PyramidNetConfig> for NetConfig {
    fn from(config: PyramidNetConfig) -> Self {
        NetConfig::PyramidNet(config)
    }
}

impl From<ResNetConfig> for NetConfig {
    fn from(config: ResNetConfig) -> Self {
        NetConfig::ResNet(config)
    }
}

impl From<VitConfig> for NetConfig {
    fn from(config: VitConfig) -> Self {
        NetConfig::Vit(config)
    }
}

impl From<FastNetConfig> for NetConfig {
    fn from(config: FastNetConfig) -> Self {
        NetConfig::FastNet(config)
    }
}

impl From<SmallNetConfig> for NetConfig {
    fn from(config: SmallNetConfig) -> Self {
        NetConfig::SmallNet(config)
    }
}

#[cfg(test)]
mod tests {
    use torch::{Kind, Mode, rng};

    use super::*;

    #[test]
    fn a_seed_gives_the_same_net_and_the_same_noise() {
        let _alone = torch::rng::exclusive();
        for config in [
            WideResNetConfig { dropout: 0.3, ..WideResNetConfig::wrn10_1() }.into(),
            EfficientNetConfig { width: Some(0.25), ..Default::default() }.into(),
            NetConfig::from(SmallNetConfig { stochastic_depth: 0.5, ..Default::default() }),
        ] {
            let run = |seed| {
                rng::seed(seed);
                let x = Tensor::randn([4, 3, 32, 32], (Kind::Float, Device::Cpu));
                config.build(Device::Cpu, 3, 5).forward(&x, Mode::Train)
            };
            assert_eq!(run(7), run(7), "{config:?}");
            assert_ne!(run(7), run(8), "{config:?}");
        }
    }
}
