//! `tutor run`: trains what a recipe says, measures it and writes a report.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use toml::{Table, Value};
use torch::Device;

use super::place::Place;
use super::ranges;
use crate::papers;
use crate::recipe::catalog;
use crate::recipe::edit::{self, Override, parse_override};
use crate::recipe::reading::ReadError;
use crate::run::driver;
use crate::run::experiment::Experiment;
use crate::run::note::note;
use crate::run::processes;

/// What is run and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Recipe: `paper/row`, `paper` (its default row, or with `--data` its row for data if there is
    /// one), or a TOML file.
    recipe: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    place: Place,
}

/// What differs from the recipe as it is written.
#[derive(clap::Args)]
pub(crate) struct Changes {
    /// Run the recipe's smoke test: a few steps on little data, one seed. The recipe needs a table
    /// `[quick]`; the recipe that a run keeps has none.
    #[arg(long)]
    quick: bool,
    /// Run with the seeds 1, 2, ... N; by default with as many as the recipe says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: Option<u32>,
    /// Folder that holds the data sets; $TUTOR_DATA by default.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Rows of the recipe's table to run: `all`, `none`, or names separated by commas.
    #[arg(long, value_name = "WHICH")]
    rows: Option<String>,
    /// Run with each of these numbers of labels, as `30,50,100`, where the recipe has several.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    #[arg(value_parser = ranges::count::<u32>)]
    labels: Vec<u32>,
    /// Change a setting, as `student.train.steps=400`. Lists and tables are TOML, as
    /// `data.size=[64,64]`; strings need no quotes, as the key decides the type of VALUE. May be
    /// given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    set: Vec<Override>,
    /// Remove a setting from the recipe, as `train.ema`: an optional one is then off, another takes
    /// its default. Applied before `--set`. May be given several times.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

impl Changes {
    /// Where data sets lie: what is named, or what the environment names.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        let of_environment = || std::env::var_os("TUTOR_DATA").filter(|dir| !dir.is_empty());
        self.data.clone().or_else(|| of_environment().map(PathBuf::from))
    }

    /// Where data sets lie, if the command line names it.
    pub(crate) fn named_data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The recipe of this name with the changes applied.
    ///
    /// The number of seeds becomes part of it, so that the resolved recipe is the same run again.
    pub(crate) fn resolve(&self, recipe: &str) -> Result<Box<dyn Experiment>> {
        let text = self.text(recipe)?;
        let resolve = || {
            let (set, notes) = self.overrides(&text)?;
            notes.iter().for_each(|text| note(text));
            self.resolve_with(&text, &set)
        };
        resolve().map_err(|error| self.explained(recipe, &text, error))
    }

    /// The text of the recipe of this name.
    fn text(&self, recipe: &str) -> Result<String> {
        catalog::find(recipe, self.data.is_some())
    }

    /// Whether the recipe's data are changed.
    fn changes_data(&self) -> bool {
        let mut keys = self.set.iter().map(|change| change.key.as_str()).chain(self.unset_keys());
        keys.any(|key| key.split('.').next() == Some("data"))
    }

    fn unset_keys(&self) -> impl Iterator<Item = &str> {
        self.unset.iter().map(|key| key.trim())
    }

    /// Whether a quick run is of the recipe's own data: a change within them is no change of the
    /// generated ones.
    fn data_is_there(&self) -> bool {
        // What the environment names is there for all recipes and asks for none.
        self.changes_data() || self.data().is_some()
    }

    /// All changes of the recipe of this text, and what should be known of them: a key that is to
    /// be taken out and has its default without standing in the recipe needs no change.
    fn overrides(&self, text: &str) -> Result<(Vec<Override>, Vec<String>)> {
        let written = edit::resolved(text, self.quick, self.data_is_there(), &[])?;
        let (mut set, absent): (Vec<_>, Vec<_>) = self
            .unset_keys()
            .map(Override::unset)
            .partition(|change| edit::value(&written, &change.key).is_some());
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
        let mut notes = Vec::new();
        if !absent.is_empty() {
            let resolved: Table = self.resolve_with(text, &set)?.to_toml()?.parse()?;
            for change in absent {
                let key = &change.key;
                match edit::value(&resolved, key) {
                    Some(Value::Table(_)) => {
                        notes.push(format!("--unset {key}: it has its default already"));
                    }
                    Some(value) => {
                        notes.push(format!("--unset {key}: it has its default already, {value}"));
                    }
                    None => set.push(change),
                }
            }
        }
        Ok((set, notes))
    }

