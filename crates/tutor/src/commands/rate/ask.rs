//! `tutor rate ask`: a chatbot's responses to fixed contexts.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use eval_ssa::Context;
use metrics::words::counted;
use rating_server::Project;

use super::super::say;
use super::input::{Partner, asked, progress, text};
use crate::run::note::note;

/// Which chatbot is asked, and for what.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The study's database file
    study: PathBuf,
    #[command(flatten)]
    partner: Partner,
    /// Contexts as JSON lines, each with `id` and `turns`, the last of which is the other person's;
    /// by default the built-in set
    #[arg(long)]
    contexts: Option<PathBuf>,
    /// What the chatbot is told before a context that begins with a turn of its own (one with an
    /// even number of turns), as `Hi!`; raters do not see it. Many chat models take no conversation
    /// that the user does not begin
    #[arg(long, value_name = "TEXT")]
    opening: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let contexts = match &args.contexts {
        Some(file) => Context::parse(&text(file)?)
            .with_context(|| format!("cannot use {}", file.display()))?,
        None => Context::own(),
    };
    let name = &args.partner.name;
    let project = Project::open(&args.study)?;
    let endpoint = args.partner.endpoint(&project)?;
    let opening = args.opening.as_deref();
    let outcome = project.ask(name, &endpoint, &contexts, opening, &mut progress("contexts"));
    let asked = asked(outcome, &endpoint)?;
    let there = contexts.len() - asked.empty.len();
    say(&match (there, asked.new) {
        (1, 0) => format!("{name} has a response to 1 context, which was there already"),
        (1, _) => format!("{name} has a response to 1 context, which is new"),
        (_, new) => format!("{name} has responses to {there} contexts, {new} of them new"),
    })?;
    if asked.cut > 0 {
        note(&format!(
            "note: {} {} cut off at the greatest length that the server allows, and raters see \
             no more",
            counted(asked.cut, "response"),
            if asked.cut == 1 { "was" } else { "were" }
        ));
    }
    if asked.filtered > 0 {
        note(&format!(
            "note: {} {} ended by a content filter of the server, and raters see no more",
            counted(asked.filtered, "response"),
            if asked.filtered == 1 { "was" } else { "were" }
        ));
    }
    if asked.had_thoughts > 0 {
        note(&format!(
            "note: the thoughts before {} (<think>...</think>) were left out",
            counted(asked.had_thoughts, "response")
        ));
    }
    ensure!(
        asked.empty.is_empty(),
        "{name} answered {} of {} with nothing: {} (give the command again to ask for them, or \
         import what it is to be rated by)",
        asked.empty.len(),
        counted(contexts.len(), "context"),
        asked.empty.join(", ")
    );
    Ok(())
}
