//! `tutor run`: trains what a recipe says, measures it and writes a report.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use toml::Value;
use torch::Device;

use super::place::Place;
use super::ranges;
use crate::papers;
use crate::recipe::catalog;
use crate::recipe::edit::{Override, parse_override};
use crate::run::driver;
use crate::run::experiment::Experiment;
use crate::run::processes;

/// What is run and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `paper/row`, `paper` (its default row; with `--data` the one for data, if there is one), or
    /// a TOML file.
    recipe: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    place: Place,
}

/// What differs from the recipe as it is written.
#[derive(clap::Args)]
pub(crate) struct Changes {
    /// The recipe's smoke run: a few steps on little data, one seed.
    #[arg(long)]
    quick: bool,
    /// How many seeds: 1, 2, ... N; as many as the recipe says by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: Option<u32>,
    /// The folder that holds the data sets; $TUTOR_DATA without it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which rows of the recipe's table to run: `all`, `none`, or names with commas.
    #[arg(long, value_name = "WHICH")]
    rows: Option<String>,
    /// Run with each of these numbers of labels, as `30,50,100`, where the recipe can.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    #[arg(value_parser = ranges::count::<u32>)]
    labels: Vec<u32>,
    /// Change a setting, as `student.train.steps=400`. May be given several times. Lists and tables
    /// are TOML, as `data.size=[64,64]`; strings need no quotes: the key decides what VALUE is.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    set: Vec<Override>,
    /// Take a setting out of the recipe, as `train.ema`: what is optional is then off, what has a
    /// default takes it. May be given several times, and is done before `--set`.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

impl Changes {
    /// Where data sets lie: what is named, or what the environment names.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        let of_environment = || std::env::var_os("TUTOR_DATA").filter(|dir| !dir.is_empty());
        self.data.clone().or_else(|| of_environment().map(PathBuf::from))
    }

    /// The recipe of this name with the changes applied.
    ///
    /// The number of seeds becomes part of it, so that the resolved recipe is the same run again.
    pub(crate) fn resolve(&self, recipe: &str) -> Result<Box<dyn Experiment>> {
        let mut set: Vec<Override> = self.unset.iter().map(|key| Override::unset(key)).collect();
        set.extend(self.set.iter().cloned());
        let mut add = |key: &str, value| set.push(Override::set(key, value));
        if let Some(seeds) = self.seeds.or(self.quick.then_some(1)) {
            add("seeds", Value::Integer(i64::from(seeds)));
        }
        if let Some(rows) = &self.rows {
            add("run_rows", Value::String(rows.clone()));
        }
        if !self.labels.is_empty() {
            let counts = self.labels.iter().map(|&count| Value::Integer(count.into()));
            add("labels", Value::Array(counts.collect()));
        }
        // An override within the data is of the recipe's own, not of the generated ones of
        // `--quick`.
        let own = set.iter().any(|change| change.key.split('.').next() == Some("data"));
        // What the environment names is there for all recipes and asks for none.
        let text = catalog::find(recipe, self.data.is_some())?;
        let resolved = papers::resolve(&text, self.quick, own || self.data().is_some(), &set);
        resolved.map_err(|error| match error.to_string() {
            text if !self.labels.is_empty() && text.contains("unknown field `labels`") => {
                anyhow!("--labels: the recipe {recipe} has no number of labels of its own")
            }
            _ => error,
        })
    }
}

impl Args {
    /// Whether so many processes can run this together; the error says why not.
    pub(super) fn shares(&self, processes: usize) -> Result<()> {
        self.changes.resolve(&self.recipe)?.shares(processes)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    processes::join()?;
    processes::together(|| run_here(args))
}

fn run_here(args: &Args) -> Result<()> {
    let mut experiment = args.changes.resolve(&args.recipe)?;
    let device = match processes::group() {
        Some(_) if args.place.device == "auto" => Device::Cpu,
        _ => super::device::chosen(&args.place.device)?,
    };
    processes::check_device(device)?;
    args.place.set_threads();
    let data = args.changes.data();
    let options = args.place.options(args.changes.quick, data.as_deref(), device);
    let (result, page) = driver::run(&mut *experiment, &options)?;
    if !processes::is_first() {
        return Ok(());
    }
    super::say(&format!("{}\nreport: {}", report::terminal(&result), page.display()))
}
