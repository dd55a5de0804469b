//! A stranger's program: a linear classifier learns to tell two points apart, by a method of
//! ssl-core in a loop of its own.

use ssl_core::methods::{Supervised, SupervisedConfig};
use ssl_core::{Batch, Ssl};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Kind, Mode, Model, Net, Tensor, nn::Linear};
use train::{Objective, Progress};

const STEPS: u64 = 30;

struct Line(Linear);

impl Net for Line {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        self.0.forward(x)
    }
}

fn main() {
    let model = Model::build(Device::Cpu, |scope| Line(Linear::new(&mut scope.sub("fc"), 2, 2)));
    let method = Supervised::new(SupervisedConfig::default());
    let mut objective = Ssl::new(method, model, None);
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(objective.params());
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let at = Progress { step, steps: STEPS };
        let points = Tensor::eye(2, (Kind::Float, Device::Cpu));
        let loss = objective.loss(Batch::labeled(points, Tensor::from_slice(&[0i64, 1])), at).total();
        optimizer.zero_grad();
        loss.backward();
        optimizer.step(0.5);
        objective.after_step(at);
        losses.push(loss.double_value(&[]));
    }
    assert!(losses[STEPS as usize - 1] < 0.5 * losses[0], "it learns: {losses:?}");
    println!("trained");
}
