//! The recipe of one's own texts: what `tutor fit --text` writes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::pretrain::Segments;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Layout, Masking, TermOptions};
use electra::heads::HeadForm;
use electra::pretrain::GeneratorConfig;
use electra::{EncoderConfig, LayerRates};
use serde::{Deserialize, Serialize};
use ssl_core::methods::UdaConfig as Method;
use ssl_core::{MethodConfig, MethodSettings};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::run::trial::{LABELS_ALONE, TrialConfig};
use crate::text::augmentation::TextPolicy;
use crate::text::predictor::Columns;
use crate::text::tokens;

/// The keys of a recipe of kind `own-texts`, beside its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// Wall clock of a seed in minutes, from the open data to the last measurement. Trainings take
    /// as many steps as fit, `train.steps` and `pretraining.train.steps` at most.
    pub(super) minutes: f64,
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    #[serde(default = "rarely")]
    pub(super) cadence: Cadence,
    /// A published network to start from: a folder of the Hugging Face hub or a name in its cache,
    /// with its tokenizer. Without it the net starts at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weights: Option<String>,
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
    pub(super) data: DataConfig,
    /// The row `words`: a linear classifier of the words in the labelled texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) words: Option<TermOptions>,
    /// The row `latent-semantic`: a linear classifier of the directions in which words vary over
    /// all texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latent_semantic: Option<TermOptions>,
    /// The row `student`: a net that learns from what `latent-semantic` says of unlabelled texts,
    /// too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) student: Option<StudentConfig>,
    /// The row `uda`: a net that should say the same of an unlabelled text and of a changed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uda: Option<UdaConfig>,
    /// The net, where there are no weights. Its `vocabulary` is made of the texts, with so many
    /// tokens at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) net: Option<EncoderConfig>,
    /// The training of a net. Without net and weights no net is trained.
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) trial: TrialConfig,
    /// Pre-training on the texts without labels, for the row `pre-trained`. Without it the labels
    /// alone are trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pretraining: Option<Pretraining>,
}

/// Which texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataConfig {
    /// A table of labelled texts: `.csv`, `.tsv`, `.jsonl`, `.parquet`, the first three also
    /// packed. Rows without a label are unlabelled texts.
    pub(super) text: PathBuf,
    /// The column of texts; looked for by the usual names without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text_column: Option<String>,
    /// The column of second texts, where pairs of texts are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pair_column: Option<String>,
    /// The column of labels; looked for by the usual names without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label_column: Option<String>,
    /// Labels that stand for none, such as `unsup`: texts that have one of them are unlabelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) no_label: Vec<String>,
    /// Labels that are classes although they read as if they stood for none, such as `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) class: Vec<String>,
    /// Texts without labels: a table, or a file with a text a line (not of pairs). Labels are not
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unlabeled: Option<PathBuf>,
    /// A table to choose by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validation: Option<PathBuf>,
    /// A table to measure the result on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<PathBuf>,
    /// What becomes of rows that cannot be read.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
    /// Go on although a text of the test or validation part is a labelled one too.
    #[serde(default)]
    pub(super) allow_duplicates: bool,
}

/// Pre-training on one's own texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pretraining {
    /// The share of the time that it has at least; it has what classifiers leave beside that.
    pub(super) share: f64,
    #[serde(default)]
    pub(super) sequences: Segments,
    #[serde(default)]
    pub(super) masking: Masking,
    #[serde(default)]
    pub(super) generator: GeneratorConfig,
    pub(super) train: TrainConfig,
}

/// A net that learns from pseudo-labels.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StudentConfig {
    /// The share of labelled texts in what it learns from, at least.
    pub(super) labels: f64,
    /// Steps at most; fewer where the minutes are short.
    pub(super) steps: u64,
}

/// A net that learns from unlabelled texts by consistency (UDA).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UdaConfig {
    /// Labelled texts of a step.
    pub(super) batch: usize,
    /// Unlabelled texts of a step for each labelled one.
    pub(super) ratio: usize,
    /// Steps at most; fewer where the minutes are short.
    pub(super) steps: u64,
    /// How unlabelled texts are changed; paraphrases are of those of `data.unlabeled`, or without
    /// it of all of `data.text`, in the order of the file.
    pub(super) strong: TextPolicy,
    pub(super) method: Method,
}

