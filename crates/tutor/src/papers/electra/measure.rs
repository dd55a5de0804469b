//! The labelled texts that classifiers learn from and are measured on: those of the recipe's texts,
//! told apart by their own classes, and those of tasks of GLUE.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, Glue, GluePart, Layout, TextSet, Tokenizer};

use super::recipe::{GlueMeasure, Recipe};
use crate::run::began::Began;
use crate::text::texts::{Texts, draw};

/// Classifiers that are trained on so many labels of a task, a measurement of the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// None for the texts' own classes.
    pub(super) glue: Option<Glue>,
    pub(super) labels: usize,
}

impl Measure {
    /// All that a recipe asks for, those of the texts' own classes first.
    pub(super) fn all(recipe: &Recipe) -> Vec<Self> {
        let own = recipe.finetune.labels.iter().map(|&labels| Self { glue: None, labels });
        let of_task = |task: &GlueMeasure| {
            let glue = Some(task.task);
            task.labels.iter().map(|&labels| Self { glue, labels }).collect::<Vec<_>>()
        };
        own.chain(recipe.glue.iter().flat_map(of_task)).collect()
    }

    /// What is before the name of a row.
    fn words(self) -> String {
        let task = self.glue.map_or(String::new(), |task| format!("{}, ", task.name()));
        format!("{task}{} labels", self.labels)
    }

    /// The name of a row.
    pub(super) fn named(self, row: &str) -> String {
        format!("{}, {row}", self.words())
    }

    /// The folder of its training.
    pub(super) fn folder(self) -> String {
        self.words().replace(", ", "-").replace(' ', "-")
    }
}

impl GlueMeasure {
    /// The folder of all data; `dir` is `--data`.
    fn folder<'a>(&self, dir: Option<&'a Path>) -> Result<&'a Path> {
        let name = self.task.name();
        dir.with_context(|| {
            let folder = format!("the folder that holds glue/{name}");
            format!("{name} is not embedded: name {folder} with --data DIR or $TUTOR_DATA")
        })
    }

    /// What of its texts is not there, in words; nothing is read. `dir` is `--data`.
    pub(super) fn missing(&self, dir: Option<&Path>) -> Option<String> {
        let lacks = |dir| {
            let parts = [GluePart::Train, GluePart::Dev];
            parts.into_iter().find_map(|part| self.task.missing(dir, part))
        };
        match self.folder(dir) {
            Ok(dir) => lacks(dir).map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// Labelled texts of a task: those that labels are drawn from, and those to measure on.
pub(super) struct Labeled {
    pub(super) from: TextSet,
    pub(super) test: Arc<TextSet>,
    pub(super) layout: Layout,
}

impl Labeled {
    /// Those of each task; the recipe's own texts have no task's name. `dir` is `--data`. Labels
    /// that there are not enough of are refused.
    pub(super) fn open(recipe: &Recipe, texts: &Texts, dir: Option<&Path>) -> Result<ByTask<Self>> {
        let (from, test) = (texts.labeled.clone(), texts.test.clone());
        let mut all = vec![(None, Self { from, test, layout: recipe.finetune.layout })];
        for task in &recipe.glue {
            let dir = task.folder(dir)?;
            let read = |part| task.task.read(dir, part, task.on_bad);
            let (from, test) = (read(GluePart::Train)?, Arc::new(read(GluePart::Dev)?));
            all.push((Some(task.task), Self { from, test, layout: task.layout }));
        }
        for measure in Measure::all(recipe) {
            // Whether there are enough is the same for every seed.
            draw(&find(&all, measure).from, measure.labels, 1)?;
        }
        for (_, texts) in &all {
            ensure!(!texts.test.is_empty(), "{} has no text", texts.test.name());
        }
        Ok(all)
    }

    /// Adds those of a task of GLUE to what a run began with.
    pub(super) fn add_to(&self, task: &str, began: &mut Began) {
        for (part, set) in [("training", &self.from), ("dev", &*self.test)] {
            let words = format!("{part} texts of {task}");
            began.add_each(format!("{task} {part}"), words, set.examples());
        }
    }

    /// Which they are, in words, for a task of GLUE.
    pub(super) fn about(&self) -> String {
        let (from, test) = (&self.from, &self.test);
        let (train, dev) = (from.examples().len(), test.examples().len());
        let notes: String =
            [from.notes(), test.notes()].concat().iter().map(|n| format!("; {n}")).collect();
        format!(
            "labels drawn from {train} texts of {}, measured on {dev} of {}{notes}",
            from.name(),
            test.name()
        )
    }

    /// The texts to measure on, in tokens.
    pub(super) fn encode_test(&self, tokenizer: &Tokenizer) -> Result<EncodedSet> {
        Ok(self.test.encode(tokenizer, self.layout)?)
    }
}

/// A value for each task, that of the texts' own classes first.
pub(super) type ByTask<T> = Vec<(Option<Glue>, T)>;

/// The value for the task of a measurement.
pub(super) fn find<T>(all: &ByTask<T>, measure: Measure) -> &T {
    let found = all.iter().find(|(task, _)| *task == measure.glue);
    &found.expect("every task is opened").1
}
