//! What the tests share: two moons and a teacher that knows them, small networks, one generator.

use std::f64::consts::PI;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ssl_core::{Batch, Nets, View, Views};
use torch::{Device, Kind, Mode, Model, Net, Params, Scope, Tensor, nn, no_grad};
use train::{Loss, Progress};

pub(crate) const LABELED: usize = 16;
pub(crate) const UNLABELED: usize = 48;

/// A moment in a run of no importance.
pub(crate) const START: Progress = Progress { step: 0, steps: 1 };

/// libtorch's default generator belongs to the whole process: a test that seeds it or draws from it holds this.
pub(crate) fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the method says to its own inputs: logits are the samples, through dropout.
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
    Model { net: Box::new(net), params: Params::default() }
}

/// Networks without a twin.
pub(crate) fn nets(student: Model) -> Nets {
    Nets { student, ema: None }
}

/// A perceptron with batch norm and dropout: points `[n, 2]` to logits `[n, 2]`.
struct Perceptron {
    hidden: [nn::Linear; 2],
    norm: nn::BatchNorm,
    head: nn::Linear,
}

impl Perceptron {
    fn new(scope: &mut Scope<'_>) -> Self {
        Self {
            hidden: [
                nn::Linear::new(&mut scope.sub("hidden.0"), 2, 24),
                nn::Linear::new(&mut scope.sub("hidden.1"), 24, 24),
            ],
            norm: nn::BatchNorm::new(&mut scope.sub("norm"), 24, 0.1, 1e-5),
            head: nn::Linear::new(&mut scope.sub("head"), 24, 2),
        }
    }
}

impl Net for Perceptron {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let [first, second] = &self.hidden;
        let x = self.norm.forward(&first.forward(x), mode).relu();
        let x = nn::dropout(&second.forward(&x).relu(), 0.1, mode);
        self.head.forward(&x)
    }
}

/// A student with weights from the generator.
pub(crate) fn student() -> Model {
    Model::build(Device::Cpu, Perceptron::new)
}

/// Knows the line between the moons, and is the more confident the larger the number: 0 never is.
pub(crate) struct Rule(pub(crate) f64);

impl Net for Rule {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let (right, up) = (x.select(1, 0), x.select(1, 1));
        let above = (up - 0.25 - (right * PI).cos() * 0.5) * self.0;
        Tensor::stack(&[above.shallow_clone(), -above], 1)
    }
}

/// Points of two interleaved half circles, a little off them, and which of the two each belongs to. A pure function of
/// `seed`.
pub(crate) fn moons(n: usize, seed: u64) -> (Tensor, Tensor) {
    let mut dice = Dice(seed);
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        let angle = PI * dice.unit();
        let (right, up) = (angle.cos(), angle.sin());
        let lower = i % 2 == 1;
        let (right, up) = if lower { (1.0 - right, 0.5 - up) } else { (right, up) };
        points.extend([right, up].map(|at| (at + 0.2 * (dice.unit() - 0.5)) as f32));
        labels.push(i64::from(lower));
    }
    (Tensor::from_slice(&points).view([n as i64, 2]), Tensor::from_slice(&labels))
}

/// The batch of a step with the views asked for: few labels, targets by `teacher`. A pure function of the step.
pub(crate) fn batch(views: &Views, teacher: &dyn Net, step: u64) -> Batch {
    let seen = |x: &Tensor, view, salt| {
        let width = match view {
            View::Plain => return x.shallow_clone(),
            View::Weak => 0.05,
            View::Strong => 0.2,
        };
        let mut dice = Dice(step.wrapping_mul(31).wrapping_add(salt));
        let shift: Vec<f32> =
            (0..x.numel()).map(|_| (width * (dice.unit() - 0.5)) as f32).collect();
        x + Tensor::from_slice(&shift).view([-1, 2])
    };
    // The same few labelled points again and again, and ever new unlabelled ones.
    let (x, y) = moons(LABELED, 1);
    let (u, _) = moons(UNLABELED, 1_000 + step);
    let mut batch = Batch::labeled(seen(&x, views.labeled, 7), y);
    batch.u = (10..).zip(&views.unlabeled).map(|(salt, view)| seen(&u, *view, salt)).collect();
    batch.targets = Some(no_grad(|| teacher.forward(&u, Mode::Eval).softmax(-1, Kind::Float)));
    batch
}

/// The part of new points that a network assigns to the right moon.
pub(crate) fn accuracy(model: &Model) -> f64 {
    let (x, y) = moons(500, 2);
    let guess = no_grad(|| model.forward(&x, Mode::Eval)).argmax(-1, false);
    guess.eq_tensor(&y).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
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

/// SplitMix64, which every seed serves.
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
