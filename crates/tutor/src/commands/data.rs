//! `tutor data`: downloading and verifying data sets, pairs of dialogues, vocabularies, scores of
//! translations.

mod bleu;
mod dialog;
mod tokenizer;

use std::path::PathBuf;

use anyhow::{Context, Result};
use data_pipeline::fetch;
use indicatif::{ProgressBar, ProgressStyle};

use super::say;

/// What to do with which data set.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Download a data set from its official source. After a stop, the same command continues where
    /// it was.
    Fetch {
        /// Data set: `cifar10`, `svhn`, `svhn-extra` or `mnist`.
        name: String,
        /// Folder to download to.
        #[arg(default_value = "data", env = "TUTOR_DATA")]
        dir: PathBuf,
    },
    /// Compare the files of a data set with the official checksums.
    Verify {
        /// Data set: `cifar10`, `svhn`, `svhn-extra` or `mnist`.
        name: String,
        /// Folder that holds it.
        #[arg(default_value = "data", env = "TUTOR_DATA")]
        dir: PathBuf,
    },
    /// Score translations by BLEU and chrF, as sacrebleu does.
    Bleu(bleu::Args),
    /// Make pairs of a context and a response from dumps of conversations: filter messages, make a
    /// vocabulary, write files of tokens, in bounded memory.
    Dialog(Box<dialog::Args>),
    /// Make a vocabulary.
    Tokenizer {
        #[command(subcommand)]
        action: tokenizer::Action,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Fetch { name, dir } => {
            let source = by_name(name)?;
            say(&source.about)?;
            let bar = ProgressBar::no_length();
            bar.set_style(ProgressStyle::with_template(
                "{msg} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            )?);
            let mut show = |at: fetch::Progress<'_>| {
                bar.set_message(at.path.to_owned());
                bar.set_length(at.total.unwrap_or(at.here));
                bar.set_position(at.here);
            };
            fetch::fetch(&source, dir, fetch::Patience::default(), &mut show)?;
            bar.finish_and_clear();
            say(&format!("{name} is complete in {}", dir.display()))?;
        }
        Action::Verify { name, dir } => {
            fetch::verify(&by_name(name)?, dir)?;
            say(&format!("{name} in {} is as published", dir.display()))?;
        }
        Action::Bleu(args) => bleu::run(args)?,
        Action::Dialog(args) => dialog::run(args)?,
        Action::Tokenizer { action } => tokenizer::run(action)?,
    }
    Ok(())
}

fn by_name(name: &str) -> Result<fetch::PublishedSet> {
    let sources = fetch::sources();
    let known: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let source = sources.into_iter().find(|source| source.name == name);
    source.with_context(|| {
        format!("there is no data set {name} to fetch; there are {}", known.join(", "))
    })
}
