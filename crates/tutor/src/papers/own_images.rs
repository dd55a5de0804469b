//! One's own images: a classifier from a folder of labelled and a folder of unlabelled pictures, in
//! the minutes that there are.
//!
//! A run starts from published weights where there are some, tries the methods on some of the
//! labels for a short time, and trains two networks with all of them: one on the labels alone, one
//! on the unlabelled images too. `tutor fit` looks at the data and writes the recipe ([`plan`]).

mod choice;
mod look;
mod pictures;
pub(crate) mod plan;
mod probe;
mod recipe;
mod section;
mod seed;
mod start;
mod summary;
mod training;
mod trial;
mod views;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use toml::Table;
use torch::Device;
use weights::StateDict;
use weights::find::{Places, find};

use crate::images::source::ImageSource;
use crate::images::trained_model::{Place, TrainedModel};
use crate::recipe::edit;
use crate::recipe::head::Head;
use crate::run::began::{self, Began};
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::seeds::Run;
use recipe::{FROZEN, Recipe, SPREAD};

pub(super) const PAPER: Paper = Paper { kind: KIND, read };

const KIND: &str = "own-images";

struct OwnImages {
    head: Head,
    recipe: Recipe,
    source: Option<ImageSource>,
    /// The published weights, once they are read.
    given: Option<StateDict>,
    /// When the data began to be read.
    began: Option<Instant>,
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let recipe: Recipe = edit::read(own)?;
    recipe.check(&head.name)?;
    let rows: Vec<_> = recipe.methods().map(|(name, _)| (name.to_owned(), None)).collect();
    head.check_expectations(&rows)?;
    Ok(Box::new(OwnImages { head, recipe, source: None, given: None, began: None }))
}

impl Experiment for OwnImages {
    fn head(&self) -> &Head {
        &self.head
    }

    fn states_numbers(&self) -> bool {
        false
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        ImageSource::missing(&self.recipe.data, dir)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.began = Some(Instant::now());
        self.recipe.data.anchor(dir)?;
        if let Some(asked) = &self.recipe.weights {
            self.given = Some(find(asked, &Places::of_user())?.open()?);
        }
        let source = ImageSource::open(&self.recipe.data, dir)?;
        let Recipe { net, evaluate, weak, strong, .. } = &self.recipe;
        let policies =
            [("evaluate.augment", &evaluate.augment), ("weak", weak), ("strong", strong)];
        source.suits(("net", net), &policies)?;
        self.source = Some(source);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let source = self.source.as_ref().context("the data are opened before the run")?;
        source.keep(run.dir)?;
        if let Some(given) = &self.given {
            let mut began = Began::default();
            let meta = given.meta.iter().map(|(key, text)| format!("{key} {text:?}"));
            began.add_weights("weights", given, meta);
            began.keep(run.dir, began::FILE)?;
        }
        // Reading the data is part of the first seed's time.
        let mut began = self.began;
        let outcomes = run.each_seed(
            |seed| {
                let mut data = source.draw(seed.seed)?;
                if let Some(given) = &self.given {
                    data.input.adopt(weights::meta::preprocess(&given.meta).unwrap_or_default());
                }
                let clock = began.take().unwrap_or_else(Instant::now);
                seed::run(&self.recipe, &data, (self.given.as_ref(), clock), seed)
            },
            |outcome| outcome.seen().line(),
        )?;
        Ok(Findings {
            result: summary::result(&self.head, &self.recipe, run, &outcomes)?,
            sections: section::sections(&outcomes)?,
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
        let frozen = self.recipe.weights.is_some().then_some(FROZEN);
        let spread = seed.join(SPREAD).exists().then_some(SPREAD);
        let frozen = frozen.into_iter().chain(spread);
        let known: Vec<&str> = frozen.chain(self.recipe.methods().map(|m| m.0)).collect();
        ensure!(
            known.contains(&name.as_str()),
            "there is no {name} in this run; its networks are {}",
            known.join(", ")
        );
        let dir = seed.join(&name);
        let place = Place {
            name,
            net: self.recipe.net.clone(),
            input: dir.clone(),
            dir,
            eval_augment: self.recipe.evaluate.augment.clone(),
            eval_batch: self.recipe.evaluate.batch,
            mirror: self.recipe.evaluate.mirror,
        };
        Ok(Box::new(TrainedModel::load(place, device)?))
    }
}
