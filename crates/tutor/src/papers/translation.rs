//! Translation: a Transformer trained from nothing on sentences in two languages, in one direction
//! a row, which others then translate by ([`crate::text::translation`]).

mod recipe;
mod section;
mod seed;
mod summary;
mod training;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::Table;

use crate::recipe::head::Head;
use crate::recipe::{edit, row};
use crate::run::began::{self, Began};
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::processes;
use crate::run::seeds::Run;
use crate::text::parallel::Parallel;
use recipe::Recipe;
use seed::Vocabulary;

pub(super) const PAPER: Paper = Paper { kind: "translation", read };

struct Translating {
    head: Head,
    recipe: Recipe,
    /// The sentences, once they are open.
    data: Option<Parallel>,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    let before = recipe.net.clone();
    recipe.size_by(recipe.vocabulary.tokens as i64);
    let given = own.get("net").and_then(toml::Value::as_table);
    for (key, follows) in [
        ("vocabularies", before.vocabularies == recipe.net.vocabularies),
        ("start", before.start == recipe.net.start),
    ] {
        ensure!(
            follows || given.is_none_or(|net| !net.contains_key(key)),
            "net.{key}: follows from vocabulary.tokens: leave it out"
        );
    }
    row::choose(&mut head, &mut recipe.rows, &[])?;
    recipe.check(&head.name)?;
    head.check_expectations(&row::compared(&recipe.rows))?;
    Ok(Box::new(Translating { head, recipe, data: None }))
}

impl Experiment for Translating {
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
        for (name, row) in self.recipe.trainings()? {
            processes::check_batch("train", &row.train, processes)
                .with_context(|| format!("row {name}"))?;
        }
        Ok(())
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        Ok(self.recipe.data.missing(dir))
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.data = Some(self.recipe.data.open(dir)?);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let recipe = &self.recipe;
        let data = self.data.as_ref().context("sentences are opened before the run")?;
        let mut began = Began::default();
        data.add_to(&mut began);
        began.keep(run.dir, began::FILE)?;
        let vocabulary = Vocabulary::make(run.dir, recipe, data)?;
        let threads = run.started.threads;
        let outcomes = run.each_seed(
            |one| seed::run(recipe, (data, &vocabulary, threads), one),
            |found| summary::line(found),
        )?;
        Ok(Findings {
            result: summary::result(&self.head, recipe, run, data, &outcomes)?,
            sections: section::sections(recipe, data, &outcomes)?,
        })
    }
}
