//! What the running averages of methods are after the first steps, and networks that a method
//! cannot teach.

use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Nets, TaskInfo};
use torch::{ConfigError, Device, Features, Kind, Mode, Model, Tensor, nn::Linear};
use train::Progress;

const CLASSES: i64 = 3;

/// Features are the samples themselves; the logits are four times their first numbers.
struct Copy {
    head: Linear,
}

impl Features for Copy {
    fn forward_features(&self, x: &Tensor, _mode: Mode) -> Tensor {
        x.shallow_clone()
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}

fn nets() -> Nets {
    let student = Model::build(Device::Cpu, |scope| Copy {
        head: Linear::new(&mut scope.sub("head"), CLASSES, CLASSES),
    });
    let mut weight = student.params.get("head.weight").unwrap().shallow_clone();
    let eye = Tensor::eye(CLASSES, (Kind::Float, Device::Cpu)) * 4.0;
    torch::no_grad(|| weight.copy_(&eye));
    Nets { student, ema: None }
}

fn of(settings: &str) -> Box<dyn Method> {
    let config: MethodConfig = serde_json::from_str(settings).unwrap();
    assert_eq!(config.faults(), []);
    config.build(&TaskInfo { classes: CLASSES, unlabeled: 8, device: Device::Cpu })
}

/// Labelled samples of every class; every unlabelled sample is of class `class`.
fn batch(class: usize, unlabeled: i64) -> Batch {
    let mut one = [0f32; CLASSES as usize];
    one[class] = 1.0;
    let u = Tensor::from_slice(&one).repeat([unlabeled, 1]);
    let labeled = Batch::labeled(
        Tensor::eye(CLASSES, (Kind::Float, Device::Cpu)),
        Tensor::arange(CLASSES, (Kind::Int64, Device::Cpu)),
    );
    Batch { u: vec![u.shallow_clone(), u], ..labeled }
}

fn state(method: &dyn Method, name: &str) -> Vec<f64> {
    let (_, tensor) = method.state().into_iter().find(|(own, _)| own == name).expect(name);
    Vec::try_from(tensor.reshape([-1]).to_kind(Kind::Double)).unwrap()
}

fn step(method: &mut dyn Method, class: usize, unlabeled: i64, step: u64) -> f64 {
    let at = Progress { step, steps: 2000 };
    method.loss(&nets(), &batch(class, unlabeled), at).total().double_value(&[])
}

/// The largest probability that the network gives.
fn largest() -> f64 {
    4f64.exp() / (4f64.exp() + 2.0)
}

#[test]
fn softmatchs_mean_prediction_is_that_of_the_first_batch_then_moves() {
    let mut method = of(r#"{"kind": "softmatch"}"#);
    step(&mut *method, 1, 4, 0);
    assert!((state(&*method, "predicted")[1] - largest()).abs() < 1e-6);
    step(&mut *method, 2, 4, 1);
    let moved = 0.999 * largest() + 0.001 * (1.0 - largest()) / 2.0;
    assert!((state(&*method, "predicted")[1] - moved).abs() < 1e-6);
}

#[test]
fn softmatch_learns_from_a_single_unlabelled_sample() {
    let mut method = of(r#"{"kind": "softmatch", "decay": 0.5}"#);
    for at in 0..3 {
        assert!(step(&mut *method, 1, 1, at).is_finite(), "step {at}");
    }
    assert_eq!(state(&*method, "variance"), [1.0], "as it was");
    // Alike samples have the variance 0.
    step(&mut *method, 1, 2, 3);
    assert!((state(&*method, "variance")[0] - 0.5).abs() < 1e-6);
}

#[test]
fn adamatchs_mean_on_unlabelled_samples_follows_within_its_memory() {
    let mut method = of(r#"{"kind": "adamatch", "memory": 4, "decay": 0.999}"#);
    let mean = |method: &dyn Method| {
        let rows = state(method, "unlabeled");
        rows.chunks(CLASSES as usize).map(|row| row[2]).sum::<f64>() / 4.0
    };
    for at in 0..4 {
        let expected = ((4 - at) as f64 / 3.0 + at as f64 * largest()) / 4.0;
        assert!((mean(&*method) - expected).abs() < 1e-6, "before step {at}");
        step(&mut *method, 2, 4, at);
    }
    assert!((mean(&*method) - largest()).abs() < 1e-6);
    step(&mut *method, 0, 4, 4);
    assert!(mean(&*method) < 0.8 * largest(), "the oldest batch is forgotten");
}

#[test]
fn vadd_refuses_a_network_in_which_it_could_flip_nothing() {
    let method = of(r#"{"kind": "vadd", "flips": 0.05}"#);
    method.fits(20).unwrap();
    let error = method.fits(19).unwrap_err();
    assert_eq!(
        error.to_string(),
        "flips: 0.05 is no entry of a mask over this network's 19 features; set it to 0.053 or \
         more, or take a wider network"
    );
    // What is advised is accepted, whatever the width.
    for width in (1..300).chain([999, 1000, 1001, 2048, 5000]) {
        let error = of(r#"{"kind": "vadd", "flips": 1e-9}"#).fits(width).unwrap_err();
        let advised = error.fault.split("set it to ").nth(1).unwrap().split(' ').next().unwrap();
        let config = format!(r#"{{"kind": "vadd", "flips": {advised}}}"#);
        of(&config).fits(width).unwrap_or_else(|error| panic!("{width}: {error}"));
    }
    let none: MethodConfig = serde_json::from_str(r#"{"kind": "vadd", "flips": 0.0}"#).unwrap();
    assert_eq!(none.faults(), [ConfigError::new("flips", "0 is not in (0, 1]")]);
    of(r#"{"kind": "fixmatch"}"#).fits(1).unwrap();
}

#[test]
fn freematchs_threshold_is_clipped() {
    let mut free = of(r#"{"kind": "freematch", "decay": 0.0}"#);
    let mut clipped = of(r#"{"kind": "freematch", "decay": 0.0, "clip": 0.9}"#);
    step(&mut *free, 1, 4, 0);
    step(&mut *clipped, 1, 4, 0);
    assert!((state(&*free, "confidence")[0] - largest()).abs() < 1e-6);
    assert!((state(&*clipped, "confidence")[0] - 0.9).abs() < 1e-6);
}
