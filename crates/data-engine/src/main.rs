//! The engine as commands.
#![allow(clippy::print_stderr, reason = "what went wrong goes there")]

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use data_engine::{
    Columns, DialogOptions, Engine, EngineError, Options, deduplicate, describe, dialogs, select,
};
use data_pipeline::balance::{Rule, Selection};
use data_pipeline::dialog::{DialogSplit, Filters};
use data_pipeline::text::duplicates::MinHash;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Make pairs of a context and a response of messages (columns id and text; conversation,
    /// parent, author and part where they are there), by the rules of Meena's paper.
    Dialogs {
        #[command(flatten)]
        how: How,
        /// The tokenizer that counts subwords, a folder or file; words are counted without one.
        #[arg(long, value_name = "PATH")]
        tokenizer: Option<PathBuf>,
        /// A setting of the filters, as max-occurrences=50, or of the split, as split.test=0.1.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// The folder to write, which must not be there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Parquet files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Keep one of texts that are the same, or nearly the same.
    Deduplicate {
        #[command(flatten)]
        how: How,
        /// The column of the texts' ids.
        #[arg(long, value_name = "COLUMN", default_value = "id")]
        id: String,
        /// The column of the texts.
        #[arg(long, value_name = "COLUMN", default_value = "text")]
        text: String,
        /// The share of their runs of five words (estimated Jaccard similarity) from which two
        /// texts are duplicates.
        #[arg(long, value_name = "SHARE", default_value_t = MinHash::default().threshold)]
        threshold: f64,
        /// The folder to write, which must not be there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Parquet files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Say what a table holds, column by column, as JSON.
    Describe {
        #[command(flatten)]
        how: How,
        /// Parquet files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Divide the work of a cluster, until the process is ended.
    Scheduler {
        /// Where it listens.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50050")]
        address: std::net::SocketAddr,
        /// The name by which executors reach it; its address by default.
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// After so many seconds without a word of it an executor is gone.
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        gone_after: u64,
    },
    /// Do a part of the work of a cluster, until the process is ended.
    Executor(Box<Work>),
}

#[derive(Args)]
struct Work {
    /// The scheduler.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050", value_parser = host)]
    scheduler: (String, u16),
    /// Where others fetch what it has made; the port behind this one is used too.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051")]
    address: std::net::SocketAddr,
    /// The name by which others reach it; its address by default.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Memory for rows that are grouped or sorted, as 512M or 2G, of all its tasks together.
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = size)]
    memory: u64,
    /// Tasks at once; as many as cores by default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    cores: usize,
    /// The folder for what it hands on; the system's for temporary files by default.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

fn host(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(format!("{text:?} is no HOST:PORT")),
    }
}

/// Serves on as many threads as cores.
fn serve(work: impl Future<Output = Result<(), EngineError>>) -> anyhow::Result<()> {
    // What Ballista warns of; RUST_LOG says more.
    let filter = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(filter).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}

#[derive(Args)]
struct How {
    /// Memory for rows that are grouped or sorted, as 512M (2G); more goes to temporary files.
    /// A cluster's executors have their own.
    #[arg(long, value_name = "SIZE", value_parser = size, conflicts_with = "cluster")]
    memory: Option<u64>,
    /// Parts of the table that are worked on at once; as many as cores by default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    partitions: usize,
    /// The folder for temporary files; the system's by default.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// The scheduler of a cluster that does the work.
    #[arg(long, value_name = "http://HOST:PORT")]
    cluster: Option<String>,
}

impl How {
    fn engine(&self) -> Result<Engine, EngineError> {
        let Self { memory, partitions, spill, cluster } = self;
        Engine::new(&Options {
            memory: memory.unwrap_or(Options::default().memory),
            partitions: *partitions,
            spill: spill.clone(),
            cluster: cluster.clone(),
            ..Options::default()
        })
    }
}

#[derive(Args)]
struct Select {
    #[command(flatten)]
    how: How,
    /// The column of the samples' ids; `id` in labels of texts.
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

/// Filters and a split with these settings.
fn dialog_options(set: &[String]) -> anyhow::Result<DialogOptions> {
    let mut filters = serde_json::to_value(Filters::default())?;
    let mut split = serde_json::to_value(DialogSplit::default())?;
    for text in set {
        let (key, value) =
            text.split_once('=').with_context(|| format!("{text} is no KEY=VALUE"))?;
        let (of, key) = match key.strip_prefix("split.") {
            Some(key) => (&mut split, key),
            None => (&mut filters, key),
        };
        // What is no JSON is text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        of[key] = value;
    }
    let wrong = "--set names no setting of the filters or of the split, or a value that is none";
    Ok(DialogOptions {
        filters: serde_json::from_value(filters).context(wrong)?,
        split: serde_json::from_value(split).context(wrong)?,
        tokenizer: None,
    })
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

fn main() -> ExitCode {
    match done(Cli::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a result as JSON, and on the standard error what should be known of its tables. Whoever
/// closes the pipe early, as `head` does, has read enough: that is no error.
fn say(found: &impl Serialize, engine: &Engine) -> anyhow::Result<()> {
    for note in engine.notes() {
        eprintln!("note: {note}");
    }
    let text = serde_json::to_string_pretty(found)?;
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

fn done(what: What) -> anyhow::Result<()> {
    match what {
        What::Dialogs { how, tokenizer, set, out, files } => {
            let mut options = dialog_options(&set)?;
            options.tokenizer = tokenizer;
            let engine = how.engine()?;
            say(&dialogs(&engine, &files, &options, &out)?, &engine)?;
        }
        What::Deduplicate { how, id, text, threshold, out, files } => {
            let min_hash = MinHash { threshold, ..MinHash::default() };
            let engine = how.engine()?;
            say(&deduplicate(&engine, &files, (&id, &text), &min_hash, &out)?, &engine)?;
        }
        What::Describe { how, files } => {
            let engine = how.engine()?;
            say(&describe(&engine, &files)?, &engine)?;
        }
        What::Scheduler { address, host, gone_after } => {
            let gone_after = std::time::Duration::from_secs(gone_after);
            serve(data_engine::cluster::Scheduler { address, host, gone_after }.serve())?;
        }
        What::Executor(work) => {
            let Work { scheduler, address, host, memory, cores, work } = *work;
            let executor =
                data_engine::cluster::Executor { scheduler, address, host, memory, cores, work };
            serve(executor.serve())?;
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
            let engine = how.engine()?;
            say(&select(&engine, &files, &columns, &selection, seed, &out)?, &engine)?;
        }
    }
    Ok(())
}
