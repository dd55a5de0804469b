//! The recipe: conversations and their filters, the networks, for how long they are trained, and
//! how they reply.

use anyhow::Result;
use data_pipeline::dialog::{BpeSize, DialogSplit, Filters, PairLengths, SafetyWords};
use dialog_models::Seq2SeqConfig;
use serde::{Deserialize, Serialize};
use torch::precision::Precision;
use torch::{ConfigError, Device};
use train::{Cadence, TrainConfig};

use crate::dialog::corpus::CorpusConfig;
use crate::dialog::responder::Choice;
use crate::recipe::faults::Faults;
use crate::recipe::row::{self, TableRow};
use crate::run::experiment::Predictor;
use crate::text::guard::{Guard, Refused};
use crate::text::published::{self, Names};

/// The keys of a recipe of kind `meena`, beside its head: one network, how it is trained and how it
/// replies, and rows that change something of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    pub(super) data: CorpusConfig,
    /// This, the filters, the classifier, the lengths and the vocabulary follow from pairs that are
    /// made already.
    #[serde(default)]
    pub(super) split: DialogSplit,
    #[serde(default)]
    pub(super) filters: Filters,
    /// A classifier that drops messages beside the list of words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) classifier: Option<Refusing>,
    #[serde(default)]
    pub(super) lengths: PairLengths,
    /// Whether the network is a plain Transformer, of the width and encoder of `net` and of as
    /// many blocks in the decoder as bring its parameters closest to those of `net`.
    #[serde(default)]
    pub(super) plain: bool,
    /// Label smoothing ε.
    #[serde(default)]
    pub(super) smoothing: f64,
    /// Whether blocks are run again in place of what they keep for their gradients (Chen et al.
    /// 2016, arXiv 1604.06174): less memory for one more forward pass.
    #[serde(default)]
    pub(super) recompute: bool,
    /// Pairs of the validation part on which a training is measured along its way.
    #[serde(default = "along")]
    pub(super) along: usize,
    pub(super) vocabulary: BpeSize,
    /// The network; its vocabulary is that of the conversations.
    #[serde(default)]
    pub(super) net: Seq2SeqConfig,
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) cadence: Cadence,
    pub(super) replies: Replies,
    /// The rows, each the recipe above with something changed.
    #[serde(default)]
    pub(super) rows: Vec<RowConfig>,
}

fn one() -> usize {
    1
}

fn along() -> usize {
    512
}

/// A published classifier of texts, and which of its classes are dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusing {
    /// Its folder, or its name in the hub's cache.
    pub(super) weights: String,
    /// The classes whose messages are dropped.
    pub(super) refuse: Vec<String>,
    /// The probability of these classes together from which on a message is dropped; where classes
    /// do not exclude each other, that of one of them.
    #[serde(default = "half")]
    pub(super) from: f64,
}

fn half() -> f64 {
    0.5
}

/// What is replied to, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replies {
    /// How replies are chosen: the best of `sample.candidates` is shown beside one that is drawn
    /// alone.
    #[serde(default)]
    pub(super) choice: Choice,
    /// Contexts of the test part that are replied to, for the automatic measures.
    #[serde(default)]
    pub(super) contexts: usize,
    /// Prompts whose replies the report shows, each a list of turns.
    #[serde(default)]
    pub(super) prompts: Vec<Vec<String>>,
    /// The first so many prompts are shown with all candidates.
    #[serde(default)]
    pub(super) candidates_of: usize,
    /// Other ways to choose replies, measured beside `choice` on the same contexts, for the
    /// networks of the first seed.
    #[serde(default)]
    pub(super) variants: Vec<Variant>,
    /// Whether the networks of the first seed are measured with weights in bfloat16 as well.
    #[serde(default)]
    pub(super) bfloat16: bool,
    /// Conversations of each network with itself, each opened by a prompt.
    #[serde(default)]
    pub(super) talks: usize,
    /// Turns of such a conversation after its opening.
    #[serde(default = "turns")]
    pub(super) turns: usize,
}

fn turns() -> usize {
    14
}

impl Replies {
    /// To the contexts of the test part, and to nothing else.
    pub(super) fn contexts_alone(&self) -> Self {
        Self { prompts: Vec::new(), variants: Vec::new(), talks: 0, ..self.clone() }
    }
}

/// Another way to choose replies: `choice` with something changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variant {
    /// It in words, as the report shows it.
    pub(super) name: String,
    pub(super) candidates: Option<usize>,
    /// The width of a beam search in place of draws.
    pub(super) beam: Option<usize>,
    pub(super) temperature: Option<f64>,
    pub(super) top_k: Option<usize>,
    pub(super) nucleus: Option<f64>,
}

impl Variant {
    /// The choice that it makes of `choice`.
    pub(super) fn of(&self, choice: &Choice) -> Choice {
        let mut changed = choice.clone();
        changed.beam = self.beam;
        let sample = &mut changed.sample;
        sample.candidates = self.candidates.unwrap_or(sample.candidates);
        let sampling = &mut sample.sampling;
        sampling.temperature = self.temperature.unwrap_or(sampling.temperature);
        sampling.top_k = self.top_k.or(sampling.top_k);
        sampling.nucleus = self.nucleus.or(sampling.nucleus);
        changed
    }

