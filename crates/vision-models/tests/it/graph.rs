//! Networks as lists of operations give what the networks give.

use torch::graph::{Array, Graph, Operation};
use torch::precision::Precision;
use torch::{Device, Kind, Mode, Tensor, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{
    EfficientNetConfig, FastNetConfig, NetConfig, ResNetConfig, SmallNetConfig, WideResNetConfig,
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
            Operation::Linear { weight, bias } => x.linear(&tensor(weight), Some(&tensor(bias))),
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
    let nets: [NetConfig; 8] = [
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
        let graph = fast.graph().unwrap_or_else(|| panic!("{config:?} has no graph"));
        for sides in [[32, 32], [45, 30]] {
            let x = images(sides);
            let expected = no_grad(|| model.forward(&x, Mode::Eval));
            let off = relative(&run(&graph, &x), &expected);
            assert!(off < 2e-5, "{config:?} at {sides:?} is off by {off}");
        }
    }
}
