//! ELECTRA: pre-training as discriminator beside other objectives at equal compute, and what
//! classifiers make of it.

mod finetuning;
mod measure;
mod recipe;
mod section;
mod seed;
mod summary;

use std::path::Path;

use anyhow::{Context, Result};
use toml::Table;

use crate::recipe::head::Head;
use crate::recipe::{edit, row};
use crate::run::began::{self, Began};
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::processes;
use crate::run::seeds::Run;
use crate::text::pretraining;
use crate::text::texts::Texts;
use crate::text::tokens::{Making, Tokens};
use measure::{ByTask, Labeled, Measure};
use recipe::{Recipe, Start};

pub(super) const PAPER: Paper = Paper { kind: "electra", read };

struct Electra {
    head: Head,
    recipe: Recipe,
    /// The texts, once they are open.
    texts: Option<Texts>,
    /// The labelled texts of each task, once they are open.
    labeled: ByTask<Labeled>,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    pretraining::of_made_vocabulary(own, &mut recipe.pretrain, recipe.vocabulary)?;
    row::choose(&mut head, &mut recipe.rows, &[])?;
    recipe.check(&head.name)?;
    let rows: Vec<_> = Measure::all(&recipe)
        .into_iter()
        .flat_map(|measure| {
            let name = move |row: &str| measure.named(row);
            recipe.rows.iter().map(move |r| (name(&r.name), r.against.as_deref().map(name)))
        })
        // What is said of a pre-training itself bears the row's name.
        .chain(recipe.rows.iter().map(|row| (row.name.clone(), None)))
        .collect();
    head.check_expectations(&rows)?;
    Ok(Box::new(Electra { head, recipe, texts: None, labeled: Vec::new() }))
}

impl Experiment for Electra {
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
            let row_named = || format!("row {name}");
            if row.start != Start::Random {
                processes::check_batch("train", &row.train, processes).with_context(row_named)?;
            }
            for measure in Measure::all(&row) {
                let train = row.finetune.train(measure.labels);
                processes::check_batch("finetune.train", &train, processes)
                    .with_context(row_named)?;
            }
        }
        Ok(())
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        let of_tasks = self.recipe.glue.iter().filter_map(|task| task.missing(dir));
        Ok(self.recipe.text.missing(dir).into_iter().chain(of_tasks).collect())
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        let texts = self.recipe.text.open(dir)?;
        self.labeled = Labeled::open(&self.recipe, &texts, dir)?;
        self.texts = Some(texts);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let recipe = &self.recipe;
        let texts = self.texts.as_ref().context("the texts are opened before the run")?;
        let mut began = Began::default();
        texts.add_to(&mut began);
        for (task, labeled) in &self.labeled {
            if let Some(task) = task {
                labeled.add_to(task.name(), &mut began);
            }
        }
        began.keep(run.dir, began::FILE)?;
        let making = Making {
            vocabulary: recipe.vocabulary,
            segments: recipe.sequences,
            workers: recipe.workers,
        };
        let running = (&texts.running[..], &texts.held_out[..]);
        let tokens = Tokens::make(running, &run.dir.join("text"), making)?;
        tokens.tokenizer.check_fits(recipe.vocabulary)?;
        let encoded = |texts: &Labeled| texts.encode_test(&tokens.tokenizer);
        let tests = self.labeled.iter().map(|(task, texts)| Ok((*task, encoded(texts)?)));
        let tests = tests.collect::<Result<ByTask<_>>>()?;
        let rows = recipe.trainings()?;
        let outcomes = run.each_seed(
            |one| seed::run(&rows, &tokens, (&self.labeled, &tests), one),
            |found| summary::line(found),
        )?;
        let of_glue = self.labeled.iter().filter(|(task, _)| task.is_some());
        let about = of_glue
            .fold(texts.about.clone(), |all, (_, texts)| format!("{all}; {}", texts.about()));
        Ok(Findings {
            result: summary::result(&self.head, recipe, run, &about, &outcomes)?,
            sections: section::sections(recipe, &outcomes),
        })
    }
}
