//! Networks as lists of operations give what the networks give.

use torch::graph::{Array, Graph, Operation};
use torch::precision::Precision;
use torch::{Device, Kind, Mode, Tensor, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{
    EfficientNetConfig, FastNetConfig, NetConfig, ResNetConfig, SmallNetConfig, VitConfig,
    WideResNetConfig,
};

use crate::inference::{fill, images, relative};

fn tensor(array: &Array) -> Tensor {
    Tensor::from_slice(&array.values).view(array.shape.as_slice())
}

/// Runs a graph by its documentation.
fn run(graph: &Graph, x: &Tensor) -> Tensor {
    let mut values = vec![x.shallow_clone()];
    for step in graph.steps() {
        let of = |i: usize| &values[step.inputs[i].number()];
        let x = of(0);
        let channels = |array: &Array| tensor(array).view([1, -1, 1, 1]);
        values.push(match &step.operation {
            Operation::Conv { weight, bias, stride, padding, groups } => {
                let (kernel, size) = (weight.shape[2], x.size());
                // Rows and columns of zeros before and after.
                let pads = |side: i64| match padding {
                    Some(p) => [*p, *p],
                    None => {
                        let outputs = (side + stride - 1) / stride;
                        let all = ((outputs - 1) * stride + kernel - side).max(0);
                        [all / 2, all - all / 2]
                    }
                };
                let ([top, bottom], [left, right]) = (pads(size[2]), pads(size[3]));
                let x = x.constant_pad_nd([left, right, top, bottom]);
                let (weight, bias) = (tensor(weight), tensor(bias));
                x.conv2d(&weight, Some(&bias), [*stride, *stride], [0, 0], [1, 1], *groups)
            }
            Operation::Affine { scale, shift } => x * channels(scale) + channels(shift),
            Operation::LeakyRelu(slope) => x.maximum(&(x * *slope)),
            Operation::Relu6 => x.clamp(0.0, 6.0),
            Operation::Sigmoid => x.sigmoid(),
            Operation::Add => x + of(1),
            Operation::Mul => x * of(1),
            Operation::MaxPool { kernel: k, stride: s, padding: p } => {
                x.max_pool2d([*k, *k], [*s, *s], [*p, *p], [1, 1], false)
            }
            Operation::Mean => x.mean_dim([2, 3].as_slice(), true, Kind::Float),
            Operation::Flatten => x.flatten(1, -1),
            Operation::Linear { weight, bias } | Operation::LinearOfTokens { weight, bias } => {
                x.linear(&tensor(weight), Some(&tensor(bias)))
            }
            Operation::Tokens => x.flatten(2, 3).transpose(1, 2),
            Operation::Before(tokens) => {
                Tensor::cat(&[tensor(tokens).expand([x.size()[0], -1, -1], false), x.copy()], 1)
            }
            Operation::Plus(numbers) => x + tensor(numbers),
            Operation::LayerNorm { weight, bias, eps } => {
                let centered = x - x.mean_dim([-1].as_slice(), true, Kind::Float);
                let variance = centered.square().mean_dim([-1].as_slice(), true, Kind::Float);
                centered / (variance + *eps).sqrt() * tensor(weight) + tensor(bias)
            }
            Operation::Attention { heads } => {
                let (n, tokens, width) = x.size3().expect("tokens");
                let of_head = |part: i64| {
                    let width = width / 3;
                    let part = x.narrow(2, part * width, width);
                    part.view([n, tokens, *heads, width / heads]).transpose(1, 2)
                };
                let [q, k, v] = [0, 1, 2].map(of_head);
                let scores = q.matmul(&k.transpose(2, 3)) / (q.size()[3] as f64).sqrt();
                let mixed = scores.softmax(-1, Kind::Float).matmul(&v);
                mixed.transpose(1, 2).reshape([n, tokens, width / 3])
            }
            Operation::Gelu => x * ((x / 2f64.sqrt()).erf() + 1.0) * 0.5,
            Operation::Token(which) => x.select(1, *which),
            Operation::MeanOfTokens(first) => {
                let patches = x.narrow(1, *first, x.size()[1] - first);
                patches.mean_dim([1].as_slice(), false, Kind::Float)
            }
            Operation::Concat => Tensor::cat(&[x, of(1)], 1),
        });
    }
    values.pop().expect("the input at least")
}

#[test]
fn graphs_give_the_same_at_every_size() {
    let narrow =
        |variant| EfficientNetConfig { width: Some(0.25), ..EfficientNetConfig::new(variant) };
    let resnet = ResNetConfig { layers: [1, 2, 1, 1], stem: 8, groups: 2, ..Default::default() };
    let wide = WideResNetConfig { leaky: 0.1, ..WideResNetConfig::wrn10_1() };
    let symmetric = EfficientNetConfig::symmetric(Variant::B0);
    let nets: [NetConfig; 9] = [
        EfficientNetConfig { width: Some(0.25), ..symmetric }.into(),
        narrow(Variant::Lite0).into(),
        narrow(Variant::B0).into(),
        EfficientNetConfig { small_image: true, ..narrow(Variant::B0) }.into(),
        resnet.into(),
        WideResNetConfig { raw_transitions: true, ..wide.clone() }.into(),
        WideResNetConfig { symmetric_padding: true, conv_bias: true, ..wide }.into(),
        SmallNetConfig { stages: 3, blocks: 2, ..Default::default() }.into(),
        FastNetConfig { widths: vec![8, 24], ..Default::default() }.into(),
    ];
    for config in nets {
        let model = config.build(Device::Cpu, 3, 5);
        fill(&model.params);
        let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
        let graph = fast.graph(None).unwrap_or_else(|| panic!("{config:?} has no graph"));
        for sides in [[32, 32], [45, 30]] {
            let x = images(sides);
            let expected = no_grad(|| model.forward(&x, Mode::Eval));
            let off = relative(&run(&graph, &x), &expected);
            assert!(off < 2e-5, "{config:?} at {sides:?} is off by {off}");
        }
    }
}

#[test]
fn graphs_of_transformers_are_for_one_size() {
    let plain = VitConfig {
        width: Some(48),
        depth: Some(3),
        heads: Some(3),
        side: 40,
        patch: 8,
        layer_scale: 0.7,
        ..VitConfig::default()
    };
    let nets = [
        plain.clone(),
        VitConfig { registers: 4, ..plain.clone() },
        VitConfig { registers: 2, mean_patches: true, ..plain.clone() },
        VitConfig { mean_patches: true, ..plain },
    ];
    for config in nets {
        let config = NetConfig::from(config);
        let model = config.build(Device::Cpu, 3, 5);
        fill(&model.params);
        let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
        assert!(fast.graph(None).is_none(), "its positions depend on the size");
        // The size of the positions, a larger one, and one that patches do not fill.
        for sides in [[40, 40], [64, 48], [45, 30]] {
            let graph =
                fast.graph(Some(sides)).unwrap_or_else(|| panic!("{config:?} at {sides:?}"));
            assert_eq!(graph.fixed_sides(), Some(sides));
            let x = images(sides);
            let expected = no_grad(|| model.forward(&x, Mode::Eval));
            let off = relative(&run(&graph, &x), &expected);
            assert!(off < 2e-5, "{config:?} at {sides:?} is off by {off}");
        }
    }
    let small = NetConfig::from(SmallNetConfig::default());
    let model = small.build(Device::Cpu, 3, 5);
    let fast = small.for_inference(&model.params, 3, 5, Precision::Float32);
    let graph = fast.graph(Some([32, 32])).expect("a graph");
    assert_eq!(graph.fixed_sides(), None, "convolutions take any size");
}
