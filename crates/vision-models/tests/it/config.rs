//! Configurations as data: round trips, defaults, unknown keys, faults.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{from_str, to_string};
use torch::{Device, Kind, Mode, Tensor, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{
    EfficientNetConfig, FastNetConfig, NetConfig, SmallNetConfig, WideResNetConfig,
};

#[test]
fn what_is_left_out_is_the_default() {
    let table: [(&str, NetConfig); 7] = [
        (r#"{"kind": "wide-resnet", "depth": 28, "width": 2}"#, WideResNetConfig::wrn28_2().into()),
        (r#"{"kind": "wide-resnet", "depth": 10, "width": 1}"#, WideResNetConfig::wrn10_1().into()),
        (r#"{"kind": "efficientnet"}"#, EfficientNetConfig::default().into()),
        (
            r#"{"kind": "efficientnet", "variant": "b0", "small_image": true}"#,
            EfficientNetConfig::b0_small_image().into(),
        ),
        (r#"{"kind": "small-net"}"#, SmallNetConfig::digits().into()),
        (
            r#"{"kind": "small-net", "width_multiplier": 1.5, "dropout": 0.3}"#,
            SmallNetConfig { width_multiplier: 1.5, dropout: 0.3, ..Default::default() }.into(),
        ),
        (
            r#"{"kind": "fast-net", "widths": [8, 16]}"#,
            FastNetConfig { widths: vec![8, 16], ..Default::default() }.into(),
        ),
    ];
    for (text, config) in table {
        assert_eq!(from_str::<NetConfig>(text).unwrap(), config, "{text}");
        assert_eq!(from_str::<NetConfig>(&to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(config.faults(), []);
    }
}

/// Recipes that were written before a network had a choice of padding stay as they were.
#[test]
fn tensorflows_form_of_an_efficientnet_goes_without_saying() {
    let text = to_string(&NetConfig::from(EfficientNetConfig::default())).unwrap();
    let before =
        r#"{"kind":"efficientnet","variant":"b0","small_image":false,"stochastic_depth":0.2}"#;
    assert_eq!(text, before);
    let symmetric = NetConfig::from(EfficientNetConfig::symmetric(Variant::B0));
    let text = to_string(&symmetric).unwrap();
    assert!(text.contains(r#""symmetric_padding":true,"bn_eps":"#), "{text}");
    assert_eq!(from_str::<NetConfig>(&text).unwrap(), symmetric);
    let none = NetConfig::from(EfficientNetConfig { bn_eps: 0.0, ..Default::default() });
    assert_eq!(none.faults().len(), 1);
}

#[test]
fn unknown_keys_and_kinds_are_refused_by_name() {
    for (text, name) in [
        (r#"{"kind": "wide-resnet", "widht": 2}"#, "widht"),
        (r#"{"kind": "efficientnet", "classes": 2}"#, "classes"),
        (r#"{"kind": "efficientnet", "variant": "b9"}"#, "b9"),
        (r#"{"kind": "small-net", "depth": 2}"#, "depth"),
        (r#"{"kind": "vgg"}"#, "vgg"),
    ] {
        let error = from_str::<NetConfig>(text).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn every_fault_is_named_at_once() {
    let wide = WideResNetConfig { depth: 27, width: 0.0, dropout: 1.0, ..Default::default() };
    let efficient = EfficientNetConfig {
        dropout: Some(-0.1),
        stochastic_depth: f64::NAN,
        width: Some(0.0),
        ..Default::default()
    };
    let small = SmallNetConfig { width: 0, stages: 7, stem_stride: 3, ..Default::default() };
    let fast =
        FastNetConfig { widths: vec![64, 0], leaky: 2.0, whiten_eps: 0.0, ..Default::default() };
    let table: [(NetConfig, [&str; 3]); 4] = [
        (wide.into(), ["depth: 27 is", "width: 0 is", "dropout: 1 is"]),
        (efficient.into(), ["dropout: -0.1 is", "stochastic_depth: NaN is", "width: 0 is"]),
        (fast.into(), ["widths: [64, 0] is", "leaky: 2 is", "whiten_eps: 0 is"]),
        (small.into(), ["width: 0 is", "stages: 7 is", "stem_stride: 3 is"]),
    ];
    for (config, expected) in table {
        let found: Vec<_> = config.faults().iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        for fault in expected {
            assert!(found.iter().any(|line| line.starts_with(fault)), "{found:?}");
        }
    }
}

/// Every kind of net takes images of its smallest side, and none of a pixel less.
#[test]
fn the_smallest_side_is_that_which_a_net_takes() {
    for (text, least) in [
        (r#"{"kind": "conv-large", "width": 2}"#, 12),
        (r#"{"kind": "vit", "patch": 5, "side": 10, "width": 4, "depth": 1, "heads": 1}"#, 5),
        (r#"{"kind": "fast-net", "widths": [2, 2]}"#, 5),
        (r#"{"kind": "wide-resnet", "depth": 10, "width": 1, "shortcuts": "pooled"}"#, 1),
        (r#"{"kind": "efficientnet", "width": 0.1}"#, 1),
        (r#"{"kind": "shake-shake", "width": 2, "blocks": 1}"#, 1),
        (r#"{"kind": "pyramidnet", "depth": 11, "alpha": 3}"#, 1),
        (r#"{"kind": "resnet", "layers": [1, 1, 1, 1]}"#, 1),
        (r#"{"kind": "small-net", "stages": 4}"#, 1),
    ] {
        let config: NetConfig = from_str(text).unwrap();
        assert_eq!(config.least_side(), least, "{text}");
        let net = config.build(Device::Cpu, 3, 2);
        let shown = |height, width| {
            let images = Tensor::zeros([1, 3, height, width], (Kind::Float, Device::Cpu));
            no_grad(|| net.forward(&images, Mode::Eval)).size()
        };
        assert_eq!(shown(least, least + 1), [1, 2], "{text}");
        if least > 1 {
            let small = catch_unwind(AssertUnwindSafe(|| shown(least, least - 1)));
            assert!(small.is_err(), "{text}: a side of {}", least - 1);
        }
    }
}

#[test]
#[should_panic(expected = "0 classes: at least 1 is needed")]
fn a_net_tells_at_least_one_class() {
    let _ = NetConfig::from(SmallNetConfig::digits()).build(Device::Cpu, 3, 0);
}

#[test]
#[should_panic(expected = "images of 0 channels")]
fn images_have_channels() {
    let _ = NetConfig::from(SmallNetConfig::digits()).build(Device::Cpu, 0, 2);
}

/// As a server needs it, which keeps a network on a thread of its own.
#[test]
fn a_network_moves_to_another_thread() {
    let model = NetConfig::SmallNet(SmallNetConfig::default()).build(Device::Cpu, 3, 5);
    let said = |model: &torch::Model| {
        let images = Tensor::arange(384, (Kind::Float, Device::Cpu)).view([2, 3, 8, 8]) / 384.0;
        no_grad(|| model.forward(&images, Mode::Eval))
    };
    let here = said(&model);
    let there = std::thread::spawn(move || said(&model)).join().expect("a result");
    assert_eq!(there, here);
}
