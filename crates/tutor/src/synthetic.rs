//! Generated images, so that every recipe can be tried without its data: each class is a bright bar at its own angle on a
//! noisy ground.

use anyhow::{Context, Result};
use augment::rng::Key;
use data_pipeline::dataset::ArraySet;
use data_pipeline::split::{SplitRequest, SplitRule};
use ndarray::Array4;
use serde::{Deserialize, Serialize};

/// What is generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Synthetic {
    /// Rows and columns.
    pub(crate) side: usize,
    /// 1 or 3.
    pub(crate) channels: usize,
    pub(crate) classes: usize,
    pub(crate) labels_per_class: usize,
    pub(crate) unlabeled: usize,
    pub(crate) validation: usize,
    pub(crate) test: usize,
}

impl Synthetic {
    /// Whether there is something to generate.
    pub(crate) fn check(&self) -> Result<(), String> {
        let positive = [
            ("side", self.side),
            ("classes", self.classes),
            ("labels_per_class", self.labels_per_class),
            ("unlabeled", self.unlabeled),
            ("validation", self.validation),
            ("test", self.test),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(format!("{key} must be at least 1")),
            None if self.channels != 1 && self.channels != 3 => {
                Err("channels must be 1 or 3".to_owned())
            }
            None => Ok(()),
        }
    }

    /// How one seed divides the images.
    pub(crate) fn split(&self, seed: u64) -> Result<SplitRequest> {
        let labels = Some(self.labels_per_class * self.classes);
        let rule = SplitRule::Balanced;
        Ok(SplitRequest {
            rule,
            labels,
            validation: self.validation,
            test: self.test,
            seed,
            train: None,
        })
    }

    fn images(&self) -> usize {
        let images =
            self.labels_per_class * self.classes + self.unlabeled + self.validation + self.test;
        images.div_ceil(self.classes) * self.classes
    }
}

/// The images, always the same.
pub(crate) fn make(spec: &Synthetic) -> Result<ArraySet> {
    let (n, side) = (spec.images(), spec.side);
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
