//! `tutor check`: what a recipe would run, without running it.

use anyhow::Result;

use super::run::Changes;

/// Which recipe.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `paper/row`, `paper`, or a TOML file.
    recipe: String,
    #[command(flatten)]
    changes: Changes,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    super::say(&args.changes.resolve(&args.recipe)?.to_toml()?)
}