    /// The recipe of this text with these changes.
    fn resolve_with(&self, text: &str, set: &[Override]) -> Result<Box<dyn Experiment>> {
        papers::resolve(text, self.quick, self.data_is_there(), set)
    }

    /// An error about the recipe, with its name where it is about what was written, and with a way
    /// out where it has no number of labels to change.
    fn explained(&self, recipe: &str, text: &str, error: anyhow::Error) -> anyhow::Error {
        let fault = error.downcast_ref::<ReadError>();
        if !self.labels.is_empty() && fault.and_then(ReadError::unknown_key) == Some("labels") {
            let table: Table = text.parse().unwrap_or_default();
            let own = ["data.labels_per_class", "data.labels", "points.labels_per_class"];
            let own = own.into_iter().find(|key| edit::value(&table, key).is_some());
            let set = own.map_or(String::new(), |key| format!(" set {key} by --set, or"));
            let rows = match own.is_some() && table.contains_key("rows") {
                true => " choose rows that have as many by --rows (`tutor list` shows them), or",
                false => "",
            };
            return anyhow!(
                "--labels: the recipe {recipe} has no list of numbers of labels:{rows}{set} take a \
                 recipe of noisy-student or uda-text, which have one"
            );
        }
        let of_file = error.chain().any(|cause| cause.is::<toml::de::Error>());
        if fault.is_some() || of_file { error.context(recipe.to_owned()) } else { error }
    }

    /// The recipe as `check` prints it, to be changed and run: with all rows, those of the
    /// `experiment` to be run, and with the original's quick run.
    pub(crate) fn printed(&self, recipe: &str, experiment: &dyn Experiment) -> Result<String> {
        let text = self.text(recipe)?;
        let (set, _) = self.overrides(&text)?;
        let mut table: Table = experiment.to_toml()?.parse()?;
        let all_rows = Override::set("run_rows", Value::String("all".to_owned()));
        let all = self.resolve_with(&text, &[&set[..], &[all_rows]].concat())?;
        if all.rows().len() > experiment.rows().len() {
            let rows = experiment.rows().into_iter().map(|(row, _)| Value::String(row));
            let rows = match rows.collect::<Vec<_>>() {
                none if none.is_empty() => Value::String("none".to_owned()),
                rows => Value::Array(rows),
            };
            table = all.to_toml()?.parse()?;
            table.insert("run_rows".to_owned(), rows);
        }
        let whole: Table = text.parse()?;
        let quick = edit::quick_of(&whole, self.changes_data()).filter(|_| !self.quick);
        if let Some(mut quick) = quick {
            table.insert("quick".to_owned(), Value::Table(quick.clone()));
            // What follows from other keys stands in what is printed, and follows from those of the
            // quick run there, which is short whatever is changed.
            let set: Vec<Override> =
                set.into_iter().filter(|change| !quick.contains_key(&change.key)).collect();
            if let Ok(short) = papers::resolve(&text, true, self.changes_data(), &set) {
                let printed = edit::resolved(&toml::to_string(&table)?, true, false, &[])?;
                edit::add_differences(&mut quick, &printed, &short.to_toml()?.parse()?);
            }
            table.insert("quick".to_owned(), Value::Table(quick));
        }
        Ok(toml::to_string_pretty(&table)?)
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
        Some(_) if args.place.device.name() == "auto" => Device::Cpu,
        _ => args.place.device.chosen()?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::catalog::RECIPES;

    #[derive(clap::Parser)]
    struct Asked {
        #[command(flatten)]
        changes: Changes,
    }

    #[test]
    fn what_check_prints_has_the_quick_run_of_the_recipe() {
        let Asked { changes } = ranges::parse(["check".into()]);
        for (name, text) in RECIPES {
            let whole = changes.resolve(name).unwrap_or_else(|e| panic!("{name}: {e:#}"));
            let printed = changes.printed(name, &*whole).expect("text");
            let quick = |text: &str| {
                let quick = papers::resolve(text, true, false, &[]);
                quick.unwrap_or_else(|e| panic!("{name}: {e:#}")).to_toml().expect("text")
            };
            assert_eq!(quick(&printed), quick(text), "{name}");
        }
    }
}
