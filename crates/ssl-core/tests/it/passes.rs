//! Which views a method asks for, which of its samples share batch statistics, and which move the
//! running ones: papers differ without saying so, so that these tests state it of each method.

use std::sync::{Arc, Mutex};

use ssl_core::ViewKind::{self, Strong, Weak};
use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Nets, TaskInfo, Views};
use torch::{Device, Features, Kind, Mode, Model, Params, Scope, Tensor, nn::Linear};
use train::Progress;

type Log = Arc<Mutex<Vec<String>>>;

/// A linear network that records its passes.
struct Spy {
    name: &'static str,
    head: Linear,
    log: Log,
}

impl Features for Spy {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let pass = format!("{} {} {mode:?}", self.name, x.size()[0]);
        self.log.lock().unwrap().push(pass);
        x.reshape([x.size()[0], -1])
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}

fn method(settings: &str) -> Box<dyn Method> {
    let config: MethodConfig = serde_json::from_str(settings).unwrap();
    config.build(&TaskInfo { classes: 2, unlabeled: 3, device: Device::Cpu })
}

/// The passes of step 5 of 10 with 2 labelled and 3 unlabelled images.
fn passes(settings: &str) -> String {
    let mut method = method(settings);
    let log = Log::default();
    let net = |name| {
        let make = |scope: &mut Scope<'_>| Linear::new(scope, 4, 2);
        let (head, params) = Params::build(Device::Cpu, make);
        let mut model = Model::new(Spy { name, head, log: log.clone() }, params);
        method.heads().iter().for_each(|head| model.add_head(head.name, head.outputs));
        model
    };
    let nets = Nets { student: net("student"), ema: Some(net("ema")) };
    let images = |n: i64| Tensor::rand([n, 1, 2, 2], (Kind::Float, Device::Cpu));
    let mut batch = Batch::labeled(images(2), Tensor::from_slice(&[0i64, 1]));
    batch.u = method.views().unlabeled.iter().map(|_| images(3)).collect();
    batch.unlabeled_indices = Some(Tensor::from_slice(&[0i64, 1, 2]));
    method.loss(&nets, &batch, Progress { step: 5, steps: 10 }).total().backward();
    log.lock().unwrap().join(", ")
}

