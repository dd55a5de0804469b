//! The recipe of a fine-tuning: what `tutor finetune` writes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Glue, Layout, Windows};
use electra::FineTuning;
use electra::heads::HeadForm;
use serde::{Deserialize, Serialize};
use torch::precision::Precision;
use train::{Cadence, TrainConfig};

use crate::recipe::faults::Faults;

/// The keys of a recipe of kind `finetune`, beside its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default)]
    pub(super) precision: Precision,
    /// Threads that prepare batches; 0 for none beside the training thread. Has no influence on
    /// the numbers.
    #[serde(default = "one")]
    pub(super) workers: usize,
    #[serde(default = "rarely")]
    pub(super) cadence: Cadence,
    /// The network to start from, BERT or ELECTRA with its tokenizer: a folder of the Hugging Face
    /// hub, or a name in its cache.
    pub(super) weights: String,
    /// Passes over the examples.
    pub(super) epochs: f64,
    /// Steps, in place of as many as the passes have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steps: Option<u64>,
    pub(super) task: TaskConfig,
    /// Rates, batch, warm-up.
    pub(super) finetuning: FineTuning,
}

/// What is learned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum TaskConfig {
    Glue(GlueConfig),
    Squad(SquadConfig),
    Tags(TagsConfig),
}

/// A task of GLUE.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GlueConfig {
    pub(super) task: Glue,
    /// The folder of GLUE, with a folder a task.
    pub(super) data: PathBuf,
    /// How texts become sequences.
    pub(super) layout: Layout,
    /// The head.
    #[serde(default)]
    pub(super) form: HeadForm,
    /// Whether MRPC's and STS-B's pairs are trained on in both orders, as ELECTRA's code does.
    #[serde(default = "yes")]
    pub(super) turned_pairs: bool,
    /// Whether predictions of the test parts are written, where these are there.
    #[serde(default = "yes")]
    pub(super) predict_test: bool,
    /// What becomes of rows that cannot be read.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
}

/// Questions about paragraphs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SquadConfig {
    /// A file in the format of SQuAD 1.1 or 2.0.
    pub(super) train: PathBuf,
    /// Another, to measure on.
    pub(super) test: PathBuf,
    #[serde(default)]
    pub(super) windows: Windows,
    /// How many starts are tried, and for each how many ends.
    #[serde(default = "beam")]
    pub(super) beam: usize,
    /// Tokens of an answer at most.
    #[serde(default = "longest_answer")]
    pub(super) longest_answer: usize,
    /// The weight of the loss of whether there is an answer.
    #[serde(default = "half")]
    pub(super) answerable_weight: f64,
    /// The logit of there being no answer above which none is given, where some questions have
    /// none. ELECTRA's authors use -2.75 for the test part.
    #[serde(default = "threshold")]
    pub(super) threshold: f64,
    /// What becomes of questions whose answer is not where it should be.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
}

/// Words with tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsConfig {
    /// A file with a word a line, as CoNLL's.
    pub(super) train: PathBuf,
    /// Another, to measure on.
    pub(super) test: PathBuf,
    /// The column of words, from 0.
    #[serde(default)]
    pub(super) word: usize,
    /// The column of tags, from 0; the last one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<usize>,
    /// Tokens of a sentence at most; words behind them are tagged `O`.
    pub(super) longest: usize,
    /// What becomes of sentences with a line that cannot be read.
    #[serde(default)]
    pub(super) on_bad: OnBadInput,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn beam() -> usize {
    20
}

fn longest_answer() -> usize {
    30
}

fn half() -> f64 {
    0.5
}

fn threshold() -> f64 {
    -2.75
}

pub(super) fn rarely() -> Cadence {
    Cadence { log: 10, evaluate: 0, checkpoint: 100, keep: 2 }
}

