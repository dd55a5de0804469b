//! `tutor list`: the recipes and their rows.

use anyhow::Result;

use crate::catalog::RECIPES;
use crate::recipe::AnyRecipe;

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
        let recipe = AnyRecipe::resolve(text, false, false, &[])?;
        let default = if recipe.is_default() { " (default)" } else { "" };
        println!("{name}{default}\n    {}", recipe.about());
        for (row, about) in recipe.rows() {
            println!("    + {row}: {about}");
        }
    }
    Ok(())
}
