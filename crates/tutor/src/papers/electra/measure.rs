//! What classifiers are made of and measured on: the texts' own classes, and tasks of GLUE.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{EncodedSet, Glue, GluePart, Layout, TextSet, Tokenizer};
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use crate::recipe::faults::Faults;
use crate::text::texts::{Texts, draw};

/// A task of GLUE that classifiers are measured on too: labels are drawn of its training part, and
/// its dev part is the test, because the classes of its test part are not published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GlueTask {
    pub(super) task: Glue,
    /// Numbers of labels, all classes together: a training each.
    pub(super) labels: Vec<usize>,
    /// How texts become sequences.
    pub(super) layout: Layout,
}

impl GlueTask {
    /// Names what cannot work; networks read at most `positions` tokens.
    pub(super) fn check(&self, positions: i64, faults: &mut Faults) {
        let key = format!("glue.{}", self.task.name());
        if self.task.classes().is_empty() || self.task == Glue::Ax {
            faults.add(&key, "has no classes and labels to learn from");
        }
        faults.positive(&format!("{key}.labels"), self.labels.len() as u64);
        if self.labels.contains(&0) {
            faults.add(&format!("{key}.labels"), "0 labels teach nothing");
        }
        if !(5..=positions).contains(&(self.layout.longest as i64)) {
            let fault = format!("must be between 5 and pretrain.encoder.positions, {positions}");
            faults.add(&format!("{key}.layout.longest"), fault);
        }
    }
}

/// A number of labels of a task.
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
        let of_task = |task: &GlueTask| {
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

/// Labelled texts: those that labels are drawn of, and those to measure on.
pub(super) struct Labeled {
    pub(super) from: TextSet,
    pub(super) test: Arc<TextSet>,
    pub(super) layout: Layout,
}

impl Labeled {
    /// The texts of each task of the recipe, none for the texts' own classes; `dir` is `--data`.
    pub(super) fn open(recipe: &Recipe, texts: &Texts, dir: Option<&Path>) -> Result<ByTask<Self>> {
        let (from, test) = (texts.labeled.clone(), texts.test.clone());
        let mut all = vec![(None, Self { from, test, layout: recipe.finetune.layout })];
        for task in &recipe.glue {
            let name = task.task.name();
            let dir = dir.with_context(|| {
                let folder = format!("the folder that holds glue/{name}");
                format!("{name} is not embedded: name {folder} with --data DIR or $TUTOR_DATA")
            })?;
            let read = |part| task.task.read(dir, part, OnBadInput::Error);
            let (from, test) = (read(GluePart::Train)?, Arc::new(read(GluePart::Dev)?));
            all.push((Some(task.task), Self { from, test, layout: task.layout }));
        }
        for measure in Measure::all(recipe) {
            draw(&find(&all, measure).from, measure.labels, 1)?;
        }
        for (_, texts) in &all {
            ensure!(!texts.test.is_empty(), "{} has no text", texts.test.name());
        }
        Ok(all)
    }

    /// The texts to measure on, in tokens.
    pub(super) fn encode_test(&self, tokenizer: &Tokenizer) -> Result<EncodedSet> {
        Ok(self.test.encode(tokenizer, self.layout)?)
    }
}

/// Something for each task, that of the texts' own classes first.
pub(super) type ByTask<T> = Vec<(Option<Glue>, T)>;

/// What belongs to a measurement.
pub(super) fn find<T>(all: &ByTask<T>, measure: Measure) -> &T {
    let found = all.iter().find(|(task, _)| *task == measure.glue);
    &found.expect("every task is opened").1
}
