//! `tutor rate ask`: a chatbot's responses to fixed contexts.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use eval_ssa::Context;
use rating_server::Project;

use super::super::say;
use super::input::{Partner, text};
use crate::run::note::note;

/// Who is asked what.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The study
    project: PathBuf,
    #[command(flatten)]
    partner: Partner,
    /// The contexts as lines of JSON, each with `id` and `turns`, the last of them another
    /// person's; without it, the set of this program
    #[arg(long)]
    contexts: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let contexts = match &args.contexts {
        Some(file) => Context::parse(&text(file)?)
            .with_context(|| format!("cannot use {}", file.display()))?,
        None => Context::own(),
    };
    let name = &args.partner.name;
    let mut said = |done: usize, of: usize| {
        if done.is_multiple_of(100) && done < of {
            note(&format!("{done} of {of} contexts"));
        }
    };
    let project = Project::open(&args.project)?;
    let new = project.ask(name, &args.partner.endpoint(), &contexts, &mut said)?;
    say(&format!("{name} has responses to {} contexts, {new} of them new", contexts.len()))
}
