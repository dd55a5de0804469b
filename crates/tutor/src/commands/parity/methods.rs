//! Every method of learning from unlabelled samples: two steps of training of a small network, with
//! losses, gradients, and the state that a method keeps from step to step.

use ssl_core::methods::{Labeling, NoisyStudent, NoisyStudentConfig, Targets};
use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Ssl, TaskInfo};
use torch::device::tensor_on;
use torch::layout::channels_last;
use torch::optim::OptimConfig;
use torch::{Device, InvalidConfig, Kind, Model, Tensor, no_grad, rng};
use train::{Ema, Objective, Progress};
use vision_models::{NetConfig, SmallNetConfig};

use super::case::{Allowed, Case, Pieces, joined};

/// A method by the kind that a recipe has, and settings by which part of the samples counts.
struct Listed {
    kind: &'static str,
    /// What tells it from another one of its kind.
    variant: &'static str,
    /// Keys and values of a recipe.
    settings: &'static str,
}

const fn plain(kind: &'static str, settings: &'static str) -> Listed {
    Listed { kind, variant: "", settings }
}

/// Every kind of [`MethodConfig`]. The weights of terms are those of the second half of a run,
/// where all ramps are over.
const METHODS: &[Listed] = &[
    plain("supervised", ""),
    plain("uda", "threshold = 0.72\nentropy = 0.1\ntsa = 'linear'"),
    Listed {
        kind: "uda",
        variant: "aligned, weak views apart",
        settings: "threshold = 0.7\nweak_pass = 'apart'\nskip_masked = true\n\
                   alignment = { to = 'labels', decay = 0.5 }",
    },
    plain("pi-model", ""),
    plain("temporal-ensembling", ""),
    plain("mean-teacher", ""),
    plain("vat", "entropy = 0.1\nadversary = { epsilon = 2.0, xi = 0.5 }"),
    plain("sntg", ""),
    plain("vadd", ""),
    plain("ict", ""),
    plain("pseudo-label", "threshold = 0.72"),
    plain("lga-vat", "adversary = { epsilon = 2.0, xi = 0.5 }"),
    plain("mixmixup", ""),
    plain("mixmatch", ""),
    plain("remixmatch", "strong_views = 2"),
    plain("fixmatch", "threshold = 0.72"),
    Listed {
        kind: "fixmatch",
        variant: "weak views by the EMA model",
        settings: "threshold = 0.955\nweak_pass = 'ema'\nskip_masked = true",
    },
    plain("s4l", ""),
    Listed { kind: "s4l", variant: "rotated labels", settings: "rotate_labels = true" },
    plain("flexmatch", "threshold = 0.72"),
    plain("freematch", "decay = 0.5"),
    plain("softmatch", "decay = 0.5"),
    plain("adamatch", "decay = 0.5\nmemory = 4"),
];

/// In a network as small as this one, an activation that is at ReLU's kink, and is rounded to one
/// side or to the other, changes a gradient by up to a hundredth. A mask, a class or an order that
/// is another one changes it by more.
const METHOD: Allowed = Allowed { float32: 0.02, bfloat16: Some(0.15) };

/// A search for a direction divides by how far predictions move along a short way: in eight bits
/// nothing of that is left.
const SEARCHES: [&str; 2] = ["vat", "lga-vat"];

impl Listed {
    fn name(&self) -> String {
        match self.variant {
            "" => format!("method {}", self.kind),
            variant => format!("method {}, {variant}", self.kind),
        }
    }

    fn config(&self) -> MethodConfig {
        let text = format!("kind = '{}'\n{}", self.kind, self.settings);
        let config: MethodConfig =
            toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", self.name()));
        InvalidConfig::of(config.faults()).unwrap_or_else(|e| panic!("{}: {e}", self.name()));
        config
    }
}

const CLASSES: i64 = 5;
const LABELED: i64 = 6;
const UNLABELED: i64 = 12;
const SIDE: i64 = 8;

