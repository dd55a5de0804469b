//! Generated images, so that every recipe can be tried without its data: each class is a bright bar
//! at its own angle on a noisy ground.

use anyhow::{Context, Result};
use augment::rng::Key;
use data_pipeline::dataset::ArraySet;
use data_pipeline::split::{SplitRequest, SplitRule};
use ndarray::Array4;

use crate::recipe::data::Synthetic;

/// How one seed divides the images.
pub(super) fn split(spec: &Synthetic, seed: u64) -> SplitRequest {
    SplitRequest {
        rule: SplitRule::Balanced,
        labels: Some(spec.labels_per_class * spec.classes),
        validation: spec.validation,
        test: spec.test,
        seed,
        train: None,
    }
}

/// How many images there are: as many of each class.
fn count(spec: &Synthetic) -> usize {
    let images =
        spec.labels_per_class * spec.classes + spec.unlabeled + spec.validation + spec.test;
    images.div_ceil(spec.classes) * spec.classes
}

/// The images, always the same.
pub(super) fn make(spec: &Synthetic) -> Result<ArraySet> {
    let (n, side) = (count(spec), spec.side);
    let mut images = Array4::zeros((n, side, side, spec.channels));
    let labels: Vec<u32> = (0..n).map(|i| (i % spec.classes) as u32).collect();
    for (i, &label) in labels.iter().enumerate() {
        let mut rng = Key { seed: 0, epoch: 0, index: i as u64, view: 1001 }.rng();
        let angle =
            std::f64::consts::PI * (f64::from(label) + 0.3 * rng.normal()) / spec.classes as f64;
        let (sin, cos) = angle.sin_cos();
        let centre = [rng.range(0.4, 0.6), rng.range(0.4, 0.6)].map(|c| c * side as f64);
        for ((y, x, _), value) in images.index_axis_mut(ndarray::Axis(0), i).indexed_iter_mut() {
            let distance = (x as f64 - centre[0]) * sin - (y as f64 - centre[1]) * cos;
            let bar = 160.0 * (-(distance * 8.0 / side as f64).powi(2)).exp();
            *value = (40.0 + bar + 20.0 * rng.normal()).clamp(0.0, 255.0) as u8;
        }
    }
    let classes = (0..spec.classes).map(|c| format!("bar-{c}")).collect();
    ArraySet::new("synthetic", images, Some(labels), classes).context("generated images")
}
