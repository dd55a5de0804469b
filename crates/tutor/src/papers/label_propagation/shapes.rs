//! The points themselves and their views.

use augment::rng::{Key, Rng};
use data_pipeline::dataset::points::Shape;
use ssl_core::{Batch, ViewKind, Views};
use torch::device::tensor_on;
use torch::{Device, Tensor};

use super::recipe::{self, Points};

/// Points and the class of each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cloud {
    pub(super) points: Vec<[f64; 2]>,
    pub(super) classes: Vec<u8>,
}

impl Cloud {
    /// `n` points, classes in turn.
    fn draw(shape: Shape, n: usize, noise: f64, rng: &mut Rng) -> Self {
        let points = shape.points(n, noise, rng).collect();
        Self { points, classes: (0..n).map(|i| (i % 2) as u8).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// `[n, 2]`.
    pub(super) fn tensor(&self, device: Device) -> Tensor {
        tensor(&self.points, device)
    }

    /// How many percent of the points fall to their class, given the probability of the second one
    /// for each.
    pub(super) fn accuracy(&self, second: &[f32]) -> f64 {
        let right = self.classes.iter().zip(second).filter(|(c, p)| (**p > 0.5) == (**c == 1));
        100.0 * right.count() as f64 / self.len() as f64
    }
}

/// `[n, 2]`, float32.
pub(super) fn tensor(points: &[[f64; 2]], device: Device) -> Tensor {
    let values: Vec<f32> = points.iter().flatten().map(|&v| v as f32).collect();
    Tensor::from_slice(&values).view([-1, 2]).to_device(device)
}

/// The data of one shape and seed.
pub(super) struct Scene {
    pub(super) shape: Shape,
    pub(super) labeled: Cloud,
    pub(super) unlabeled: Cloud,
    pub(super) validation: Cloud,
    pub(super) test: Cloud,
    seed: u64,
}

/// What random numbers are for; their keys.
const LABELED: u64 = 0;
const UNLABELED: u64 = 1;
const VALIDATION: u64 = 2;
const TEST: u64 = 3;
const ORDER: u64 = 4;
const VIEWS: u64 = 8;

impl Scene {
    pub(super) fn draw(shape: Shape, points: &Points, seed: u64) -> Self {
        let cloud = |n, what| {
            let mut rng = Key { seed, epoch: 0, index: shape as u64, view: what }.rng();
            Cloud::draw(shape, n, points.noise, &mut rng)
        };
        Self {
            shape,
            labeled: cloud(2 * points.labels_per_class, LABELED),
            unlabeled: cloud(points.unlabeled, UNLABELED),
            validation: cloud(points.test, VALIDATION),
            test: cloud(points.test, TEST),
            seed,
        }
    }

    /// What a step learns from, a pure function of its number; `unlabeled` points are drawn, and
    /// shifted as `shifts` says.
    pub(super) fn batch(
        &self,
        step: u64,
        views: &Views,
        (shifts, unlabeled): (recipe::Views, usize),
        device: Device,
    ) -> Batch {
        let seen = |cloud: &Cloud, slots: &[usize], view: ViewKind, number: u64| {
            let width = match view {
                ViewKind::Plain => 0.0,
                ViewKind::Weak => shifts.weak,
                ViewKind::Strong => shifts.strong,
            };
            let mut rng =
                Key { seed: self.seed, epoch: step, index: 0, view: VIEWS + number }.rng();
            let moved = |&slot: &usize| cloud.points[slot].map(|v| v + width * rng.normal());
            tensor(&slots.iter().map(moved).collect::<Vec<_>>(), device)
        };
        let all: Vec<usize> = (0..self.labeled.len()).collect();
        let y: Vec<i64> = self.labeled.classes.iter().map(|&c| i64::from(c)).collect();
        let x = seen(&self.labeled, &all, views.labeled, 0);
        let mut batch = Batch::labeled(x, tensor_on(&y, device));
        if !views.unlabeled.is_empty() {
            let mut rng = Key { seed: self.seed, epoch: step, index: 0, view: ORDER }.rng();
            let slots: Vec<usize> =
                (0..unlabeled).map(|_| rng.below(self.unlabeled.len())).collect();
            batch.u = (1..)
                .zip(&views.unlabeled)
                .map(|(number, &view)| seen(&self.unlabeled, &slots, view, number))
                .collect();
            let slots: Vec<i64> = slots.iter().map(|&slot| slot as i64).collect();
            batch.unlabeled_indices = Some(tensor_on(&slots, device));
        }
        batch
    }

    /// Left, right, bottom and top of a frame around everything, of the given width for its height.
    pub(super) fn frame(&self, aspect: f64) -> [f64; 4] {
        let all = || self.unlabeled.points.iter().chain(&self.labeled.points);
        let ends = |axis: usize| {
            let values = all().map(move |p| p[axis]);
            let (low, high) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            (0.5 * (low + high), 0.62 * (high - low))
        };
        let ((x, across), (y, down)) = (ends(0), ends(1));
        let (across, down) = (across.max(down * aspect), down.max(across / aspect));
        [x - across, x + across, y - down, y + down]
    }
}
