//! Tables of semi-supervised methods: UDA, FixMatch, MixMatch, Mean Teacher, ... side by side, one
//! training a row and seed.

mod recipe;
mod summary;
mod training;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ssl_core::MethodSettings;
use toml::Table;
use torch::Device;

use crate::images::source::ImageSource;
use crate::images::trained_model::{Place, TrainedModel};
use crate::recipe::head::Head;
use crate::recipe::{edit, row};
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::processes;
use crate::run::seeds::Run;
use recipe::Recipe;

pub(super) const PAPER: Paper = Paper { kind: "ssl-table", read };

struct SslTable {
    head: Head,
    recipe: Recipe,
    /// The images, once they are open.
    source: Option<ImageSource>,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    row::choose(&mut head, &mut recipe.rows, &[])?;
    recipe.check(&head.name)?;
    head.check_expectations(&row::compared(&recipe.rows))?;
    Ok(Box::new(SslTable { head, recipe, source: None }))
}

impl Experiment for SslTable {
    fn head(&self) -> &Head {
        &self.head
    }

    fn rows(&self) -> Vec<(String, String)> {
        row::listed(&self.recipe.rows)
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for (name, row) in self.recipe.trainings()? {
            let of_row = ImageSource::missing(&row.data, dir);
            missing.extend(of_row.with_context(|| format!("row {name}"))?);
        }
        // All rows are of the same images.
        missing.dedup();
        Ok(missing)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.recipe.data.anchor(dir)?;
        let source = ImageSource::open(&self.recipe.data, dir)?;
        for (name, row) in self.recipe.trainings()? {
            let policies = [
                ("evaluate.augment", &row.evaluate.augment),
                ("weak", &row.weak),
                ("strong", &row.strong),
            ];
            let suits = source.suits(("net", &row.net), &policies);
            suits.with_context(|| format!("row {name}"))?;
        }
        self.source = Some(source);
        Ok(())
    }

    fn shares(&self, processes: usize) -> Result<()> {
        for (name, row) in self.recipe.trainings()? {
            ensure!(
                row.method.shares_batches(),
                "row {name}: its method goes by all samples of a batch, or draws numbers for it, \
                 and so it trains in one process; choose others by --rows"
            );
            processes::check_batch("train", &row.train, processes)
                .with_context(|| format!("row {name}"))?;
        }
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let source = self.source.as_ref().context("the data are opened before the run")?;
        source.keep(run.dir)?;
        let rows = self.recipe.trainings()?;
        let outcomes = run.each_seed(
            |seed| {
                let train = |(name, row): &(String, Recipe)| {
                    let dir = seed.dir.join(name);
                    training::run(row, name, source, &dir, seed)
                };
                rows.iter().map(train).collect::<Result<Vec<_>>>()
            },
            |trainings| summary::line(trainings),
        )?;
        Ok(Findings {
            result: summary::result(&self.head, &self.recipe, run, &outcomes)?,
            sections: summary::sections(&self.recipe, &outcomes),
        })
    }

    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let rows = self.recipe.trainings()?;
        let found = match model {
            Some(name) => rows.iter().find(|(row, _)| row == name),
            None => rows.last(),
        };
        let (name, row) = found.with_context(|| {
            let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
            let asked = model.unwrap_or("row");
            format!("there is no {asked} in this run; its rows are {}", names.join(", "))
        })?;
        let dir = seed.join(name);
        let place = Place {
            name: name.clone(),
            net: row.net.clone(),
            input: dir.clone(),
            dir,
            eval_augment: row.evaluate.augment.clone(),
            eval_batch: row.evaluate.batch,
            mirror: row.evaluate.mirror,
        };
        Ok(Box::new(TrainedModel::load(place, device)?))
    }
}