impl UdaConfig {
    /// The method, as all methods are given, for these labels: alignment to shares that the recipe
    /// leaves out is to theirs.
    pub(super) fn method(&self, labels: &[u64]) -> MethodConfig {
        let mut method = self.method.clone();
        if let Some(alignment) = &mut method.alignment {
            alignment.start_from(labels);
        }
        MethodConfig::Uda(method)
    }

    fn check(&self, faults: &mut Faults) {
        let counts = [("batch", self.batch as u64), ("ratio", self.ratio as u64)];
        for (key, count) in counts.into_iter().chain([("steps", self.steps)]) {
            faults.positive(&format!("uda.{key}"), count);
        }
        faults.of("uda.strong", self.strong.check());
        if matches!(self.strong, TextPolicy::None {}) {
            let fault = "changes nothing: take tf-idf, uniform, switchout or paraphrases";
            faults.add("uda.strong.kind", fault);
        }
        faults.within("uda.method", self.method.faults());
    }
}

/// The row of words alone.
pub(super) const WORDS: &str = "words";
/// The row of latent semantic analysis.
pub(super) const LATENT: &str = "latent-semantic";
/// The row that starts from a pre-training on one's own texts.
pub(super) const PRE_TRAINED: &str = "pre-trained";
/// The row that learns from pseudo-labels.
pub(super) const STUDENT: &str = "student";
/// The row that learns by consistency.
pub(super) const UDA: &str = "uda";

/// Whether a row learns from labelled texts alone.
pub(super) fn is_alone(row: &str) -> bool {
    row == WORDS || row == LABELS_ALONE
}

fn one() -> usize {
    1
}

fn one_rate() -> f64 {
    1.0
}

fn rarely() -> Cadence {
    Cadence { log: 10, evaluate: 0, checkpoint: 100, keep: 2 }
}

/// A path made absolute, a relative one below `dir`.
fn absolute(path: &Path, dir: Option<&Path>) -> Result<PathBuf> {
    let below = dir.map_or_else(|| path.to_owned(), |dir| dir.join(path));
    Ok(std::path::absolute(below)?)
}

impl DataConfig {
    /// Makes paths absolute, relative ones below `dir`.
    pub(super) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        let others = [&mut self.unlabeled, &mut self.validation, &mut self.test];
        for path in std::iter::once(&mut self.text).chain(others.into_iter().flatten()) {
            *path = absolute(path, dir)?;
        }
        Ok(())
    }

    /// How such tables are read.
    pub(super) fn columns(&self) -> Columns {
        let Self { text_column, pair_column, label_column, no_label, on_bad, .. } = self.clone();
        Columns {
            text: text_column,
            pair: pair_column,
            label: label_column,
            no_label,
            on_bad,
            asked: false,
            label_asked: false,
        }
    }

    /// The columns of the two texts, where pairs are told apart.
    pub(super) fn pair(&self) -> Option<[String; 2]> {
        let (first, second) = self.text_column.clone().zip(self.pair_column.clone())?;
        Some([first, second])
    }

    fn check(&self, faults: &mut Faults) {
        match (&self.text_column, &self.pair_column) {
            (None, Some(_)) => {
                faults.add("data.text_column", "is missing: pair_column names the second texts");
            }
            (Some(first), Some(second)) if first == second => {
                faults.add("data.pair_column", format!("is `{first}`, as text_column is"));
            }
            _ => {}
        }
        let is_text = |label: &&String| {
            [&self.text_column, &self.pair_column].iter().any(|text| text.as_ref() == Some(label))
        };
        if let Some(label) = self.label_column.as_ref().filter(is_text) {
            faults.add("data.label_column", format!("is `{label}`, a column of texts"));
        }
    }
}

