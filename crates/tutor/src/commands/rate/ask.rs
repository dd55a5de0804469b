//! `tutor rate ask`: a chatbot's responses to fixed contexts.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use eval_ssa::Context;
use rating_server::Project;

use super::super::say;
use super::input::{Partner, asked, progress, text};

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
    let project = Project::open(&args.project)?;
    let endpoint = args.partner.endpoint();
    let outcome = project.ask(name, &endpoint, &contexts, &mut progress("contexts"));
    let asked = asked(outcome, &endpoint)?;
    let there = contexts.len() - asked.empty.len();
    say(&format!("{name} has responses to {there} contexts, {} of them new", asked.new))?;
    ensure!(
        asked.empty.is_empty(),
        "{name} answered {} of {} contexts with nothing: {} (give the command again to ask for them, or \
         import what it is to be rated by)",
        asked.empty.len(),
        contexts.len(),
        asked.empty.join(", ")
    );
    Ok(())
}
