//! `tutor check`: what a recipe, or `tutor fit`, `tutor pretrain` or `tutor finetune`, would run,
//! without running it.

use anyhow::{Context, Result, ensure};
use metrics::words::counted;
use toml::{Table, Value};

use super::finetune::Task;
use super::fit::Data;
use super::pretrain::Texts;
use super::run::Changes;
use crate::run::experiment::Experiment;
use crate::run::note::note;

/// Which recipe, or which data.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Recipe: `paper/row`, `paper`, or a TOML file.
    recipe: Option<String>,
    #[command(flatten)]
    changes: Changes,
    #[command(subcommand)]
    planned: Option<Planned>,
}

#[derive(clap::Subcommand)]
enum Planned {
    /// Say what `tutor fit` would do with these images or texts, and print the recipe that it would
    /// run.
    Fit(Box<Data>),
    /// Say what `tutor pretrain` would do with these texts, and print the recipe that it would run.
    Pretrain(Box<Texts>),
    /// Say what `tutor finetune` would do, and print the recipe that it would run.
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
    let recipe = recipe.context(
        "name a recipe (`tutor list`), or say `check fit --text TABLE` or `--labeled DIR`",
    )?;
    let experiment = args.changes.resolve(recipe)?;
    told(&*experiment, &args.changes)?;
    super::say(&args.changes.printed(recipe, &*experiment)?)
}

/// Says beside the recipe what would be run, and what is not there.
fn told(experiment: &dyn Experiment, changes: &Changes) -> Result<()> {
    let head = experiment.head();
    let rows = experiment.rows().into_iter().map(|(row, _)| row);
    let rows: Vec<String> = rows.filter(|row| head.run_rows.takes(row)).collect();
    let mut parts = vec![counted(head.seeds, "seed")];
    if !rows.is_empty() {
        parts.push(format!("{} ({})", counted(rows.len(), "row"), rows.join(", ")));
    }
    steps(&experiment.to_toml()?.parse::<Table>()?, "", &mut parts);
    note(&format!("{} would run: {}", head.name, parts.join("; ")));
    let missing = experiment.missing(changes.data().as_deref())?;
    // A recipe may be looked at without its data, but not with a folder that does not hold them.
    let named = changes.named_data().filter(|dir| !dir.is_dir());
    ensure!(named.is_none() || missing.is_empty(), "{}", missing.join("\n"));
    missing.iter().for_each(|missing| note(&format!("missing: {missing}")));
    Ok(())
}

/// The keys that say how many steps a training takes, with their values.
fn steps(table: &Table, above: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            Value::Integer(steps) if key == "steps" => {
                found.push(format!("{above}steps = {steps}"))
            }
            Value::Table(table) => steps(table, &format!("{above}{key}."), found),
            _ => {}
        }
    }
}
