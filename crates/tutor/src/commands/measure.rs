//! `tutor measure`: what a network takes on a device, at its full size and with random weights:
//! seconds of a training step, and memory.

mod cost;
mod images;
mod replies;

use anyhow::Result;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Time a training step on random images, by a method that learns from unlabelled ones.
    Images(images::Args),
    /// Time a training step and a reply of a network that replies.
    Replies(replies::Args),
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Images(args) => images::run(args),
        What::Replies(args) => replies::run(args),
    }
}
