//! A stranger's program: FixMatch teaches a linear classifier to tell points apart, from two with a
//! label and three without one, in a loop of its own.

use ssl_core::methods::{FixMatch, FixMatchConfig};
use ssl_core::{Batch, Ssl, TaskInfo};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Mode, Model, Net, Tensor, nn::Linear};
use train::{Objective, Progress};

const STEPS: u64 = 30;

struct Line(Linear);

impl Net for Line {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        self.0.forward(x)
    }
}

fn points(values: &[f32]) -> Tensor {
    Tensor::from_slice(values).reshape([-1, 2])
}

fn batch() -> Batch {
    let weak = points(&[0.9, 0.1, 0.2, 0.8, 0.7, 0.1]);
    let strong = points(&[0.6, 0.3, 0.3, 0.6, 0.5, 0.3]);
    Batch {
        x: points(&[1.0, 0.0, 0.0, 1.0]),
        y: Tensor::from_slice(&[0i64, 1]),
        u: vec![weak, strong],
        targets: None,
        unlabeled_indices: None,
    }
}

fn main() {
    let device = Device::Cpu;
    let model = Model::build(device, |scope| Line(Linear::new(&mut scope.sub("fc"), 2, 2)));
    let config = FixMatchConfig { threshold: 0.6, ..FixMatchConfig::default() };
    let method = FixMatch::new(config, &TaskInfo { classes: 2, unlabeled: 3, device });
    let mut objective = Ssl::new(method, model, None);
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(objective.params());
    let mut sup = Vec::new();
    for step in 0..STEPS {
        let at = Progress { step, steps: STEPS };
        let loss = objective.loss(batch(), at);
        optimizer.zero_grad();
        loss.total().backward();
        optimizer.step(0.5);
        objective.after_step(at);
        let values = loss.values();
        let names: Vec<&str> = values.terms.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sup", "unsup"]);
        sup.push(values.terms[0].1);
    }
    assert!(sup[STEPS as usize - 1] < 0.5 * sup[0], "it learns: {sup:?}");
    println!("trained");
}