#[test]
fn every_methods_passes() {
    let _alone = torch::rng::exclusive();
    // Settings, and passes as: network, samples, mode.
    let expected = [
        ("supervised", "student 2 Train"),
        ("uda", "student 8 Train"),
        ("fixmatch", "student 8 Train"),
        ("flexmatch", "student 8 Train"),
        ("freematch", "student 8 Train"),
        ("softmatch", "student 8 Train"),
        ("adamatch", "student 8 Train, student 2 TrainUntracked"),
        ("pi-model", "student 2 Train, student 3 TrainUntracked, student 3 TrainUntracked"),
        ("temporal-ensembling", "student 2 Train, student 3 TrainUntracked"),
        ("mean-teacher", "student 2 Train, student 3 TrainUntracked, ema 3 TrainUntracked"),
        ("sntg", "student 2 Train, student 3 TrainUntracked, student 3 TrainUntracked"),
        ("vadd", "student 2 Train, student 3 TrainUntracked"),
        ("pseudo-label", "student 2 Train, student 3 TrainUntracked"),
        ("ict", "student 2 Train, student 3 TrainUntracked, ema 3 TrainUntracked"),
        // The clean samples, the step that finds the worst direction, and the perturbed samples.
        (
            "vat",
            "student 2 Train, student 3 TrainUntracked, student 3 TrainUntracked, student 3 TrainUntracked",
        ),
        (
            "lga-vat",
            "student 2 Train, student 3 TrainUntracked, student 3 TrainUntracked, student 3 TrainUntracked",
        ),
        // Pseudo-labels on two views, then all samples mixed.
        ("mixmatch", "student 3 TrainUntracked, student 3 TrainUntracked, student 8 Train"),
        ("mixmixup", "student 3 TrainUntracked, student 8 Train"),
        // The weak view; labelled, weak and eight strong views mixed; a strong view and its four
        // rotations.
        ("remixmatch", "student 3 TrainUntracked, student 29 Train, student 15 TrainUntracked"),
        ("s4l", "student 20 Train"),
    ];
    let apart = passes(r#"{"kind": "s4l", "joint": false}"#);
    assert_eq!(apart, "student 20 TrainUntracked, student 2 Train");
    for (kind, expected) in expected {
        assert_eq!(passes(&format!(r#"{{"kind": "{kind}"}}"#)), expected, "{kind}");
    }
}

#[test]
fn the_weak_view_is_predicted_as_the_recipe_says() {
    let _alone = torch::rng::exclusive();
    for kind in ["uda", "fixmatch", "flexmatch"] {
        for (weak_pass, expected) in [
            ("joint", "student 8 Train"),
            ("apart", "student 3 Eval, student 5 Train"),
            ("apart-noised", "student 3 TrainUntracked, student 5 Train"),
            ("ema", "ema 3 Eval, student 5 Train"),
        ] {
            let settings = format!(r#"{{"kind": "{kind}", "weak_pass": "{weak_pass}"}}"#);
            assert_eq!(passes(&settings), expected, "{settings}");
        }
    }
}

#[test]
fn strong_views_that_count_nothing_are_not_run_where_the_recipe_says_so() {
    let _alone = torch::rng::exclusive();
    let skipping = |kind: &str, more: &str| {
        passes(&format!(
            r#"{{"kind": "{kind}", "weak_pass": "apart", "skip_masked": true, {more}}}"#
        ))
    };
    // All strong views count, and none of them.
    let all = skipping("fixmatch", r#""threshold": 0.0"#);
    assert_eq!(all, "student 3 Eval, student 5 Train");
    let none = skipping("fixmatch", r#""threshold": 1.0"#);
    assert_eq!(none, "student 3 Eval, student 2 Train");
    // The unlabelled term has no weight yet: the labelled images train as in any other step.
    let later = r#""weight": {"kind": "delayed", "value": 1.0, "until": 0.9}"#;
    for kind in ["uda", "fixmatch", "flexmatch"] {
        assert_eq!(skipping(kind, later), "student 2 Train", "{kind}");
    }
}

/// As the papers have it: what is taught is predicted on weak views.
#[test]
fn every_methods_views() {
    let expected: [(&str, ViewKind, &[ViewKind]); 20] = [
        ("supervised", Strong, &[]),
        ("uda", Weak, &[Weak, Strong]),
        ("fixmatch", Weak, &[Weak, Strong]),
        ("flexmatch", Weak, &[Weak, Strong]),
        ("freematch", Weak, &[Weak, Strong]),
        ("softmatch", Weak, &[Weak, Strong]),
        ("adamatch", Weak, &[Weak, Strong]),
        ("pi-model", Weak, &[Weak, Weak]),
        ("temporal-ensembling", Weak, &[Weak]),
        ("mean-teacher", Weak, &[Weak, Weak]),
        ("sntg", Weak, &[Weak, Weak]),
        ("vadd", Weak, &[Weak]),
        ("pseudo-label", Weak, &[Weak]),
        ("ict", Weak, &[Weak]),
        ("vat", Weak, &[Weak]),
        ("lga-vat", Weak, &[Weak]),
        ("mixmatch", Weak, &[Weak, Weak]),
        ("mixmixup", Weak, &[Weak]),
        (
            "remixmatch",
            Strong,
            &[Weak, Strong, Strong, Strong, Strong, Strong, Strong, Strong, Strong],
        ),
        ("s4l", Weak, &[Weak]),
    ];
    for (kind, labeled, unlabeled) in expected {
        let expected = Views { labeled, unlabeled: unlabeled.to_vec() };
        assert_eq!(method(&format!(r#"{{"kind": "{kind}"}}"#)).views(), expected, "{kind}");
    }
}
