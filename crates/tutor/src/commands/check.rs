//! `tutor check`: what a recipe, `tutor fit` or `tutor finetune` would run, without running it.

use anyhow::{Context, Result};

use super::finetune::Task;
use super::fit::Data;
use super::run::Changes;

/// Which recipe, or which data.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// `paper/row`, `paper`, or a TOML file.
    recipe: Option<String>,
    #[command(flatten)]
    changes: Changes,
    #[command(subcommand)]
    fit: Option<Fit>,
}

#[derive(clap::Subcommand)]
enum Fit {
    /// What `tutor fit` would do with these pictures or texts, and the recipe that it would run.
    Fit(Box<Data>),
    /// What `tutor finetune` would do, and the recipe that it would run.
    Finetune {
        #[command(subcommand)]
        task: Task,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.fit {
        Some(Fit::Fit(data)) => {
            let device = super::device::chosen("auto")?;
            return super::say(&data.plan(device)?);
        }
        Some(Fit::Finetune { task }) => return super::say(&task.plan()?),
        None => {}
    }
    let recipe = args.recipe.as_ref();
    let recipe =
        recipe.context("name a recipe (`tutor list`), or say `check fit --labeled DIR`")?;
    super::say(&args.changes.resolve(recipe)?.to_toml()?)
}
