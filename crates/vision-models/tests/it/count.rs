//! Numbers of trainable parameters, against the published ones.

use torch::{Device, Params};
use vision_models::efficientnet::Variant;
use vision_models::vit::Size;
use vision_models::{
    ConvLargeConfig, EfficientNetConfig, NetConfig, PyramidNetConfig, ResNetConfig,
    ShakeShakeConfig, SmallNetConfig, VitConfig, WideResNetConfig,
};

fn count(config: impl Into<NetConfig>, classes: i64) -> usize {
    config.into().outline(3, classes).count()
}

#[test]
fn wide_resnets_have_the_published_counts() {
    let table = [
        (WideResNetConfig::wrn28_2(), 10, 1_467_610),
        (WideResNetConfig { conv_bias: true, ..WideResNetConfig::wrn28_2() }, 10, 1_469_642),
        (WideResNetConfig::wrn28_8(), 100, 23_401_012),
        (WideResNetConfig::wrn28_10(), 10, 36_479_194),
        (WideResNetConfig::wrn28_10(), 100, 36_536_884),
        (WideResNetConfig::mixmatch_26m(), 10, 25_985_290),
    ];
    for (config, classes, expected) in table {
        assert_eq!(count(config.clone(), classes), expected, "{config:?} with {classes} classes");
    }
}

#[test]
fn efficientnets_have_the_published_counts() {
    let counts = [
        5_288_548,
        7_794_184,
        9_109_994,
        12_233_232,
        19_341_616,
        30_389_784,
        43_040_704,
        66_347_960,
        87_413_142,
        480_309_308,
        // timm's `tf_efficientnet_lite0` to `lite4`.
        4_652_008,
        5_416_680,
        6_092_072,
        8_197_096,
        13_006_568,
    ];
    for (variant, expected) in Variant::ALL.into_iter().zip(counts) {
        assert_eq!(count(EfficientNetConfig::new(variant), 1000), expected, "{variant:?}");
    }
    assert_eq!(count(EfficientNetConfig::b0_small_image(), 10), 4_020_358);
}

#[test]
fn the_nets_of_the_benchmark_have_the_published_counts() {
    assert_eq!(count(ConvLargeConfig::default(), 10), 3_121_802);
    let bias = ConvLargeConfig { conv_bias: true, ..ConvLargeConfig::default() };
    assert_eq!(count(bias, 10), 3_123_850);
    for (width, expected) in [(32, 2_923_162), (96, 26_192_922), (112, 35_640_442)] {
        assert_eq!(count(ShakeShakeConfig { width, ..Default::default() }, 10), expected);
    }
    assert_eq!(count(PyramidNetConfig::default(), 10), 26_210_842);
    assert_eq!(count(ResNetConfig::resnet50(), 1000), 25_557_032);
    // torchvision's `resnext101_32x8d`; the other is computed from the same table.
    assert_eq!(count(ResNetConfig::resnext101_32x8d(), 1000), 88_791_336);
    assert_eq!(count(ResNetConfig::resnext101_32x48d(), 1000), 828_411_176);
}

#[test]
fn vision_transformers_have_the_published_counts() {
    // timm's `vit_*_patch14_dinov2` and `vit_*_patch14_reg4_dinov2` without a head.
    for (size, width, plain, registers) in [
        (Size::Small, 384, 22_056_192, 22_057_344),
        (Size::Base, 768, 86_579_712, 86_582_016),
        (Size::Large, 1024, 304_367_616, 304_370_688),
    ] {
        assert_eq!(count(VitConfig::dinov2(size), 1) - width - 1, plain, "{size:?}");
        let with = VitConfig::dinov2_registers(size);
        assert_eq!(count(with, 1) - width - 1, registers, "{size:?} with registers");
    }
}

#[test]
fn small_net_is_small() {
    let digits = NetConfig::from(SmallNetConfig::digits()).outline(1, 10).count();
    assert!((15_000..25_000).contains(&digits), "{digits}");
}

/// An outline is the built net without its values.
#[test]
fn an_outline_tells_what_is_built() {
    for config in [
        NetConfig::from(WideResNetConfig::wrn16_2()),
        EfficientNetConfig::b0_small_image().into(),
        SmallNetConfig { stages: 3, stem_stride: 2, ..SmallNetConfig::default() }.into(),
    ] {
        let lines = |params: &Params| -> Vec<_> {
            params.iter().map(|p| (p.name.clone(), p.tensor.size(), p.role)).collect()
        };
        let built = config.build(Device::Cpu, 3, 7).params;
        assert_eq!(lines(&built), lines(&config.outline(3, 7)));
        assert_eq!(built.count(), config.outline(3, 7).count());
    }
}
