//! UDA for texts (Xie et al. 2019, arXiv 1904.12848): few labels, many texts without, and methods
//! side by side from the same start.

mod recipe;
mod section;
mod seed;
mod start;
mod summary;
mod training;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::TextSet;
use ssl_core::MethodSettings as _;
use toml::Table;
use torch::Device;

use crate::recipe::head::Head;
use crate::recipe::{edit, row};
use crate::run::began::{self, Began};
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::processes;
use crate::run::seeds::Run;
use crate::text::augmentation::Changes;
use crate::text::predictor::{Columns, TextPredictor};
use crate::text::texts::Texts;
use recipe::{From, Recipe, Row, named};
use start::Source;

pub(super) const PAPER: Paper = Paper { kind: "uda-text", read };

struct UdaText {
    head: Head,
    recipe: Recipe,
    /// Which rows are not run with the numbers of labels that are asked for, in words.
    left_out: Vec<String>,
    /// The texts, once they are open, and where the data lie.
    texts: Option<Texts>,
    data: Option<PathBuf>,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    let left_out = row::choose(&mut head, &mut recipe.rows, &recipe.labels)?;
    recipe.check(&head.name)?;
    let rows: Vec<_> = recipe
        .rows
        .iter()
        .flat_map(|row| {
            let of = |labels| {
                let other = row.against.as_deref().map(|other| named(labels, other));
                (named(labels, &row.name), other)
            };
            recipe.labels_of(row).into_iter().map(of)
        })
        .collect();
    head.check_expectations(&rows)?;
    Ok(Box::new(UdaText { head, recipe, left_out, texts: None, data: None }))
}

impl UdaText {
    /// The test texts that are measured on.
    fn test(&self, texts: &Texts) -> Result<Arc<TextSet>> {
        let Some(count) = self.recipe.test.filter(|count| *count < texts.test.len()) else {
            return Ok(texts.test.clone());
        };
        let first = texts.test.first_by_class(count).context("test")?;
        Ok(Arc::new(texts.test.select(&first)))
    }

    /// The rows that can be run with what there is, and why the others cannot.
    fn rows_there(&self, run: &Run<'_>) -> Result<(Vec<Row>, Vec<String>)> {
        let (mut rows, mut left_out) = (Vec::new(), self.left_out.clone());
        for row in self.recipe.trainings()? {
            match start::missing(&row.recipe, self.data.as_deref()) {
                Some(why) => left_out.push(format!("The row {} is left out: {why}.", row.name)),
                None => rows.push(row),
            }
        }
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let way_out = "paraphrases and weights have to be there for every process";
        processes::as_first("rows that can be run", &names.join(", "), way_out)?;
        ensure!(!rows.is_empty(), "no row can be run:\n  {}", left_out.join("\n  "));
        left_out.iter().for_each(|line| run.say(line));
        Ok((rows, left_out))
    }
}

impl Experiment for UdaText {
    fn head(&self) -> &Head {
        &self.head
    }

