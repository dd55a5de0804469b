//! The recipe: texts, how many labels there are, what networks start from, and methods side by side
//! that differ in what they make of the unlabelled texts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::pretrain::Segments;
use data_pipeline::text::{Layout, Masking};
use electra::heads::{ClassifierConfig, HeadForm};
use electra::pretrain::{GeneratorConfig, PretrainConfig, Task};
use electra::{EncoderConfig, Family, LayerRates};
use serde::{Deserialize, Serialize};
use ssl_core::{MethodConfig, MethodSettings};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::recipe::paths::from_anywhere;
use crate::recipe::row::{self, TableRow};
use crate::text::augmentation::TextPolicy;
use crate::text::semi_supervised::PAD;
use crate::text::source::TextConfig;
use crate::text::tokens;

/// The keys of a recipe of kind `uda-text`, beside its head: one training, and rows that change
/// something of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that change and tokenize texts; 0 for none beside the training thread. Has no
    /// influence on the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    pub(super) text: TextConfig,
    /// Numbers of labels, all classes together: a training each.
    pub(super) labels: Vec<usize>,
    /// Which texts are labelled.
    #[serde(default)]
    pub(super) draw: Draw,
    /// How many test texts are measured on, as many of each class, the first ones; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<usize>,
    /// How texts become sequences.
    pub(super) layout: Layout,
    /// A published network, or a finished run of ours: a folder, looked for below `--data` first,
    /// or a name of the hub's cache. For rows that start from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weights: Option<String>,
    /// The network of rows that start at random; its vocabulary is made of the unlabelled texts, at
    /// most so many tokens.
    pub(super) net: EncoderConfig,
    /// What classifiers start from.
    #[serde(default)]
    pub(super) start: Start,
    /// How rows with `start.pretrain` are pre-trained, once a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pretraining: Option<PretrainingConfig>,
    /// The head.
    #[serde(default = "pooler")]
    pub(super) form: HeadForm,
    /// Dropout of the head; without it, that of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dropout: Option<f64>,
    /// The factor of the learning rate from a layer to the one below it.
    #[serde(default = "one_rate")]
    pub(super) layer_decay: f64,
    pub(super) method: MethodConfig,
    /// Unlabelled texts of a step for each labelled one.
    pub(super) unlabeled_ratio: usize,
    /// What the weak view changes.
    #[serde(default = "unchanged")]
    pub(super) weak: TextPolicy,
    /// What the strong view changes.
    pub(super) strong: TextPolicy,
    pub(super) train: TrainConfig,
    /// Steps of a training are at least as many as give so many passes over its labels.
    #[serde(default)]
    pub(super) epochs: u64,
    #[serde(default)]
    pub(super) cadence: Cadence,
    /// The rows, each the training above with something changed.
    #[serde(default)]
    pub(super) rows: Vec<RowConfig>,
}

fn one() -> usize {
    1
}

fn one_rate() -> f64 {
    1.0
}

fn pooler() -> HeadForm {
    HeadForm::Pooler
}

fn unchanged() -> TextPolicy {
    TextPolicy::None {}
}

/// Which texts are labelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Draw {
    /// Drawn by the seed, as many of each class; more labels of a seed hold the fewer.
    #[default]
    Seed,
    /// The first of each class in the order of the file, as UDA's code takes them: the same for
    /// all seeds.
    First,
}

/// What a classifier's encoder starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Start {
    pub(super) from: From,
    /// Whether it is pre-trained on the unlabelled texts first (the paper's BERT-FINETUNE, where it
    /// starts from weights).
    pub(super) pretrain: bool,
}

/// The network before anything is learned from the unlabelled texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum From {
    /// `net`, with random weights.
    #[default]
    Random,
    /// `weights`.
    Weights,
}

/// A pre-training on the unlabelled texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PretrainingConfig {
    #[serde(default = "mlm")]
    pub(super) task: Task,
    #[serde(default)]
    pub(super) generator: GeneratorConfig,
    #[serde(default)]
    pub(super) masking: Masking,
    /// How sequences are made of the texts.
    #[serde(default)]
    pub(super) sequences: Segments,
    pub(super) train: TrainConfig,
}

fn mlm() -> Task {
    Task::Mlm
}

impl PretrainingConfig {
    /// The networks around an encoder, of a vocabulary whose `[MASK]` is `mask`.
    pub(super) fn nets(&self, encoder: &EncoderConfig, mask: i64) -> PretrainConfig {
        PretrainConfig {
            task: self.task,
            encoder: EncoderConfig { family: Family::Electra, ..encoder.clone() },
            generator: self.generator.clone(),
            mask,
            ..PretrainConfig::default()
        }
    }
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
    /// The numbers of labels that it is run with; without it, all of the recipe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<Vec<usize>>,
}

impl TableRow for RowConfig {
    fn keys(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.about, self.against.as_deref())
    }

    fn against_mut(&mut self) -> &mut Option<String> {
        &mut self.against
    }

    fn labels(&self) -> Option<&[usize]> {
        self.labels.as_deref()
    }
}

/// What a row may change: texts, tokens, labels and the network are the same for all.
const CHANGEABLE: [&str; 11] = [
    "start",
    "form",
    "dropout",
    "layer_decay",
    "method",
    "unlabeled_ratio",
    "weak",
    "strong",
    "train",
    "epochs",
    "precision",
];

/// A row, as the recipe of its one training, and the numbers of labels that it is run with.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) recipe: Recipe,
    pub(super) labels: Vec<usize>,
}

/// The name of a row with so many labels.
pub(super) fn named(labels: usize, row: &str) -> String {
    format!("{labels} labels, {row}")
}

