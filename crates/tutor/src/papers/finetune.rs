//! Fine-tuning on benchmark tasks: a published network, or one that was pre-trained here, learns a
//! task of GLUE, questions in SQuAD's format or words with tags, and is measured as the task's
//! official scripts do. Predictions are written in the forms that these take.
//!
//! `tutor finetune` writes the recipe ([`plan`]).

mod glue;
mod kept;
mod new_questions;
mod new_sentences;
pub(crate) mod plan;
mod recipe;
mod squad;
mod start;
mod summary;
mod tags;
mod training;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::Table;
use torch::Device;

use crate::recipe::edit;
use crate::recipe::head::Head;
use crate::run::annotator::Annotator;
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::processes;
use crate::run::seeds::{Run, SeedRun};
use crate::text::predictor::{Columns, TextPredictor};
use new_questions::NewQuestions;
use new_sentences::NewSentences;
use recipe::{Recipe, TaskConfig};
use start::Start;
use summary::Outcome;

pub(super) const PAPER: Paper = Paper { kind: "finetune", read };

struct Finetune {
    head: Head,
    recipe: Recipe,
    /// The network and the task, once they are read.
    opened: Option<(Start, Task)>,
}

/// A task with its data.
enum Task {
    Glue(Box<glue::GlueTask>),
    Squad(Box<squad::SquadTask>),
    Tags(Box<tags::TagTask>),
}

impl Task {
    fn open(recipe: &Recipe, start: &Start) -> Result<Self> {
        Ok(match &recipe.task {
            TaskConfig::Glue(config) => Self::Glue(Box::new(glue::GlueTask::open(config, start)?)),
            TaskConfig::Squad(config) => {
                Self::Squad(Box::new(squad::SquadTask::open(config, start)?))
            }
            TaskConfig::Tags(config) => Self::Tags(Box::new(tags::TagTask::open(config, start)?)),
        })
    }

    /// What there is, in words, and what should be known of it.
    fn about(&self) -> (String, &[String]) {
        match self {
            Self::Glue(task) => (task.about(), task.notes()),
            Self::Squad(task) => (task.about(), task.notes()),
            Self::Tags(task) => (task.about(), task.notes()),
        }
    }

    /// Keeps in a run's folder what it begins with, and what its networks need beside their
    /// tensors. Fails if the run began with something else.
    fn keep(&self, start: &Start, run: &Path) -> Result<()> {
        match self {
            Self::Glue(task) => {
                training::keep_began(&**task, start, run)?;
                task.keep(start, run)
            }
            Self::Squad(task) => {
                training::keep_began(&**task, start, run)?;
                task.keep(start, run)
            }
            Self::Tags(task) => {
                training::keep_began(&**task, start, run)?;
                task.keep(start, run)
            }
        }
    }

    fn seed(&self, recipe: &Recipe, start: &Start, run: &mut SeedRun<'_, '_>) -> Result<Outcome> {
        match self {
            Self::Glue(task) => training::seed(&**task, recipe, start, run),
            Self::Squad(task) => training::seed(&**task, recipe, start, run),
            Self::Tags(task) => training::seed(&**task, recipe, start, run),
        }
    }
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let recipe: Recipe = edit::read(own)?;
    recipe.check(&head.name)?;
    head.check_expectations(&[(recipe.task.name().to_owned(), None)])?;
    Ok(Box::new(Finetune { head, recipe, opened: None }))
}

impl Experiment for Finetune {
    fn head(&self) -> &Head {
        &self.head
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn shares(&self, processes: usize) -> Result<()> {
        // Of a task with fewer examples the batch is smaller, which the loader looks at.
        let train = self.recipe.train(self.recipe.finetuning.batch);
        processes::check_batch("finetuning", &train, processes)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.recipe.task.anchor(dir)?;
        let start = Start::open(&self.recipe)?;
        let task = Task::open(&self.recipe, &start)?;
        self.opened = Some((start, task));
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let (start, task) = self.opened.as_ref().context("the data are read before the run")?;
        task.keep(start, run.dir)?;
        let (about, notes) = task.about();
        run.say(&format!("data: {about}"));
        notes.iter().for_each(|note| run.say(&format!("of the data: {note}")));
        let outcomes = run.each_seed(|one| task.seed(&self.recipe, start, one), summary::line)?;
        let name = self.recipe.task.name();
        Ok(Findings {
            result: summary::result((&self.head, name), run, (&about, notes), &outcomes)?,
            sections: summary::sections(&run.started.seeds, &outcomes),
        })
    }

    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let TaskConfig::Glue(config) = &self.recipe.task else {
            bail!(
                "{}: its networks answer questions or tag words, and are no classifiers: tutor \
                 predict alone shows them new files",
                self.head.name
            );
        };
        ensure!(
            !config.task.classes().is_empty(),
            "{} gives scores, not classes; those of its test part lie in {}",
            config.task.name(),
            seed.join(summary::PREDICTIONS).display()
        );
        training::check_model(model)?;
        let run = seed.parent().context("a seed's folder lies in that of its run")?;
        let named = (config.task.name().to_owned(), &*seed.join(training::FOLDER));
        let columns = match glue::pair_columns(config.task) {
            Some([first, second]) => Columns {
                text: Some(first.to_owned()),
                pair: Some(second.to_owned()),
                ..Columns::default()
            },
            None => Columns::default(),
        };
        Ok(Box::new(TextPredictor::of_run(named, &kept::folder(run), columns, device)?))
    }

    fn annotator(&self, seed: &Path, model: Option<&str>) -> Result<Option<Box<dyn Annotator>>> {
        if !matches!(self.recipe.task, TaskConfig::Glue(_)) {
            training::check_model(model)?;
        }
        Ok(match &self.recipe.task {
            TaskConfig::Glue(_) => None,
            TaskConfig::Squad(config) => Some(Box::new(NewQuestions::of_seed(config, seed)?)),
            TaskConfig::Tags(config) => Some(Box::new(NewSentences::of_seed(config, seed)?)),
        })
    }
}
