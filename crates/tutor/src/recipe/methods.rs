//! Tables of methods: trainings side by side that differ in the method, its augmentation, or the number of labels.

use anyhow::{Context, Result, bail, ensure};
use augment::policy::{Policy, Step};
use serde::{Deserialize, Serialize};
use ssl_core::{Config, MethodConfig};
use torch::optim::OptimConfig;
use torch::precision::Precision;
use train::{Ema, Schedule, Swa};
use vision_models::NetConfig;

use super::check::{self, Faults};
use super::{Cadence, DataConfig, Part, default_eval_batch, edit};

/// A table of a paper, one training a row and seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodsRecipe {
    /// `paper/row`; also where the run's folder goes.
    pub(crate) name: String,
    /// What it is, with its source.
    pub(crate) about: String,
    /// Whether it is the one meant when only the paper is named.
    #[serde(default)]
    pub(crate) default: bool,
    /// What the numbers at the end are measured on.
    #[serde(default)]
    pub(crate) evaluate_on: Part,
    #[serde(default)]
    pub(crate) precision: Precision,
    /// Images of an evaluation batch.
    #[serde(default = "default_eval_batch")]
    pub(crate) eval_batch: usize,
    /// What evaluation sees: nothing random.
    #[serde(default = "Policy::none")]
    pub(crate) eval_augment: Policy,
    /// Only these rows are run, in their order; all when it is empty.
    #[serde(default)]
    pub(crate) only: Vec<String>,
    pub(crate) data: DataConfig,
    #[serde(default)]
    pub(crate) select: Select,
    #[serde(default)]
    pub(crate) cadence: Cadence,
    pub(crate) train: Train,
    /// The rows, each `train` with something changed. Without any, `train` itself is the one row, named after its method.
    #[serde(default)]
    pub(crate) rows: Vec<MethodRow>,
}

/// Which weights of a training count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Select {
    /// By which the best weights are known, on the validation part.
    pub(crate) metric: Metric,
    /// What a training results in.
    pub(crate) weights: Weights,
}

/// A number of the validation part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    #[default]
    Accuracy,
    /// The mean over classes of the share that is recognised: for classes of very different size.
    BalancedAccuracy,
}

/// Which weights a training results in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weights {
    /// Those of the last step, as papers report them.
    #[default]
    Last,
    /// Those that were best, the earliest of equals.
    Best,
}

/// One training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    pub(crate) net: NetConfig,
    pub(crate) method: MethodConfig,
    pub(crate) steps: u64,
    /// Labelled images of a step.
    pub(crate) batch: usize,
    /// Unlabelled images of a step for each labelled one.
    pub(crate) unlabeled_ratio: usize,
    pub(crate) lr: Schedule,
    pub(crate) optim: OptimConfig,
    pub(crate) ema: Option<Ema>,
    /// A mean of late weights, which is then what is evaluated.
    pub(crate) swa: Option<Swa>,
    /// The weak view.
    pub(crate) weak: Policy,
    /// The strong view.
    pub(crate) strong: Policy,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodRow {
    pub(crate) name: String,
    pub(crate) about: String,
    /// What is changed: dotted key to value, below `train` or the number of labels.
    #[serde(default)]
    pub(crate) set: toml::Table,
    /// The row that this one is compared with, seed by seed.
    pub(crate) against: Option<String>,
    /// The line of the plot over labels that this row is a point of.
    pub(crate) line: Option<String>,
    /// What papers print for this row.
    #[serde(default)]
    pub(crate) paper: Vec<PaperNumber>,
}

/// A number in a paper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperNumber {
    /// Data and net.
    pub(crate) setting: String,
    /// Error in percent.
    pub(crate) error: f64,
    pub(crate) source: String,
}

/// Keys under which a row may change its data: they leave the images as they are.
const LABELS: [&str; 2] = ["data.labels_per_class", "data.labels"];

