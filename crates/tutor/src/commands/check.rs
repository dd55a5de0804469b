//! `tutor check`: what a recipe would run, without running it.

use anyhow::Result;

use crate::catalog;
use crate::commands::run::Changes;

/// Which recipe.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `paper/row`, `paper`, or a TOML file.
    recipe: String,
    #[command(flatten)]
    changes: Changes,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let text = catalog::find(&args.recipe)?;
    let recipe = args.changes.resolve(&text)?;
    print!("{}", recipe.to_toml()?);
    Ok(())
}
