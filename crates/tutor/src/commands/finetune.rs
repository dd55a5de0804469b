//! `tutor finetune`: a network of texts learns a benchmark's task.

use std::path::PathBuf;

use anyhow::Result;

use super::place::{Done, Place, shell_path};
use super::ranges;
use super::skipped::skipped_by;
use crate::papers::finetune::plan;
use crate::run::note::note;

/// Which task, and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

/// A task with its data.
#[derive(clap::Subcommand)]
pub(crate) enum Task {
    /// A task of GLUE, measured on its dev part; predictions of the test part are written too.
    Glue {
        /// `cola`, `sst-2`, `mrpc`, `sts-b`, `qqp`, `mnli`, `qnli`, `rte` or `wnli`.
        #[arg(long, value_name = "NAME")]
        task: String,
        /// The folder of GLUE, with a folder a task; or the task's own.
        #[arg(long, env = "TUTOR_DATA", value_name = "DIR")]
        data: PathBuf,
        /// Write no predictions of the test part.
        #[arg(long)]
        no_test: bool,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Questions about paragraphs, in the format of SQuAD 1.1 or 2.0.
    Squad {
        /// Questions to learn from, `train-v2.0.json`.
        #[arg(long, value_name = "FILE")]
        train: PathBuf,
        /// Questions to measure on, `dev-v2.0.json`.
        #[arg(long, value_name = "FILE")]
        test: PathBuf,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Words with tags (names, chunks), a word a line as in CoNLL's files: the word first, the tag
    /// last.
    Tag {
        /// Sentences to learn from.
        #[arg(long, value_name = "FILE")]
        train: PathBuf,
        /// Sentences to measure on.
        #[arg(long, value_name = "FILE")]
        test: PathBuf,
        #[command(flatten)]
        common: Box<Common>,
    },
}

/// What all tasks have in common.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// The network to start from, BERT or ELECTRA with its tokenizer: a folder of the Hugging Face
    /// hub, a name in its cache, or a run of `tutor pretrain` or `tutor run electra`.
    #[arg(long, value_name = "DIR|NAME")]
    weights: String,
    /// How many seeds: 1, 2, ... N.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Passes over the examples; as many as ELECTRA's code makes by default.
    #[arg(long, conflicts_with = "steps", value_parser = ranges::above_0)]
    epochs: Option<f64>,
    /// Steps, in place of passes.
    #[arg(long, value_parser = ranges::count::<u64>)]
    steps: Option<u64>,
    /// Sequences of a batch.
    #[arg(long, value_parser = ranges::count::<usize>)]
    batch: Option<usize>,
    /// The learning rate of the head.
    #[arg(long, value_parser = ranges::above_0)]
    lr: Option<f64>,
    /// The factor of the learning rate from a layer to the one below.
    #[arg(long, value_name = "FACTOR", value_parser = ranges::factor)]
    layer_decay: Option<f64>,
    /// Put the head one step above the top layer, not two as ELECTRA's code does.
    #[arg(long)]
    corrected_layer_decay: bool,
    /// Tokens of a sequence at most.
    #[arg(long, value_name = "TOKENS", value_parser = ranges::at_least(3_usize))]
    longest: Option<usize>,
    /// Leave out what cannot be read or has a label that is not known, and count it.
    #[arg(long)]
    skip_bad: bool,
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
        let task = match self {
            Self::Glue { task, data, no_test, .. } => plan::GivenTask::Glue {
                task: plan::task(task)?,
                data: data.clone(),
                predict_test: !no_test,
            },
            Self::Squad { train, test, .. } => {
                plan::GivenTask::Squad { train: train.clone(), test: test.clone() }
            }
            Self::Tag { train, test, .. } => {
                plan::GivenTask::Tags { train: train.clone(), test: test.clone() }
            }
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
            longest: common.longest,
            skip_bad: common.skip_bad,
        })?;
        proposal.lines.iter().for_each(|line| note(line));
        Ok(proposal.recipe)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    fine_tune(args).map_err(|error| skipped_by("--skip-bad", error))
}

fn fine_tune(args: &Args) -> Result<()> {
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
