//! The recipe of methods on points of the plane: the smallest data there are, to see how labels
//! spread.

use anyhow::Result;
use data_pipeline::dataset::points::Shape;
use serde::{Deserialize, Serialize};
use ssl_core::{MethodConfig, MethodSettings};
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::recipe::row::TableRow;

/// The keys of a recipe of kind `label-propagation`, beside its head: methods side by side on
/// points, one training a shape, row and seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub(super) points: Points,
    #[serde(default)]
    pub(super) cadence: Cadence,
    pub(super) net: NetConfig,
    pub(super) views: Views,
    /// Unlabelled points of a step; the labelled ones are in every step, all of them.
    pub(super) unlabeled_batch: usize,
    /// `batch` must be the number of labelled points.
    pub(super) train: TrainConfig,
    pub(super) rows: Vec<RowConfig>,
}

/// The data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Points {
    pub(super) shapes: Vec<Shape>,
    pub(super) labels_per_class: usize,
    pub(super) unlabeled: usize,
    /// New points on which the curves are drawn and the numbers are counted, so many of each.
    pub(super) test: usize,
    /// Standard deviation of the noise that moves points off their curve.
    pub(super) noise: f64,
}

/// The perceptron that all rows train.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetConfig {
    /// Width of each hidden layer.
    pub(super) hidden: Vec<i64>,
}

/// By how much points are shifted: standard deviations of normal noise.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Views {
    pub(super) weak: f64,
    pub(super) strong: f64,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowConfig {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) method: MethodConfig,
    /// The row that this one is compared with, seed by seed.
    pub(super) against: Option<String>,
}

impl TableRow for RowConfig {
    fn keys(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.about, self.against.as_deref())
    }

    fn against_mut(&mut self) -> &mut Option<String> {
        &mut self.against
    }
}

impl Recipe {
    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let points = &self.points;
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        for (key, n) in [
            ("points.shapes", points.shapes.len()),
            ("points.labels_per_class", points.labels_per_class),
            ("points.unlabeled", points.unlabeled),
            ("points.test", points.test),
            ("unlabeled_batch", self.unlabeled_batch),
            ("rows", self.rows.len()),
        ] {
            faults.positive(key, n as u64);
        }
        for (key, width) in [
            ("points.noise", points.noise),
            ("views.weak", self.views.weak),
            ("views.strong", self.views.strong),
        ] {
            if !(0.0..=10.0).contains(&width) {
                faults.add(key, format!("is {width} and must be between 0 and 10"));
            }
        }
        if points.shapes.iter().enumerate().any(|(i, s)| points.shapes[..i].contains(s)) {
            faults.add("points.shapes", "names a shape twice");
        }
        if self.net.hidden.is_empty() || self.net.hidden.iter().any(|w| !(1..=4096).contains(w)) {
            faults.add("net.hidden", "needs at least one layer, each of 1 to 4096");
        }
        faults.train("train", &self.train, false);
        if self.train.batch != 2 * points.labels_per_class {
            let labeled = 2 * points.labels_per_class;
            faults
                .add("train.batch", format!("must be the {labeled} labelled points, all of them"));
        }
        faults.rows(self.rows.iter().map(|row| (row.name.as_str(), row.against.as_deref())));
        for row in &self.rows {
            let key = format!("rows.{}", row.name);
            faults.within(&format!("{key}.method"), row.method.faults());
            let needs = row.method.needs();
            if needs.images {
                faults.add(&key, "its method treats samples as images, and these are points");
            }
            if needs.ema && self.train.ema.is_none() {
                faults.add(&key, "learns from an EMA model: set train.ema");
            }
        }
        faults.done(name)
    }
}
