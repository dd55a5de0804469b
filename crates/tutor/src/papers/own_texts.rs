//! One's own texts: a classifier from a table of labelled texts and other texts without labels, in
//! the minutes that there are.
//!
//! A run starts from a published network where one is named; without one it makes a vocabulary of
//! the texts and pre-trains a small network on them as ELECTRA does. It tries what there is on some
//! of the labels, and trains with all of them. `tutor fit --text` looks at the data and writes the
//! recipe ([`plan`]).

mod linear;
mod look;
mod numbers;
mod parts;
pub(crate) mod plan;
mod recipe;
mod section;
mod seed;
mod shared;
mod start;
mod student;
mod summary;
mod training;
mod trial;
mod written;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use toml::Table;
use torch::Device;

use crate::recipe::edit;
use crate::recipe::head::Head;
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::seeds::Run;
use crate::text::linear_predictor::LinearPredictor;
use crate::text::predictor::TextPredictor;
use parts::Parts;
use recipe::Recipe;
use start::Source;

pub(super) const PAPER: Paper = Paper { kind: "own-texts", read };

struct OwnTexts {
    head: Head,
    recipe: Recipe,
    /// The texts, once they are read.
    parts: Option<Parts>,
    /// When they began to be read.
    began: Option<Instant>,
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let recipe: Recipe = edit::read(own)?;
    recipe.check(&head.name)?;
    let rows: Vec<_> = recipe.rows().map(|name| (name.to_owned(), None)).collect();
    head.check_expectations(&rows)?;
    Ok(Box::new(OwnTexts { head, recipe, parts: None, began: None }))
}

impl Experiment for OwnTexts {
    fn head(&self) -> &Head {
        &self.head
    }

    fn states_numbers(&self) -> bool {
        false
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.began = Some(Instant::now());
        self.recipe.anchor(dir)?;
        self.parts = Some(Parts::open(&self.recipe.data, self.recipe.paraphrases())?);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let recipe = &self.recipe;
        let parts = self.parts.as_ref().context("the texts are read before the run")?;
        parts.keep(run.dir, recipe.paraphrases())?;
        // Work without a training notices it, too.
        train::signals::install().context("cannot listen to signals")?;
        let source = Source::open(recipe, parts, run)?;
        // Reading the texts and making tokens are part of the first seed's time.
        let mut began = self.began;
        let outcomes = run.each_seed(
            |seed| {
                let clock = began.take().unwrap_or_else(Instant::now);
                seed::run(recipe, parts, (source.as_ref(), clock), seed)
            },
            |outcome| outcome.seen().line(),
        )?;
        Ok(Findings {
            result: summary::result((&self.head, recipe), run, parts, &outcomes)?,
            sections: section::sections(&outcomes),
        })
    }

    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let name = match model {
            Some(name) => name.to_owned(),
            None => seed::chosen(seed)?,
        };
        let known: Vec<&str> = self.recipe.rows().collect();
        ensure!(
            known.contains(&name.as_str()),
            "there is no {name} in this run; its networks are {}",
            known.join(", ")
        );
        let run = seed.parent().context("a seed's folder lies in that of its run")?;
        let dir = seed.join(&name);
        let columns = self.recipe.data.columns();
        if self.recipe.net_rows().all(|row| row != name) {
            let classes = seed::classes(seed)?;
            return Ok(Box::new(LinearPredictor::of_run((name, &dir), classes, columns)?));
        }
        Ok(Box::new(TextPredictor::of_run((name, &dir), &start::folder(run), columns, device)?))
    }
}
