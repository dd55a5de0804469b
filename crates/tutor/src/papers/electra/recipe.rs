//! The recipe: texts, what is pre-trained on them and for how long, and how what was learned is
//! measured.

use anyhow::Result;
use data_pipeline::text::pretrain::Segments;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Glue, Layout, Masking};
use electra::LayerRates;
use electra::heads::{ClassifierConfig, HeadForm};
use electra::pretrain::{GeneratorConfig, PretrainConfig, Sharing, Task};
use serde::{Deserialize, Serialize};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::recipe::row::{self, RowConfig};
use crate::text::source::TextConfig;
use crate::text::{pretraining, tokens};

/// The keys of a recipe of kind `electra`, beside its head: one pre-training and what is made of
/// it, and rows that change something of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    pub(super) text: TextConfig,
    /// Size of the vocabulary that is made of the running text, special tokens included.
    pub(super) vocabulary: usize,
    /// How sequences are made of running text.
    #[serde(default)]
    pub(super) sequences: Segments,
    #[serde(default)]
    pub(super) masking: Masking,
    /// What classifiers start from.
    #[serde(default)]
    pub(super) start: Start,
    /// Operations of a pre-training, as ELECTRA's code counts them (at the mean length of the
    /// sequences): its steps follow, so that rows cost the same.
    pub(super) flops: Option<f64>,
    /// Minutes of a pre-training from its first step on, so that rows take the same time: its steps
    /// are as many as fit, at most those that `flops` give where there are `flops` too; where they
    /// are fewer, at most a tenth of them warms up. Without minutes and `flops`, `train.steps` are
    /// taken.
    pub(super) minutes: Option<f64>,
    /// The networks; their vocabulary and `mask` are those of the texts.
    pub(super) pretrain: PretrainConfig,
    /// The pre-training.
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) cadence: Cadence,
    pub(super) finetune: Finetune,
    /// Tasks of GLUE that the same networks are fine-tuned on and measured by too.
    #[serde(default)]
    pub(super) glue: Vec<GlueMeasure>,
    /// The rows, each the recipe above with something changed.
    #[serde(default)]
    pub(super) rows: Vec<RowConfig>,
}

fn one() -> usize {
    1
}

/// What a classifier's encoder starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Start {
    /// The pre-trained network.
    #[default]
    PreTrained,
    /// The same in two stages of as many steps, or as much time: a masked language model; then a
    /// discriminator that begins with its weights, while it stays as it is and fills in.
    TwoStage,
    /// Random weights: nothing is pre-trained.
    Random,
}

/// How classifiers are trained on labelled texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finetune {
    /// Numbers of labels, all classes together: a training each.
    pub(super) labels: Vec<usize>,
    /// How texts become sequences.
    pub(super) layout: Layout,
    /// The head.
    #[serde(default)]
    pub(super) form: HeadForm,
    /// The factor of the learning rate from a layer to the one below it.
    #[serde(default = "one_rate")]
    pub(super) layer_decay: f64,
    /// Whether the head is one step above the top layer; in ELECTRA's released code it is two.
    #[serde(default)]
    pub(super) corrected_layer_decay: bool,
    pub(super) train: TrainConfig,
    /// Steps of a training are at least as many as give so many passes over its labels.
    #[serde(default)]
    pub(super) epochs: u64,
}

fn one_rate() -> f64 {
    1.0
}

/// A task of GLUE that classifiers are measured on too: labels are drawn from its training part,
/// and its dev part is the test, because the classes of its test part are not published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GlueMeasure {
    pub(super) task: Glue,
    /// Numbers of labels, all classes together: a training each.
    pub(super) labels: Vec<usize>,
    /// How texts become sequences.
    pub(super) layout: Layout,
    /// What becomes of rows that are bad, of which the published files of QQP have some.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
}

impl GlueMeasure {
    /// Names what cannot work.
    fn check(&self, faults: &mut Faults) {
        let key = self.key();
        if self.task.classes().is_empty() || self.task == Glue::Ax {
            faults.add(&key, "has no classes and labels to learn from");
        }
        faults.filled(&format!("{key}.labels"), &self.labels);
        if self.labels.contains(&0) {
            faults.add(&format!("{key}.labels"), "0 labels teach nothing");
        }
        if self.layout.longest < 5 {
            faults.add(&format!("{key}.layout.longest"), "must be at least 5");
        }
    }

    /// What faults call it.
    fn key(&self) -> String {
        format!("glue.{}", self.task.name())
    }
}

/// What a row may change: texts, tokens and tasks are the same for all.
const CHANGEABLE: [&str; 7] =
    ["start", "flops", "minutes", "masking", "pretrain", "train", "finetune"];

/// What of these it may not.
const SHARED: [&str; 2] = ["finetune.labels", "finetune.layout"];

