//! `tutor finetune`: a network of texts learns a benchmark's task.

use std::path::PathBuf;

use anyhow::Result;

use super::inputs::refuse_pipes;
use super::place::{Done, Place, shell_path};
use super::ranges;
use super::skip_bad::{SKIP_BAD_ROWS, SkipBad, suggest_skip_bad};
use crate::papers::finetune::plan;
use crate::run::note::note;
use crate::run::processes;

/// Which task, and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

/// A task with its data.
#[derive(clap::Subcommand)]
pub(crate) enum Task {
    /// Fine-tune on a task of GLUE: measure on its dev part, and write predictions of the test
    /// part.
    Glue {
        /// Task: `cola`, `sst-2`, `mrpc`, `sts-b`, `qqp`, `mnli`, `qnli`, `rte` or `wnli`.
        #[arg(long, value_name = "NAME")]
        task: String,
        /// Folder of GLUE, with one folder per task; or the task's own folder.
        #[arg(long, env = "TUTOR_DATA", value_name = "DIR")]
        data: PathBuf,
        /// Do not write predictions of the test part.
        #[arg(long)]
        no_test: bool,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Fine-tune on questions about paragraphs, in the format of SQuAD 1.1 or 2.0.
    Squad {
        /// Questions to learn from, as `train-v2.0.json`.
        #[arg(long, value_name = "FILE")]
        train: PathBuf,
        /// Questions to measure on, as `dev-v2.0.json`.
        #[arg(long, value_name = "FILE")]
        test: PathBuf,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Fine-tune on words with tags (names, chunks), one word per line as in CoNLL's files, with
    /// the word first and the tag last if no columns are named.
    Tag {
        /// Sentences to learn from.
        #[arg(long, value_name = "FILE")]
        train: PathBuf,
        /// Sentences to measure on.
        #[arg(long, value_name = "FILE")]
        test: PathBuf,
        /// Column of the words, counted from 1 (CoNLL-U: 2).
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = ranges::count::<usize>)]
        word_column: usize,
        /// Column of the tags, counted from 1 (CoNLL-U: 4 for parts of speech); the last one if not
        /// given.
        #[arg(long, value_name = "N", value_parser = ranges::count::<usize>)]
        tag_column: Option<usize>,
        #[command(flatten)]
        common: Box<Common>,
    },
}

/// What all tasks have in common.
#[derive(clap::Args)]
#[command(mut_arg("skip_bad", |arg| arg.help(SKIP_BAD_ROWS)))]
pub(crate) struct Common {
    /// Network to start from, BERT or ELECTRA with its tokenizer: a folder of the Hugging Face hub,
    /// a name in its cache, or a run of `tutor pretrain` or `tutor run electra`.
    #[arg(long, value_name = "DIR|NAME")]
    weights: String,
    /// Run with the seeds 1, 2, ... N.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Passes over the examples; by default as many as in ELECTRA's code.
    #[arg(long, conflicts_with = "steps", value_parser = ranges::above_0)]
    epochs: Option<f64>,
    /// Training steps, in place of --epochs.
    #[arg(long, value_parser = ranges::count::<u64>)]
    steps: Option<u64>,
    /// Sequences per batch.
    #[arg(long, value_parser = ranges::count::<usize>)]
    batch: Option<usize>,
    /// Learning rate of the head.
    #[arg(long, value_parser = ranges::above_0)]
    lr: Option<f64>,
    /// Factor of the learning rate from each layer to the one below.
    #[arg(long, value_name = "FACTOR", value_parser = ranges::factor)]
    layer_decay: Option<f64>,
    /// Apply the layer decay once, not twice as in ELECTRA's code, between head and top layer.
    #[arg(long)]
    corrected_layer_decay: bool,
    /// Maximum tokens of a sequence; by default as in ELECTRA's code, at most what the network was
    /// made for.
    #[arg(long, value_name = "TOKENS", value_parser = ranges::at_least(3_usize))]
    max_length: Option<usize>,
    #[command(flatten)]
    skip_bad: SkipBad,
    #[command(flatten)]
    place: Place,
}

impl Task {
    fn common(&self) -> &Common {
        match self {
            Self::Glue { common, .. } | Self::Squad { common, .. } | Self::Tag { common, .. } => {
                common
            }
        }
    }

    /// Says what would be done, and returns the recipe.
    pub(super) fn plan(&self) -> Result<String> {
        let common = self.common();
        if let Self::Squad { train, test, .. } | Self::Tag { train, test, .. } = self {
            refuse_pipes([train, test])?;
        }
        let task = match self {
            Self::Glue { task, data, no_test, .. } => plan::GivenTask::Glue {
                task: plan::task(task)?,
                data: data.clone(),
                predict_test: !no_test,
            },
            Self::Squad { train, test, .. } => {
                plan::GivenTask::Squad { train: train.clone(), test: test.clone() }
            }
            Self::Tag { train, test, word_column, tag_column, .. } => plan::GivenTask::Tags {
                train: train.clone(),
                test: test.clone(),
                word: word_column - 1,
                tag: tag_column.map(|column| column - 1),
            },
        };
        let proposal = plan::plan(&plan::Given {
            task,
            weights: common.weights.clone(),
            seeds: common.seeds,
            epochs: common.epochs,
            steps: common.steps,
            batch: common.batch,
            lr: common.lr,
            layer_decay: common.layer_decay,
            corrected: common.corrected_layer_decay,
            max_length: common.max_length,
            skip_bad: common.skip_bad.is_on(),
        })?;
        proposal.lines.iter().for_each(|line| note(line));
        Ok(proposal.recipe)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    fine_tune(args).map_err(suggest_skip_bad)
}

fn fine_tune(args: &Args) -> Result<()> {
    let instead = " Several can run the recipe that it writes: `tutor run FOLDER/recipe.toml`";
    processes::alone("finetune", instead)?;
    let common = args.task.common();
    let device = common.place.device()?;
    let recipe = args.task.plan()?;
    let Done { result, dir, page } = common.place.run(&recipe, device)?;
    super::say(&format!(
        "{}\npredictions: {}\nchange and run again: tutor run {}\nreport: {}",
        report::terminal(&result),
        dir.join("seed-1/predictions").display(),
        shell_path(&dir.join("recipe.toml")),
        page.display()
    ))
}
