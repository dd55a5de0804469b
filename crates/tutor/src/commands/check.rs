//! `tutor check`: what a recipe, or `tutor fit`, `tutor pretrain` or `tutor finetune`, would run,
//! without running it.

use anyhow::{Context, Result};

use super::finetune::Task;
use super::fit::Data;
use super::pretrain::Texts;
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
    planned: Option<Planned>,
}

#[derive(clap::Subcommand)]
enum Planned {
    /// What `tutor fit` would do with these pictures or texts, and the recipe that it would run.
    Fit(Box<Data>),
    /// What `tutor pretrain` would do with these texts, and the recipe that it would run.
    Pretrain(Box<Texts>),
    /// What `tutor finetune` would do, and the recipe that it would run.
    Finetune {
        #[command(subcommand)]
        task: Task,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.planned {
        Some(Planned::Fit(data)) => {
            let device = super::device::chosen("auto")?;
            return super::say(&data.plan(device, true)?);
        }
        Some(Planned::Pretrain(texts)) => {
            let device = super::device::chosen("auto")?;
            return super::say(&texts.plan(device)?);
        }
        Some(Planned::Finetune { task }) => return super::say(&task.plan()?),
        None => {}
    }
    let recipe = args.recipe.as_ref();
    let recipe =
        recipe.context("name a recipe (`tutor list`), or say `check fit --labeled DIR`")?;
    super::say(&args.changes.resolve(recipe)?.to_toml()?)
}
