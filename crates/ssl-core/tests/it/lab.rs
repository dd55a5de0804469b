//! What the tests share: two moons and a teacher that knows them, small networks.

use std::f64::consts::PI;

use augment::rng::Rng;
use data_pipeline::dataset::points::Shape;
use ssl_core::{Batch, Nets, ViewKind, Views};
use torch::{Device, Features, Kind, Mode, Model, Net, Params, Scope, Tensor, nn, no_grad};
use train::{Loss, Progress};

pub(crate) const LABELED: usize = 8;
pub(crate) const UNLABELED: usize = 48;

/// The first step of a run of one.
pub(crate) const START: Progress = Progress { step: 0, steps: 1 };

/// A network whose logits are its inputs, through dropout.
pub(crate) struct Echo {
    pub(crate) dropout: f64,
}

impl Net for Echo {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        nn::dropout(x, self.dropout, mode)
    }
}

/// A network without parameters, which needs no generator.
pub(crate) fn bare(net: impl Net + 'static) -> Model {
    Model::new(net, Params::default())
}

/// Networks without an EMA model.
pub(crate) fn nets(student: Model) -> Nets {
    Nets { student, ema: None }
}

/// A network with batch norm and dropout: samples `[n, ...]` of `inputs` numbers to logits `[n,
/// 2]`.
struct Student {
    hidden: [nn::Linear; 2],
    norm: nn::BatchNorm,
    head: nn::Linear,
}

impl Student {
    fn new(scope: &mut Scope<'_>, inputs: i64) -> Self {
        Self {
            hidden: [
                nn::Linear::new(&mut scope.sub("hidden.0"), inputs, 24),
                nn::Linear::new(&mut scope.sub("hidden.1"), 24, 24),
            ],
            norm: nn::BatchNorm::new(&mut scope.sub("norm"), 24, 0.1, 1e-5),
            head: nn::Linear::new(&mut scope.sub("head"), 24, 2),
        }
    }
}

impl Features for Student {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let [first, second] = &self.hidden;
        let x = x.reshape([x.size()[0], -1]);
        let x = self.norm.forward(&first.forward(&x), mode).relu();
        nn::dropout(&second.forward(&x).relu(), 0.1, mode)
    }

    fn classifier(&self) -> &nn::Linear {
        &self.head
    }
}

/// A student of the moons with weights from the generator.
pub(crate) fn student() -> Model {
    student_of(Task::Moons)
}

/// A student with weights from the generator.
pub(crate) fn student_of(task: Task) -> Model {
    let inputs = match task {
        Task::Moons => 2,
        Task::Letters => 25,
    };
    Model::build(Device::Cpu, |scope| Student::new(scope, inputs))
}

/// Knows the line between the moons; the larger the number, the more confident. At 0 all
/// predictions are uniform.
pub(crate) struct Rule(pub(crate) f64);

impl Net for Rule {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let (right, up) = (x.select(1, 0), x.select(1, 1));
        let above = (up - 0.25 - (right * PI).cos() * 0.5) * self.0;
        Tensor::stack(&[above.shallow_clone(), -above], 1)
    }
}

/// Points of two moons, and which of the two each belongs to. A pure function of `seed`.
pub(crate) fn moons(n: usize, seed: u64) -> (Tensor, Tensor) {
    let mut rng = Rng::new(seed);
    let points = Shape::TwoMoons.points(n, 0.06, &mut rng).flatten();
    let points: Vec<f32> = points.map(|v| v as f32).collect();
    let labels: Vec<i64> = (0..n as i64).map(|i| i % 2).collect();
    (Tensor::from_slice(&points).view([n as i64, 2]), Tensor::from_slice(&labels))
}

/// The samples of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Points of two interleaved half circles, `[n, 2]`.
    Moons,
    /// Noisy images of L and T, `[n, 1, 5, 5]`: they can be turned.
    Letters,
}