    /// Every value that makes no sense beside `choice`.
    fn faults(&self, choice: &Choice) -> Vec<ConfigError> {
        // Those of the rule are told of `choice`, whose tables a variant does not have.
        let mut faults = Choice { repetition: None, ..self.of(choice) }.faults();
        for fault in &mut faults {
            fault.key = fault.key.rsplit('.').next().unwrap_or_default().to_owned();
        }
        let counts = [self.candidates, self.top_k].iter().any(Option::is_some);
        let numbers = [self.temperature, self.nucleus].iter().any(Option::is_some);
        if self.beam.is_some() && (counts || numbers) {
            let fault = "a beam search draws nothing: leave candidates, temperature, top_k and \
                         nucleus out";
            faults.push(ConfigError::new("beam", fault));
        }
        faults
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
    /// An earlier row: this one is trained for as many seconds as that one took, whatever its
    /// steps, and for at most its own.
    pub(super) time_of: Option<String>,
}

impl TableRow for RowConfig {
    fn keys(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.about, self.against.as_deref())
    }

    fn against_mut(&mut self) -> &mut Option<String> {
        &mut self.against
    }
}

/// What a row may change: conversations, vocabulary and prompts are the same for all.
const CHANGEABLE: [&str; 5] = ["plain", "smoothing", "recompute", "net", "train"];

impl Recipe {
    /// The rows by name, each as the recipe of its own.
    pub(super) fn trainings(&self) -> Result<Vec<(String, Self)>> {
        self.rows.iter().map(|row| Ok((row.name.clone(), self.row(row)?))).collect()
    }

    fn row(&self, row: &RowConfig) -> Result<Self> {
        let allowed = |key: &str| row::is_within(key, &CHANGEABLE) && key != "net.vocabulary";
        let words = format!("{}, but not net.vocabulary", CHANGEABLE.join(", "));
        row::changed(self, &row.name, &row.set, (&words, allowed))
    }

    /// What drops offensive messages.
    pub(super) fn guard(&self, device: Device) -> Result<Guard> {
        let words = Guard::new(SafetyWords::shipped());
        let Some(refusing) = self.classifier.clone() else { return Ok(words) };
        let Refusing { weights, refuse: classes, from } = refusing;
        let open = move || -> Result<Box<dyn Predictor>> {
            Ok(Box::new(published::classifier(&weights, Names::OwnOrNumbered, device)?))
        };
        words.with_classifier(open, Refused { classes, from })
    }

    /// The network that is trained.
    pub(super) fn network(&self) -> Seq2SeqConfig {
        if self.plain { self.net.plain_of_equal_size() } else { self.net.clone() }
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        faults.filled("rows", &self.rows);
        faults.positive("along", self.along as u64);
        faults.of("split", self.split.check());
        faults.of("filters", self.filters.check());
        faults.of("lengths", self.lengths.check());
        if !self.filters.max_parent_overlap.is_finite() {
            faults
                .add("filters.max-parent-overlap", "must be a number; above 1 nothing is dropped");
        }
        if let Some(Refusing { from, refuse, .. }) = &self.classifier {
            if !(0.0..=1.0).contains(from) {
                faults.add("classifier.from", format!("is {from}, no probability"));
            }
            if refuse.is_empty() {
                faults.add("classifier.refuse", "names no class: nothing would be dropped");
            }
        }
        let makes = !matches!(self.data, CorpusConfig::Made { .. });
        if makes && !(300..=1 << 20).contains(&self.vocabulary.tokens) {
            let fault =
                format!("is {} and must be between 300 and {}", self.vocabulary.tokens, 1 << 20);
            faults.add("vocabulary.tokens", fault);
        }
        let choice = &self.replies.choice;
        faults.within("replies.choice", choice.faults());
        for (i, variant) in self.replies.variants.iter().enumerate() {
            faults.within(&format!("replies.variants.{i}"), variant.faults(choice));
        }
        if self.replies.talks > 0 && self.replies.prompts.is_empty() {
            faults.add("replies.talks", "conversations are opened by replies.prompts: name some");
        }
        let said = |prompt: &Vec<String>| {
            !prompt.is_empty() && prompt.iter().all(|turn| !turn.trim().is_empty())
        };
        if !self.replies.prompts.iter().all(said) {
            faults.add("replies.prompts", "a prompt is a list of turns, none of them empty");
        }
        for (i, row) in self.rows.iter().enumerate() {
            if let Some(other) = &row.time_of
                && self.rows[..i].iter().all(|earlier| earlier.name != *other)
            {
                let fault = format!("time_of: no row {other} comes before it");
                faults.add(&format!("rows.{}", row.name), fault);
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
        faults.within("net", self.net.faults());
        faults.values().rate("smoothing", self.smoothing);
        faults.train("train", &self.train, false);
        if self.train.ema.is_some() || self.train.swa.is_some() {
            let fault = "networks that reply are trained without averages of weights: leave ema and \
                         swa out";
            faults.add("train", fault);
        }
    }
}