/// Where the two steps are in a run.
const STEPS: [Progress; 2] = [Progress { step: 60, steps: 100 }, Progress { step: 61, steps: 100 }];

fn task(device: Device) -> TaskInfo {
    TaskInfo { classes: CLASSES, unlabeled: UNLABELED, device }
}

/// A network that tells colours apart with some confidence, though it has learned nothing.
fn network(device: Device) -> Model {
    let config = SmallNetConfig { width: 8, ..SmallNetConfig::default() };
    let model = NetConfig::SmallNet(config).build(device, 3, CLASSES);
    let mut weight = model.params.get("fc.weight").expect("a linear layer").shallow_clone();
    let _ = no_grad(|| weight.g_mul_scalar_(3.0));
    model
}

/// Numbers that are drawn on the CPU, so that they are the same on every device.
fn normal(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

/// The batch of a step, with as many views of the unlabelled samples as a method wants. Samples are
/// of one colour each, and of noise that is stronger from view to view. `off` is by which share all
/// pixels are changed.
fn batch(views: usize, off: f64, device: Device) -> Batch {
    let images = |n: i64, views: usize| -> Vec<Tensor> {
        let colours = normal(&[n, 3, 1, 1]) * 1.5;
        let view = |i: usize| &colours + normal(&[n, 3, SIDE, SIDE]) * (0.2 + 0.2 * i as f64);
        let off = |image: Tensor| channels_last(&(&image + image.sin() * off)).to_device(device);
        (0..views).map(view).map(off).collect()
    };
    let y: Vec<i64> = (0..LABELED).map(|i| i % CLASSES).collect();
    let x = images(LABELED, 1).swap_remove(0);
    let u = images(UNLABELED, views);
    let targets = (normal(&[UNLABELED, CLASSES]) * 2.0).softmax(-1, Kind::Float);
    let indices = Tensor::arange(UNLABELED, (Kind::Int64, Device::Cpu)).flip([0]);
    Batch {
        u,
        targets: Some(targets.to_device(device)),
        unlabeled_indices: Some(indices.to_device(device)),
        ..Batch::labeled(x, tensor_on(&y, device))
    }
}

/// Two steps of training by a method, which is made after the generator was seeded; all draws are
/// the CPU's.
fn trained(make: &dyn Fn(Device) -> Box<dyn Method>, off: f64, device: Device) -> Pieces {
    rng::seed(4);
    let method = make(device);
    let views = method.views().unlabeled.len();
    let ema = (network(device), Ema::new(0.5));
    let mut ssl = Ssl::new(method, network(device), Some(ema));
    let mut optimizer = OptimConfig::default().build(ssl.params());
    let (mut losses, mut pieces) = (Vec::new(), Vec::new());
    for (number, at) in (1..).zip(STEPS) {
        let loss = rng::from_cpu(|| ssl.loss(batch(views, off, device), at));
        loss.total().backward();
        let values = loss.values();
        losses.extend([values.total].into_iter().chain(values.terms.iter().map(|term| term.1)));
        let gradients = ssl.params().trainable().map(|p| p.tensor.grad().copy());
        pieces.extend(joined(&format!("gradients of step {number}"), gradients));
        optimizer.step(0.001);
        optimizer.zero_grad();
        no_grad(|| ssl.after_step(at));
    }
    pieces.push(("losses".to_owned(), Tensor::from_slice(&losses)));
    let of_method = ssl.method().state().into_iter().map(|(_, tensor)| tensor);
    pieces.extend(joined("what the method keeps", of_method));
    for (name, model) in [("student", &ssl.nets().student), ("EMA model", ssl.evaluated())] {
        pieces.extend(joined(name, model.params.iter().map(|p| p.tensor.shallow_clone())));
    }
    pieces
}

/// How a method is made on a device.
type Make = Box<dyn Fn(Device) -> Box<dyn Method>>;

/// All methods by their names, those that learn step by step and both ways of Noisy Student, with
/// whether they search for a direction.
fn methods() -> Vec<(String, Make, bool)> {
    let listed = METHODS.iter().map(|listed| {
        let config = listed.config();
        let make: Make = Box::new(move |device| config.build(&task(device)));
        (listed.name(), make, SEARCHES.contains(&listed.kind))
    });
    let stored: Make = Box::new(|_| {
        let config = NoisyStudentConfig { targets: Targets::Hard, ..Default::default() };
        Box::new(NoisyStudent::offline(config))
    });
    let asked: Make = Box::new(|device| {
        let config = NoisyStudentConfig { labeling: Labeling::InLoop, ..Default::default() };
        Box::new(NoisyStudent::in_loop(config, network(device)))
    });
    let noisy_student = [("stored hard labels", stored), ("a teacher in the loop", asked)];
    let noisy_student =
        noisy_student.map(|(how, make)| (format!("method noisy-student, {how}"), make, false));
    listed.chain(noisy_student).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let case = |(name, make, searches): (String, Make, bool)| {
        let case = Case::new(&name, METHOD, move |device| trained(&*make, 0.0, device));
        match searches {
            true => case.only_in_float32("its search for a direction is lost in eight bits"),
            false => case,
        }
    };
    methods().into_iter().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::super::case::difference;
    use super::*;

    /// The names that serde lists for a kind that is not known are all that there are.
    #[test]
    fn no_method_is_forgotten() {
        let error = toml::from_str::<MethodConfig>("kind = '?'").expect_err("no method");
        let error = error.to_string();
        let (_, expected) = error.split_once("expected one of").expect("a list of kinds");
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(known.len() >= 20, "{error}");
        for kind in known {
            assert!(METHODS.iter().any(|listed| listed.kind == kind), "{kind} is not compared");
        }
    }

    /// In the second step each term is there, and masks keep some samples and not others: what is 0
    /// on every device shows nothing. Thresholds that adapt are so low at first that they keep all.
    #[test]
    fn every_term_counts_and_masks_are_neither_empty_nor_full() {
        let _alone = rng::exclusive();
        let mut faults = Vec::new();
        for (name, make, _) in methods() {
            rng::seed(4);
            let method = make(Device::Cpu);
            let views = method.views().unlabeled.len();
            let ema = Some((network(Device::Cpu), Ema::new(0.5)));
            let mut ssl = Ssl::new(method, network(Device::Cpu), ema);
            let _first = ssl.loss(batch(views, 0.0, Device::Cpu), STEPS[0]);
            let values = ssl.loss(batch(views, 0.0, Device::Cpu), STEPS[1]).values();
            let terms = values.terms.iter().filter(|(_, value)| value.abs() < 1e-4);
            let masks = values.notes.iter().filter(|(note, _)| note == "mask");
            let adapts = ["method flexmatch", "method freematch"].contains(&name.as_str());
            let most = if adapts { 1.0 } else { 0.999 };
            let masks = masks.filter(|(_, value)| !(0.05..=most).contains(value));
            faults.extend(terms.chain(masks).map(|(what, is)| format!("{name}: {what} is {is}")));
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// A device rounds otherwise than the CPU. What a change of pixels by a millionth does is of
    /// that size, and has to be below what is allowed, and far below it in losses: no threshold,
    /// largest class or order may hang on it.
    #[test]
    fn no_decision_hangs_on_rounding() {
        let _alone = rng::exclusive();
        let mut faults = Vec::new();
        for (name, make, _) in methods() {
            let exact = trained(&*make, 0.0, Device::Cpu);
            let rounded = trained(&*make, 1e-6, Device::Cpu);
            for ((piece, exact), (_, rounded)) in exact.iter().zip(&rounded) {
                let off = difference(exact, rounded);
                if off > if piece == "losses" { 1e-4 } else { METHOD.float32 / 2.0 } {
                    faults.push(format!("{name}: {piece} moves by {off}"));
                }
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
