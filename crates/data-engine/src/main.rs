//! The engine as commands.
#![allow(clippy::print_stdout, reason = "its results go to the standard output")]

use clap::{Args, Parser, Subcommand, ValueEnum};
use data_engine::{Columns, Engine, EngineError, Options, describe, select};
use data_pipeline::balance::{Rule, Selection};
use std::path::PathBuf;

/// Tables that no memory holds: selection of pseudo-labels, and what a table says.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Select pseudo-labelled samples for a student, and how often each is shown.
    Select(Box<Select>),
    /// Say what a table holds, column by column, as JSON.
    Describe {
        #[command(flatten)]
        how: How,
        /// Parquet files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Args)]
struct How {
    /// Memory for rows that are grouped or sorted, as 512M or 2G; more goes to temporary files.
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = size)]
    memory: u64,
    /// Parts of the table that are worked on at once; as many as cores by default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    partitions: usize,
    /// The folder for temporary files; the system's by default.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
}

impl How {
    fn engine(&self) -> Result<Engine, EngineError> {
        let Self { memory, partitions, spill } = self;
        Engine::new(&Options { memory: *memory, partitions: *partitions, spill: spill.clone() })
    }
}

#[derive(Args)]
struct Select {
    #[command(flatten)]
    how: How,
    /// The column of the samples' ids.
    #[arg(long, value_name = "COLUMN", default_value = "image")]
    id: String,
    /// The column of their pseudo-labels.
    #[arg(long, value_name = "COLUMN", default_value = "label")]
    label: String,
    /// The column of the labels' confidences.
    #[arg(long, value_name = "COLUMN", default_value = "confidence")]
    confidence: String,
    /// The least confidence of a sample that is selected.
    #[arg(long, value_name = "P", default_value_t = 0.3)]
    min_confidence: f32,
    /// Samples of each class; without it classes are not balanced.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_class: Option<u32>,
    /// How a class comes to its number.
    #[arg(long, value_enum, default_value_t = By::ReleasedCode)]
    rule: By,
    /// Fill no class that is short with copies.
    #[arg(long)]
    no_duplicate: bool,
    /// The seed of what is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder to write, which must not be there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Parquet files, or folders of them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// A class's threshold is the highest multiple of .01 at which it has enough samples; all from
    /// there on are taken as often as makes up the number on average.
    ReleasedCode,
    /// The most confident samples, and random copies where there are too few.
    Paper,
}

/// Bytes: a number with K, M, G or T for 1024s.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write it as 512M or 2G");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Describe { how, files } => {
            println!("{}", serde_json::to_string_pretty(&describe(&how.engine()?, &files)?)?);
        }
        What::Select(asked) => {
            let Select { how, id, label, confidence, per_class, seed, out, files, .. } = *asked;
            let rule = match asked.rule {
                By::ReleasedCode => Rule::ReleasedCode,
                By::Paper => Rule::Paper,
            };
            let selection = Selection {
                rule,
                min_confidence: asked.min_confidence,
                per_class: per_class.map(|wanted| wanted as usize),
                duplicate: !asked.no_duplicate,
            };
            let columns = Columns { id, label, confidence };
            let found = select(&how.engine()?, &files, &columns, &selection, seed, &out)?;
            println!("{}", serde_json::to_string_pretty(&found)?);
        }
    }
    Ok(())
}
