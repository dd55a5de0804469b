//! Steps whose unlabelled samples carry no information: the prediction on every one is uniform.

use ssl_core::methods::{NoisyStudent, NoisyStudentConfig, Targets};
use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Nets, Ssl, TaskInfo};
use torch::optim::OptimConfig;
use torch::{
    Device, Features, Kind, Mode, Model, Params, Scope, Tensor, loss, nn::Linear, no_grad,
};
use train::{Ema, Objective, Progress};

use crate::lab::{self, Rule, Task};

/// Without batch norm and with biases that start at 0: logits of samples of zeros are zeros.
struct Plain {
    hidden: Linear,
    head: Linear,
}

impl Plain {
    fn new(scope: &mut Scope<'_>, inputs: i64) -> Self {
        let hidden = Linear::new(&mut scope.sub("hidden"), inputs, 16);
        Self { hidden, head: Linear::new(&mut scope.sub("head"), 16, 2) }
    }
}

impl Features for Plain {
    fn forward_features(&self, x: &Tensor, _mode: Mode) -> Tensor {
        self.hidden.forward(&x.reshape([x.size()[0], -1])).relu()
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}

fn model(task: Task) -> Model {
    let inputs = match task {
        Task::Moons => 2,
        Task::Letters => 25,
    };
    Model::build(Device::Cpu, |scope| Plain::new(scope, inputs))
}

/// Labelled samples as ever; all unlabelled ones are zeros, and their stored targets uniform.
fn batch(method: &dyn Method, task: Task, step: u64) -> Batch {
    let batch = lab::batch_of(task, &method.views(), &Rule(0.0), step);
    Batch { u: batch.u.iter().map(Tensor::zeros_like).collect(), ..batch }
}

fn of(settings: &str) -> (Box<dyn Method>, Task) {
    let config: MethodConfig = serde_json::from_str(settings).unwrap();
    assert_eq!(config.faults(), []);
    let info = TaskInfo { classes: 2, unlabeled: lab::POOL as i64, device: Device::Cpu };
    let task = if config.needs().images { Task::Letters } else { Task::Moons };
    (config.build(&info), task)
}

#[track_caller]
fn assert_finite(what: &str, tensor: &Tensor) {
    assert_eq!(tensor.isfinite().all().int64_value(&[]), 1, "{what}: {tensor}");
}

/// Some steps: every loss, gradient and weight is finite, and every weight moves.
fn goes_on(name: &str, method: Box<dyn Method>, task: Task) {
    const STEPS: u64 = 12;
    torch::rng::seed(5);
    let mut ssl = Ssl::new(method, model(task), Some((model(task), Ema::new(0.9))));
    let mut optimizer = OptimConfig::default().build(ssl.params());
    let uninformed = batch(ssl.method().as_ref(), task, 0);
    let logits = no_grad(|| ssl.nets().student.forward(&uninformed.u[0], Mode::Eval));
    assert_eq!(logits.abs().max().double_value(&[]), 0.0, "{name}: predictions are uniform");
    let start: Vec<_> = ssl.params().iter().map(|p| p.tensor.copy()).collect();
    for step in 0..STEPS {
        let at = Progress { step, steps: STEPS };
        let loss = ssl.loss(batch(ssl.method().as_ref(), task, step), at);
        assert_finite(&format!("{name}: loss of step {step}"), &loss.total());
        loss.total().backward();
        for p in ssl.params().trainable().filter(|p| p.tensor.grad().defined()) {
            assert_finite(
                &format!("{name}: gradient of {}, step {step}", p.name),
                &p.tensor.grad(),
            );
        }
        optimizer.step(0.05);
        optimizer.zero_grad();
        no_grad(|| ssl.after_step(at));
    }
    for (key, tensor) in ssl.params().tensors().into_iter().chain(ssl.state()) {
        assert_finite(&format!("{name}: {key}"), &tensor);
    }
    for (start, p) in start.iter().zip(ssl.params().iter()) {
        assert_ne!(start, &p.tensor, "{name}: {} is as it was", p.name);
    }
}

#[test]
fn training_goes_on() {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    let kinds = [
        "uda",
        "pi-model",
        "temporal-ensembling",
        "mean-teacher",
        "vat",
        "sntg",
        "vadd",
        "ict",
        "pseudo-label",
        "lga-vat",
        "mixmixup",
        "mixmatch",
        "remixmatch",
        "fixmatch",
        "s4l",
        "flexmatch",
        "freematch",
        "softmatch",
        "adamatch",
    ];
    for kind in kinds {
        let (method, task) = of(&format!(r#"{{"kind": "{kind}"}}"#));
        goes_on(kind, method, task);
    }
    let config = NoisyStudentConfig::default();
    let hard = NoisyStudentConfig { targets: Targets::Hard, ..config.clone() };
    let teacher = lab::bare(Rule(0.0));
    goes_on("in-loop", Box::new(NoisyStudent::in_loop(config.clone(), teacher)), Task::Moons);
    for config in [config, hard] {
        goes_on("offline", Box::new(NoisyStudent::offline(config)), Task::Moons);
    }
}

/// The gradients of all weights, in order; zeros where there is none.
fn gradients(params: &Params, loss: &Tensor) -> Vec<Tensor> {
    params.zero_grad();
    loss.backward();
    let grad = |t: &Tensor| if t.grad().defined() { t.grad().copy() } else { t.zeros_like() };
    params.trainable().map(|p| grad(&p.tensor)).collect()
}

/// A step of a method in a state in which no uniform prediction is confident.
fn nothing_passes(settings: &str, state: &[(&str, f64)]) {
    torch::rng::seed(5);
    let (mut method, task) = of(settings);
    for (name, value) in state {
        let mut tensors = method.state().into_iter();
        let (_, mut tensor) = tensors.find(|(own, _)| own == name).expect("a state of this name");
        let _ = tensor.fill_(*value);
    }
    let nets = Nets { student: model(task), ema: None };
    // Confident on the labelled samples, which AdaMatch's threshold follows.
    let head = nets.student.params.get("head.weight").unwrap();
    let _ = no_grad(|| head.shallow_clone().g_mul_scalar_(9.0));
    let batch = batch(method.as_ref(), task, 0);
    let result = method.loss(&nets, &batch, lab::START);
    let values = result.values();
    let others = values.terms.iter().filter(|(name, _)| name != "sup");
    assert!(others.clone().all(|(_, value)| *value == 0.0), "{settings}: {:?}", values.terms);
    assert!(others.count() > 0, "{settings}");
    let notes = values.notes;
    let masks: Vec<_> = notes.iter().filter(|(name, _)| name.starts_with("mask")).collect();
    assert_eq!(masks.len(), 3, "{settings}: one of all samples, one a class: {notes:?}");
    assert!(masks.iter().all(|(_, value)| *value == 0.0), "{settings}: {masks:?}");

    let params = &nets.student.params;
    let found = gradients(params, &result.total());
    let logits = nets.student.forward(&batch.x, Mode::Train);
    let alone = loss::cross_entropy(&logits, &batch.y).mean(Kind::Float);
    let (total, labels) = (result.total().double_value(&[]), alone.double_value(&[]));
    let (_, sup) = values.terms.iter().find(|(name, _)| name == "sup").expect("the labels' loss");
    assert_eq!(total, *sup, "{settings}");
    // Rounded otherwise: here the labelled samples are a batch of their own.
    assert!((sup - labels).abs() < 1e-5 * labels, "{settings}: {sup}, not {labels}");
    for ((found, alone), p) in found.iter().zip(gradients(params, &alone)).zip(params.trainable()) {
        assert!(found.allclose(&alone, 1e-5, 1e-7, false), "{settings}: gradient of {}", p.name);
    }
}

#[test]
fn a_mask_of_zeros_leaves_the_labels_alone() {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    nothing_passes(r#"{"kind": "uda"}"#, &[]);
    // UDA's probability has to exceed the threshold; that of the others below may equal it.
    nothing_passes(r#"{"kind": "uda", "threshold": 0.5}"#, &[]);
    nothing_passes(r#"{"kind": "pseudo-label"}"#, &[]);
    nothing_passes(r#"{"kind": "fixmatch"}"#, &[]);
    nothing_passes(r#"{"kind": "fixmatch", "alignment": {"to": "labels"}}"#, &[]);
    // The pseudo-label of uniform predictions is the first class, which here counts as fully
    // learnt.
    nothing_passes(r#"{"kind": "flexmatch"}"#, &[("latest", 0.0)]);
    nothing_passes(r#"{"kind": "freematch"}"#, &[("confidence", 0.95)]);
    nothing_passes(r#"{"kind": "softmatch"}"#, &[("mean", 0.95), ("variance", 1e-6)]);
    nothing_passes(r#"{"kind": "adamatch", "threshold": 1.0}"#, &[]);
}

#[test]
fn a_probability_at_the_threshold_passes() {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    for kind in ["pseudo-label", "fixmatch"] {
        let (mut method, task) = of(&format!(r#"{{"kind": "{kind}", "threshold": 0.5}}"#));
        let nets = Nets { student: model(task), ema: None };
        let batch = batch(method.as_ref(), task, 0);
        let notes = method.loss(&nets, &batch, lab::START).values().notes;
        assert_eq!(notes[0], ("mask".to_owned(), 1.0), "{kind}");
    }
}
