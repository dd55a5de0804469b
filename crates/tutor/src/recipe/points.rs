//! Points of the plane: the same methods on the smallest data there are, to see how labels spread.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use ssl_core::{Config, MethodConfig};
use torch::optim::OptimConfig;
use train::{Ema, Schedule};

use super::check::{self, Faults};
use super::{Cadence, edit};

/// Methods side by side on points, one training a shape, row and seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointsRecipe {
    /// `paper/row`; also where the run's folder goes.
    pub(crate) name: String,
    /// What it is, with its source.
    pub(crate) about: String,
    /// Whether it is the one meant when only the paper is named.
    #[serde(default)]
    pub(crate) default: bool,
    pub(crate) points: Points,
    #[serde(default)]
    pub(crate) cadence: Cadence,
    pub(crate) learner: Learner,
    pub(crate) rows: Vec<PointRow>,
}

/// The data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Points {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) labels_per_class: usize,
    pub(crate) unlabeled: usize,
    /// New points on which the curves are drawn and the numbers are counted, so many of each.
    pub(crate) test: usize,
    /// Standard deviation of the noise that moves points off their curve.
    pub(crate) noise: f64,
}

/// What two classes lie on, at the scale of scikit-learn's functions of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// Two interleaved half circles of radius 1.
    TwoMoons,
    /// A circle of radius 1 and one of half of it around the same centre.
    Circles,
}

/// What all rows have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Learner {
    /// Width of each hidden layer of the perceptron.
    pub(crate) hidden: Vec<i64>,
    pub(crate) steps: u64,
    /// Unlabelled points of a step; the labelled ones are in every step, all of them.
    pub(crate) batch: usize,
    pub(crate) lr: Schedule,
    pub(crate) optim: OptimConfig,
    pub(crate) ema: Option<Ema>,
    /// Standard deviation of the weak view's shift.
    pub(crate) weak: f64,
    /// Standard deviation of the strong view's shift.
    pub(crate) strong: f64,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointRow {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) method: MethodConfig,
    /// The row that this one is compared with, seed by seed.
    pub(crate) against: Option<String>,
}

impl PointsRecipe {
    pub(super) fn from_table(table: &toml::Table) -> Result<Self> {
        let text = toml::to_string_pretty(table)?;
        let recipe: Self = toml::from_str(&text).map_err(edit::explain)?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<()> {
        let (points, learner) = (&self.points, &self.learner);
        let mut faults = Faults::default();
        check::name(&self.name, &mut faults);
        check::cadence(&self.cadence, &mut faults);
        for (key, n) in [
            ("shapes", points.shapes.len()),
            ("labels_per_class", points.labels_per_class),
            ("unlabeled", points.unlabeled),
            ("test", points.test),
        ] {
            faults.positive(&format!("points.{key}"), n as u64);
        }
        for (key, width) in [
            ("points.noise", points.noise),
            ("learner.weak", learner.weak),
            ("learner.strong", learner.strong),
        ] {
            if !(0.0..=10.0).contains(&width) {
                faults.add(key, format!("is {width} and must be between 0 and 10"));
            }
        }
        if points.shapes.iter().enumerate().any(|(i, s)| points.shapes[..i].contains(s)) {
            faults.add("points.shapes", "names a shape twice");
        }
        if learner.hidden.is_empty() || learner.hidden.iter().any(|w| !(1..=4096).contains(w)) {
            faults.add("learner.hidden", "needs at least one layer, each of 1 to 4096");
        }
        faults.positive("learner.steps", learner.steps);
        faults.positive("learner.batch", learner.batch as u64);
        faults.of("learner.lr", learner.lr.check());
        if let Some(ema) = &learner.ema {
            faults.of("learner.ema", ema.check());
        }
        faults.positive("rows", self.rows.len() as u64);
        check::rows(self.rows.iter().map(|r| (r.name.as_str(), r.against.as_deref())), &mut faults);
        for row in &self.rows {
            let key = format!("rows.{}", row.name);
            faults.of(&key, row.method.check());
            let turns = match &row.method {
                MethodConfig::S4l(_) => true,
                MethodConfig::ReMixMatch(config) => config.rotation > 0.0,
                _ => false,
            };
            if turns {
                faults.add(&key, "its method turns images, and these are points (of remixmatch: set rotation = 0)");
            }
            if row.method.needs_average() && learner.ema.is_none() {
                faults.add(&key, "learns from an average of the weights: set learner.ema");
            }
        }
        faults.done(&self.name)
    }
}

impl Shape {
    /// Its name in recipes, files and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::TwoMoons => "two-moons",
            Shape::Circles => "circles",
        }
    }
}
