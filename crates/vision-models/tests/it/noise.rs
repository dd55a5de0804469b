//! Modes, dropout and stochastic depth of whole nets, and images of odd sizes.

use torch::{Device, Kind, Mode, Model, Tensor, no_grad};
use vision_models::{
    ConvLargeConfig, EfficientNetConfig, NetConfig, PyramidNetConfig, ResNetConfig,
    ShakeShakeConfig, SmallNetConfig, VitConfig, WideResNetConfig,
};

/// One narrow net of each kind with noise in it.
fn noisy_nets() -> [NetConfig; 3] {
    [
        WideResNetConfig { dropout: 0.3, ..WideResNetConfig::new(16, 0.5) }.into(),
        EfficientNetConfig {
            small_image: true,
            width: Some(0.25),
            depth: Some(1.1),
            ..Default::default()
        }
        .into(),
        SmallNetConfig { dropout: 0.3, stochastic_depth: 0.3, ..Default::default() }.into(),
    ]
}

fn images(shape: [i64; 4]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

fn twice(model: &Model, x: &Tensor, mode: Mode) -> [Tensor; 2] {
    no_grad(|| [model.forward(x, mode), model.forward(x, mode)])
}

#[test]
fn only_modes_with_noise_draw_it() {
    for config in noisy_nets() {
        let model = config.build(Device::Cpu, 3, 5);
        let x = images([8, 3, 16, 16]);
        for (mode, same) in [
            (Mode::Eval, true),
            (Mode::TrainWithoutNoise, true),
            (Mode::Train, false),
            (Mode::EvalWithNoise, false),
        ] {
            let [a, b] = twice(&model, &x, mode);
            assert_eq!(a == b, same, "{config:?} in {mode:?}");
        }
    }
}

/// Each net with one kind of noise alone, and without any.
fn single_noises() -> [[NetConfig; 2]; 11] {
    let wide = |dropout| WideResNetConfig { dropout, ..WideResNetConfig::new(10, 0.5) }.into();
    let conv_large = |dropout| ConvLargeConfig { width: 4, dropout, ..Default::default() }.into();
    let layers = [1, 1, 1, 1];
    let resnet = |dropout| ResNetConfig { layers, stem: 8, dropout, ..Default::default() }.into();
    let pyramid = |shake_drop| {
        PyramidNetConfig { depth: 11, alpha: 8.0, shake_drop, ..Default::default() }.into()
    };
    let efficient = |dropout, stochastic_depth| {
        let (dropout, width) = (Some(dropout), Some(0.25));
        EfficientNetConfig {
            small_image: true,
            dropout,
            stochastic_depth,
            width,
            ..Default::default()
        }
        .into()
    };
    let small = |dropout, stochastic_depth| {
        SmallNetConfig { dropout, stochastic_depth, ..Default::default() }.into()
    };
    let vit = |dropout, stochastic_depth| {
        VitConfig {
            width: Some(32),
            depth: Some(2),
            heads: Some(2),
            patch: 4,
            side: 24,
            layer_scale: 0.5,
            dropout,
            stochastic_depth,
            ..Default::default()
        }
        .into()
    };
    [
        [wide(0.3), wide(0.0)],
        [conv_large(0.3), conv_large(0.0)],
        [resnet(0.3), resnet(0.0)],
        [pyramid(0.5), pyramid(0.0)],
        [efficient(0.3, 0.0), efficient(0.0, 0.0)],
        [efficient(0.0, 0.5), efficient(0.0, 0.0)],
        [small(0.3, 0.0), small(0.0, 0.0)],
        [small(0.0, 0.5), small(0.0, 0.0)],
        [vit(0.3, 0.0), vit(0.0, 0.0)],
        [vit(0.0, 0.5), vit(0.0, 0.0)],
        // Shake-Shake has no setting for its noise.
        [ShakeShakeConfig { width: 4, blocks: 1, ..Default::default() }.into(), small(0.0, 0.0)],
    ]
}

#[test]
fn every_setting_of_noise_makes_some() {
    for [noisy, calm] in single_noises() {
        let x = images([32, 3, 24, 24]);
        for (config, same) in [(&noisy, false), (&calm, true)] {
            let [a, b] = twice(&config.build(Device::Cpu, 3, 5), &x, Mode::EvalWithNoise);
            assert_eq!(a == b, same, "{config:?}");
        }
    }
}

#[test]
fn initial_weights_are_spread_as_documented() {
    let glorot = |inputs: f64| (2.0 / (inputs + 500.0)).sqrt();
    let uniform = |bound: f64| bound / 3.0_f64.sqrt();
    let he = |outputs: f64| (2.0 / (9.0 * outputs)).sqrt();
    let cases: [(NetConfig, &str, f64); 10] = [
        (WideResNetConfig::new(10, 2.0).into(), "fc.weight", glorot(128.0)),
        (WideResNetConfig::new(10, 2.0).into(), "block3.layer.0.conv2.weight", he(128.0)),
        (ConvLargeConfig::default().into(), "fc.weight", glorot(128.0)),
        (SmallNetConfig::default().into(), "fc.weight", glorot(32.0)),
        (SmallNetConfig::default().into(), "stages.1.blocks.0.conv.weight", he(32.0)),
        (
            ResNetConfig { layers: [1; 4], stem: 16, ..Default::default() }.into(),
            "fc.weight",
            uniform(1.0 / 512.0_f64.sqrt()),
        ),
        (
            ResNetConfig { layers: [1; 4], groups: 2, stem: 16, ..Default::default() }.into(),
            "layer4.0.conv2.weight",
            he(256.0),
        ),
        (
            PyramidNetConfig { depth: 11, alpha: 8.0, ..Default::default() }.into(),
            "fc.weight",
            uniform(1.0 / 500.0_f64.sqrt()),
        ),
        (
            ShakeShakeConfig { width: 32, blocks: 1, ..Default::default() }.into(),
            "fc.weight",
            uniform(1.0 / 500.0_f64.sqrt()),
        ),
        (
            EfficientNetConfig { width: Some(0.25), ..Default::default() }.into(),
            "classifier.weight",
            uniform(1.0 / 500.0_f64.sqrt()),
        ),
    ];
    for (config, name, expected) in cases {
        let model = config.build(Device::Cpu, 3, 500);
        let weights = model.params.get(name).unwrap();
        let spread = weights.std(true).double_value(&[]);
        // With so many values, chance moves a standard deviation by 1 % or so.
        assert!(weights.numel() > 9_000, "{name} has {} values", weights.numel());
        assert!((spread / expected - 1.0).abs() < 0.05, "{name}: {spread}, not {expected}");
    }
}

#[test]
fn only_modes_with_batch_statistics_update_the_running_ones() {
    for config in noisy_nets() {
        let model = config.build(Device::Cpu, 3, 5);
        let x = images([8, 3, 16, 16]);
        let statistics = || -> Vec<Tensor> {
            model
                .params
                .iter()
                .filter(|p| p.role == torch::Role::Buffer)
                .map(|p| p.tensor.copy())
                .collect()
        };
        for (mode, same) in [
            (Mode::Eval, true),
            (Mode::EvalWithNoise, true),
            (Mode::TrainWithoutNoise, false),
            (Mode::Train, false),
        ] {
            let before = statistics();
            let _ = twice(&model, &x, mode);
            assert_eq!(before == statistics(), same, "{config:?} in {mode:?}");
        }
    }
}

#[test]
fn dropout_keeps_the_mean_and_the_rate() {
    let x = Tensor::ones([200_000], (Kind::Float, Device::Cpu));
    let y = torch::nn::dropout(&x, 0.3, Mode::Train);
    let dropped = y.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    // Five standard deviations of a binomial share.
    assert!((dropped - 0.3).abs() < 5.0 * (0.3 * 0.7 / 200_000.0_f64).sqrt(), "{dropped}");
    assert!((y.max().double_value(&[]) - 1.0 / 0.7).abs() < 1e-6);
}

/// With its only branch dropped, the small net is another function; how many samples see that
/// function is the rate.
#[test]
fn stochastic_depth_drops_the_branch_of_so_many_samples() {
    let rate = 0.3;
    let config = SmallNetConfig { stages: 1, stochastic_depth: rate, ..Default::default() };
    let model = NetConfig::from(config).build(Device::Cpu, 1, 4);
    let samples = 20_000;
    let x = images([1, 1, 4, 4]).expand([samples, 1, 4, 4], false).contiguous();
    let noisy = no_grad(|| model.forward(&x, Mode::EvalWithNoise));
    no_grad(|| {
        let bn = model.params.get("stages.0.blocks.0.bn.weight").unwrap();
        let _ = bn.shallow_clone().zero_();
    });
    // Batch norm with scale and shift 0 gives a branch of zeros.
    let without = no_grad(|| model.forward(&x, Mode::Eval));
    let gap = (&noisy - &without).abs().amax([1].as_slice(), false);
    let dropped = gap.lt(1e-5).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    let deviation = (rate * (1.0 - rate) / samples as f64).sqrt();
    assert!((dropped - rate).abs() < 5.0 * deviation, "{dropped}");
    // Two kinds of samples only: the branch is dropped whole or kept whole.
    let kept = noisy.masked_select(&gap.ge(1e-5).unsqueeze(1).expand([samples, 4], false));
    let kept = kept.view([-1, 4]);
    assert!((&kept - kept.narrow(0, 0, 1)).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn any_size_and_number_of_channels_will_do() {
    for config in noisy_nets() {
        for (channels, h, w) in [(1, 8, 8), (3, 33, 17), (4, 5, 40)] {
            let model = config.build(Device::Cpu, channels, 5);
            let logits = no_grad(|| model.forward(&images([2, channels, h, w]), Mode::Eval));
            assert_eq!(logits.size(), [2, 5], "{config:?} on {h} x {w}");
            assert!(logits.isfinite().all().int64_value(&[]) == 1);
        }
    }
}
