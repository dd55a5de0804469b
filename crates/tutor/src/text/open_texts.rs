//! Texts that are open to be shown to a classifier.

use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::Skipped;
use data_pipeline::text::TextSet;

use crate::run::experiment::{Answer, Shown};

/// Texts, and what a classifier says of them.
pub(super) struct OpenTexts<F> {
    pub(super) texts: Arc<TextSet>,
    /// What the columns of the texts are called.
    pub(super) columns: Vec<String>,
    /// How many classes it tells apart.
    pub(super) classes: usize,
    /// The probability of each class for each text of a range, row by row.
    pub(super) say: F,
}

/// So many texts are answered at once: those of like length go through a network together.
const AT_ONCE: usize = 1024;

/// What the samples of a set are, in the plural.
pub(crate) fn unit(set: &TextSet) -> &'static str {
    if set.has_pairs() { "pairs" } else { "texts" }
}

impl<F: Fn(Range<usize>) -> Result<Vec<f32>>> Shown for OpenTexts<F> {
    fn unit(&self) -> &'static str {
        unit(&self.texts)
    }

    fn id_column(&self) -> &str {
        "id"
    }

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn texts(&self, index: usize) -> Vec<String> {
        self.texts.examples()[index].texts.iter().map(str::to_owned).collect()
    }

    fn len(&self) -> usize {
        self.texts.len()
    }

    fn id(&self, index: usize) -> String {
        self.texts.id(index)
    }

    fn stamp(&self, index: usize) -> String {
        let text = &self.texts.examples()[index];
        format!("{text:?}")
    }

    fn truth(&self, index: usize) -> Option<u32> {
        self.texts.label(index)
    }

    fn notes(&self) -> &[String] {
        self.texts.notes()
    }

    fn left_out(&self) -> &[Skipped] {
        // What a table has that cannot be read is counted in the notes.
        &[]
    }

    fn show(
        &self,
        range: Range<usize>,
        take: &mut dyn FnMut(Vec<Answer>) -> Result<()>,
    ) -> Result<()> {
        for start in range.clone().step_by(AT_ONCE) {
            let said = (self.say)(start..(start + AT_ONCE).min(range.end))?;
            let answer =
                |row: &[f32]| Answer::Said { probabilities: row.to_vec(), noticed: Vec::new() };
            take(said.chunks_exact(self.classes).map(answer).collect())?;
        }
        Ok(())
    }
}
