//! `tutor list`: the recipes and their rows.

use std::fmt::Write;

use anyhow::Result;

use crate::papers;
use crate::recipe::catalog::RECIPES;

/// What to list.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print only the names, one per line.
    #[arg(long)]
    names: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut text = String::new();
    for (name, recipe) in RECIPES {
        if args.names {
            writeln!(text, "{name}")?;
            continue;
        }
        let experiment = papers::resolve(recipe, false, false, &[])?;
        let default = match experiment.head() {
            head if head.default => " (default)",
            head if head.default_with_data => " (default with --data)",
            _ => "",
        };
        writeln!(text, "{name}{default}\n    {}", experiment.head().about)?;
        for (row, about) in experiment.rows() {
            writeln!(text, "    + {row}: {about}")?;
        }
    }
    super::say(text.trim_end())
}
