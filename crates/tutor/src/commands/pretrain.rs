//! `tutor pretrain`: networks learn from one's own files of running text.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use data_pipeline::text::corpus::Boundary;

use super::inputs::refuse_pipes;
use super::place::{Done, Place, shell_path};
use super::ranges;
use super::skip_bad::{SkipBad, suggest_skip_bad};
use crate::papers::pretraining::plan;
use crate::run::note::note;
use crate::run::processes;

/// The texts, and what is learned from them.
#[derive(clap::Args)]
pub(crate) struct Texts {
    /// Files, folders or patterns: text, `.jsonl`, `.csv`, `.tsv` or `.parquet`, which may be
    /// compressed by gzip or zstd.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Networks, batches and steps: as published `small`, `small++`, `base`, `large-400k` or
    /// `large`; for a few processor cores `tiny` or `mini`.
    #[arg(long, value_name = "NAME", default_value = "small")]
    preset: String,
    /// Pre-training objective.
    #[arg(long, value_enum, default_value = "electra")]
    objective: Objective,
    /// Vocabulary to use: a folder with `tokenizer.json`, or a file `vocab.txt`. Without it, one is
    /// made from the texts.
    #[arg(long, value_name = "DIR|FILE")]
    vocab: Option<PathBuf>,
    /// Maximum tokens of a vocabulary that is made from the texts; 30,522 by default.
    #[arg(long, value_name = "N", conflicts_with = "vocab", value_parser = ranges::at_least(32_usize))]
    vocab_size: Option<usize>,
    /// Keep upper case and accents in a vocabulary that is made from the texts, or treat that of
    /// --vocab as cased where its files do not say so.
    #[arg(long)]
    cased: bool,
    /// Train for as many steps as fit into this many minutes; the learning rate decays over them.
    #[arg(long, value_parser = ranges::above_0)]
    minutes: Option<f64>,
    /// Training steps, in place of the preset's; with --minutes the most to take.
    #[arg(long, value_parser = ranges::count::<u64>)]
    steps: Option<u64>,
    /// Sequences per batch.
    #[arg(long, value_parser = ranges::count::<usize>)]
    batch: Option<usize>,
    /// Highest learning rate.
    #[arg(long, value_parser = ranges::above_0)]
    lr: Option<f64>,
    /// Maximum tokens of a sequence.
    #[arg(long, value_name = "TOKENS", value_parser = ranges::at_least(5_usize))]
    max_length: Option<usize>,
    /// Where a document ends; except in text files, it also ends with each record.
    #[arg(long, value_enum, default_value = "blank-line")]
    boundary: Ends,
    /// Field or column of text in files that have several.
    #[arg(long, default_value = "text")]
    field: String,
    #[command(flatten)]
    skip_bad: SkipBad,
    /// Hold out one document in N to measure on.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = ranges::at_least(2_u64))]
    held_out: u64,
    /// Run with the seeds 1, 2, ... N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
}

/// A pre-training objective.
#[derive(Clone, Copy, ValueEnum)]
enum Objective {
    /// Replaced-token detection over all tokens (ELECTRA).
    Electra,
    /// Replaced-token detection at the masked positions only.
    #[value(name = "electra15")]
    Electra15,
    /// A masked language model (BERT without next sentences).
    Mlm,
    /// A masked language model that sees the generator's tokens.
    ReplaceMlm,
    /// A masked language model that sees the generator's tokens and predicts all tokens.
    AllTokensMlm,
}

impl Objective {
    fn task(self) -> electra::pretrain::Task {
        use electra::pretrain::Task;
        match self {
            Self::Electra => Task::Electra,
            Self::Electra15 => Task::Electra15,
            Self::Mlm => Task::Mlm,
            Self::ReplaceMlm => Task::ReplaceMlm,
            Self::AllTokensMlm => Task::AllTokensMlm,
        }
    }
}

/// Where a document ends.
#[derive(Clone, Copy, ValueEnum)]
enum Ends {
    /// At a line without text, and at the end of a file.
    BlankLine,
    /// At the end of a file.
    File,
    /// At the end of each line.
    Line,
}

impl Texts {
    /// Says what would be done, and returns the recipe.
    pub(super) fn plan(&self, device: torch::Device) -> Result<String> {
        refuse_pipes(&self.files)?;
        let proposal = plan::plan(&plan::Given {
            files: self.files.clone(),
            preset: self.preset.clone(),
            task: self.objective.task(),
            vocab: self.vocab.clone(),
            vocab_size: self.vocab_size,
            cased: self.cased,
            minutes: self.minutes,
            steps: self.steps,
            batch: self.batch,
            lr: self.lr,
            max_length: self.max_length,
            boundary: match self.boundary {
                Ends::BlankLine => Boundary::BlankLine,
                Ends::File => Boundary::File,
                Ends::Line => Boundary::Line,
            },
            field: self.field.clone(),
            skip_bad: self.skip_bad.is_on(),
            held_out: self.held_out,
            seeds: self.seeds,
            device,
        });
        let proposal = proposal.map_err(suggest_skip_bad)?;
        proposal.lines.iter().for_each(|line| note(line));
        Ok(proposal.recipe)
    }
}

/// The texts, and how it is run.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    texts: Texts,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    pretrain(args).map_err(suggest_skip_bad)
}

fn pretrain(args: &Args) -> Result<()> {
    processes::alone("pretrain", "")?;
    let device = args.place.device()?;
    let recipe = args.texts.plan(device)?;
    let Done { result, dir, page } = args.place.run(&recipe, device)?;
    // Of several seeds the first one is as good as any.
    let net = match args.texts.seeds {
        1 => shell_path(&dir),
        _ => {
            let objective = args.texts.objective.to_possible_value();
            let objective = objective.as_ref().map_or("", |value| value.get_name());
            shell_path(&dir.join("seed-1").join(objective).join("hub"))
        }
    };
    super::say(&format!(
        "{}\nstart from it: tutor fit --text TABLE --weights {net}, or tutor finetune ... --weights \
         {net}\nchange and run again: tutor run {}\nreport: {}",
        report::terminal(&result),
        shell_path(&dir.join("recipe.toml")),
        page.display()
    ))
}