    fn rows(&self) -> Vec<(String, String)> {
        row::listed(&self.recipe.rows)
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn shares(&self, processes: usize) -> Result<()> {
        for Row { name, recipe, .. } in self.recipe.trainings()? {
            ensure!(
                recipe.method.shares_batches(),
                "row {name}: its method goes by all texts of a batch, or draws numbers for it, and so \
                 it trains in one process; choose others by --rows"
            );
            let of_row = || format!("row {name}");
            processes::check_batch("train", &recipe.train, processes).with_context(of_row)?;
            if let Some(pretraining) = recipe.pretraining.filter(|_| recipe.start.pretrain) {
                processes::check_batch("pretraining.train", &pretraining.train, processes)
                    .with_context(of_row)?;
            }
        }
        Ok(())
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        let text = &self.recipe.text;
        match text.is_embedded() {
            true => {
                let texts = text.open(dir)?;
                for &labels in &self.recipe.labels {
                    training::labeled(&self.recipe, &texts, labels, 1)?;
                }
            }
            false => missing.extend(text.missing(dir)),
        }
        for row in self.recipe.trainings()? {
            let why = start::missing(&row.recipe, dir);
            missing.extend(why.map(|why| format!("row {}: {why}", row.name)));
        }
        Ok(missing)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.texts = Some(self.recipe.text.open(dir)?);
        self.recipe.anchor(dir)?;
        self.data = dir.map(Path::to_owned);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        // Work without a training notices it, too.
        train::signals::install().context("cannot listen to signals")?;
        let texts = self.texts.as_ref().context("the texts are opened before the run")?;
        let (rows, left_out) = self.rows_there(run)?;
        // Before hours of training end at labels that there are not, or at shares of other classes.
        for Row { name, recipe, .. } in &rows {
            let fits = recipe.method.fits_classes(texts.test.classes().len());
            fits.map_err(|error| anyhow!("row {name}: method.{error}"))?;
        }
        for &labels in &self.recipe.labels {
            training::labeled(&self.recipe, texts, labels, run.started.seeds[0])?;
        }
        let policies = rows.iter().flat_map(|row| row.recipe.policies());
        let changes = Changes::of(&texts.unlabeled, policies, self.data.as_deref())?;
        let given = (&self.recipe, self.data.as_deref());
        let test = self.test(texts)?;
        let mut began = Began::default();
        texts.add_to(&mut began);
        began.agree()?;
        let mut sources: BTreeMap<From, Source> = BTreeMap::new();
        for from in rows.iter().map(|row| row.recipe.start.from) {
            if let Entry::Vacant(place) = sources.entry(from) {
                place.insert(Source::open(from, given, (texts, &test), run)?);
            }
        }
        sources.values().for_each(|source| source.add_to(&mut began));
        began.keep(run.dir, began::FILE)?;
        changes.keep(run.dir)?;
        let root = run.dir.to_owned();
        let outcomes = run.each_seed(
            |one| seed::run(&rows, (texts, &changes), &mut sources, &root, one),
            |found| summary::line(found),
        )?;
        let about = match self.recipe.test {
            Some(_) => format!("{}, of which {} are measured on", texts.about, test.len()),
            None => texts.about.clone(),
        };
        let first = &sources[&rows[0].recipe.start.from];
        let mut sections: Vec<_> =
            section::views(&rows, &texts.unlabeled, first, &changes)?.into_iter().collect();
        let pretrained = sources.values().filter_map(|s| Some((s.name(), s.pretraining()?)));
        sections.extend(section::sections(&self.recipe, &outcomes, pretrained));
        let about = (about.as_str(), sources.values());
        let of = (&self.head, &self.recipe);
        Ok(Findings { result: summary::result(of, run, about, &outcomes, &left_out)?, sections })
    }

    /// `model` is a row, or a row with a number of labels as `ROW/N-labels`; a row stands for its
    /// largest number.
    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let mut all: Vec<String> = self
            .recipe
            .rows
            .iter()
            .flat_map(|row| {
                let labels = self.recipe.labels_of(row).into_iter();
                labels.map(move |labels| format!("{}/{labels}-labels", row.name))
            })
            .collect();
        if model.is_none() {
            // A row that was left out, as for want of paraphrases, has no network.
            all.retain(|name| seed.join(name).join("final.safetensors").is_file());
        }
        let asked = |name: &&String| match model {
            Some(model) => *name == model || name.split('/').next() == Some(model),
            None => true,
        };
        let found = all.iter().rfind(asked).with_context(|| {
            let model = model.unwrap_or("row");
            format!("there is no {model} in this run; its networks are {}", all.join(", "))
        })?;
        let dir = seed.join(found);
        let columns = Columns::default();
        Ok(Box::new(TextPredictor::of_run((found.clone(), &dir), &dir, columns, device)?))
    }
}