impl Task {
    /// Samples and classes, a pure function of `seed`.
    fn draw(self, n: usize, seed: u64) -> (Tensor, Tensor) {
        match self {
            Task::Moons => moons(n, seed),
            Task::Letters => letters(n, seed),
        }
    }

    /// How far the views are moved, weak and strong.
    fn widths(self) -> [f64; 2] {
        match self {
            Task::Moons => [0.2, 0.6],
            Task::Letters => [0.5, 1.0],
        }
    }
}

/// L and T in black and white under noise.
fn letters(n: usize, seed: u64) -> (Tensor, Tensor) {
    const SHAPES: [[u8; 5]; 2] = [
        [0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        [0b11111, 0b00100, 0b00100, 0b00100, 0b00100],
    ];
    let mut dice = Dice(seed);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        for row in SHAPES[i % 2] {
            for column in 0..5 {
                let ink = f64::from(row >> (4 - column) & 1);
                pixels.push((ink + 2.4 * (dice.unit() - 0.5)) as f32);
            }
        }
        labels.push((i % 2) as i64);
    }
    (Tensor::from_slice(&pixels).view([n as i64, 1, 5, 5]), Tensor::from_slice(&labels))
}

/// How many unlabelled samples there are.
pub(crate) const POOL: usize = 480;

/// The batch of a step of the moons with the views asked for: few labels, targets by `teacher`. A
/// pure function of the step.
pub(crate) fn batch(views: &Views, teacher: &dyn Net, step: u64) -> Batch {
    batch_of(Task::Moons, views, teacher, step)
}

/// The batch of a step.
pub(crate) fn batch_of(task: Task, views: &Views, teacher: &dyn Net, step: u64) -> Batch {
    let seen = |x: &Tensor, view, salt| {
        let width = match view {
            ViewKind::Plain => return x.shallow_clone(),
            ViewKind::Weak => task.widths()[0],
            ViewKind::Strong => task.widths()[1],
        };
        let mut dice = Dice(step.wrapping_mul(31).wrapping_add(salt));
        let shift: Vec<f32> =
            (0..x.numel()).map(|_| (width * (dice.unit() - 0.5)) as f32).collect();
        x + Tensor::from_slice(&shift).view_as(x)
    };
    // The same few labelled samples again and again, and the unlabelled ones in turn.
    let (x, y) = task.draw(LABELED, 1);
    let (all, _) = task.draw(POOL, 1_000);
    let first = step * UNLABELED as u64;
    let indices: Vec<_> =
        (first..first + UNLABELED as u64).map(|i| (i % POOL as u64) as i64).collect();
    let indices = Tensor::from_slice(&indices);
    let u = all.index_select(0, &indices);
    let mut batch = Batch::labeled(seen(&x, views.labeled, 7), y);
    batch.u = (10..).zip(&views.unlabeled).map(|(salt, view)| seen(&u, *view, salt)).collect();
    batch.targets = (task == Task::Moons)
        .then(|| no_grad(|| teacher.forward(&u, Mode::Eval).softmax(-1, Kind::Float)));
    batch.unlabeled_indices = Some(indices);
    batch
}

/// The part of new samples that a network assigns to the right class.
pub(crate) fn accuracy(model: &Model, task: Task) -> f64 {
    let (x, y) = task.draw(500, 2);
    let predicted = no_grad(|| model.forward(&x, Mode::Eval)).argmax(-1, false);
    predicted.eq_tensor(&y).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
}

/// A term's value.
#[track_caller]
pub(crate) fn term(loss: &Loss, name: &str) -> f64 {
    let values = loss.values();
    values.terms.iter().find(|(n, _)| n == name).expect("the term").1
}

/// All values of a tensor, bit by bit.
pub(crate) fn bits(tensor: &Tensor) -> Vec<u64> {
    let values = Vec::<f64>::try_from(tensor.detach().to_kind(Kind::Double).reshape([-1])).unwrap();
    values.into_iter().map(f64::to_bits).collect()
}

/// SplitMix64, which takes any seed.
struct Dice(u64);

impl Dice {
    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
