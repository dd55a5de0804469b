//! `tutor list`: the recipes and their rows.

use anyhow::Result;

use crate::catalog::RECIPES;
use crate::recipe::Recipe;

/// What to list.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the names, one a line.
    #[arg(long)]
    names: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    for (name, text) in RECIPES {
        if args.names {
            println!("{name}");
            continue;
        }
        let recipe = Recipe::resolve(text, false, false, &[])?;
        let default = if recipe.default { " (default)" } else { "" };
        println!("{name}{default}\n    {}", recipe.about);
        for (row, config) in &recipe.rows {
            println!("    + {row}: {}", config.about);
        }
    }
    Ok(())
}
