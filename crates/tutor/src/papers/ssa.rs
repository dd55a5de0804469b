//! How people rate chatbots (Adiwardana et al. 2020): the rubric, simulated raters of known
//! quality, the published conversations and numbers. Nothing is trained.

mod automatic;
mod decisions;
mod numbers;
mod published;
mod recipe;
mod rubric;
mod simulated;
pub(crate) mod study;
mod summary;
mod sweep;

use std::path::{Path, PathBuf};

use anyhow::Result;
use toml::Table;

use crate::recipe::edit;
use crate::recipe::head::Head;
use crate::recipe::paths::from_anywhere;
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::seeds::Run;
use published::Transcripts;
use recipe::Recipe;
use sweep::Sweep;

pub(super) const PAPER: Paper = Paper { kind: "ssa", read };

struct Ssa {
    head: Head,
    recipe: Recipe,
    transcripts: Transcripts,
    sweep: Sweep,
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let recipe: Recipe = edit::read(own)?;
    recipe.check(&head.name)?;
    head.check_expectations(&recipe.row_names())?;
    let (transcripts, sweep) = (Transcripts::default(), Sweep::default());
    Ok(Box::new(Ssa { head, recipe, transcripts, sweep }))
}

impl Experiment for Ssa {
    fn head(&self) -> &Head {
        &self.head
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        let folder: Option<PathBuf> = dir.map(|dir| dir.join(&self.recipe.transcripts));
        self.transcripts = Transcripts::read(folder.as_deref())?;
        if !self.recipe.sweep.is_empty() {
            // So that the run's recipe is the same run again from anywhere.
            self.recipe.sweep = from_anywhere(&self.recipe.sweep)?;
            self.sweep = Sweep::read(Path::new(&self.recipe.sweep))?;
        }
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let found = run.each_seed(
            |seed| {
                seed.part("simulated raters");
                Ok(simulated::run(&self.recipe, seed.seed))
            },
            summary::line,
        )?;
        Ok(Findings {
            result: summary::result(&self.head, &self.recipe, run, &found)?,
            sections: summary::sections(&found, &self.transcripts, &self.sweep)?,
        })
    }
}
