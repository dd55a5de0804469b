//! Stages: a net is the sum of its parts, and the frozen ones stay as they are.

use torch::optim::OptimConfig;
use torch::{Device, Kind, Mode, Model, Tensor, loss, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{
    ConvLargeConfig, EfficientNetConfig, FastNetConfig, NetConfig, PyramidNetConfig, ResNetConfig,
    ShakeShakeConfig, SmallNetConfig, VitConfig, WideResNetConfig,
};

/// Each net and its number of stages.
pub(crate) fn nets() -> Vec<(NetConfig, usize)> {
    let narrow = |variant| EfficientNetConfig {
        width: Some(0.1),
        stochastic_depth: 0.5,
        ..EfficientNetConfig::new(variant)
    };
    let (resnet, shake) = (ResNetConfig::default(), ShakeShakeConfig::default());
    vec![
        (narrow(Variant::B0).into(), 9),
        (narrow(Variant::Lite0).into(), 9),
        (
            EfficientNetConfig { symmetric_padding: true, bn_eps: 1e-5, ..narrow(Variant::B0) }
                .into(),
            9,
        ),
        (ResNetConfig { layers: [1, 2, 1, 1], stem: 8, ..resnet }.into(), 5),
        (WideResNetConfig { dropout: 0.3, ..WideResNetConfig::new(16, 0.5) }.into(), 4),
        (ConvLargeConfig { width: 4, ..Default::default() }.into(), 3),
        (ShakeShakeConfig { width: 4, blocks: 2, ..shake }.into(), 4),
        (PyramidNetConfig { depth: 20, alpha: 12.0, ..Default::default() }.into(), 4),
        (
            VitConfig {
                width: Some(32),
                depth: Some(3),
                heads: Some(2),
                patch: 4,
                side: 24,
                layer_scale: 0.5,
                registers: 2,
                mean_patches: true,
                stochastic_depth: 0.3,
                ..Default::default()
            }
            .into(),
            4,
        ),
        (FastNetConfig { widths: vec![8, 24], ..Default::default() }.into(), 2),
        (SmallNetConfig { stages: 3, stochastic_depth: 0.3, ..Default::default() }.into(), 3),
    ]
}

fn images() -> Tensor {
    Tensor::randn([4, 3, 24, 24], (Kind::Float, Device::Cpu))
}

fn values(model: &Model) -> Vec<(String, Tensor)> {
    model.params.iter().map(|p| (p.name.clone(), p.tensor.detach().copy())).collect()
}

#[test]
fn a_net_is_its_stages_one_after_another() {
    for (config, stages) in nets() {
        let model = config.build(Device::Cpu, 3, 5);
        let parts = model.net.features().unwrap();
        assert_eq!((parts.stages(), model.params.stages()), (stages, stages), "{config:?}");
        no_grad(|| {
            let x = images();
            let whole = model.forward_features(&x, Mode::Eval);
            for stage in 0..=stages {
                let first = parts.forward_stages(&x, 0..stage, Mode::Eval);
                let both = parts.forward_from(stage, &first, Mode::Eval);
                assert_eq!(whole, both, "{config:?} cut before stage {stage}");
            }
        });
    }
}

#[test]
fn frozen_stages_stay_as_they_are_and_the_others_learn() {
    for (config, stages) in nets() {
        for frozen in [0, 1, stages / 2, stages] {
            let model = config.build(Device::Cpu, 3, 5).freeze(frozen);
            let mut optimizer = OptimConfig::default().build(&model.params);
            let (x, y) = (images(), Tensor::from_slice(&[0_i64, 1, 2, 3]));
            let before = values(&model);
            let parts = model.net.features().unwrap();
            let first = || parts.forward_stages(&x, 0..frozen, Mode::Eval);
            let prefix = no_grad(first);
            for _ in 0..2 {
                let logits = model.forward(&x, Mode::Train);
                loss::cross_entropy(&logits, &y).mean(Kind::Float).backward();
                optimizer.step(0.1);
                model.params.zero_grad();
            }
            assert_eq!(prefix, no_grad(first), "{config:?}: what {frozen} frozen stages give");
            let outline = config.outline(3, 5);
            let trained = model.params.trainable().count();
            assert!(trained >= 2 && (frozen == 0) == (trained == outline.trainable().count()));
            // A block that was dropped learns nothing in a step; the head always does.
            let changed: Vec<_> = (before.iter().zip(values(&model)))
                .filter(|(old, new)| old.1 != new.1)
                .map(|(old, _)| old.0.as_str())
                .collect();
            let first_trained = model.params.trainable().next().unwrap().name.as_str();
            let place = |name: &str| model.params.names().position(|n| n == name).unwrap();
            assert!(changed.iter().all(|name| place(name) >= place(first_trained)), "{changed:?}");
            assert!(changed.len() >= 2, "{config:?} with {frozen} frozen stages: {changed:?}");
        }
    }
}

#[test]
fn training_behind_stages_is_training_with_them_frozen() {
    for (config, stages) in nets() {
        let frozen = stages / 2;
        let [whole, rest] = [0, 1].map(|_| config.build(Device::Cpu, 3, 5));
        rest.params.copy_from(&whole.params);
        let (whole, rest) = (whole.freeze(frozen), rest.skip_stages(frozen));
        let x = images();
        let first =
            no_grad(|| whole.net.features().unwrap().forward_stages(&x, 0..frozen, Mode::Train));
        let gradient = |model: &Model, x: &Tensor| {
            let logits = model.forward(x, Mode::TrainWithoutNoise);
            logits.square().sum(Kind::Float).backward();
            let last = model.params.trainable().last().unwrap();
            (logits.detach(), last.tensor.grad().copy())
        };
        assert_eq!(gradient(&whole, &x), gradient(&rest, &first), "{config:?}");
        // Without a frozen stage's graph there is none to the input, unless it is asked for.
        let x = x.set_requires_grad(true);
        whole.forward(&x, Mode::Train).sum(Kind::Float).backward();
        assert!(x.grad().defined(), "{config:?}");
    }
}

#[test]
#[should_panic(expected = "10 stages of a network that has 9")]
fn more_stages_than_there_are_cannot_be_frozen() {
    let config = EfficientNetConfig { width: Some(0.1), ..Default::default() };
    let _ = NetConfig::from(config).build(Device::Cpu, 3, 5).freeze(10);
}