impl Recipe {
    /// The rows by name, each as the recipe of its own.
    pub(super) fn trainings(&self) -> Result<Vec<(String, Self)>> {
        self.rows.iter().map(|row| Ok((row.name.clone(), self.row(row)?))).collect()
    }

    fn row(&self, row: &RowConfig) -> Result<Self> {
        let shared =
            |key: &str| SHARED.iter().any(|path| path.starts_with(key) || key.starts_with(path));
        let allowed = |key: &str| row::is_within(key, &CHANGEABLE) && !shared(key);
        let words = format!("{}, but not {}", CHANGEABLE.join(", "), SHARED.join(" and "));
        row::changed(self, &row.name, &row.set, (&words, allowed))
    }

    /// The networks of each stage of the pre-training.
    pub(super) fn stages(&self) -> Vec<PretrainConfig> {
        let nets = self.pretrain.clone();
        match self.start {
            Start::Random => Vec::new(),
            Start::PreTrained => vec![nets],
            Start::TwoStage => {
                let (fraction, sharing, train) = (1.0, Sharing::Nothing, false);
                let stays = GeneratorConfig { fraction, sharing, train, ..nets.generator.clone() };
                let first = PretrainConfig { task: Task::Mlm, ..nets.clone() };
                vec![first, PretrainConfig { generator: stays, ..nets }]
            }
        }
    }

    /// The network of a classifier.
    pub(super) fn classifier(&self) -> ClassifierConfig {
        let (encoder, form) = (self.pretrain.encoder.clone(), self.finetune.form);
        ClassifierConfig { encoder, form, ..ClassifierConfig::default() }
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        faults.of("text", self.text.check());
        faults.filled("rows", &self.rows);
        tokens::check_sequences("sequences", &self.sequences, &mut faults);
        tokens::check_vocabulary("vocabulary", self.vocabulary as i64, &mut faults);
        for (i, task) in self.glue.iter().enumerate() {
            task.check(&mut faults);
            if self.glue[..i].iter().any(|other| other.task == task.task) {
                faults.add(&task.key(), "is there twice");
            }
        }
        self.check_row(&mut faults);
        row::check(&self.rows, name, &mut faults, |row, faults| {
            self.row(row)?.check_row(faults);
            Ok(())
        });
        faults.done(name)
    }

    fn check_row(&self, faults: &mut Faults) {
        pretraining::check(&self.pretrain, &self.masking, faults);
        if self.start == Start::TwoStage {
            let PretrainConfig { encoder, task, .. } = &self.pretrain;
            let last = self.stages().pop();
            if last.is_some_and(|last| last.generator_encoder().as_ref() != Some(encoder)) {
                let fault = format!(
                    "is not of the shape of a generator, which two stages need: embedding {0}, \
                     feed_forward {1}, heads {2}",
                    encoder.hidden,
                    4 * encoder.hidden,
                    (encoder.hidden / 64).max(1)
                );
                faults.add("pretrain.encoder", fault);
            }
            if !matches!(task, Task::Electra | Task::Electra15) {
                let fault = "a training in two stages ends with a discriminator: electra";
                faults.add("pretrain.task", fault);
            }
        }
        let of_tasks = self.glue.iter().map(|task| task.layout.longest).max().unwrap_or(0);
        let longest = self.sequences.longest.max(self.finetune.layout.longest).max(of_tasks);
        if self.pretrain.encoder.positions < longest as i64 {
            let fault = "are fewer than the longest sequence has tokens";
            faults.add("pretrain.encoder.positions", fault);
        }
        faults.values().positive("flops", self.flops.unwrap_or(1.0));
        pretraining::check_minutes(self.minutes, faults);
        faults.train_on_texts("train", &self.train);
        let finetune = &self.finetune;
        faults.train_on_texts("finetune.train", &finetune.train);
        faults.filled("finetune.labels", &finetune.labels);
        if let Some(bad) = finetune.labels.iter().find(|n| **n == 0) {
            faults.add("finetune.labels", format!("{bad} labels teach nothing"));
        }
        if finetune.layout.longest < 5 {
            faults.add("finetune.layout.longest", "must be at least 5");
        }
        faults.values().positive_fraction("finetune.layer_decay", finetune.layer_decay);
    }
}

impl Finetune {
    /// How learning rates fall from layer to layer.
    pub(super) fn rates(&self) -> LayerRates {
        LayerRates { decay: self.layer_decay, corrected: self.corrected_layer_decay }
    }

    /// The training on so many labels.
    pub(super) fn train(&self, labels: usize) -> TrainConfig {
        let pass = labels.div_ceil(self.train.batch.max(1)) as u64;
        TrainConfig { steps: self.train.steps.max(self.epochs * pass), ..self.train.clone() }
    }
}
