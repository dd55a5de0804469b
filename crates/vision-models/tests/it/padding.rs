//! Both forms of EfficientNet, TensorFlow's and PyTorch's: a strided convolution by plain loops.

use torch::precision::Precision;
use torch::{Device, Kind, Mode, Net, Tensor, no_grad};
use vision_models::{EfficientNetConfig, NetConfig};

/// What every running variance is: small, so that what is added to it matters.
const VARIANCE: f64 = 1e-3;

/// The stem by its definition, output channel by output channel: sums over 3x3 pixels, every
/// second one in both directions, the first of which lies `before` pixels outside; normalised with
/// mean 0, then swish. Outside is 0.
fn stem(image: &[f32], [h, w]: [i64; 2], kernels: &[f32], before: [i64; 2], eps: f64) -> Vec<f64> {
    let at = |y: i64, x: i64| {
        let inside = (0..h).contains(&y) && (0..w).contains(&x);
        if inside { f64::from(image[(y * w + x) as usize]) } else { 0.0 }
    };
    let mut out = Vec::new();
    for kernel in kernels.chunks(9) {
        for y in 0..(h + 1) / 2 {
            for x in 0..(w + 1) / 2 {
                let mut sum = 0.0;
                for i in 0..9 {
                    let (down, right) = (i / 3, i % 3);
                    let pixel = at(2 * y + down - before[0], 2 * x + right - before[1]);
                    sum += pixel * f64::from(kernel[i as usize]);
                }
                let z = sum / (VARIANCE + eps).sqrt();
                out.push(z / (1.0 + (-z).exp()));
            }
        }
    }
    out
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().contiguous().flatten(0, -1)).expect("numbers")
}

#[test]
fn the_first_convolution_pads_as_its_form_says() {
    for (symmetric_padding, bn_eps) in [(false, 1e-3), (true, 1e-5), (true, 1e-3)] {
        let config = EfficientNetConfig {
            width: Some(0.25),
            symmetric_padding,
            bn_eps,
            ..Default::default()
        };
        let config = NetConfig::from(config);
        let model = config.build(Device::Cpu, 1, 2);
        let variance = model.params.get("bn1.running_var").expect("it");
        let _ = no_grad(|| variance.shallow_clone().fill_(VARIANCE));
        let kernels = values(model.params.get("conv_stem.weight").expect("it"));
        let fast = config.for_inference(&model.params, 1, 2, Precision::Float32);
        for sides in [[6, 6], [7, 6], [6, 9], [5, 5]] {
            let x = Tensor::randn([1, 1, sides[0], sides[1]], (Kind::Float, Device::Cpu));
            // TensorFlow's SAME: of an even side the one row of zeros is behind the last pixel.
            let before = sides.map(|side| i64::from(symmetric_padding || side % 2 == 1));
            let expected = stem(&values(&x), sides, &kernels, before, bn_eps);
            let net = model.net.features().expect("features");
            let first = |mode| net.forward_stages(&x, 0..1, mode);
            let found = [
                first(Mode::Eval),
                no_grad(|| first(Mode::Eval)),
                fast.features().expect("features").forward_stages(&x, 0..1, Mode::Eval),
            ];
            for found in found {
                let found = values(&found);
                assert_eq!(found.len(), expected.len());
                for (a, b) in found.iter().zip(&expected) {
                    let off = (f64::from(*a) - b).abs();
                    assert!(off < 1e-4 * b.abs().max(1.0), "{config:?} at {sides:?}: {a} {b}");
                }
            }
        }
    }
}
