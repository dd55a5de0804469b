//! The small net against the same layers written out in plain operations.

use torch::{Device, Kind, Mode, Model, Params, Role, Tensor, no_grad};
use vision_models::{NetConfig, SmallNetConfig};

const EPS: f64 = 0.01;

/// Weights and running statistics that differ from place to place, and no two batch norms alike.
pub(crate) fn fill(params: &Params) {
    for (i, p) in (0_u8..).zip(params.iter()) {
        let ramp = Tensor::arange(p.tensor.numel() as i64, (Kind::Float, Device::Cpu));
        let wave = (ramp * 1.7 + f64::from(i)).sin().view_as(&p.tensor);
        let positive = p.name.ends_with("running_var") || p.name.ends_with("bn.weight");
        let scale = if p.role == Role::Weight { 0.3 } else { 0.4 };
        let value = wave * scale + if positive { 1.0 } else { 0.0 };
        no_grad(|| p.tensor.shallow_clone().copy_(&value));
    }
}

/// Convolution with a border of one zero, and batch norm, over the batch or as it runs.
fn conv_norm(params: &Params, name: &str, x: &Tensor, stride: i64, train: bool) -> Tensor {
    let get = |key: &str| params.get(&format!("{name}.{key}")).expect("a tensor of this name");
    let padded = x.constant_pad_nd([1, 1, 1, 1]);
    let none = None::<&Tensor>;
    let x = padded.conv2d(get("conv.weight"), none, [stride, stride], [0, 0], [1, 1], 1);
    let (mean, var) = if train {
        let mean = x.mean_dim([0, 2, 3].as_slice(), false, Kind::Float);
        let off = &x - mean.view([1, -1, 1, 1]);
        (mean, off.square().mean_dim([0, 2, 3].as_slice(), false, Kind::Float))
    } else {
        (get("bn.running_mean").copy(), get("bn.running_var").copy())
    };
    let [mean, var] = [mean, var].map(|t| t.view([1, -1, 1, 1]));
    let [weight, bias] = ["bn.weight", "bn.bias"].map(|key| get(key).view([1, -1, 1, 1]));
    (x - mean) / (var + EPS).sqrt() * weight + bias
}

/// The logits of a net of two stages with two blocks each.
fn reference(params: &Params, images: &Tensor, stem_stride: i64, train: bool) -> Tensor {
    let mut x = images.shallow_clone();
    for stage in 0..2 {
        let stride = if stage == 0 { stem_stride } else { 2 };
        x = conv_norm(params, &format!("stages.{stage}.down"), &x, stride, train).relu();
        for block in 0..2 {
            let name = format!("stages.{stage}.blocks.{block}");
            x = (&x + conv_norm(params, &name, &x, 1, train)).relu();
        }
    }
    let features = x.mean_dim([2, 3].as_slice(), false, Kind::Float);
    features.matmul(&params.get("fc.weight").expect("it").tr()) + params.get("fc.bias").expect("it")
}

#[test]
fn it_is_what_its_description_says() {
    for stem_stride in [1, 2] {
        let config = SmallNetConfig {
            width: 8,
            blocks: 2,
            stem_stride,
            bn_eps: EPS,
            dropout: 0.5,
            stochastic_depth: 0.5,
            ..SmallNetConfig::default()
        };
        let Model { net, params, .. } = NetConfig::from(config).build(Device::Cpu, 3, 5);
        fill(&params);
        assert_eq!(params.get("stages.1.down.conv.weight").unwrap().size(), [16, 8, 3, 3]);
        let ramp = Tensor::arange(4 * 3 * 9 * 7, (Kind::Float, Device::Cpu));
        let x = (ramp * 0.37).cos().view([4, 3, 9, 7]);
        for (mode, train) in [(Mode::Eval, false), (Mode::TrainWithoutNoise, true)] {
            let (ours, theirs) = no_grad(|| {
                // Before the forward pass, which moves the running statistics.
                let theirs = reference(&params, &x, stem_stride, train);
                (net.forward(&x, mode), theirs)
            });
            let off = (&ours - &theirs).abs().max().double_value(&[]);
            let size = theirs.abs().max().double_value(&[]);
            assert!(off < 1e-4 * size && size > 0.1, "{mode:?}: off by {off} of {size}");
        }
    }
}

#[test]
fn blocks_are_dropped_at_rates_that_rise_to_the_last() {
    let config =
        SmallNetConfig { stages: 1, blocks: 2, stochastic_depth: 0.6, ..Default::default() };
    let model = NetConfig::from(config).build(Device::Cpu, 1, 4);
    fill(&model.params);
    let x = Tensor::ones([4000, 1, 4, 4], (Kind::Float, Device::Cpu));
    let zero = |name: &str| {
        let tensor = model.params.get(name).expect("a tensor of this name").shallow_clone();
        no_grad(|| {
            let _ = tensor.shallow_clone().zero_();
        });
    };
    // The last block without effect: what differs between samples is the first block's doing.
    for key in ["weight", "bias"] {
        zero(&format!("stages.0.blocks.1.bn.{key}"));
    }
    let noisy = no_grad(|| model.forward(&x, Mode::EvalWithNoise));
    for key in ["weight", "bias"] {
        zero(&format!("stages.0.blocks.0.bn.{key}"));
    }
    let without = no_grad(|| model.forward(&x, Mode::Eval));
    let gap = (&noisy - &without).abs().amax([1].as_slice(), false);
    let dropped = gap.lt(1e-5).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    // Half of 0.6; five standard deviations are 0.036.
    assert!((dropped - 0.3).abs() < 0.036, "{dropped}");
}
