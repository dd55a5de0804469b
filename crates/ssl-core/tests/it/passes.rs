//! Which samples share batch statistics, and which move the running ones: papers differ without
//! saying so, so that these tests state the passes of each method.

use std::cell::RefCell;
use std::rc::Rc;

use ssl_core::{Batch, MethodConfig, MethodSettings, Nets, TaskInfo};
use torch::{Device, Features, Kind, Mode, Model, Params, Scope, Tensor, nn::Linear};
use train::Progress;

type Log = Rc<RefCell<Vec<String>>>;

/// A linear network that records its passes.
struct Spy {
    name: &'static str,
    head: Linear,
    log: Log,
}

impl Features for Spy {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.log.borrow_mut().push(format!("{} {} {mode:?}", self.name, x.size()[0]));
        x.reshape([x.size()[0], -1])
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}

/// The passes of one step with 2 labelled and 3 unlabelled images.
fn passes(settings: &str) -> String {
    let config: MethodConfig = serde_json::from_str(settings).unwrap();
    let task = TaskInfo { classes: 2, unlabeled: 3, device: Device::Cpu };
    let mut method = config.build(&task);
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
    log.take().join(", ")
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
