//! The recipe: sentences in two languages, the vocabulary that both share, the network, how it is
//! trained, and how it translates in the end.

use anyhow::Result;
use dialog_models::MarianConfig;
use dialog_models::decode::Beam;
use serde::{Deserialize, Serialize};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::recipe::row::{self, RowConfig};
use crate::text::parallel::ParallelConfig;

/// The keys of a recipe of kind `translation`, beside its head: one network in one direction, and
/// rows that change something of it, such as the direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    /// Whether the second language is translated into the first.
    #[serde(default)]
    pub(super) reverse: bool,
    /// Tokens of a side at most, its end included; longer pairs are not trained on.
    #[serde(default = "longest")]
    pub(super) longest: usize,
    /// Label smoothing ε.
    #[serde(default)]
    pub(super) smoothing: f64,
    /// Pairs of the validation part on which a training is measured along its way.
    #[serde(default = "along")]
    pub(super) along: usize,
    /// Sentences of each test part that the report shows with their translations.
    #[serde(default = "shown")]
    pub(super) shown: usize,
    pub(super) data: ParallelConfig,
    pub(super) vocabulary: VocabularyConfig,
    /// The network; its vocabulary is that of the sentences.
    #[serde(default)]
    pub(super) net: MarianConfig,
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) cadence: Cadence,
    /// The search that finds a translation; kept with the network for those who use it.
    #[serde(default)]
    pub(super) beam: Beam,
    /// The rows, each the recipe above with something changed.
    #[serde(default)]
    pub(super) rows: Vec<RowConfig>,
}

fn one() -> usize {
    1
}

fn longest() -> usize {
    96
}

fn along() -> usize {
    512
}

fn shown() -> usize {
    8
}

/// The vocabulary of both languages together.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VocabularyConfig {
    /// Tokens at most, the three special ones included.
    pub(super) tokens: usize,
}

/// What a row may change: sentences and vocabulary are the same for all.
const CHANGEABLE: [&str; 5] = ["reverse", "smoothing", "net", "train", "beam"];

/// Tokens of a vocabulary at most.
const MOST_TOKENS: usize = 1 << 20;

impl Recipe {
    /// Gives the network a vocabulary of this many tokens, whose last is that of filling up.
    pub(super) fn size_by(&mut self, tokens: i64) {
        self.net.vocabularies = [tokens; 2];
        self.net.start = tokens - 1;
    }

    /// The rows by name, each as the recipe of its own.
    pub(super) fn trainings(&self) -> Result<Vec<(String, Self)>> {
        self.rows.iter().map(|row| Ok((row.name.clone(), self.row(row)?))).collect()
    }

    fn row(&self, row: &RowConfig) -> Result<Self> {
        let allowed = |key: &str| {
            row::is_within(key, &CHANGEABLE) && !["net.vocabularies", "net.start"].contains(&key)
        };
        let words = format!("{}, but not the vocabulary", CHANGEABLE.join(", "));
        row::changed(self, &row.name, &row.set, (&words, allowed))
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        faults.filled("rows", &self.rows);
        faults.positive("along", self.along as u64);
        faults.of("data", self.data.check());
        let tokens = self.vocabulary.tokens;
        if !(8..=MOST_TOKENS).contains(&tokens) {
            faults.add("vocabulary.tokens", format!("{tokens} is not in 8 to {MOST_TOKENS}"));
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
        faults.within("beam", self.beam.faults());
        let positions = usize::try_from(self.net.positions).unwrap_or(0);
        if !(2..=positions).contains(&self.longest) {
            let fault = format!("{} is not in 2 to net.positions, {positions}", self.longest);
            faults.add("longest", fault);
        }
        if self.beam.max_tokens > positions {
            let fault = format!("{} is more than net.positions", self.beam.max_tokens);
            faults.add("beam.max_tokens", fault);
        }
        faults.values().rate("smoothing", self.smoothing);
        faults.train("train", &self.train, false);
        if self.train.swa.is_some() {
            faults.add("train.swa", "networks that translate average by ema: leave it out");
        }
    }
}
