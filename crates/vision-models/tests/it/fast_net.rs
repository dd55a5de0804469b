//! The fast net against the same layers written out in plain operations, and its whitening.

use torch::{Device, Kind, Mode, Model, Params, Tensor, no_grad};
use vision_models::{FastNetConfig, NetConfig};

use crate::small_net::fill;

const EPS: f64 = 0.01;
const LEAKY: f64 = 0.2;

fn get<'a>(params: &'a Params, name: &str) -> &'a Tensor {
    params.get(name).unwrap_or_else(|| panic!("a tensor {name}"))
}

fn conv(x: &Tensor, weight: &Tensor, pad: i64) -> Tensor {
    x.conv2d(weight, None::<&Tensor>, [1, 1], [pad, pad], [1, 1], 1)
}

fn norm(params: &Params, name: &str, x: &Tensor, train: bool) -> Tensor {
    let get = |key: &str| get(params, &format!("{name}.{key}")).view([1, -1, 1, 1]);
    let (mean, var) = if train {
        let mean = x.mean_dim([0, 2, 3].as_slice(), true, Kind::Float);
        let var = (x - &mean).square().mean_dim([0, 2, 3].as_slice(), true, Kind::Float);
        (mean, var)
    } else {
        (get("running_mean"), get("running_var"))
    };
    (x - mean) / (var + EPS).sqrt() * get("weight") + get("bias")
}

fn leaky(x: &Tensor) -> Tensor {
    x.maximum(&(x * LEAKY))
}

fn reference(params: &Params, images: &Tensor, train: bool) -> Tensor {
    let mut x = conv(images, get(params, "whiten.weight"), 0).relu();
    for block in ["blocks.0", "blocks.1"] {
        let weight = |name: &str| get(params, &format!("{block}.{name}.weight"));
        let pooled = conv(&x, weight("conv1"), 1).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        x = leaky(&norm(params, &format!("{block}.norm1"), &pooled, train));
        let branch = norm(params, &format!("{block}.norm2"), &conv(&x, weight("conv2"), 1), train);
        x = leaky(&(&x + branch));
    }
    let features = x.mean_dim([2, 3].as_slice(), false, Kind::Float);
    features.matmul(&get(params, "fc.weight").tr()) + get(params, "fc.bias")
}

fn config() -> FastNetConfig {
    FastNetConfig {
        widths: vec![8, 16],
        leaky: LEAKY,
        bn_eps: EPS,
        dropout: 0.5,
        ..FastNetConfig::default()
    }
}

#[test]
fn it_is_what_its_description_says() {
    let Model { net, params, .. } = NetConfig::from(config()).build(Device::Cpu, 3, 5);
    fill(&params);
    let ramp = Tensor::arange(4 * 3 * 14 * 11, (Kind::Float, Device::Cpu));
    let x = (ramp * 0.37).cos().view([4, 3, 14, 11]);
    for (mode, train) in [(Mode::Eval, false), (Mode::TrainWithoutNoise, true)] {
        let (ours, theirs) = no_grad(|| {
            // Before the forward pass, which moves the running statistics.
            let theirs = reference(&params, &x, train);
            (net.forward(&x, mode), theirs)
        });
        let off = (&ours - &theirs).abs().max().double_value(&[]);
        let size = theirs.abs().max().double_value(&[]);
        assert!(off < 1e-4 * size && size > 0.1, "{mode:?}: off by {off} of {size}");
    }
}

#[test]
fn it_has_the_parameters_that_it_should() {
    let net = NetConfig::from(FastNetConfig::default()).outline(3, 10);
    let convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256);
    let norms = 2 * 2 * (64 + 256 + 256);
    // The 24 filters that whiten are not trained.
    assert_eq!(net.count(), convolutions + norms + 256 * 10 + 10);
    assert_eq!(net.iter().filter(|p| p.name == "whiten.weight").count(), 1);
}

/// Patches of smooth images are far from white; what the filters make of them has covariance 1.
#[test]
fn the_first_layer_makes_patches_white() {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(3);
    let noise = Tensor::randn([200, 3, 12, 12], (Kind::Float, Device::Cpu));
    let images = noise.avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None::<i64>) * 3.0 + 2.0;
    let config = FastNetConfig { whiten_eps: 1e-9, ..config() };
    let net = NetConfig::from(config);
    let model = net.build(Device::Cpu, 3, 5);
    assert_eq!((net.images_at_start(), net.least_side()), (2000, 5));
    net.start_from(&model.params, &images);
    let filters = get(&model.params, "whiten.weight");
    assert_eq!(filters.size(), [24, 3, 2, 2]);
    let [plus, minus] = [filters.narrow(0, 0, 12), filters.narrow(0, 12, 12)];
    assert_eq!(plus, minus.neg());
    let covariance = |x: &Tensor| {
        let rows = x.transpose(0, 1).reshape([12, -1]);
        let rows = &rows - rows.mean_dim([1].as_slice(), true, Kind::Float);
        rows.matmul(&rows.tr()) / rows.size()[1] as f64
    };
    let white = covariance(&conv(&images, &plus, 0));
    let off = (&white - Tensor::eye(12, (Kind::Float, Device::Cpu))).abs().max();
    assert!(off.double_value(&[]) < 1e-3, "{white}");
    let again = net.build(Device::Cpu, 3, 5);
    net.start_from(&again.params, &images);
    assert_eq!(get(&again.params, "whiten.weight"), filters);
}
