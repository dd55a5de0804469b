//! `tutor chat`: talk to a network that replies, in the terminal or through a pipe.

mod asking;
mod plain_text;
mod session;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dialog_models::decode::{Repetition, SampleConfig, Sampling};

use super::which::Choice as Network;
use crate::dialog::responder::{Choice, Responder};
use crate::run::experiment::Predictor;
use session::Session;

/// Who is talked to, and how it chooses its words.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a run of the paper Meena, as `runs/meena/latest`.
    #[arg(required_unless_present = "weights", conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// Talk to a published GPT-2 or DialoGPT: its folder, or its name in the hub's cache, as
    /// `microsoft/DialoGPT-small`.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["model", "seed"])]
    weights: Option<String>,
    /// The folder with the vocabulary of `--weights`; that of the weights by default.
    #[arg(long, value_name = "DIR", requires = "weights")]
    vocabulary: Option<PathBuf>,
    /// Which row of the run; the one of the lowest perplexity on the validation part by default.
    #[arg(long, value_name = "ROW")]
    model: Option<String>,
    /// Which seed of the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many replies are drawn: the best one is given. With 1, words appear as they are drawn.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    candidates: u16,
    /// How daring words are chosen: 0 takes the likeliest, 1 draws them as they were learned.
    #[arg(long, value_name = "T", default_value_t = 0.88)]
    temperature: f64,
    /// Draw from the K likeliest tokens only.
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Tokens of a reply at most; as many as the network was made for by default, 128 for
    /// `--weights`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_tokens: Option<u16>,
    /// Replies follow from this number and from what was said: the same chat comes again.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    draws: u64,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`.
    #[arg(long, default_value = "auto")]
    device: String,
}

/// Tokens of a reply of published weights.
const ROOM: u16 = 128;

pub(crate) fn run(args: &Args) -> Result<()> {
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, nucleus: None };
    let faults: Vec<String> = sampling
        .faults()
        .iter()
        .map(|(key, fault)| format!("--{}: {fault}", key.replace('_', "-")))
        .collect();
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    train::signals::install().context("Ctrl-C cannot be watched for")?;
    if let Some(asked) = &args.weights {
        let room = args.max_tokens.unwrap_or(ROOM);
        let vocabulary = args.vocabulary.as_deref().unwrap_or(Path::new(asked));
        let device = super::device::chosen(&args.device)?;
        let responder = Responder::published(asked, vocabulary, usize::from(room), device)?;
        return talk(args, &responder, sampling);
    }
    let Some(run) = &args.run else { bail!("name the folder of a run, or --weights") };
    let network = Network::of_row(args.model.clone(), args.seed, &args.device);
    let (found, about) = network.load(run)?;
    let Some(responder) = found.as_any().downcast_ref::<Responder>() else {
        bail!("{about} tells classes apart, and does not reply: use tutor predict")
    };
    talk(args, responder, sampling)
}

fn talk(args: &Args, responder: &Responder, sampling: Sampling) -> Result<()> {
    let longest = args.max_tokens.map_or(responder.longest_response(), usize::from);
    let sample =
        SampleConfig { candidates: usize::from(args.candidates), max_tokens: longest, sampling };
    let choice = Choice { sample, repetition: Some(Repetition::default()) };
    let by_hand = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if by_hand {
        let name = plain_text::shown(&responder.about());
        super::say(&format!("You talk to {name}. /help says what else there is."))?;
    }
    Session::new(responder, choice, args.draws, by_hand).run()
}
