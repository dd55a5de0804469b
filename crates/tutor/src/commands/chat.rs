//! `tutor chat`: talk to a network that replies, in the terminal or through a pipe.

mod asking;
mod session;

use std::io::IsTerminal;

use anyhow::{Context, Result};

use super::reply_network::{ReplyNetwork, repetition};
use crate::dialog::responder::Choice;
use crate::run::experiment::Predictor;
use session::Session;

/// The network that is talked to, and how its replies are found.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: ReplyNetwork,
    /// Seed of the sampling: the same seed and turns give the same replies.
    #[arg(long, value_name = "N", default_value_t = 1)]
    sampling_seed: u64,
    /// Give the likeliest reply that a beam search of this width finds, in place of the best of
    /// those that are sampled: for comparison, without randomness.
    #[arg(long, value_name = "WIDTH", value_parser = clap::value_parser!(u16).range(1..=1000))]
    #[arg(conflicts_with_all = ["candidates", "temperature", "top_k", "top_p", "sampling_seed"])]
    beam: Option<u16>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    train::signals::install().context("Ctrl-C cannot be watched for")?;
    let responder = args.network.open()?;
    let choice = match args.beam.map(usize::from) {
        None => args.network.choice(&responder),
        Some(width) => {
            let repetition = repetition(width);
            Choice { beam: Some(width), repetition, ..args.network.choice(&responder) }
        }
    };
    let by_hand = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if by_hand {
        let name = super::plain_text::shown(&responder.about());
        super::say(&format!("You talk to {name}. /help says what else there is."))?;
    }
    Session::new(&responder, choice, args.sampling_seed, by_hand).run()
}
