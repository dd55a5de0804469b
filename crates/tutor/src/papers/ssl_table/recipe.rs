//! The recipe of a table of methods: trainings side by side that differ in the method, its
//! augmentation, the net or the number of labels.

use anyhow::Result;
use augment::policy::{Policy, Step};
use serde::{Deserialize, Serialize};
use ssl_core::{MethodConfig, MethodSettings};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};
use vision_models::NetConfig;

use crate::images::setting::Shared;
use crate::images::task::metric_name;
use crate::recipe::data::DataConfig;
use crate::recipe::evaluate::EvaluateConfig;
use crate::recipe::faults::Faults;
use crate::recipe::row::{self, TableRow};
use crate::recipe::select::Select;

/// The keys of a recipe of kind `ssl-table`, beside its head: one training, and rows that change
/// something of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that load and augment; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    #[serde(default)]
    pub(super) evaluate: EvaluateConfig,
    pub(super) data: DataConfig,
    #[serde(default)]
    pub(super) select: Select,
    #[serde(default)]
    pub(super) cadence: Cadence,
    pub(super) net: NetConfig,
    pub(super) method: MethodConfig,
    /// Unlabelled images of a step for each labelled one.
    pub(super) unlabeled_ratio: usize,
    /// The weak view.
    pub(super) weak: Policy,
    /// The strong view.
    pub(super) strong: Policy,
    pub(super) train: TrainConfig,
    /// The rows, each the training above with something changed. Without any, that itself is the
    /// one row, named after its method.
    #[serde(default)]
    pub(super) rows: Vec<RowConfig>,
}

fn one() -> usize {
    1
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowConfig {
    pub(super) name: String,
    pub(super) about: String,
    /// What is changed: dotted key to value.
    #[serde(default)]
    pub(super) set: toml::Table,
    /// The row that this one is compared with, seed by seed.
    pub(super) against: Option<String>,
    /// The line of the plot over labels that this row is a point of.
    pub(super) line: Option<String>,
    /// What papers print for this row.
    #[serde(default)]
    pub(super) paper: Vec<PaperNumber>,
}

/// A number in a paper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaperNumber {
    /// Data and net.
    pub(super) setting: String,
    /// Error in percent.
    pub(super) error: f64,
    pub(super) source: String,
}

/// What a row may change. Data may differ in the labels alone, so that the images are the same.
const CHANGEABLE: [&str; 6] = ["net", "method", "unlabeled_ratio", "weak", "strong", "train"];
const LABELS: [&str; 2] = ["data.labels_per_class", "data.labels"];

impl TableRow for RowConfig {
    fn keys(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.about, self.against.as_deref())
    }

    fn against_mut(&mut self) -> &mut Option<String> {
        &mut self.against
    }
}

impl Recipe {
    /// The rows that are run, by name, each as the recipe of its one training. The one row of a
    /// recipe without rows is named after its method.
    pub(super) fn trainings(&self) -> Result<Vec<(String, Self)>> {
        if self.rows.is_empty() {
            let method = toml::Table::try_from(&self.method)?;
            let kind = method.get("kind").and_then(toml::Value::as_str);
            return Ok(vec![(kind.unwrap_or("method").to_owned(), self.clone())]);
        }
        self.rows.iter().map(|row| Ok((row.name.clone(), self.row(row)?))).collect()
    }

    fn row(&self, row: &RowConfig) -> Result<Self> {
        let allowed = |key: &str| row::is_within(key, &CHANGEABLE) || LABELS.contains(&key);
        let words = format!("{}, {}", CHANGEABLE.join(", "), LABELS.join(", "));
        row::changed(self, &row.name, &row.set, (&words, allowed))
    }

    /// What its trainings share.
    pub(super) fn shared(&self) -> Shared<'_> {
        Shared {
            evaluate: &self.evaluate,
            cadence: &self.cadence,
            precision: self.precision,
            workers: self.workers,
        }
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        self.evaluate.check(&mut faults);
        faults.cadence(&self.cadence);
        self.data.check(self.evaluate.on, &mut faults);
        faults.of("select.metric", metric_name(self.select.metric.as_deref()).map(|_| ()));
        if self.rows.is_empty() {
            self.training(&mut faults);
        }
        row::check(&self.rows, name, &mut faults, |row, faults| {
            for number in row.paper.iter().filter(|n| !(0.0..=100.0).contains(&n.error)) {
                faults.add("paper.error", format!("{} is not in [0, 100]", number.error));
            }
            self.row(row)?.training(faults);
            Ok(())
        });
        faults.done(name)
    }

    fn training(&self, faults: &mut Faults) {
        faults.within("net", self.net.faults());
        faults.within("method", self.method.faults());
        if self.method.needs().ema && self.train.ema.is_none() {
            faults.add("train.ema", "is missing: this method learns from an EMA model");
        }
        faults.train("train", &self.train, false);
        faults.positive("unlabeled_ratio", self.unlabeled_ratio as u64);
        faults.policy("weak", &self.weak);
        faults.policy("strong", &self.strong);
        let learning = |policy: &Policy| {
            policy.0.iter().filter(|step| matches!(step, Step::CtAugment(_))).count()
        };
        if learning(&self.strong) > 1 {
            faults.add("strong", "holds ctaugment twice: its feedback is for one");
        }
        if learning(&self.strong) > 0 && self.train.accumulate != 1 {
            faults.add("train.accumulate", "goes without ctaugment, whose feedback is by steps");
        }
        if learning(&self.weak) > 0 {
            faults.add("weak", "holds ctaugment, which learns in the strong policy only");
        }
    }
}