impl MethodsRecipe {
    pub(super) fn from_table(table: &toml::Table) -> Result<Self> {
        let text = toml::to_string_pretty(table)?;
        let mut recipe: Self = toml::from_str(&text).map_err(edit::explain)?;
        if let Some(unknown) =
            recipe.only.iter().find(|name| recipe.rows.iter().all(|row| row.name != **name))
        {
            let known: Vec<&str> = recipe.rows.iter().map(|row| row.name.as_str()).collect();
            bail!("only: there is no row {unknown}; the rows are {}", known.join(", "));
        }
        if !recipe.only.is_empty() {
            let only = std::mem::take(&mut recipe.only);
            recipe.rows.retain(|row| only.contains(&row.name));
            for row in &mut recipe.rows {
                row.against = row.against.take().filter(|name| only.contains(name));
            }
        }
        recipe.check()?;
        Ok(recipe)
    }

    /// The rows that are run: name, data and training.
    pub(crate) fn trainings(&self) -> Result<Vec<(String, DataConfig, Train)>> {
        if self.rows.is_empty() {
            let name = self.name.split('/').next().unwrap_or_default().to_owned();
            return Ok(vec![(name, self.data.clone(), self.train.clone())]);
        }
        let trainings = self.rows.iter().map(|row| {
            let (data, train) = self.row(row)?;
            Ok((row.name.clone(), data, train))
        });
        trainings.collect()
    }

    fn row(&self, row: &MethodRow) -> Result<(DataConfig, Train)> {
        let context = || format!("row {} of {}", row.name, self.name);
        for key in row.set.keys() {
            ensure!(
                key.starts_with("train.") || LABELS.contains(&key.as_str()),
                "{}: {key}: a row may change train, data.labels and data.labels_per_class",
                context()
            );
        }
        let mut table = toml::Table::try_from(self)?;
        table.remove("rows");
        edit::apply_table(&mut table, &row.set)?;
        let text = toml::to_string_pretty(&table)?;
        let changed: Self = toml::from_str(&text).map_err(edit::explain).with_context(context)?;
        Ok((changed.data, changed.train))
    }

    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        check::name(&self.name, &mut faults);
        faults.positive("eval_batch", self.eval_batch as u64);
        faults.policy("eval_augment", &self.eval_augment);
        check::cadence(&self.cadence, &mut faults);
        check::data(&self.data, self.evaluate_on, &mut faults);
        if self.rows.is_empty() {
            train(&self.train, "train", &mut faults);
        }
        check::rows(self.rows.iter().map(|r| (r.name.as_str(), r.against.as_deref())), &mut faults);
        for row in &self.rows {
            let key = format!("rows.{}", row.name);
            match self.row(row) {
                Ok((_, changed)) => train(&changed, &key, &mut faults),
                Err(error) => faults.add(&key, format!("{error:#}")),
            }
        }
        faults.done(&self.name)
    }
}

fn train(train: &Train, key: &str, faults: &mut Faults) {
    let key = |name: &str| format!("{key}.{name}");
    faults.of(&key("net"), train.net.check());
    faults.of(&key("method"), train.method.check());
    if train.method.needs_average() && train.ema.is_none() {
        faults.add(&key("ema"), "is missing: this method learns from an average of the weights");
    }
    faults.positive(&key("steps"), train.steps);
    faults.positive(&key("batch"), train.batch as u64);
    faults.positive(&key("unlabeled_ratio"), train.unlabeled_ratio as u64);
    faults.of(&key("lr"), train.lr.check());
    if let Some(ema) = &train.ema {
        faults.of(&key("ema"), ema.check());
    }
    if let Some(swa) = &train.swa {
        faults.of(&key("swa"), swa.check());
    }
    faults.policy(&key("weak"), &train.weak);
    faults.policy(&key("strong"), &train.strong);
    let learning =
        |policy: &Policy| policy.0.iter().filter(|step| matches!(step, Step::CtAugment(_))).count();
    if learning(&train.strong) > 1 {
        faults.add(&key("strong"), "holds ctaugment twice: its feedback is for one");
    }
    if learning(&train.weak) > 0 {
        faults.add(&key("weak"), "holds ctaugment, which learns in the strong policy only");
    }
}
