//! Nets for inference give what the nets that they are made of give in evaluation.

use torch::precision::Precision;
use torch::{Device, Kind, Mode, Net, Params, Role, Tensor, no_grad};
use vision_models::NetConfig;

use crate::stages::nets;

/// Values under which batch norm's scales, shifts and statistics all matter.
pub(crate) fn fill(params: &Params) {
    for (p, i) in params.iter().zip(0..) {
        let ramp = Tensor::arange(p.tensor.numel() as i64, (Kind::Float, Device::Cpu));
        let wave = (ramp * 1.7 + f64::from(i)).sin().view_as(&p.tensor);
        let value = match p.role {
            Role::Buffer if p.name.ends_with("var") => wave * 0.4 + 1.0,
            Role::Buffer => wave * 0.2,
            Role::Norm if p.name.ends_with("weight") => wave * 0.3 + 1.0,
            Role::Norm | Role::Bias => wave * 0.2,
            Role::Weight => continue,
        };
        no_grad(|| p.tensor.shallow_clone().copy_(&value));
    }
}

pub(crate) fn relative(ours: &Tensor, theirs: &Tensor) -> f64 {
    assert_eq!((ours.size(), ours.kind()), (theirs.size(), Kind::Float));
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    largest(&(ours - theirs)) / largest(theirs)
}

pub(crate) fn images(sides: [i64; 2]) -> Tensor {
    Tensor::randn([3, 3, sides[0], sides[1]], (Kind::Float, Device::Cpu))
}

#[test]
fn every_net_for_inference_gives_the_same_at_every_size() {
    for (config, stages) in nets() {
        let model = config.build(Device::Cpu, 3, 5);
        fill(&model.params);
        let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
        let parts = fast.features().expect("features");
        // One net for all sizes, also back at one whose weights were laid out for another.
        for sides in [[32, 32], [45, 30], [32, 32], [29, 41]] {
            let x = images(sides);
            let expected = no_grad(|| model.forward_features(&x, Mode::Eval));
            let off = relative(&parts.forward_features(&x, Mode::Eval), &expected);
            assert!(off < 1e-5, "{config:?} at {sides:?} is off by {off}");
            let logits = no_grad(|| model.forward(&x, Mode::Eval));
            assert!(relative(&fast.forward(&x, Mode::Eval), &logits) < 2e-5);
            let cut = stages / 2;
            let first = parts.forward_stages(&x, 0..cut, Mode::Eval);
            assert!(relative(&parts.forward_from(cut, &first, Mode::Eval), &expected) < 1e-5);
        }
    }
}

#[test]
fn what_is_no_number_is_not_hidden_by_an_activation() {
    for (config, _) in nets() {
        let model = config.build(Device::Cpu, 3, 5);
        let statistics = model.params.iter().find(|p| p.name.ends_with("running_var"));
        // A vision transformer has none; any tensor will do.
        let spoiled = statistics.or_else(|| model.params.iter().next());
        let spoiled = &spoiled.expect("a tensor").tensor;
        let _ = no_grad(|| spoiled.shallow_clone().narrow(0, 0, 1).fill_(f64::NAN));
        let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
        let logits = fast.forward(&images([32, 32]), Mode::Eval);
        assert!(bool::try_from(logits.isnan().all()).expect("a flag"), "{config:?}");
    }
}

/// Some draws of weights make a net of which rounding the weights alone moves the features by a
/// tenth; the middle one of seven draws does not.
#[test]
fn bfloat16_keeps_the_first_digits() {
    for (config, _) in nets() {
        let off_by = |_| {
            let model = config.build(Device::Cpu, 3, 5);
            fill(&model.params);
            let fast = config.for_inference(&model.params, 3, 5, Precision::Bfloat16);
            let x = images([40, 33]);
            let expected = no_grad(|| model.forward_features(&x, Mode::Eval));
            let found = fast.features().expect("features").forward_features(&x, Mode::Eval);
            let size = |t: &Tensor| t.norm().double_value(&[]);
            size(&(found - &expected)) / size(&expected)
        };
        let mut off: [f64; 7] = std::array::from_fn(off_by);
        off.sort_by(f64::total_cmp);
        assert!(off[3] < 0.1, "{config:?} is off by {off:?}");
    }
}

/// A large batch is run in parts, by either kind of net.
#[test]
fn a_batch_of_any_size_is_run_whole() {
    let (config, _) = nets().pop().expect("a net");
    let model = config.build(Device::Cpu, 3, 5);
    let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
    let x = Tensor::randn([7, 3, 256, 260], (Kind::Float, Device::Cpu));
    let alone = (0..7).map(|i| no_grad(|| model.forward(&x.narrow(0, i, 1), Mode::Eval)));
    let expected = Tensor::cat(&alone.collect::<Vec<_>>(), 0);
    assert_eq!(expected.size(), [7, 5]);
    for found in [no_grad(|| model.forward(&x, Mode::Eval)), fast.forward(&x, Mode::Eval)] {
        let off = relative(&found, &expected);
        assert!(off < 1e-5, "off by {off}");
    }
}

/// What is made of a net for inference stays as it is when the net learns on.
#[test]
fn it_has_tensors_of_its_own() {
    let (config, _) = nets().swap_remove(1);
    let model = config.build(Device::Cpu, 3, 5);
    let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
    let x = images([32, 32]);
    let before = fast.forward(&x, Mode::Eval);
    let kept = x.copy();
    no_grad(|| {
        for p in model.params.iter() {
            let _ = p.tensor.shallow_clone().fill_(0.5);
        }
    });
    assert_eq!(fast.forward(&x, Mode::Eval), before);
    assert_eq!(x, kept, "the images");
}

/// Noise that is asked for is there, and where there is a residual connection it is left whole.
#[test]
fn noise_is_drawn_where_it_is_asked_for() {
    for (config, _) in nets().into_iter().take(2) {
        let model = config.build(Device::Cpu, 3, 5);
        let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
        let x = images([32, 32]);
        let [a, b] = [0, 1].map(|_| fast.forward(&x, Mode::EvalWithNoise));
        assert!(a != b && a.isfinite().all().int64_value(&[]) == 1, "{config:?}");
        assert_eq!(fast.forward(&x, Mode::Eval), fast.forward(&x, Mode::Eval));
    }
}

#[test]
#[should_panic(expected = "runs in no mode Train")]
fn it_does_not_train() {
    let (config, _): (NetConfig, _) = nets().swap_remove(0);
    let model = config.build(Device::Cpu, 3, 5);
    let fast = config.for_inference(&model.params, 3, 5, Precision::Float32);
    let _ = fast.forward(&images([32, 32]), Mode::Train);
}
