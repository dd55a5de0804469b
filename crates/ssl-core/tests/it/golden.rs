//! Losses and their gradients with respect to logits, against float64 numpy.

use std::collections::BTreeMap;
use std::path::Path;

use ssl_core::methods::{Labeling, NoisyStudent, NoisyStudentConfig, Supervised, SupervisedConfig};
use ssl_core::{Batch, Method};
use torch::{Kind, Mode, Net, Tensor, store};
use train::Loss;

use crate::lab::{Echo, START, bare, nets};

/// A teacher with known logits, whatever it sees.
struct Oracle(Tensor);

impl Net for Oracle {
    fn forward(&self, _x: &Tensor, mode: Mode) -> Tensor {
        assert_eq!(mode, Mode::Eval, "a teacher is not noised");
        self.0.shallow_clone()
    }
}

fn arrays() -> (BTreeMap<String, Tensor>, BTreeMap<String, NoisyStudentConfig>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/losses.safetensors");
    let stored = store::load(&file).unwrap();
    (stored.tensors, serde_json::from_str(&stored.meta["cases"]).unwrap())
}

#[track_caller]
fn close(name: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{name}");
    let off = (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]);
    assert!(off < 2e-6, "{name} is off by {off}");
}

/// The total and every term, as the file lists them.
fn losses(loss: &Loss, terms: usize) -> Tensor {
    let values = loss.values();
    let terms = values.terms.iter().map(|(_, value)| *value).take(terms);
    Tensor::from_slice(&[values.total].into_iter().chain(terms).collect::<Vec<_>>())
}

#[test]
fn noisy_student_is_the_sum_over_samples() {
    let (arrays, cases) = arrays();
    assert!(cases.len() >= 10);
    for (name, config) in cases {
        let leaf = |key: &str| arrays[key].copy().set_requires_grad(true);
        let (x, u) = (leaf("x"), leaf("u"));
        let mut batch = Batch::labeled(x.shallow_clone(), arrays["labels"].shallow_clone());
        let mut method = match config.labeling {
            Labeling::Offline => {
                batch.u = vec![u.shallow_clone()];
                batch.targets = Some(arrays["stored"].shallow_clone());
                NoisyStudent::offline(config)
            }
            Labeling::InLoop => {
                // The first view is the teacher's, the last one the student's.
                batch.u = vec![u.zeros_like(), u.shallow_clone()];
                NoisyStudent::in_loop(config, bare(Oracle(arrays["teacher"].shallow_clone())))
            }
        };
        let loss = method.loss(&nets(bare(Echo { dropout: 0.0 })), &batch, START);
        loss.total().backward();
        close(&name, &losses(&loss, 2), &arrays[&format!("{name}/losses")]);
        close(&format!("{name}/x.grad"), &x.grad(), &arrays[&format!("{name}/x.grad")]);
        close(&format!("{name}/u.grad"), &u.grad(), &arrays[&format!("{name}/u.grad")]);
    }
}

#[test]
fn supervised_is_the_mean_over_labelled_samples() {
    let (arrays, _) = arrays();
    for label_smoothing in [0.0, 0.1, 0.5] {
        let name = format!("supervised-{label_smoothing:.1}");
        let x = arrays["x"].copy().set_requires_grad(true);
        let batch = Batch::labeled(x.shallow_clone(), arrays["labels"].shallow_clone());
        let config = SupervisedConfig { label_smoothing, ..SupervisedConfig::default() };
        let mut method = Supervised::new(config);
        let loss = method.loss(&nets(bare(Echo { dropout: 0.0 })), &batch, START);
        loss.total().backward();
        close(&name, &losses(&loss, 0), &arrays[&format!("{name}/losses")]);
        close(&format!("{name}/x.grad"), &x.grad(), &arrays[&format!("{name}/x.grad")]);
    }
}

#[test]
fn settings_are_read_under_the_names_of_recipes() {
    let read = |text: &str| serde_json::from_str::<NoisyStudentConfig>(text);
    let text =
        r#"{"targets": "hard", "labeling": "in-loop", "average": "all", "noise_on": "labeled"}"#;
    let config = read(text).unwrap();
    assert_eq!((config.temperature, config.label_smoothing), (1.0, 0.1));
    assert_eq!(read(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    let fault = read(r#"{"temprature": 2.0}"#).unwrap_err().to_string();
    assert!(fault.contains("temprature") && fault.contains("`temperature`"), "{fault}");
}
