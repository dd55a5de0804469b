//! A linear classifier of texts of a run, with all that is needed to show it new ones.

use std::any::Any;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::digest::Digest;
use data_pipeline::text::Texts;

use super::linear::Linear;
use super::open_texts::OpenTexts;
use super::predictor::Columns;
use crate::run::experiment::{Predictor, Reading, Shown};

/// A linear classifier of texts.
pub(crate) struct LinearPredictor {
    name: String,
    linear: Linear,
    classes: Vec<String>,
    columns: Columns,
    /// The files that it was read from.
    files: [PathBuf; 2],
}

impl LinearPredictor {
    /// The one that a run kept in a folder.
    pub(crate) fn of_run(
        (name, dir): (String, &Path),
        classes: Vec<String>,
        columns: Columns,
    ) -> Result<Self> {
        let linear = Linear::open(dir, classes.len())?;
        Ok(Self { name, linear, classes, columns, files: Linear::files(dir) })
    }
}

impl Predictor for LinearPredictor {
    fn about(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn read_tables(&mut self, how: &Reading) -> Result<()> {
        let pairs = self.columns.pair.is_some();
        self.columns.change(how, Some(pairs))
    }

    fn identity(&self) -> Result<String> {
        let mut told = format!("{:?} {}", self.classes, self.columns.identity());
        for file in &self.files {
            let bytes =
                fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            told += &format!(" {}", Digest::of(&bytes));
        }
        Ok(Digest::of(told.as_bytes()).to_string())
    }

    fn open(&self, path: &Path, labeled: bool) -> Result<Box<dyn Shown + '_>> {
        let texts = Arc::new(match labeled {
            true => {
                let reader = self.columns.scored(path, &self.classes)?;
                reader.read(&[path.to_owned()])?
            }
            false => self.columns.bare(path, &self.classes)?,
        });
        let shown = texts.clone();
        let say = move |range: Range<usize>| {
            let texts: Vec<&Texts> = shown.examples()[range].iter().map(|of| &of.texts).collect();
            Ok(self.linear.probabilities(&texts))
        };
        let columns = self.columns.of_texts();
        Ok(Box::new(OpenTexts { texts, columns, classes: self.classes.len(), say }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
