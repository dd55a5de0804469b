//! `tutor chat`: talk to a network that replies, in the terminal or through a pipe.

mod asking;
mod session;

use std::io::IsTerminal;

use anyhow::{Context, Result};

use super::whom::{Whom, repetition};
use crate::dialog::responder::Choice;
use crate::run::experiment::Predictor;
use session::Session;

/// Who is talked to, and how it chooses its words.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Replies follow from this number and from what was said: the same chat comes again.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    draws: u64,
    /// Give the likeliest reply that a beam search of this width finds, in place of the best one
    /// drawn: for comparison, the same each time.
    #[arg(long, value_name = "WIDTH", value_parser = clap::value_parser!(u16).range(1..=1000))]
    #[arg(conflicts_with_all = ["candidates", "temperature", "top_k", "top_p", "draws"])]
    beam: Option<u16>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    train::signals::install().context("Ctrl-C cannot be watched for")?;
    let responder = args.whom.open()?;
    let choice = match args.beam.map(usize::from) {
        None => args.whom.choice(&responder),
        Some(width) => {
            let repetition = repetition(width);
            Choice { beam: Some(width), repetition, ..args.whom.choice(&responder) }
        }
    };
    let by_hand = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if by_hand {
        let name = super::plain_text::shown(&responder.about());
        super::say(&format!("You talk to {name}. /help says what else there is."))?;
    }
    Session::new(&responder, choice, args.draws, by_hand).run()
}
