//! The recipe of a pre-training on one's own files: what `tutor pretrain` writes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::corpus::{Boundary, ReadOptions};
use data_pipeline::text::pretrain::Segments;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Casing, Masking};
use electra::pretrain::PretrainConfig;
use serde::{Deserialize, Serialize};
use toml::Value;
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;
use crate::text::tokens::GivenVocabulary;
use crate::text::{pretraining, tokens};

/// The keys of a recipe of kind `pretraining`, beside its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    /// Minutes that the training of a seed may take: as many steps as fit, `train.steps` at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) minutes: Option<f64>,
    pub(super) text: Files,
    pub(super) vocabulary: Vocabulary,
    /// How sequences are made of running text.
    #[serde(default)]
    pub(super) sequences: Segments,
    #[serde(default)]
    pub(super) masking: Masking,
    /// The networks. Of a vocabulary that is made, its size and `mask` follow.
    pub(super) pretrain: PretrainConfig,
    pub(super) train: TrainConfig,
    #[serde(default)]
    pub(super) cadence: Cadence,
}

fn one() -> usize {
    1
}

/// Files of running text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// Files, folders or patterns: text, `.jsonl`, `.csv`, `.tsv` or `.parquet`, packed by gzip or
    /// zstd or not.
    pub(super) files: Vec<PathBuf>,
    /// Where a document ends.
    pub(super) boundary: Boundary,
    /// The field or column of text in files that have several.
    pub(super) field: String,
    /// What becomes of lines and records that cannot be read.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
    /// One document in so many is not learned from but measured on.
    pub(super) held_out: u64,
}

impl Files {
    /// How they are read.
    pub(super) fn reading(&self) -> ReadOptions {
        ReadOptions {
            boundary: self.boundary,
            field: self.field.clone(),
            on_bad: self.on_bad,
            ..ReadOptions::default()
        }
    }

    /// Makes paths absolute, relative ones below `dir`.
    pub(super) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        for path in &mut self.files {
            let below = dir.map_or_else(|| path.clone(), |dir| dir.join(&*path));
            *path = std::path::absolute(below)?;
        }
        Ok(())
    }
}

/// Where the vocabulary comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Vocabulary {
    /// It is made of the texts.
    Made {
        /// Tokens at most, the five special ones included.
        tokens: usize,
        /// Whether upper case is told from lower case and accents are kept.
        cased: bool,
    },
    /// That of a folder or file: `tokenizer.json` or `vocab.txt`.
    Of(PathBuf),
    /// The same of one that is cased, of a `vocab.txt` beside which no file says so.
    OfCased(PathBuf),
}

impl Vocabulary {
    /// Whether upper case counts: in one that is made, or in a given one whose files do not say it.
    fn is_cased(&self) -> bool {
        matches!(self, Self::Made { cased: true, .. } | Self::OfCased(_))
    }

    /// How a vocabulary that is made cleans text.
    pub(super) fn casing(&self) -> Casing {
        Casing { lower_case: !self.is_cased(), ..Casing::default() }
    }

    /// The folder or file of one that is given, and whether it is cased even if no file says so.
    pub(super) fn given(&self) -> Option<GivenVocabulary<'_>> {
        match self {
            Self::Made { .. } => None,
            Self::Of(path) | Self::OfCased(path) => {
                Some(GivenVocabulary { path, cased: self.is_cased() })
            }
        }
    }
}

impl Recipe {
    /// What is learned: what reports call it, and the folder of the training in that of its seed.
    pub(super) fn row(&self) -> String {
        match Value::try_from(self.pretrain.task) {
            Ok(Value::String(name)) => name,
            other => unreachable!("a task is a word in a recipe: {other:?}"),
        }
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        pretraining::check_minutes(self.minutes, &mut faults);
        faults.filled("text.files", &self.text.files);
        if self.text.held_out < 2 {
            faults.add("text.held_out", "one document in so many is held out: at least 2");
        }
        if let Vocabulary::Made { tokens, .. } = self.vocabulary {
            tokens::check_vocabulary("vocabulary", tokens as i64, &mut faults);
        }
        tokens::check_sequences("sequences", &self.sequences, &mut faults);
        pretraining::check(&self.pretrain, &self.masking, &mut faults);
        if self.pretrain.encoder.positions < self.sequences.longest as i64 {
            let fault = "are fewer than the longest sequence has tokens";
            faults.add("pretrain.encoder.positions", fault);
        }
        faults.train_on_texts("train", &self.train);
        faults.done(name)
    }
}
