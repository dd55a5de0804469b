//! Image classifiers for semi-supervised learning: [EfficientNet](efficientnet), [Wide
//! ResNet](wide_resnet), [Conv-Large](conv_large), [Shake-Shake](shake_shake),
//! [PyramidNet](pyramidnet), [ResNet and ResNeXt](resnet), [vision transformers](vit), and a [small
//! net](small_net) and a [fast net](fast_net) for a CPU.
//! Each is one file with its configuration, which is plain data that a recipe may hold; tensors
//! have the names of published checkpoints, and [published] weights of other code bases are
//! loaded into them. Every net takes images of any size from
//! [`NetConfig::least_side`] on (12 pixels for Conv-Large, a patch for a vision transformer, 9 for
//! the fast net of three blocks, 1 for the others) and runs without its noise (dropout, stochastic
//! depth) when the [`torch::Mode`] says so.
//!
//! ```
//! use torch::{Device, Kind, Mode, Tensor};
//! use vision_models::{NetConfig, WideResNetConfig};
//!
//! let config = NetConfig::WideResNet(WideResNetConfig::wrn10_1());
//! assert_eq!(config.faults(), []);
//! let model = config.build(Device::Cpu, 3, 10);
//! let images = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
//! assert_eq!(model.forward(&images, Mode::Eval).size(), [2, 10]);
//! assert!(model.params.get("block1.layer.0.conv1.weight").is_some());
//! ```

pub mod conv_large;
pub mod efficientnet;
pub mod fast_net;
mod net_config;
mod net_names;
pub mod published;
pub mod pyramidnet;
pub mod resnet;
pub mod shake_shake;
pub mod small_net;
pub mod vit;
pub mod wide_resnet;

pub use conv_large::ConvLargeConfig;
pub use efficientnet::EfficientNetConfig;
pub use fast_net::FastNetConfig;
pub use net_config::NetConfig;
pub use pyramidnet::PyramidNetConfig;
pub use resnet::ResNetConfig;
pub use shake_shake::ShakeShakeConfig;
pub use small_net::SmallNetConfig;
pub use vit::VitConfig;
pub use wide_resnet::WideResNetConfig;
