//! `cargo xtask bench WHAT --peers`: this workspace and the libraries that others use, taking turns
//! on one machine.
//!
//! Every side runs in a process of its own that answers questions, a line each. What comes out is a
//! part of a Markdown page; `cargo xtask results` puts it into `docs/results`.

mod augment;
mod cluster;
mod dialog;
mod dialog_models;
mod electra;
mod features;
mod group;
mod measure;
mod runner;
mod selection;
mod ssl;
mod translation;
mod uda_text;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use std::ffi::OsString;

/// Time this workspace and other libraries in turn, and print a Markdown table.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// What to time
    what: What,
    /// Time other libraries in turn with this workspace
    #[arg(long)]
    peers: bool,
    /// Turns of each library, of which the medians are shown
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// `augment`: seconds for which each case runs in a turn
    #[arg(long, default_value_t = 0.15)]
    seconds: f64,
    /// `translation`: number of sentences
    #[arg(long, default_value_t = 1000)]
    sentences: usize,
    /// `cluster`: number of messages (400,000); `selection`: number of predictions (30 million)
    #[arg(long)]
    rows: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Operations on images: Pillow, torchvision, albumentations
    Augment,
    /// Dialogues from messages to pairs by data-engine: one process, and clusters on this machine
    Cluster,
    /// Dialogues from messages to pairs: the same filters in plain Python; training steps and
    /// replies: PyTorch and transformers
    Dialog,
    /// ELECTRA's pre-training step: PyTorch; fine-tuning step and prediction: transformers; files
    /// of tokens: plain Python and `tokenizers`
    Electra,
    /// Features of a folder of images: Pillow and PyTorch, plain and at its best
    Features,
    /// Sums over processes: torch.distributed
    Group,
    /// Selection of pseudo-labels from Parquet files: two passes in plain Python
    Selection,
    /// FixMatch's training step: PyTorch, eager and compiled
    Ssl,
    /// Translating sentences: transformers' `generate`
    Translation,
    /// UDA's training step on texts: PyTorch; TF-IDF replacement: plain Python
    UdaText,
}

/// Whether these arguments of `bench` ask for this rather than for criterion.
pub(crate) fn wanted(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--peers")
}

/// Measures what the arguments of `bench` say; gives a Markdown text with tables.
pub(crate) fn measure(args: &[OsString]) -> Result<String> {
    let args = Args::parse_from(std::iter::once("bench".into()).chain(args.iter().cloned()));
    match args.what {
        What::Augment => augment::run(args.rounds, args.seconds),
        What::Cluster => cluster::run(args.rounds, args.rows.unwrap_or(400_000)),
        What::Dialog => Ok(dialog::run(args.rounds)? + "\n" + &dialog_models::run(args.rounds)?),
        What::Electra => electra::run(args.rounds),
        What::Features => features::run(args.rounds),
        What::Group => group::run(args.rounds),
        What::Selection => selection::run(args.rounds, args.rows.unwrap_or(30_000_000)),
        What::Ssl => ssl::run(args.rounds),
        What::Translation => translation::run(args.rounds, args.sentences),
        What::UdaText => uda_text::run(args.rounds),
    }
}