impl Recipe {
    /// The rows.
    pub(super) fn trainings(&self) -> Result<Vec<Row>> {
        let row = |row: &RowConfig| {
            let labels = self.labels_of(row);
            Ok(Row { name: row.name.clone(), recipe: self.row(row)?, labels })
        };
        self.rows.iter().map(row).collect()
    }

    /// The numbers of labels that a row is run with, in the order of the recipe.
    pub(super) fn labels_of(&self, row: &RowConfig) -> Vec<usize> {
        let asked = |n: &&usize| row.labels.as_ref().is_none_or(|own| own.contains(n));
        self.labels.iter().filter(asked).copied().collect()
    }

    fn row(&self, row: &RowConfig) -> Result<Self> {
        let allowed = |key: &str| row::is_within(key, &CHANGEABLE);
        row::changed(self, &row.name, &row.set, (&CHANGEABLE.join(", "), allowed))
    }

    /// The classifier on an encoder.
    pub(super) fn classifier(&self, encoder: EncoderConfig) -> ClassifierConfig {
        ClassifierConfig { encoder, form: self.form, dropout: self.dropout, pad: PAD }
    }

    /// How learning rates fall from layer to layer.
    pub(super) fn rates(&self) -> LayerRates {
        LayerRates { decay: self.layer_decay, corrected: true }
    }

    /// The training on so many labels.
    pub(super) fn train(&self, labels: usize) -> TrainConfig {
        let pass = labels.div_ceil(self.train.batch.max(1)) as u64;
        TrainConfig { steps: self.train.steps.max(self.epochs * pass), ..self.train.clone() }
    }

    /// The changes that it makes.
    pub(super) fn policies(&self) -> [&TextPolicy; 2] {
        [&self.weak, &self.strong]
    }

    /// Where `weights` lie: below `data`, or as they are named.
    pub(super) fn weights(&self, data: Option<&Path>) -> Option<PathBuf> {
        let asked = self.weights.as_ref()?;
        let below = data.map(|data| data.join(asked)).filter(|below| below.exists());
        Some(below.unwrap_or_else(|| PathBuf::from(asked)))
    }

    /// Makes the path of weights that are not below `data` absolute.
    pub(super) fn anchor(&mut self, data: Option<&Path>) -> Result<()> {
        let below = |asked: &str| data.is_some_and(|data| data.join(asked).exists());
        if let Some(asked) = self.weights.as_mut().filter(|asked| !below(asked)) {
            *asked = from_anywhere(asked)?;
        }
        Ok(())
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        faults.of("text", self.text.check());
        faults.filled("rows", &self.rows);
        faults.filled("labels", &self.labels);
        if self.labels.contains(&0) {
            faults.add("labels", "0 labels teach nothing");
        }
        if !self.labels.iter().enumerate().all(|(i, n)| !self.labels[..i].contains(n)) {
            faults.add("labels", "names a number twice, which would be the same training again");
        }
        if self.test == Some(0) {
            faults.add("test", "0 texts measure nothing; leave it out for all");
        }
        if self.layout.longest < 5 {
            faults.add("layout.longest", "must be at least 5");
        }
        tokens::check_vocabulary("net.vocabulary", self.net.vocabulary, &mut faults);
        if let Some(pretraining) = &self.pretraining {
            self.check_pretraining(pretraining, &mut faults);
        }
        row::check(&self.rows, name, &mut faults, |row, faults| {
            self.row(row)?.check_row(faults);
            Ok(())
        });
        faults.done(name)
    }

    fn check_pretraining(&self, pretraining: &PretrainingConfig, faults: &mut Faults) {
        faults.train("pretraining.train", &pretraining.train, false);
        let nets = pretraining.nets(&self.net, 4);
        faults.within("pretraining", nets.faults());
        faults.values().inner_fraction("pretraining.masking.share", pretraining.masking.share);
        tokens::check_sequences("pretraining.sequences", &pretraining.sequences, faults);
        if pretraining.train.ema.is_some() || pretraining.train.swa.is_some() {
            faults.add("pretraining.train", "has no averages of weights: leave ema and swa out");
        }
    }

    fn check_row(&self, faults: &mut Faults) {
        faults.within("net", self.net.faults());
        faults.within("method", self.method.faults());
        let needs = self.method.needs();
        if needs.images || needs.continuous {
            let fault = "its method mixes samples, turns them or takes gradients of gradients: \
                         it cannot learn from texts";
            faults.add("method", fault);
        }
        if needs.ema && self.train.ema.is_none() {
            faults.add("train.ema", "is missing: this method learns from an EMA model");
        }
        faults.train("train", &self.train, false);
        faults.positive("unlabeled_ratio", self.unlabeled_ratio as u64);
        faults.of("weak", self.weak.check());
        faults.of("strong", self.strong.check());
        faults
            .values()
            .positive_fraction("layer_decay", self.layer_decay)
            .rate("dropout", self.dropout.unwrap_or(0.0));
        let longest = match (&self.pretraining, self.start.pretrain) {
            (Some(pretraining), true) => self.layout.longest.max(pretraining.sequences.longest),
            (None, true) => {
                faults.add("start.pretrain", "needs the table [pretraining]");
                self.layout.longest
            }
            (_, false) => self.layout.longest,
        };
        match self.start.from {
            From::Random if self.net.positions < longest as i64 => {
                faults.add("net.positions", "are fewer than the longest sequence has tokens");
            }
            From::Weights if self.weights.is_none() => {
                faults.add("start.from", "weights: the key `weights` names none");
            }
            From::Random | From::Weights => {}
        }
    }
}