impl Recipe {
    /// The rows beside each other: those without a net, then those with one.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static str> {
        let words = self.words.map(|_| WORDS);
        let latent = self.latent_semantic.map(|_| LATENT);
        words.into_iter().chain(latent).chain(self.net_rows())
    }

    /// The rows of a net, the labels alone first.
    pub(super) fn net_rows(&self) -> impl Iterator<Item = &'static str> {
        let has_net = self.net.is_some() || self.weights.is_some();
        let pre_trained = self.pretraining.as_ref().map(|_| PRE_TRAINED);
        let student = self.student.map(|_| STUDENT);
        let uda = self.uda.as_ref().map(|_| UDA);
        let others = pre_trained.into_iter().chain(student).chain(uda);
        has_net.then_some(LABELS_ALONE).into_iter().chain(others)
    }

    /// The paraphrases that the row `uda` learns from, where it does.
    pub(super) fn paraphrases(&self) -> Option<&Path> {
        match &self.uda.as_ref()?.strong {
            TextPolicy::Paraphrases { path } => Some(path),
            _ => None,
        }
    }

    /// Makes the paths of texts and paraphrases absolute, relative ones below `dir`.
    pub(super) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        self.data.anchor(dir)?;
        if let Some(UdaConfig { strong: TextPolicy::Paraphrases { path }, .. }) = &mut self.uda {
            *path = absolute(path, dir)?;
        }
        Ok(())
    }

    /// How learning rates fall from layer to layer.
    pub(super) fn rates(&self) -> LayerRates {
        LayerRates { decay: self.layer_decay, corrected: self.corrected_layer_decay }
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.values().positive("minutes", self.minutes);
        faults.cadence(&self.cadence);
        self.data.check(&mut faults);
        if self.layout.longest < 5 {
            faults.add("layout.longest", "must be at least 5");
        }
        faults.values().positive_fraction("layer_decay", self.layer_decay);
        self.trial.check(&mut faults);
        faults.train_on_texts("train", &self.train);
        match (&self.net, &self.weights) {
            (Some(net), None) => self.check_net(&mut faults, net),
            (None, Some(_)) if self.pretraining.is_some() => {
                faults
                    .add("pretraining", "is of a net of one's own: it goes with net, not weights");
            }
            (None, Some(_)) => {}
            (Some(_), Some(_)) => faults.add("net", "the weights say it: give one of the two"),
            (None, None) if self.words.is_none() && self.latent_semantic.is_none() => {
                faults.add("net", "is missing, and there are no weights and no words");
            }
            (None, None) => {
                for (key, there) in [
                    ("pretraining", self.pretraining.is_some()),
                    ("student", self.student.is_some()),
                    ("uda", self.uda.is_some()),
                ] {
                    if there {
                        faults.add(key, "is of a net, and there is neither net nor weights");
                    }
                }
            }
        }
        for (key, options) in [("words", self.words), ("latent_semantic", self.latent_semantic)] {
            if options.is_some_and(|of| !(1..=5).contains(&of.words) || of.texts == 0) {
                faults.add(key, "must have 1 to 5 words a term, in 1 text or more");
            }
        }
        if let Some(StudentConfig { labels, steps }) = self.student {
            faults.values().inner_fraction("student.labels", labels);
            faults.positive("student.steps", steps);
            if self.latent_semantic.is_none() {
                faults.add("student", "has no teacher: it learns from what latent_semantic says");
            }
        }
        self.uda.iter().for_each(|uda| uda.check(&mut faults));
        if self.paraphrases().is_some() && self.data.pair_column.is_some() {
            let fault = "paraphrases are of single texts, and these are pairs: take tf-idf, uniform \
                         or switchout";
            faults.add("uda.strong.kind", fault);
        }
        if let Some(pretraining) = &self.pretraining {
            faults
                .values()
                .inner_fraction("pretraining.share", pretraining.share)
                .inner_fraction("pretraining.masking.share", pretraining.masking.share);
            let (key, sequences) = ("pretraining.sequences", &pretraining.sequences);
            tokens::check_sequences(key, sequences, &mut faults);
            faults.train_on_texts("pretraining.train", &pretraining.train);
        }
        faults.done(name)
    }

    fn check_net(&self, faults: &mut Faults, net: &EncoderConfig) {
        faults.within("net", net.faults());
        tokens::check_vocabulary("net.vocabulary", net.vocabulary, faults);
        let mut longest = self.layout.longest;
        if let Some(pretraining) = &self.pretraining {
            longest = longest.max(pretraining.sequences.longest);
            let of_nets = nets_of(net, pretraining).faults();
            let others = of_nets.into_iter().filter(|fault| !fault.key.starts_with("encoder."));
            faults.within("pretraining", others);
        }
        if net.positions < longest as i64 {
            faults.add("net.positions", "are fewer than the longest sequence has tokens");
        }
    }
}

/// The networks of a pre-training whose encoder is `net`.
pub(super) fn nets_of(
    net: &EncoderConfig,
    pretraining: &Pretraining,
) -> electra::pretrain::PretrainConfig {
    electra::pretrain::PretrainConfig {
        encoder: net.clone(),
        generator: pretraining.generator.clone(),
        mask: tokens::MASK,
        ..Default::default()
    }
}
