//! UDA's loss as its code for texts has it, against an independent computation in float64
//! (`xtask/peers/golden_uda_text.py`). Its first case shows that the
//! temperature sharpens the target alone.

use serde::Deserialize;
use ssl_core::methods::{Uda, UdaConfig};
use ssl_core::parts::{Tsa, WeakPass};
use ssl_core::{Batch, Method, MethodSettings, Nets, TaskInfo};
use torch::{Device, Kind, Model, Tensor, nn::Linear, no_grad};
use train::{Progress, Schedule};

#[derive(Deserialize)]
struct Case {
    labeled: Vec<Vec<f32>>,
    labels: Vec<i64>,
    original: Vec<Vec<f32>>,
    augmented: Vec<Vec<f32>>,
    temperature: f64,
    threshold: f64,
    weight: f64,
    tsa: Tsa,
    step: u64,
    steps: u64,
    found: Found,
}

#[derive(Deserialize)]
struct Found {
    sup: f64,
    unsup: f64,
    total: f64,
    mask: f64,
    confidence: f64,
    released: f64,
    released_below: f64,
    bias: Vec<f64>,
}

/// A network whose logits are its input.
fn identity(classes: i64) -> Model {
    let student = Model::build(Device::Cpu, |scope| Linear::new(scope, classes, classes));
    no_grad(|| {
        let set = |name: &str, value: Tensor| {
            let mut tensor = student.params.get(name).expect("of a layer").shallow_clone();
            tensor.copy_(&value);
        };
        set("weight", Tensor::eye(classes, (Kind::Float, Device::Cpu)));
        set("bias", Tensor::zeros([classes], (Kind::Float, Device::Cpu)));
    });
    student
}

fn rows(values: &[Vec<f32>]) -> Tensor {
    Tensor::from_slice(&values.concat()).view([values.len() as i64, -1])
}

#[test]
fn uda_on_texts() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/uda-text.json")).unwrap();
    assert_eq!(cases.len(), 26);
    for (number, case) in cases.iter().enumerate() {
        for weak_pass in [WeakPass::Joint, WeakPass::Apart, WeakPass::ApartNoised] {
            let config = UdaConfig {
                weight: Schedule::constant(case.weight),
                temperature: case.temperature,
                threshold: case.threshold,
                tsa: case.tsa,
                weak_pass,
                ..UdaConfig::default()
            };
            assert_eq!(config.faults(), []);
            let batch = Batch {
                u: vec![rows(&case.original), rows(&case.augmented)],
                ..Batch::labeled(rows(&case.labeled), Tensor::from_slice(&case.labels))
            };
            let nets = Nets { student: identity(case.labeled[0].len() as i64), ema: None };
            let at = Progress { step: case.step, steps: case.steps };
            let task = TaskInfo {
                classes: case.labeled[0].len() as i64,
                unlabeled: case.original.len() as i64,
                device: Device::Cpu,
            };
            let loss = Uda::new(config, &task).loss(&nets, &batch, at);
            loss.total().backward();
            let values = loss.values();
            let close = |what: &str, ours: f64, theirs: f64| {
                let off = (ours - theirs).abs() / (theirs.abs() + 1.0);
                assert!(off < 2e-6, "{number}, {weak_pass:?}: {what} is {ours}, not {theirs}");
            };
            let named = |all: &[(String, f64)], name: &str| {
                all.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
            };
            let found = &case.found;
            close("total", values.total, found.total);
            for (name, theirs) in [("sup", found.sup), ("unsup", found.unsup)] {
                close(name, named(&values.terms, name).unwrap(), theirs);
            }
            for (name, theirs) in [("mask", found.mask), ("confidence", found.confidence)] {
                close(name, named(&values.notes, name).unwrap(), theirs);
            }
            let annealed = [("released", found.released), ("released_below", found.released_below)];
            for (name, theirs) in annealed {
                match named(&values.notes, name) {
                    Some(ours) => close(name, ours, theirs),
                    None => assert_eq!(case.tsa, Tsa::None, "{number}: {name}"),
                }
            }
            let bias = nets.student.params.get("bias").unwrap().grad();
            let bias = Vec::<f64>::try_from(bias.to_kind(Kind::Double)).unwrap();
            for (ours, theirs) in bias.iter().zip(&found.bias) {
                close("the bias's gradient", *ours, *theirs);
            }
        }
    }
}

#[test]
fn an_entropy_term_needs_the_weak_views_gradient() {
    let config =
        UdaConfig { entropy: 0.1, weak_pass: WeakPass::ApartNoised, ..UdaConfig::default() };
    let faults = config.faults();
    let [error] = &faults[..] else { panic!("{faults:?}") };
    assert!(error.fault.contains("weak_pass must be joint"), "{error}");
}