impl TaskConfig {
    /// What reports call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Glue(config) => config.task.name(),
            Self::Squad(_) => "questions",
            Self::Tags(_) => "tags",
        }
    }

    /// Makes paths absolute, relative ones below `dir`.
    pub(super) fn anchor(&mut self, dir: Option<&Path>) -> Result<()> {
        let paths = match self {
            Self::Glue(config) => vec![&mut config.data],
            Self::Squad(config) => vec![&mut config.train, &mut config.test],
            Self::Tags(config) => vec![&mut config.train, &mut config.test],
        };
        for path in paths {
            let below = dir.map_or_else(|| path.clone(), |dir| dir.join(&*path));
            *path = std::path::absolute(below)?;
        }
        Ok(())
    }

    /// Tokens of a sequence at most.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Glue(config) => config.layout.longest,
            Self::Squad(config) => config.windows.longest,
            Self::Tags(config) => config.longest,
        }
    }

    fn check(&self, faults: &mut Faults) {
        match self {
            Self::Glue(config) => {
                if config.layout.longest < 5 {
                    faults.add("task.layout.longest", "must be at least 5");
                }
                if config.task == Glue::Ax {
                    let fault = "AX has no training part: its predictions are written with MNLI's";
                    faults.add("task.task", fault);
                }
            }
            Self::Squad(config) => {
                let Windows { longest, stride, question } = config.windows;
                if question > longest || longest - question < 4 {
                    let fault = format!(
                        "is {longest} and leaves no room for a paragraph beside questions of \
                         {question} tokens: more tokens (--max-length), or a smaller \
                         task.windows.question"
                    );
                    faults.add("task.windows.longest", fault);
                }
                faults.positive("task.windows.stride", stride as u64);
                faults.positive("task.beam", config.beam as u64);
                faults.positive("task.longest_answer", config.longest_answer as u64);
                let weight = config.answerable_weight;
                faults.values().not_negative("task.answerable_weight", weight);
                if !config.threshold.is_finite() {
                    faults.add("task.threshold", "must be a number");
                }
            }
            Self::Tags(config) => {
                if config.longest < 3 {
                    faults.add("task.longest", "must be at least 3");
                }
                if config.tag == Some(config.word) {
                    faults.add("task.tag", "is the column of the words (task.word), too");
                }
            }
        }
    }
}

impl Recipe {
    /// The settings of the training loop for so many examples; a batch has no example twice.
    pub(super) fn train(&self, examples: usize) -> TrainConfig {
        let batch = self.finetuning.batch.min(examples).max(1);
        let settings = FineTuning { batch, ..self.finetuning };
        let steps = self.steps.unwrap_or_else(|| settings.steps(examples, self.epochs));
        settings.train_config(steps.max(1))
    }

    /// Names everything that cannot work; `name` is the recipe's.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        faults.cadence(&self.cadence);
        faults.values().positive("epochs", self.epochs);
        if let Some(steps) = self.steps {
            faults.positive("steps", steps);
        }
        faults.within("finetuning", self.finetuning.faults());
        self.task.check(&mut faults);
        faults.done(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(finetuning: FineTuning, steps: Option<u64>) -> Recipe {
        let task = TaskConfig::Tags(TagsConfig {
            train: "a".into(),
            test: "b".into(),
            word: 0,
            tag: None,
            longest: 128,
            on_bad: OnBadInput::Error,
        });
        Recipe {
            precision: Precision::default(),
            workers: 1,
            cadence: rarely(),
            weights: "w".into(),
            epochs: 3.0,
            steps,
            task,
            finetuning,
        }
    }

    #[test]
    fn steps_are_passes_over_whole_batches() {
        let train = |examples, steps| recipe(FineTuning::default(), steps).train(examples);
        // RTE: 2,490 examples fill 78 batches.
        assert_eq!((train(2_490, None).steps, train(2_490, None).batch), (234, 32));
        assert_eq!((train(5, None).steps, train(5, None).batch), (3, 5));
        assert_eq!(train(5, Some(7)).steps, 7);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let bad = FineTuning { lr: f64::NAN, layer_decay: 1.5, batch: 0, ..FineTuning::default() };
        let error = recipe(bad, Some(0)).check("a/b").expect_err("faults").to_string();
        for key in ["steps", "finetuning.lr", "finetuning.layer_decay", "finetuning.batch"] {
            assert!(error.contains(key), "{key}: {error}");
        }
        assert!(recipe(FineTuning::default(), None).check("a/b").is_ok());
    }
}
